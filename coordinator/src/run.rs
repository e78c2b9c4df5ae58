//! The background loop: dispatch, collect, arrange, close.

use std::time::Duration;

use pagemill_backends::queue::{Arrival, Delivery};
use pagemill_backends::store::{LeaderLease, Reclaim, ShardOrder};
use pagemill_domain::ids::{Epoch, JobId, ShardId};
use pagemill_domain::outcome::Outcome;
use tokio_util::sync::CancellationToken;

use crate::dispatch::Window;
use crate::{Coordinator, CoordinatorError};

/// Outcomes that one transaction takes.
const OUTCOMES_PER_BATCH: usize = 256;

/// How long a stopping coordinator waits for one more outcome; the workers have stopped by then, so what they reported
/// is already in the queue.
const LAST_OUTCOMES_WAIT: Duration = Duration::from_millis(100);

impl Coordinator {
    /// Works on `job` until `shutdown`: sends shards while there is room, takes what comes back, closes the job when
    /// its ledger is complete. Stop the workers first, so that what they finished is still collected
    /// and what they never took is handed back.
    pub async fn run(&self, job: JobId, shutdown: CancellationToken) -> Result<(), CoordinatorError> {
        let mut window = Window::default();
        let epoch = self.lead().await?;
        for shard in self.backends.store.reclaim_shards(epoch, Reclaim::All, &self.config.limits).await? {
            window.sent(shard.id);
            self.backends.queue.publish_shard(&shard).await?;
        }
        loop {
            self.backends.store.arrange_folders(epoch, job).await?;
            self.dispatch(epoch, job, &mut window).await?;
            if window.is_empty() {
                self.close(epoch, job).await?;
            }
            tokio::select! {
                biased;
                outcomes = self.backends.queue.next_arrivals(OUTCOMES_PER_BATCH) => {
                    self.collect(epoch, &mut window, outcomes?).await?;
                }
                () = self.submitted.notified() => {}
                () = shutdown.cancelled() => break,
            }
        }
        let last = || self.backends.queue.next_arrivals(OUTCOMES_PER_BATCH);
        while let Ok(outcomes) = tokio::time::timeout(LAST_OUTCOMES_WAIT, last()).await {
            self.collect(epoch, &mut window, outcomes?).await?;
        }
        let untaken: Vec<ShardId> =
            self.backends.queue.withdraw_shards().await?.iter().map(|shard| shard.id).collect();
        Ok(self.backends.store.hand_back_shards(epoch, &untaken).await?)
    }

    async fn lead(&self) -> Result<Epoch, CoordinatorError> {
        let seen: LeaderLease = self.backends.store.leader_lease().await?;
        Ok(self.backends.store.seize_lease(&seen, "embedded").await?.unwrap_or(Epoch(0)))
    }

    async fn dispatch(&self, epoch: Epoch, job: JobId, window: &mut Window) -> Result<(), CoordinatorError> {
        let room = window.room(&self.config);
        if room == 0 {
            return Ok(());
        }
        let pages = self.backends.store.status(job).await?.ledger.pages;
        let sizes = window.sizes(&self.config, pages.declared.saturating_sub(pages.terminal()));
        let order = ShardOrder { job, shards_max: room, sizes, express: false };
        for shard in self.backends.store.cut_shards(epoch, &[order]).await? {
            window.sent(shard.id);
            self.backends.queue.publish_shard(&shard).await?;
        }
        Ok(())
    }

    /// Applies a batch, then acknowledges it: what is not durable is delivered again.
    async fn collect(
        &self,
        epoch: Epoch,
        window: &mut Window,
        arrivals: Vec<Arrival>,
    ) -> Result<(), CoordinatorError> {
        let deliveries: Vec<Delivery<Outcome>> = arrivals
            .into_iter()
            .filter_map(|arrival| match arrival {
                Arrival::Outcome(delivery) => Some(delivery),
                // A queue in the process gives up nothing.
                Arrival::Undeliverable(_) => None,
            })
            .collect();
        let mut outcomes = Vec::with_capacity(deliveries.len());
        for delivery in &deliveries {
            window.answered(&delivery.message);
            outcomes.push(delivery.message.clone());
        }
        let applied = self.backends.store.apply(epoch, &outcomes, &self.config.limits).await?;
        if applied.stale + applied.duplicate > 0 {
            tracing::info!(stale = applied.stale, duplicate = applied.duplicate, "outcomes ignored");
        }
        for delivery in deliveries {
            delivery.acknowledge().await?;
        }
        self.announce_change();
        Ok(())
    }

    async fn close(&self, epoch: Epoch, job: JobId) -> Result<(), CoordinatorError> {
        let Some(superseded) = self.backends.store.close_job(epoch, job, 0).await? else { return Ok(()) };
        for name in superseded {
            self.backends.blobs.remove_artifact(&name).await?;
        }
        self.announce_change();
        Ok(())
    }
}
