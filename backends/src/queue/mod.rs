//! The queue: a short window of the store's open shards on their way to the workers, and the outcomes on their way
//! back. Losing it loses no work.

use async_trait::async_trait;
use pagemill_domain::ids::ShardAttempt;
use pagemill_domain::outcome::Outcome;
use pagemill_domain::shard::Shard;

mod connect;
mod lanes;
mod memory;
mod rabbit;

pub use connect::{QueueOptions, connect};
pub use memory::MemoryQueue;
pub use rabbit::MESSAGE_BYTES_MAX;

/// Carries shards to workers and outcomes to the coordinator, each at least once.
///
/// What publishes answers in bounded time and may be tried again: a message that arrives twice does no harm. What
/// receives waits, through outages, too, and may be dropped at any time without losing a message.
#[async_trait]
pub trait Queue: Send + Sync {
    /// Hands a shard over; `Ok` means that the queue answers for it.
    async fn publish_shard(&self, shard: &Shard) -> Result<(), QueueError>;

    /// The next shard, as soon as there is one: express ones first, only those where `lanes` says so; then what completes
    /// documents. A worker asks only when a slot is free.
    async fn next_shard(&self, lanes: Lanes) -> Result<Delivery<Shard>, QueueError>;

    /// Takes back the shards that nobody took and that the queue would lose with this process; a queue that outlives the
    /// process keeps them.
    async fn withdraw_shards(&self) -> Result<Vec<Shard>, QueueError>;

    /// Hands an outcome over; `Ok` means that the queue answers for it, and that the shard may be acknowledged.
    async fn publish_outcome(&self, outcome: &Outcome) -> Result<(), QueueError>;

    /// At least one arrival, and up to `arrivals_max` that are there already. Only the leader asks.
    async fn next_arrivals(&self, arrivals_max: usize) -> Result<Vec<Arrival>, QueueError>;

    /// Gives back the arrivals that were fetched ahead, for another leader; those in hand can't be acknowledged any more.
    async fn stop_arrivals(&self);

    /// Messages that this adapter could not read and set aside for a person, since it was opened.
    fn unreadable_total(&self) -> u64;

    /// Whether the queue can be reached and takes messages.
    fn is_up(&self) -> bool;
}

/// From which queues a slot takes its next shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lanes {
    /// From all.
    All,
    /// Only from the express queue: the share that each worker reserves.
    Express,
}

/// What comes back to the coordinator.
pub enum Arrival {
    /// What a worker reports.
    Outcome(Delivery<Outcome>),
    /// A shard that the queue gave up delivering: to be rescued, never a verdict.
    Undeliverable(Delivery<ShardAttempt>),
}

/// A message and the duty to acknowledge it. Dropped without [`Delivery::acknowledge`], it is delivered again.
pub struct Delivery<M> {
    /// The message.
    pub message: M,
    receipt: Box<dyn Receipt>,
}

impl<M> Delivery<M> {
    /// A message with its receipt.
    pub fn new(message: M, receipt: Box<dyn Receipt>) -> Self {
        Self { message, receipt }
    }

    /// Tells the queue that the message's effect is durable. An error means that it is delivered once more.
    pub async fn acknowledge(self) -> Result<(), QueueError> {
        self.receipt.acknowledge().await
    }
}

/// An adapter's side of a [`Delivery`].
#[async_trait]
pub trait Receipt: Send {
    /// Tells the queue that the message's effect is durable.
    async fn acknowledge(self: Box<Self>) -> Result<(), QueueError>;
}

/// The queue can't be used.
#[derive(Debug, Clone, thiserror::Error)]
pub enum QueueError {
    /// The other side is gone for good: the run is over.
    #[error("the queue is closed")]
    Closed,
    /// The broker can't be reached at present, or did not answer in time; the same may work later.
    #[error("{action}: the broker does not answer: {why}")]
    Unavailable {
        /// What was attempted, verb first.
        action: &'static str,
        /// What the client said.
        why: String,
    },
    /// The broker takes no more at present: a queue is full, or its disk.
    #[error("{action}: the broker takes no more: {why}")]
    Full {
        /// What was attempted, verb first.
        action: &'static str,
        /// What the broker said.
        why: String,
    },
    /// A queue or exchange of ours exists with other properties.
    #[error(
        "queue {name} exists with other properties than Pagemill needs: {why}; delete it or use another virtual host"
    )]
    Mismatch {
        /// Its name.
        name: String,
        /// What the broker said.
        why: String,
    },
    /// The message is too large for any queue of ours; the same will never be taken.
    #[error("{action}: the message has {bytes} bytes, at most {bytes_max} are allowed (MESSAGE_BYTES_MAX)")]
    TooLarge {
        /// What was attempted, verb first.
        action: &'static str,
        /// Its size.
        bytes: usize,
        /// The bound.
        bytes_max: usize,
    },
    /// The message can't be written down; a defect of ours.
    #[error("{action}: the message can't be written: {why}")]
    Unwritable {
        /// What was attempted, verb first.
        action: &'static str,
        /// Why not.
        why: String,
    },
    /// The broker does not let us in, or not do what we need.
    #[error(
        "the broker refuses us: {why}; check user, password, virtual host and permissions (PAGEMILL_QUEUE_URL)"
    )]
    Refused {
        /// What the broker said.
        why: String,
    },
    /// The address can't be used.
    #[error("PAGEMILL_QUEUE_URL: {0}")]
    Url(String),
}

#[cfg(test)]
mod conformance;
