//! Removing what is too old: drafts that nobody sealed, workers that are gone.

use super::Leadership;
use crate::{CoordinatorError, LeaseConfig, now_unix_seconds};

impl Leadership {
    pub(super) async fn expire(&self, leases: &LeaseConfig) -> Result<(), CoordinatorError> {
        let before = |age: std::time::Duration| now_unix_seconds() - age.as_secs().cast_signed();
        let store = &self.coordinator.backends.store;
        let drafts = store.expire_drafts(self.epoch, before(leases.draft_age_max)).await?;
        let workers = store.forget_workers(before(leases.worker_silence_max)).await?;
        if drafts + workers > 0 {
            tracing::info!(drafts, workers, "removed what was too old");
        }
        Ok(())
    }
}
