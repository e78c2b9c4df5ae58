//! The worker: takes shards from the queue, has the box do the dangerous part, reports what came of them.
//!
//! Architecture invariant: no byte of a user's file is parsed in this process; a child is handed the open file. A
//! worker keeps nothing between shards but its children, and never sees the store.

use std::path::PathBuf;
use std::sync::Arc;

use futures::future::try_join_all;
use pagemill_backends::blobs::{BlobError, Blobs};
use pagemill_backends::queue::{Lanes, Queue, QueueError};
use pagemill_domain::limits::Limits;
use pagemill_formats::WriteError;
use pagemill_recognition::boxed::client::{Program, StartError};
use tokio_util::sync::CancellationToken;

mod assemble;
mod inspect;
mod page_source;
mod recognise;
mod results;
mod slot;
mod staged;

use slot::Slot;

/// What a worker is told.
#[derive(Debug, Clone)]
pub struct WorkerConfig {
    /// Shards that are worked on at once: one child each, one core each.
    pub slots: usize,
    /// The program that a child runs.
    pub program: Program,
    /// The folder of the models.
    pub models: PathBuf,
    /// The bounds to keep.
    pub limits: Limits,
    /// Refuse to work where a layer of the sandbox is missing.
    pub require_sandbox: bool,
}

/// Works until `shutdown`, then finishes the pages in hand, hands back the rest of its shards and returns.
///
/// An error means that this worker can't work at all (a model is missing, the disk is full); what it had in hand was
/// not acknowledged and goes to another.
pub async fn run(
    config: WorkerConfig,
    queue: Arc<dyn Queue>,
    blobs: Arc<dyn Blobs>,
    shutdown: CancellationToken,
) -> Result<(), WorkerError> {
    let config = Arc::new(config);
    let slots = (0..config.slots.max(1)).map(|number| {
        let slot = Slot::start(number, &config, &blobs, &shutdown)?;
        Ok(serve(slot, &*queue, &shutdown))
    });
    let slots = slots.collect::<Result<Vec<_>, WorkerError>>()?;
    try_join_all(slots).await.map(|_| ())
}

/// Takes one shard after another. The acknowledgement comes last: after the result is stored and the outcome is
/// confirmed.
async fn serve(mut slot: Slot, queue: &dyn Queue, shutdown: &CancellationToken) -> Result<(), WorkerError> {
    loop {
        let delivery = tokio::select! {
            biased;
            () = shutdown.cancelled() => return Ok(()),
            delivery = queue.next_shard(Lanes::All) => delivery?,
        };
        let outcome = slot.work(delivery.message.clone()).await?;
        queue.publish_outcome(&outcome).await?;
        delivery.acknowledge().await?;
    }
}

/// Why a worker can't work.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// The queue failed.
    #[error("queue: {0}")]
    Queue(#[from] QueueError),
    /// Results or artifacts can't be stored.
    #[error(transparent)]
    Blobs(#[from] BlobError),
    /// An artifact can't be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// No child can be started: a model is missing, the sandbox is incomplete.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The operating system gives no thread.
    #[error("start a thread: {0}")]
    Thread(std::io::Error),
    /// A slot's thread ended; a defect of ours.
    #[error("a slot stopped without an answer")]
    SlotStopped,
    /// A page's text can't be written down; a defect of ours.
    #[error("encode page text: {0}")]
    Encode(std::io::Error),
}
