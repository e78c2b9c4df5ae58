//! Settling a job: forming the documents that can be formed, closing what is complete.

use pagemill_domain::ids::JobId;

use super::Leadership;
use crate::{CoordinatorError, now_unix_seconds};

impl Leadership {
    /// Forms the documents of folders that are complete, and closes the job if its ledger is.
    pub(super) async fn settle(&self, job: JobId) -> Result<(), CoordinatorError> {
        let coordinator = &self.coordinator;
        let store = &coordinator.backends.store;
        let superseded = {
            let _ledger = self.ledger.lock().await;
            if coordinator.timed("arrange_folders", store.arrange_folders(self.epoch, job)).await? > 0 {
                self.window().ask_again(job);
                self.wake.notify_one();
            }
            if !self.window().is_empty_of(job) {
                return Ok(());
            }
            let closed = store.close_job(self.epoch, job, now_unix_seconds());
            coordinator.timed("close_job", closed).await?
        };
        let Some(superseded) = superseded else { return Ok(()) };
        tracing::info!(job = job.0, "closed");
        self.window().close(job);
        coordinator.announce_change();
        for name in superseded {
            coordinator.backends.blobs.remove_artifact(&name).await?;
        }
        Ok(())
    }

    /// Forms whatever documents an earlier leader left unformed.
    pub(super) async fn arrange_all(&self) -> Result<(), CoordinatorError> {
        for demand in self.demands().await? {
            let _ledger = self.ledger.lock().await;
            self.coordinator.backends.store.arrange_folders(self.epoch, demand.job).await?;
        }
        Ok(())
    }
}
