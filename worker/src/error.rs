//! Why a worker, or its work on a shard, ends early.

use std::io;
use std::net::SocketAddr;

use pagemill_backends::blobs::BlobError;
use pagemill_backends::queue::QueueError;
use pagemill_formats::WriteError;
use pagemill_recognition::boxed::client::StartError;

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
    /// The coordinator does not want this worker: it is of an incompatible version, or its token is not known.
    #[error("the coordinator at {address} refuses this worker: {why}")]
    Refused {
        /// The coordinator's address.
        address: String,
        /// What it said.
        why: String,
    },
    /// The address for metrics can't be listened on.
    #[error("listen on {address} (http_listen): {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the operating system said.
        source: io::Error,
    },
    /// A figure can't be registered; a defect of ours.
    #[error("prepare metrics: {0}")]
    Metrics(#[from] prometheus::Error),
    /// The operating system gives no thread.
    #[error("start a thread: {0}")]
    Thread(io::Error),
    /// A slot's thread ended; a defect of ours.
    #[error("a slot stopped without an answer")]
    SlotStopped,
    /// Threads hang, each with a document that it was to assemble: only a new process is rid of them.
    #[error("{threads} assemblies hang in one slot")]
    Stuck {
        /// How many.
        threads: u32,
    },
    /// A page's text can't be written down; a defect of ours.
    #[error("encode page text: {0}")]
    Encode(io::Error),
}

/// Why work on a shard stopped without an outcome.
#[derive(Debug)]
pub(crate) enum Halt {
    /// Nobody waits for it any more, or no worker can do it: its delivery is acknowledged.
    Forget,
    /// The worker stops: its delivery goes to another.
    HandBack,
    /// The worker can't work.
    Worker(WorkerError),
}

impl<E: Into<WorkerError>> From<E> for Halt {
    fn from(error: E) -> Self {
        Self::Worker(error.into())
    }
}
