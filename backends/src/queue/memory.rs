//! The queue of the embedded mode: two channels in the process.

use async_trait::async_trait;
use pagemill_domain::outcome::Outcome;
use pagemill_domain::shard::Shard;
use tokio::sync::{Mutex, mpsc};

use super::{Arrival, Delivery, Lanes, Queue, QueueError, Receipt};

/// Messages that may wait in each direction; the dispatcher's window is far smaller.
const MESSAGES_MAX: usize = 4_096;

/// The queue of the embedded mode. What it holds is lost with the process; the store sends it again.
pub struct MemoryQueue {
    shards: Channel<Shard>,
    outcomes: Channel<Outcome>,
}

struct Channel<M> {
    sender: mpsc::Sender<M>,
    receiver: Mutex<mpsc::Receiver<M>>,
}

impl<M> Channel<M> {
    fn new() -> Self {
        let (sender, receiver) = mpsc::channel(MESSAGES_MAX);
        Self { sender, receiver: Mutex::new(receiver) }
    }

    async fn publish(&self, message: M) -> Result<(), QueueError> {
        self.sender.send(message).await.map_err(|_| QueueError::Closed)
    }
}

impl<M: Clone + Send + 'static> Channel<M> {
    fn delivery(&self, message: M) -> Delivery<M> {
        let unacknowledged = Some((message.clone(), self.sender.clone()));
        Delivery::new(message, Box::new(MemoryReceipt { unacknowledged }))
    }
}

impl Default for MemoryQueue {
    fn default() -> Self {
        Self { shards: Channel::new(), outcomes: Channel::new() }
    }
}

#[async_trait]
impl Queue for MemoryQueue {
    async fn publish_shard(&self, shard: &Shard) -> Result<(), QueueError> {
        self.shards.publish(shard.clone()).await
    }

    async fn next_shard(&self, _lanes: Lanes) -> Result<Delivery<Shard>, QueueError> {
        let shard = self.shards.receiver.lock().await.recv().await.ok_or(QueueError::Closed)?;
        Ok(self.shards.delivery(shard))
    }

    async fn withdraw_shards(&self) -> Result<Vec<Shard>, QueueError> {
        let mut receiver = self.shards.receiver.lock().await;
        Ok(std::iter::from_fn(|| receiver.try_recv().ok()).collect())
    }

    async fn publish_outcome(&self, outcome: &Outcome) -> Result<(), QueueError> {
        self.outcomes.publish(outcome.clone()).await
    }

    async fn next_arrivals(&self, arrivals_max: usize) -> Result<Vec<Arrival>, QueueError> {
        let mut outcomes = Vec::new();
        let mut receiver = self.outcomes.receiver.lock().await;
        if receiver.recv_many(&mut outcomes, arrivals_max.max(1)).await == 0 {
            return Err(QueueError::Closed);
        }
        Ok(outcomes.into_iter().map(|outcome| Arrival::Outcome(self.outcomes.delivery(outcome))).collect())
    }

    fn is_up(&self) -> bool {
        true
    }
}

struct MemoryReceipt<M> {
    unacknowledged: Option<(M, mpsc::Sender<M>)>,
}

#[async_trait]
impl<M: Send> Receipt<M> for MemoryReceipt<M> {
    async fn acknowledge(mut self: Box<Self>) -> Result<(), QueueError> {
        self.unacknowledged = None;
        Ok(())
    }
}

impl<M> Drop for MemoryReceipt<M> {
    fn drop(&mut self) {
        if let Some((message, sender)) = self.unacknowledged.take() {
            // A full channel would mean that thousands were dropped at once, which only a shutdown does: the store
            // sends what is lost then.
            let _ = sender.try_send(message);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Lanes, Queue};
    use super::MemoryQueue;

    #[tokio::test]
    async fn gives_back_what_nobody_took() {
        let queue = MemoryQueue::default();
        super::super::conformance::publish_shards(&queue, 3).await;
        let taken = queue.next_shard(Lanes::All).await.unwrap();
        assert_eq!(queue.withdraw_shards().await.unwrap().len(), 2);
        assert_eq!(queue.withdraw_shards().await.unwrap().len(), 0);
        taken.acknowledge().await.unwrap();
    }

    #[tokio::test]
    async fn keeps_the_promises_of_a_queue() {
        super::super::conformance::run(&MemoryQueue::default()).await;
    }
}
