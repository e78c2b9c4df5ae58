//! The coordinator: takes jobs in, cuts them into shards, sends the shards to whoever works, collects what comes back,
//! and balances the ledger.
//!
//! Architecture invariant: the coordinator parses no user file, ever; it does not open one. It never sees a worker
//! either: shards go into the queue, outcomes come out of it.

use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use pagemill_backends::Backends;
use pagemill_backends::blobs::BlobError;
use pagemill_backends::queue::QueueError;
use pagemill_backends::store::StoreError;
use pagemill_domain::limits::Limits;
use tokio::sync::{Notify, watch};

use metrics::Metrics;
use pace::JobPaces;

pub mod access;
mod grpc;
mod http;
mod lead;
mod leases;
mod metrics;
mod pace;
pub mod report;
mod scaler;
mod serve;
mod submit;
mod tls;

pub use leases::LeaseConfig;
pub use serve::{ServeConfig, ServeError, Server, serve};
pub use tls::{Tls, TlsError, TlsFiles};

/// What a coordinator is told.
#[derive(Debug, Clone, PartialEq)]
pub struct CoordinatorConfig {
    /// The bounds to keep.
    pub limits: Limits,
    /// Its name among the coordinators: where it can be reached.
    pub name: String,
    /// Shards that may be on their way at once.
    pub window: WindowRule,
    /// Seconds of work that a recognise shard holds. What a killed worker had in hand is done again, so embedded runs
    /// keep it short.
    pub shard_seconds: f64,
    /// Sources that an inspect shard holds.
    pub sources_per_inspect_shard: u32,
    /// How it notices that others are gone. `None`: it is alone with workers in its own process, so it leads at once,
    /// takes back what an earlier process left, and an error ends it.
    pub leases: Option<LeaseConfig>,
}

/// Shards that may be on their way at once, in each lane: about twice the slots, so that no slot waits and the rest of
/// the work stays where it can still be chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WindowRule {
    /// Always so many.
    Fixed(usize),
    /// By the slots of the workers that beat.
    PerSlot {
        /// So many for each slot.
        shards: usize,
        /// At least so many: workers that come find work waiting.
        shards_min: usize,
    },
}

/// The coordinator's handle: cheap to clone; [`Coordinator::run`] does the work.
#[derive(Clone)]
pub struct Coordinator {
    config: Arc<CoordinatorConfig>,
    backends: Backends,
    changes: Arc<watch::Sender<u64>>,
    submitted: Arc<Notify>,
    metrics: Arc<Metrics>,
    paces: Arc<Mutex<JobPaces>>,
}

impl Coordinator {
    /// A coordinator that does nothing until it runs.
    pub fn new(config: CoordinatorConfig, backends: Backends) -> Result<Self, CoordinatorError> {
        Ok(Self {
            config: Arc::new(config),
            backends,
            changes: Arc::new(watch::Sender::new(0)),
            submitted: Arc::default(),
            metrics: Arc::new(Metrics::new()?),
            paces: Arc::default(),
        })
    }

    /// Moves on whenever something about a job changed; [`Coordinator::status`] tells what.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    fn announce_change(&self) {
        self.changes.send_modify(|version| *version += 1);
    }

    /// Waits for the store's `answer` and notes how long it took and whether the store can be reached.
    async fn timed<T>(
        &self,
        operation: &'static str,
        answer: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let timer = self.metrics.store_seconds.with_label_values(&[operation]).start_timer();
        let answer = answer.await;
        timer.observe_duration();
        let is_up = !answer.as_ref().is_err_and(StoreError::is_unavailable);
        self.metrics.store_up.set(i64::from(is_up));
        answer
    }
}

/// Seconds since 1970, by this machine: shown to people, and for what is hours old.
fn now_unix_seconds() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs().cast_signed()
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
    /// The figures can't be set up: a defect of ours.
    #[error("set up metrics: {0}")]
    Metrics(#[from] prometheus::Error),
    /// A report could not be written.
    #[error("write report: {0}")]
    Report(#[from] std::io::Error),
}
