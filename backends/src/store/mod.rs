//! The store: the truth about jobs, sources, pages, documents and open shards. Everything else can be lost.
//!
//! All writes are set-based transactions that leave the counters right. Only the coordinator holds a store.

use async_trait::async_trait;
use pagemill_domain::ids::{DocumentId, JobId, ShardId};
use pagemill_domain::ledger::Ledger;
use pagemill_domain::limits::Limits;
use pagemill_domain::outcome::{Artifact, Fingerprint, Gap, Outcome};
use pagemill_domain::page::{PageState, PageSummary};
use pagemill_domain::recipe::Recipe;
use pagemill_domain::scan::{Dpi, DpiRule, Rejection, SourceKind};
use pagemill_domain::shard::{FileStamp, Shard, SourceLocation};

mod sqlite;

pub use sqlite::SqliteStore;

/// The truth about jobs.
#[async_trait]
pub trait Store: Send + Sync {
    /// Opens the job of that key as a draft. An earlier one is opened again: what another reading recipe decided is
    /// forgotten, what only the delivery decided is delivered anew, the rest stays done.
    async fn open_job(&self, key: &str, recipe: &Recipe) -> Result<JobId, StoreError>;

    /// Adds sources to a draft. One that is known and unchanged stays as it is; one whose stamp changed is inspected
    /// again, and read again if its content changed.
    async fn add_sources(&self, job: JobId, sources: &[NewSource]) -> Result<(), StoreError>;

    /// Ends the draft: what was not added this time and never delivered is withdrawn, work may begin.
    async fn seal(&self, job: JobId) -> Result<(), StoreError>;

    /// How a job stands; no rows are counted for it.
    async fn status(&self, job: JobId) -> Result<JobStatus, StoreError>;

    /// Takes up to `room` new shards of sealed jobs. Each is recorded as open before it is returned.
    async fn cut_shards(&self, room: usize, sizes: ShardSizes) -> Result<Vec<Shard>, StoreError>;

    /// All shards that are open, each with its attempt advanced: after a restart nobody works on them any more. One
    /// that was lost too often is taken apart, and its page given up when it is alone.
    async fn reclaim_shards(&self, limits: &Limits) -> Result<Vec<Shard>, StoreError>;

    /// Takes back shards that no worker took: what they hold waits again, and nothing is counted against it.
    async fn hand_back_shards(&self, shards: &[ShardId]) -> Result<(), StoreError>;

    /// Applies outcomes: taken where the attempt is current and nothing was taken before, else ignored and counted.
    async fn apply(&self, outcomes: &[Outcome], limits: &Limits) -> Result<Applied, StoreError>;

    /// Forms the documents of folders whose sources are all inspected; returns how many.
    async fn arrange_folders(&self, job: JobId) -> Result<u64, StoreError>;

    /// Closes a sealed job whose ledger is complete. Returns the names of artifacts that no document has any more, or
    /// `None` where the job isn't complete or is closed already.
    async fn close_job(&self, job: JobId) -> Result<Option<Vec<String>>, StoreError>;

    /// Has a delivered document assembled again: an artifact of it is gone.
    async fn reassemble(&self, document: DocumentId) -> Result<(), StoreError>;

    /// Sources after `after`, in the order of submission, at most `rows_max`.
    async fn list_sources(&self, job: JobId, after: i64, rows_max: u32)
    -> Result<Vec<SourceRow>, StoreError>;

    /// Pages after `after`, by source and number, at most `rows_max`.
    async fn list_pages(
        &self,
        job: JobId,
        after: PageCursor,
        rows_max: u32,
    ) -> Result<Vec<PageRow>, StoreError>;

    /// Documents after `after` with their artifacts, at most `rows_max`.
    async fn list_documents(
        &self,
        job: JobId,
        after: i64,
        rows_max: u32,
    ) -> Result<Vec<DocumentRow>, StoreError>;

    /// All fingerprints that a job's pages were read with.
    async fn fingerprints(&self, job: JobId) -> Result<Vec<Fingerprint>, StoreError>;
}

/// A source on its way into a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSource {
    /// Its path as shown to people, with `/`, relative to its input and with its prefix; unique in the job.
    pub path: String,
    /// Its folder's path in the same notation; empty at the top.
    pub folder: String,
    /// Where its bytes are.
    pub location: SourceLocation,
    /// Its identity when it was listed.
    pub stamp: FileStamp,
}

/// How large shards are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShardSizes {
    /// Sources of an inspect shard.
    pub sources: u32,
    /// Pages of a recognise shard.
    pub pages: u32,
}

/// How a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JobStatus {
    /// Its state.
    pub state: JobState,
    /// Its counts.
    pub ledger: Ledger,
    /// Failures that pages caused.
    pub faults: u64,
    /// Failures that pages did not cause.
    pub losses: u64,
    /// Outcomes that came too late or twice.
    pub outcomes_ignored: u64,
    /// CPU milliseconds in the box.
    pub cpu_ms: u64,
    /// Pages whose reading came to an end, each time that it did: a page of a changed source counts again.
    pub pages_read: u64,
}

/// The states of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobState {
    /// Takes sources (submit).
    Draft,
    /// Is worked on (seal).
    Sealed,
    /// Complete and balanced (close).
    Closed,
}

/// What applying outcomes did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Applied {
    /// Outcomes that took effect.
    pub taken: u64,
    /// Outcomes of an older attempt.
    pub stale: u64,
    /// Outcomes of a shard that is done.
    pub duplicate: u64,
}

/// After which page a listing goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PageCursor {
    /// The last source seen.
    pub source: i64,
    /// The last page seen in it.
    pub number: u32,
}

/// A source as listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceRow {
    /// Its row number.
    pub id: i64,
    /// Its path as shown to people.
    pub path: String,
    /// Its hash, once inspected.
    pub hash: Option<String>,
    /// Its kind, once inspected.
    pub kind: Option<SourceKind>,
    /// Its pages, once inspected.
    pub pages: u32,
    /// Its size in bytes.
    pub bytes: u64,
    /// Whether it carries a signature.
    pub signed: bool,
    /// Why it was rejected.
    pub rejection: Option<Rejection>,
}

/// A page as listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageRow {
    /// Its source's row number.
    pub source: i64,
    /// Its source's path.
    pub path: String,
    /// Its document's name, once arranged.
    pub document: Option<String>,
    /// Its number in its source, from 1.
    pub number: u32,
    /// Width in pixels as displayed.
    pub width: u32,
    /// Height in pixels as displayed.
    pub height: u32,
    /// Resolution as displayed.
    pub dpi: Dpi,
    /// Where the resolution comes from.
    pub dpi_rule: DpiRule,
    /// Its state.
    pub state: PageState,
    /// Failures that it caused.
    pub faults: u32,
    /// Failures that it did not cause.
    pub losses: u32,
    /// Stable code of its last failure.
    pub reason: Option<String>,
    /// The same in words.
    pub detail: Option<String>,
    /// What reading it told.
    pub summary: Option<PageSummary>,
}

/// A document as listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentRow {
    /// Its row number.
    pub id: DocumentId,
    /// Its name.
    pub name: String,
    /// Whether assembling it was given up.
    pub failed: bool,
    /// Its files.
    pub artifacts: Vec<Artifact>,
    /// Pages for which a placeholder stands.
    pub gaps: Vec<Gap>,
}

/// The store can't be used, or holds what it never should.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database failed: disk full, no permission, damaged.
    #[error("{action}: {source}")]
    Database {
        /// What was attempted, verb first.
        action: &'static str,
        /// What the database said.
        source: sqlx::Error,
    },
    /// A migration failed: the state is damaged or of a newer Pagemill.
    #[error("prepare the state: {0}")]
    Migration(#[from] sqlx::migrate::MigrateError),
    /// A row holds what this version can't read.
    #[error("read {what} from the store: {found:?}")]
    Unreadable {
        /// Which value.
        what: &'static str,
        /// What it is.
        found: String,
    },
    /// No job of that number.
    #[error("there is no job {0}")]
    NoSuchJob(JobId),
    /// A job has more sources than it may.
    #[error("more sources than sources_per_job_max ({0})")]
    TooManySources(u64),
}

#[cfg(test)]
mod conformance;
