//! The coordinator: takes jobs in, cuts them into shards, sends the shards to whoever works, collects what comes back,
//! and balances the ledger.
//!
//! Architecture invariant: the coordinator parses no user file, ever; it does not open one. It never sees a worker
//! either: shards go into the queue, outcomes come out of it.

use std::sync::Arc;

use pagemill_backends::Backends;
use pagemill_backends::blobs::BlobError;
use pagemill_backends::queue::QueueError;
use pagemill_backends::store::StoreError;
use pagemill_domain::limits::Limits;
use tokio::sync::{Notify, watch};

pub mod access;
mod dispatch;
mod grpc;
mod http;
pub mod report;
mod run;
mod serve;
mod submit;

pub use serve::{ServeConfig, ServeError, Server, serve};

/// What a coordinator is told.
#[derive(Debug, Clone, PartialEq)]
pub struct CoordinatorConfig {
    /// The bounds to keep.
    pub limits: Limits,
    /// Shards that may be on their way at once: about twice the slots, so that no slot waits and the rest of the work
    /// stays where it can still be chosen.
    pub window_shards: usize,
    /// Seconds of work that a recognise shard holds. What a killed worker had in hand is done again, so embedded runs
    /// keep it short.
    pub shard_seconds: f64,
    /// Sources that an inspect shard holds.
    pub sources_per_inspect_shard: u32,
}

/// The coordinator's handle: cheap to clone; [`Coordinator::run`] does the work.
#[derive(Clone)]
pub struct Coordinator {
    config: Arc<CoordinatorConfig>,
    backends: Backends,
    changes: Arc<watch::Sender<u64>>,
    submitted: Arc<Notify>,
}

impl Coordinator {
    /// A coordinator that does nothing until it runs.
    #[must_use]
    pub fn new(config: CoordinatorConfig, backends: Backends) -> Self {
        Self {
            config: Arc::new(config),
            backends,
            changes: Arc::new(watch::Sender::new(0)),
            submitted: Arc::default(),
        }
    }

    /// Moves on whenever something about a job changed; [`Coordinator::status`] tells what.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    fn announce_change(&self) {
        self.changes.send_modify(|version| *version += 1);
    }
}

/// Why a coordinator can't go on. Nothing is lost: the store holds what was accepted.
#[derive(Debug, thiserror::Error)]
pub enum CoordinatorError {
    /// The store failed.
    #[error("store: {0}")]
    Store(#[from] StoreError),
    /// The queue failed.
    #[error("queue: {0}")]
    Queue(#[from] QueueError),
    /// The blobs failed.
    #[error("blobs: {0}")]
    Blobs(#[from] BlobError),
    /// A report could not be written.
    #[error("write report: {0}")]
    Report(#[from] std::io::Error),
}
