//! Rescue: bringing back shards whose worker or message is gone.

use std::time::Duration;

use pagemill_backends::store::StoreError;

use super::window::Slots;
use super::{Leadership, figures};
use crate::{CoordinatorError, LeaseConfig};

impl Leadership {
    /// Looks at all open shards, `passed` after the last look; takes back what lost its worker, publishes again what
    /// nobody claims.
    pub(super) async fn rescue(
        &self,
        leases: &LeaseConfig,
        passed: Duration,
    ) -> Result<(), CoordinatorError> {
        let coordinator = &self.coordinator;
        self.measure().await?;
        let look = self.window().begin_look();
        let open = coordinator.timed("open_shards", coordinator.backends.store.open_shards()).await?;
        // While the broker is away, workers are silent for want of news, and messages are not claimed.
        let passed = if coordinator.backends.queue.is_up() { passed } else { Duration::ZERO };
        let verdicts = self.window().judge(&open, look, passed, leases);
        coordinator.metrics.show_in_flight(&self.window().by_stage());
        if !verdicts.lost.is_empty() {
            coordinator.metrics.leases_lost_total.inc_by(verdicts.lost.len() as u64);
            self.reclaim(&verdicts.lost, "lease").await?;
        }
        if !verdicts.unclaimed.is_empty() {
            self.publish_again(&verdicts.unclaimed, "unclaimed").await?;
        }
        Ok(())
    }

    /// Measures what the workers can take.
    pub(super) async fn measure(&self) -> Result<(), StoreError> {
        let workers = figures::live_workers(&self.coordinator).await?;
        let all = workers.iter().map(|worker| worker.slots as usize).sum();
        let busy = workers.iter().map(|worker| worker.slots_busy.min(worker.slots) as usize).sum();
        self.window().set_slots(Slots { all, busy });
        Ok(())
    }
}
