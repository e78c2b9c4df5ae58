//! The queue: a short window of the store's open shards on their way to the workers, and the outcomes on their way
//! back. Losing it loses no work.

use async_trait::async_trait;
use pagemill_domain::outcome::Outcome;
use pagemill_domain::shard::Shard;

mod memory;

pub use memory::MemoryQueue;

/// Carries shards to workers and outcomes to the coordinator, each at least once.
#[async_trait]
pub trait Queue: Send + Sync {
    /// Hands a shard over; `Ok` means that the queue answers for it.
    async fn publish_shard(&self, shard: Shard) -> Result<(), QueueError>;

    /// The next shard, as soon as there is one. A worker asks only when a slot is free.
    async fn next_shard(&self) -> Result<Delivery<Shard>, QueueError>;

    /// Takes back the shards that nobody took and that the queue would lose with this process; a queue that outlives the
    /// process keeps them.
    async fn withdraw_shards(&self) -> Result<Vec<Shard>, QueueError>;

    /// Hands an outcome over; `Ok` means that the queue answers for it, and that the shard may be acknowledged.
    async fn publish_outcome(&self, outcome: Outcome) -> Result<(), QueueError>;

    /// At least one outcome, and up to `outcomes_max` that are there already.
    async fn next_outcomes(&self, outcomes_max: usize) -> Result<Vec<Delivery<Outcome>>, QueueError>;
}

/// A message and the duty to acknowledge it. Dropped without [`Delivery::acknowledge`], it is delivered again.
pub struct Delivery<M> {
    /// The message.
    pub message: M,
    receipt: Box<dyn Receipt<M>>,
}

impl<M> Delivery<M> {
    /// A message with its receipt.
    pub fn new(message: M, receipt: Box<dyn Receipt<M>>) -> Self {
        Self { message, receipt }
    }

    /// Tells the queue that the message's effect is durable.
    pub async fn acknowledge(self) -> Result<(), QueueError> {
        self.receipt.acknowledge().await
    }
}

/// An adapter's side of a [`Delivery`].
#[async_trait]
pub trait Receipt<M>: Send {
    /// Tells the queue that the message's effect is durable.
    async fn acknowledge(self: Box<Self>) -> Result<(), QueueError>;
}

/// The queue can't be used.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    /// The other side is gone for good: the run is over.
    #[error("the queue is closed")]
    Closed,
}

#[cfg(test)]
mod conformance;
