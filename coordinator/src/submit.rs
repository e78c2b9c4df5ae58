//! Taking jobs in, and telling how they stand.

use pagemill_backends::store::{JobState, JobStatus, NewSource, PageCursor, Redriven};
use pagemill_domain::ids::{JobId, PageId};
use pagemill_domain::job::NewJob;

use crate::{Coordinator, CoordinatorError};

/// Documents that are read from the store at once.
const DOCUMENTS_PER_READ: u32 = 500;

impl Coordinator {
    /// Opens the job of that tenant and key as a draft; one that is known goes on.
    pub async fn open(&self, job: &NewJob) -> Result<JobId, CoordinatorError> {
        Ok(self.backends.store.open_job(job).await?)
    }

    /// Adds a chunk of sources to a draft; repeating it is harmless.
    pub async fn add_sources(&self, job: JobId, sources: &[NewSource]) -> Result<(), CoordinatorError> {
        self.backends.store.add_sources(job, sources).await?;
        self.announce_change();
        Ok(())
    }

    /// Ends a draft: work begins.
    pub async fn seal(&self, job: JobId) -> Result<(), CoordinatorError> {
        self.backends.store.seal(job).await?;
        self.submitted.notify_one();
        self.announce_change();
        Ok(())
    }

    /// Gives up what is not done in a job.
    pub async fn cancel(&self, job: JobId) -> Result<(), CoordinatorError> {
        self.backends.store.cancel(job, crate::now_unix_seconds()).await?;
        self.announce_change();
        Ok(())
    }

    /// Has dead pages and rejected sources worked on again: those named, or all where none is.
    pub async fn redrive(&self, job: JobId, pages: &[PageId]) -> Result<Redriven, CoordinatorError> {
        let redriven = self.backends.store.redrive(job, pages).await?;
        self.submitted.notify_one();
        self.announce_change();
        Ok(redriven)
    }

    /// How a job stands.
    pub async fn status(&self, job: JobId) -> Result<JobStatus, CoordinatorError> {
        Ok(self.backends.store.status(job).await?)
    }

    /// Returns once the job is closed.
    pub async fn closed(&self, job: JobId) -> Result<JobStatus, CoordinatorError> {
        let mut changes = self.changes();
        loop {
            let status = self.status(job).await?;
            if status.state == JobState::Closed {
                return Ok(status);
            }
            // The sender lives as long as `self`.
            let _ = changes.changed().await;
        }
    }

    /// Has every document written again of which an artifact is gone or has another size; returns how many.
    pub async fn restore_artifacts(&self, job: JobId) -> Result<u64, CoordinatorError> {
        let (mut after, mut restored) = (0, 0);
        loop {
            let documents = self.backends.store.list_documents(job, after, DOCUMENTS_PER_READ).await?;
            let Some(last) = documents.last() else { return Ok(restored) };
            after = last.id.0;
            for document in &documents {
                let mut whole = true;
                for artifact in &document.artifacts {
                    let found = self.backends.blobs.artifact_bytes(artifact).await?;
                    whole &= found == Some(artifact.bytes);
                }
                if !whole {
                    self.backends.store.reassemble(document.id).await?;
                    restored += 1;
                }
            }
        }
    }

    /// The first page after `after`, and those that follow, at most `rows_max`.
    pub async fn list_pages(
        &self,
        job: JobId,
        after: PageCursor,
        rows_max: u32,
    ) -> Result<Vec<pagemill_backends::store::PageRow>, CoordinatorError> {
        Ok(self.backends.store.list_pages(job, None, after, rows_max).await?)
    }
}
