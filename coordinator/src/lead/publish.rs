//! Publishing: from the shard's row to the queue.

use futures::StreamExt;
use pagemill_backends::queue::QueueError;
use pagemill_domain::hash::ContentHash;
use pagemill_domain::ids::{ShardAttempt, ShardId};
use pagemill_domain::shard::{DocumentPlan, ResultRef, Shard, Work};

use tracing::Instrument;

use super::Leadership;
use super::window::Sending;
use crate::CoordinatorError;

/// Messages whose confirmation is waited for at once.
const PUBLISHES_AT_ONCE: usize = 64;

/// Pages of a document whose plan travels in its message; a longer plan lies in a result object.
const PLAN_PAGES_MAX: usize = 2_000;

/// Sources of such a document: each may bring a path of thousands of bytes.
const PLAN_SOURCES_MAX: usize = 200;

impl Leadership {
    /// Publishes shards that are open in the store; returns whether the queue has them all. One that it doesn't take
    /// stays open and is published again with the same attempt.
    pub(super) async fn publish(&self, shards: Vec<Shard>) -> Result<bool, CoordinatorError> {
        let mut publishing = futures::stream::iter(shards)
            .map(|shard| async move {
                let (dispatch, traceparent) = (shard.dispatch(), shard.traceparent());
                let span = tracing::info_span!(
                    "dispatch", job = shard.job.0, shard = shard.id.0, attempt = shard.attempt.0,
                    trace = %traceparent.trace, span = %traceparent.parent, stage = shard.work.stage().name()
                );
                (dispatch, self.publish_one(shard).instrument(span).await)
            })
            .buffer_unordered(PUBLISHES_AT_ONCE);
        let mut failed = None;
        while let Some((dispatch, result)) = publishing.next().await {
            let sending = match &result {
                Ok(()) => Sending::Done,
                Err(CoordinatorError::Queue(QueueError::TooLarge { .. } | QueueError::Unwritable { .. })) => {
                    Sending::Impossible
                }
                Err(_) => Sending::Failed,
            };
            self.window().published(dispatch, sending);
            failed = result.err().or(failed);
        }
        match failed {
            None => Ok(true),
            Some(CoordinatorError::Queue(QueueError::Closed)) => Err(QueueError::Closed.into()),
            Some(error) if self.coordinator.config.leases.is_none() => Err(error),
            Some(error) => {
                tracing::warn!(%error, "shards wait to be published again");
                Ok(false)
            }
        }
    }

    async fn publish_one(&self, mut shard: Shard) -> Result<(), CoordinatorError> {
        if let Work::Assemble(plan) = &shard.work
            && is_large(plan)
        {
            shard.work = Work::AssembleStored(self.store_plan(plan).await?);
        }
        self.coordinator.backends.queue.publish_shard(&shard).await?;
        tracing::debug!("sent");
        Ok(())
    }

    async fn store_plan(&self, plan: &DocumentPlan) -> Result<ResultRef, CoordinatorError> {
        let json = serde_json::to_vec(plan).map_err(std::io::Error::from)?;
        let (length, hash) = (json.len() as u64, ContentHash::of(&json));
        let blob = self.coordinator.backends.blobs.put_result(json).await?;
        Ok(ResultRef { blob, offset: 0, length, hash })
    }

    /// Publishes open shards again as they are.
    pub(super) async fn publish_again(
        &self,
        shards: &[ShardId],
        why: &'static str,
    ) -> Result<bool, CoordinatorError> {
        let coordinator = &self.coordinator;
        let messages = coordinator.timed("messages", coordinator.backends.store.messages(shards)).await?;
        let open: std::collections::HashSet<ShardId> = messages.iter().map(|shard| shard.id).collect();
        let gone: Vec<ShardId> = shards.iter().filter(|shard| !open.contains(shard)).copied().collect();
        {
            let mut window = self.window();
            window.forget(&gone);
            for message in &messages {
                window.published(message.dispatch(), Sending::Now);
            }
        }
        coordinator.metrics.shards_rescued_total.with_label_values(&[why]).inc_by(messages.len() as u64);
        tracing::info!(shards = messages.len(), why, "publishes again");
        self.publish(messages).await
    }

    /// Publishes what the queue may not have; returns whether the queue takes messages. While it is down, one shard
    /// finds out whether it is back.
    pub(super) async fn publish_unpublished(&self) -> Result<bool, CoordinatorError> {
        let unpublished = self.window().unpublished();
        if let Some(first) = unpublished.first()
            && !self.coordinator.backends.queue.is_up()
            && !self.publish_again(&[*first], "unpublished").await?
        {
            return Ok(false);
        }
        let unpublished = self.window().unpublished();
        if !unpublished.is_empty() {
            self.publish_again(&unpublished, "unpublished").await?;
        }
        Ok(true)
    }

    /// Advances these dispatches and publishes what is left of them: whoever worked on them is gone.
    pub(super) async fn reclaim(
        &self,
        dispatches: &[ShardAttempt],
        why: &'static str,
    ) -> Result<(), CoordinatorError> {
        use pagemill_backends::store::Reclaim;

        let coordinator = &self.coordinator;
        let limits = &coordinator.config.limits;
        let which = Reclaim::These(dispatches);
        let answer = coordinator.backends.store.reclaim_shards(self.epoch, which, limits);
        let shards = coordinator.timed("reclaim_shards", answer).await?;
        tracing::info!(shards = dispatches.len(), again = shards.len(), why, "took shards back");
        coordinator.metrics.shards_rescued_total.with_label_values(&[why]).inc_by(shards.len() as u64);
        let jobs = {
            let mut window = self.window();
            let jobs = window.give_up(dispatches);
            window.sent(&shards);
            jobs
        };
        self.publish(shards).await?;
        for job in jobs {
            self.settle(job).await?;
        }
        self.wake.notify_one();
        coordinator.announce_change();
        Ok(())
    }
}

fn is_large(plan: &DocumentPlan) -> bool {
    let pages: usize = plan.sources.iter().map(|source| source.pages.len()).sum();
    pages > PLAN_PAGES_MAX || plan.sources.len() > PLAN_SOURCES_MAX
}
