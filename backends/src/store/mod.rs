//! The store: the truth about jobs, sources, pages, documents and open shards. Everything else can be lost.
//!
//! All writes are set-based transactions that leave the counters right. Only the coordinator holds a store. A store has
//! no clock: whoever calls brings the time.

use async_trait::async_trait;
use pagemill_domain::ids::{DocumentId, Epoch, JobId, PageId, ShardId, WorkerId};
use pagemill_domain::job::NewJob;
use pagemill_domain::limits::Limits;
use pagemill_domain::outcome::{Artifact, Fingerprint, Outcome};
use pagemill_domain::page::PageState;
use pagemill_domain::schedule::Demand;
use pagemill_domain::shard::{ResultRef, Shard};

mod connect;
mod error;
mod postgres;
mod rows;
mod sqlite;

pub use connect::connect;
pub use error::StoreError;
pub use postgres::PostgresStore;
pub use rows::*;
pub use sqlite::SqliteStore;

/// The truth about jobs.
///
/// Every write of a background loop names the epoch of the leader that makes it, and changes nothing where another
/// leads ([`StoreError::Deposed`]): the check and the write are one transaction.
#[async_trait]
pub trait Store: Send + Sync {
    /// Opens the job of that tenant and key as a draft. Of an earlier one only the number is told, unless it is to be
    /// opened again: then what another reading recipe decided is forgotten, what only the delivery decided is delivered
    /// anew, the rest stays done.
    async fn open_job(&self, job: &NewJob) -> Result<JobId, StoreError>;

    /// Adds sources to a draft. One that is known and unchanged stays as it is; one whose stamp changed is inspected
    /// again, and read again if its content changed.
    async fn add_sources(&self, job: JobId, sources: &[NewSource]) -> Result<(), StoreError>;

    /// Ends the draft: what was not added this time and never delivered is withdrawn, work may begin.
    async fn seal(&self, job: JobId) -> Result<(), StoreError>;

    /// Gives up what is not final in a job; its open shards are forgotten, so that their outcomes are ignored.
    async fn cancel(&self, job: JobId, now_unix_seconds: i64) -> Result<(), StoreError>;

    /// Has dead pages and rejected sources worked on again with a fresh ladder: those named (number 0: the source
    /// itself), or all where none is named. Their job is sealed again, their documents are assembled anew.
    async fn redrive(&self, job: JobId, pages: &[PageId]) -> Result<Redriven, StoreError>;

    /// How a job stands; no rows are counted for it.
    async fn status(&self, job: JobId) -> Result<JobStatus, StoreError>;

    /// A job with its status.
    async fn job(&self, job: JobId) -> Result<JobRow, StoreError>;

    /// The job of that tenant and key.
    async fn find_job(&self, tenant: &str, key: &str) -> Result<Option<JobId>, StoreError>;

    /// Jobs after `after`, of one tenant or of all, at most `rows_max`.
    async fn list_jobs(
        &self,
        filter: &JobFilter,
        after: JobId,
        rows_max: u32,
    ) -> Result<Vec<JobRow>, StoreError>;

    /// What each sealed, unfinished job has waiting; at most `rows_max`, the most urgent first.
    async fn demands(&self, rows_max: u32) -> Result<Vec<Demand>, StoreError>;

    /// The figures of all jobs together; no rows are counted for them, and finished jobs cost nothing.
    async fn figures(&self) -> Result<StoreFigures, StoreError>;

    /// Who leads, as far as the store knows.
    async fn leader_lease(&self) -> Result<LeaderLease, StoreError>;

    /// Takes the leadership over if the lease still is as `seen`: the next epoch, or `None` where somebody was faster.
    async fn seize_lease(&self, seen: &LeaderLease, holder: &str) -> Result<Option<Epoch>, StoreError>;

    /// Moves the lease's beat on, which tells the others that the leader lives.
    async fn renew_lease(&self, epoch: Epoch) -> Result<(), StoreError>;

    /// Takes new shards of sealed jobs as ordered. Each is recorded as open before it is returned.
    async fn cut_shards(&self, epoch: Epoch, orders: &[ShardOrder]) -> Result<Vec<Shard>, StoreError>;

    /// All open shards; the window bounds them.
    async fn open_shards(&self) -> Result<Vec<OpenShard>, StoreError>;

    /// The messages of open shards as they are now, the attempt unchanged: for those that were never confirmed.
    async fn messages(&self, shards: &[ShardId]) -> Result<Vec<Shard>, StoreError>;

    /// Open shards, all or those named, each with its attempt advanced: whoever worked on them is gone. One that was
    /// lost too often is taken apart, and its page given up when it is alone.
    async fn reclaim_shards(
        &self,
        epoch: Epoch,
        which: Reclaim<'_>,
        limits: &Limits,
    ) -> Result<Vec<Shard>, StoreError>;

    /// Takes back shards that no worker took: what they hold waits again, and nothing is counted against it.
    async fn hand_back_shards(&self, epoch: Epoch, shards: &[ShardId]) -> Result<(), StoreError>;

    /// Applies outcomes: taken where the attempt is current and nothing was taken before, else ignored and counted.
    async fn apply(&self, epoch: Epoch, outcomes: &[Outcome], limits: &Limits)
    -> Result<Applied, StoreError>;

    /// Forms the documents of folders whose sources are all inspected; returns how many.
    async fn arrange_folders(&self, epoch: Epoch, job: JobId) -> Result<u64, StoreError>;

    /// Closes a sealed job whose ledger is complete. Returns the names of artifacts that no document has any more, or
    /// `None` where the job isn't complete or is closed already.
    async fn close_job(
        &self,
        epoch: Epoch,
        job: JobId,
        now_unix_seconds: i64,
    ) -> Result<Option<Vec<String>>, StoreError>;

    /// Removes drafts that were opened before that time and never sealed; returns how many.
    async fn expire_drafts(&self, epoch: Epoch, opened_before_unix_seconds: i64) -> Result<u64, StoreError>;

    /// Has a delivered document assembled again: an artifact of it is gone.
    async fn reassemble(&self, document: DocumentId) -> Result<(), StoreError>;

    /// Takes a worker's beat: renews the leases of what it names and answers what it should know.
    async fn beat(&self, beat: &WorkerBeat) -> Result<BeatAnswer, StoreError>;

    /// Tells a worker, at its next beat, what to do; `false` where no such worker is known.
    async fn direct(&self, worker: &WorkerId, directive: Directive) -> Result<bool, StoreError>;

    /// Workers after `after`, by name, at most `rows_max`.
    async fn list_workers(&self, after: &str, rows_max: u32) -> Result<Vec<WorkerRow>, StoreError>;

    /// Forgets workers whose last beat is older.
    async fn forget_workers(&self, silent_since_unix_seconds: i64) -> Result<u64, StoreError>;

    /// Sources after `after`, in the order of submission, at most `rows_max`.
    async fn list_sources(&self, job: JobId, after: i64, rows_max: u32)
    -> Result<Vec<SourceRow>, StoreError>;

    /// Pages after `after`, by source and number, at most `rows_max`; only those in `state`, where one is named.
    async fn list_pages(
        &self,
        job: JobId,
        state: Option<PageState>,
        after: PageCursor,
        rows_max: u32,
    ) -> Result<Vec<PageRow>, StoreError>;

    /// Dead pages and rejected sources of one job or of all of a tenant, after `after`, at most `rows_max`.
    async fn list_dead_letters(
        &self,
        filter: &DeadLetterFilter,
        after: PageCursor,
        rows_max: u32,
    ) -> Result<Vec<DeadLetter>, StoreError>;

    /// Where the text of a job's page lies; `None` where it has none.
    async fn page_result(&self, job: JobId, page: PageId) -> Result<Option<ResultRef>, StoreError>;

    /// Documents after `after` with their artifacts, at most `rows_max`.
    async fn list_documents(
        &self,
        job: JobId,
        after: i64,
        rows_max: u32,
    ) -> Result<Vec<DocumentRow>, StoreError>;

    /// The artifact of that name of a job.
    async fn artifact(&self, job: JobId, name: &str) -> Result<Option<Artifact>, StoreError>;

    /// All fingerprints that a job's pages were read with.
    async fn fingerprints(&self, job: JobId) -> Result<Vec<Fingerprint>, StoreError>;

    /// The blobs that rows name, from `after` on, of at most `rows_max` rows; one may come repeatedly.
    async fn named_blobs(&self, after: NamedCursor, rows_max: u32) -> Result<NamedBlobs, StoreError>;
}

#[cfg(test)]
mod conformance;
