//! Serving: one delivery after another, from the queue to its acknowledgement.

use std::sync::Arc;

use pagemill_backends::queue::{Delivery, Lanes, Queue, QueueError};
use pagemill_domain::outcome::Outcome;
use pagemill_domain::shard::Shard;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::WorkerError;
use crate::back_off::BackOff;
use crate::error::Halt;
use crate::metrics::Metrics;
use crate::shorter::shorter;
use crate::slot::Slot;
use crate::standing::{Duty, Hold, Standing};

/// Of so many slots, one serves the express queue alone.
const SLOTS_PER_EXPRESS_SLOT: usize = 4;

/// From which queues the slot of that number takes its shards.
pub(crate) const fn lanes(number: usize) -> Lanes {
    if number % SLOTS_PER_EXPRESS_SLOT == SLOTS_PER_EXPRESS_SLOT - 1 { Lanes::Express } else { Lanes::All }
}

/// What a slot serves with.
pub(crate) struct Service {
    pub(crate) queue: Arc<dyn Queue>,
    pub(crate) standing: Arc<Standing>,
    pub(crate) metrics: Arc<Metrics>,
    /// Take no more, and hand back what was not begun.
    pub(crate) stop: CancellationToken,
}

impl Service {
    /// Takes one shard after another until it is told to stop or to drain.
    pub(crate) async fn serve(&self, mut slot: Slot, lanes: Lanes) -> Result<(), WorkerError> {
        while let Some(delivery) = self.next(lanes).await? {
            let shard = &delivery.message;
            let traceparent = shard.traceparent();
            let span = tracing::info_span!(
                "shard", job = shard.job.0, shard = shard.id.0, attempt = shard.attempt.0,
                trace = %traceparent.trace, parent = %traceparent.parent, stage = shard.work.stage().name()
            );
            self.handle(&mut slot, delivery).instrument(span).await?;
        }
        slot.end().await;
        Ok(())
    }

    /// The next delivery, however long the broker is away; `None` when no more are to be taken.
    async fn next(&self, lanes: Lanes) -> Result<Option<Delivery<Shard>>, WorkerError> {
        let mut back_off = BackOff::default();
        loop {
            let taken = tokio::select! {
                biased;
                () = self.stop.cancelled() => return Ok(None),
                taken = self.take(lanes) => taken,
            };
            match taken {
                Ok(taken) => return Ok(taken),
                Err(error) if is_passing(&error) => {
                    warn_once(&back_off, "no shard can be taken", &error);
                    tokio::time::sleep(back_off.next_wait()).await;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    async fn take(&self, lanes: Lanes) -> Result<Option<Delivery<Shard>>, QueueError> {
        loop {
            if !self.standing.may_take().await {
                return Ok(None);
            }
            let delivery = tokio::select! {
                biased;
                // A queue may stay empty for long: it is not waited for by a worker that is to end.
                () = self.standing.may_take_no_more() => continue,
                delivery = self.queue.next_shard(lanes) => delivery?,
            };
            // What came though the worker was told meanwhile to take none goes to another.
            if self.standing.duty() == Duty::Serve {
                return Ok(Some(delivery));
            }
        }
    }

    /// Does a shard's work. The acknowledgement comes last: after the result is stored and the outcome is confirmed.
    async fn handle(&self, slot: &mut Slot, delivery: Delivery<Shard>) -> Result<(), WorkerError> {
        let Some(hold) = self.standing.take(delivery.message.dispatch()) else {
            tracing::info!("delivered twice");
            acknowledge(delivery).await;
            return Ok(());
        };
        self.standing.named().await;
        tracing::debug!("begun");
        match self.answer(slot, &delivery.message, &hold).await {
            Ok(()) => {
                tracing::debug!("reported");
                acknowledge(delivery).await;
            }
            Err(Halt::Forget) => {
                tracing::info!("given up: no longer wanted");
                acknowledge(delivery).await;
            }
            Err(Halt::HandBack) => drop(delivery),
            Err(Halt::Worker(error)) => return Err(error),
        }
        Ok(())
    }

    /// Does the work and reports it.
    async fn answer(&self, slot: &mut Slot, shard: &Shard, hold: &Hold) -> Result<(), Halt> {
        if hold.dropped().is_cancelled() {
            return Err(Halt::Forget);
        }
        let outcome = slot.work(shard.clone(), hold.dropped()).await?;
        self.metrics.observe(&outcome);
        tokio::select! {
            biased;
            () = hold.dropped().cancelled() => Err(Halt::Forget),
            published = self.publish(outcome) => Ok(published?),
        }
    }

    /// Hands an outcome over, however long the broker is away.
    async fn publish(&self, mut outcome: Outcome) -> Result<(), QueueError> {
        let mut back_off = BackOff::default();
        loop {
            match self.queue.publish_outcome(&outcome).await {
                Err(error @ QueueError::TooLarge { .. }) => {
                    tracing::warn!(%error, "an outcome is shortened");
                    outcome = shorter(outcome).ok_or(error)?;
                }
                Err(error) if is_passing(&error) => {
                    warn_once(&back_off, "an outcome waits for the broker", &error);
                    tokio::time::sleep(back_off.next_wait()).await;
                }
                published => return published,
            }
        }
    }
}

/// Acknowledges what is done. Where that fails the shard is delivered again, and its outcome is known by then.
async fn acknowledge(delivery: Delivery<Shard>) {
    if let Err(error) = delivery.acknowledge().await {
        tracing::info!(%error, "not acknowledged; it will be delivered again");
    }
}

/// Whether the same may work later.
const fn is_passing(error: &QueueError) -> bool {
    matches!(error, QueueError::Unavailable { .. } | QueueError::Full { .. })
}

fn warn_once(back_off: &BackOff, what: &str, error: &QueueError) {
    if back_off.is_first() {
        tracing::warn!(%error, "{what}");
    } else {
        tracing::debug!(%error, "{what}");
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use pagemill_backends::queue::MemoryQueue;

    use super::*;

    #[tokio::test]
    async fn a_worker_whose_queue_is_empty_ends_when_it_is_drained() {
        let standing = Standing::applicant(1);
        standing.set_duty(Duty::Serve);
        let (queue, metrics) = (Arc::new(MemoryQueue::default()), Arc::new(Metrics::new().unwrap()));
        let service = Service { queue, standing: standing.clone(), metrics, stop: CancellationToken::new() };
        let ended = tokio::spawn(async move { service.next(Lanes::All).await.map(|taken| taken.is_none()) });
        // Cordoned and served again meanwhile: it waits on.
        for duty in [Duty::Cordon, Duty::Serve, Duty::Drain] {
            tokio::time::sleep(Duration::from_millis(20)).await;
            assert!(!ended.is_finished(), "{duty:?}");
            standing.set_duty(duty);
        }
        let is_none = tokio::time::timeout(Duration::from_secs(30), ended).await.unwrap().unwrap().unwrap();
        assert!(is_none);
    }

    #[test]
    fn each_fourth_slot_serves_express_alone() {
        let express = |slots: usize| (0..slots).filter(|&number| lanes(number) == Lanes::Express).count();
        assert_eq!([1, 3, 4, 7, 8].map(express), [0, 0, 1, 1, 2]);
    }
}
