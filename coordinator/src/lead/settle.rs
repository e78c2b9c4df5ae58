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
        self.say_closed(job).await;
        self.window().close(job);
        coordinator.announce_change();
        for name in superseded {
            coordinator.backends.blobs.remove_artifact(&name).await?;
        }
        Ok(())
    }

    /// Ends the job's trace with the step that holds all others.
    async fn say_closed(&self, job: JobId) {
        let trace = job.trace();
        // Where the store goes away just now the trace lacks it, and nothing else does.
        let opened = self.coordinator.backends.store.job(job).await.map(|row| row.created_unix_seconds);
        let span = tracing::info_span!(
            "job", job = job.0, trace = %trace, span = %trace.root(), start_unix_seconds = opened.ok()
        );
        span.in_scope(|| tracing::info!("closed"));
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
