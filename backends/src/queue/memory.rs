//! The queue of the embedded mode: in the process.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use pagemill_domain::outcome::Outcome;
use pagemill_domain::shard::Shard;
use tokio::sync::{Notify, mpsc};

use super::lanes::Lane;
use super::{Arrival, Delivery, Lanes, Queue, QueueError, Receipt};

/// Shards that may wait, and outcomes; the dispatcher's window is far smaller.
const MESSAGES_MAX: usize = 4_096;

/// The queue of the embedded mode. What it holds is lost with the process; the store sends it again.
pub struct MemoryQueue {
    shards: Arc<Waiting>,
    outcomes: Outcomes,
}

impl Default for MemoryQueue {
    fn default() -> Self {
        let (sender, receiver) = mpsc::channel(MESSAGES_MAX);
        let outcomes = Outcomes { sender, receiver: tokio::sync::Mutex::new(receiver) };
        Self { shards: Arc::default(), outcomes }
    }
}

#[async_trait]
impl Queue for MemoryQueue {
    async fn publish_shard(&self, shard: &Shard) -> Result<(), QueueError> {
        self.shards.wait_for(|lanes| (lanes.count() < MESSAGES_MAX).then(|| lanes.put(shard.clone()))).await;
        Ok(())
    }

    async fn next_shard(&self, lanes: Lanes) -> Result<Delivery<Shard>, QueueError> {
        let shard = self.shards.wait_for(|waiting| waiting.take(lanes)).await;
        let unacknowledged = Some((shard.clone(), Arc::clone(&self.shards)));
        Ok(Delivery::new(shard, Box::new(ShardReceipt { unacknowledged })))
    }

    async fn withdraw_shards(&self) -> Result<Vec<Shard>, QueueError> {
        Ok(self.shards.change(|lanes| std::iter::from_fn(|| lanes.take(Lanes::All)).collect()))
    }

    async fn publish_outcome(&self, outcome: &Outcome) -> Result<(), QueueError> {
        self.outcomes.sender.send(outcome.clone()).await.map_err(|_| QueueError::Closed)
    }

    async fn next_arrivals(&self, arrivals_max: usize) -> Result<Vec<Arrival>, QueueError> {
        let mut outcomes = Vec::new();
        let mut receiver = self.outcomes.receiver.lock().await;
        if receiver.recv_many(&mut outcomes, arrivals_max.max(1)).await == 0 {
            return Err(QueueError::Closed);
        }
        Ok(outcomes.into_iter().map(|outcome| Arrival::Outcome(self.outcomes.delivery(outcome))).collect())
    }

    async fn stop_arrivals(&self) {}

    fn unreadable_total(&self) -> u64 {
        0
    }

    fn is_up(&self) -> bool {
        true
    }
}

/// The shards that wait, and a bell for those who wait for a change of them.
#[derive(Default)]
struct Waiting {
    lanes: Mutex<Shards>,
    changed: Notify,
}

impl Waiting {
    /// Waits until `attempt` gives something.
    async fn wait_for<T>(&self, mut attempt: impl FnMut(&mut Shards) -> Option<T> + Send) -> T {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            if let Some(done) = attempt(&mut self.lock()) {
                self.changed.notify_waiters();
                return done;
            }
            changed.await;
        }
    }

    fn change<T>(&self, change: impl FnOnce(&mut Shards) -> T) -> T {
        let done = change(&mut self.lock());
        self.changed.notify_waiters();
        done
    }

    fn lock(&self) -> MutexGuard<'_, Shards> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Default)]
struct Shards {
    lanes: [VecDeque<Shard>; Lane::COUNT],
    turn: usize,
}

impl Shards {
    fn count(&self) -> usize {
        self.lanes.iter().map(VecDeque::len).sum()
    }

    fn put(&mut self, shard: Shard) {
        self.lanes[Lane::of(&shard).index()].push_back(shard);
    }

    fn take(&mut self, lanes: Lanes) -> Option<Shard> {
        let shard =
            Lane::order(lanes, self.turn).iter().find_map(|lane| self.lanes[lane.index()].pop_front())?;
        self.turn += 1;
        Some(shard)
    }
}

struct ShardReceipt {
    unacknowledged: Option<(Shard, Arc<Waiting>)>,
}

#[async_trait]
impl Receipt for ShardReceipt {
    async fn acknowledge(mut self: Box<Self>) -> Result<(), QueueError> {
        self.unacknowledged = None;
        Ok(())
    }
}

impl Drop for ShardReceipt {
    fn drop(&mut self) {
        if let Some((shard, waiting)) = self.unacknowledged.take() {
            waiting.change(|lanes| lanes.put(shard));
        }
    }
}

struct Outcomes {
    sender: mpsc::Sender<Outcome>,
    receiver: tokio::sync::Mutex<mpsc::Receiver<Outcome>>,
}

impl Outcomes {
    fn delivery(&self, outcome: Outcome) -> Delivery<Outcome> {
        let unacknowledged = Some((outcome.clone(), self.sender.clone()));
        Delivery::new(outcome, Box::new(OutcomeReceipt { unacknowledged }))
    }
}

struct OutcomeReceipt {
    unacknowledged: Option<(Outcome, mpsc::Sender<Outcome>)>,
}

#[async_trait]
impl Receipt for OutcomeReceipt {
    async fn acknowledge(mut self: Box<Self>) -> Result<(), QueueError> {
        self.unacknowledged = None;
        Ok(())
    }
}

impl Drop for OutcomeReceipt {
    fn drop(&mut self) {
        if let Some((outcome, sender)) = self.unacknowledged.take() {
            // A full channel would mean that thousands were dropped at once, which only a shutdown does: the store
            // sends what is lost then.
            let _ = sender.try_send(outcome);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Lanes, Queue, conformance};
    use super::MemoryQueue;

    #[tokio::test]
    async fn gives_back_what_nobody_took() {
        let queue = MemoryQueue::default();
        conformance::publish_shards(&queue, 3).await;
        let taken = queue.next_shard(Lanes::All).await.unwrap();
        assert_eq!(queue.withdraw_shards().await.unwrap().len(), 2);
        assert_eq!(queue.withdraw_shards().await.unwrap().len(), 0);
        taken.acknowledge().await.unwrap();
    }

    #[tokio::test]
    async fn keeps_the_promises_of_a_queue() {
        conformance::run(&MemoryQueue::default()).await;
    }
}
