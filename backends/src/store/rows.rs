//! What a store takes and gives.

use pagemill_domain::ids::{DocumentId, JobId, ShardAttempt, WorkerId};
use pagemill_domain::job::Urgency;
use pagemill_domain::ledger::Ledger;
use pagemill_domain::outcome::{Artifact, Gap};
use pagemill_domain::page::{PageState, PageSummary};
use pagemill_domain::recipe::Recipe;
use pagemill_domain::scan::{Dpi, DpiRule, Rejection, SourceKind};
use pagemill_domain::shard::{FileStamp, SourceLocation, Stage};

use crate::blobs::BlobName;

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

/// How a job is found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct JobFilter {
    /// Only of this tenant.
    pub tenant: Option<String>,
    /// Only those that are drafts or worked on.
    pub open_only: bool,
}

/// A job as listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobRow {
    /// Its row number.
    pub id: JobId,
    /// Whose it is.
    pub tenant: String,
    /// The submitter's key.
    pub key: String,
    /// How its pages are treated.
    pub recipe: Recipe,
    /// How it competes.
    pub urgency: Urgency,
    /// When it was opened first, in seconds since 1970.
    pub created_unix_seconds: i64,
    /// When it was closed or cancelled.
    pub closed_unix_seconds: Option<i64>,
    /// How it stands.
    pub status: JobStatus,
}

/// Shards that are to be cut from a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShardOrder {
    /// Which job.
    pub job: JobId,
    /// At most so many.
    pub shards_max: usize,
    /// How large.
    pub sizes: ShardSizes,
    /// Whether they travel past the bulk.
    pub express: bool,
}

/// An open shard: the outbox's row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenShard {
    /// Which dispatch.
    pub dispatch: ShardAttempt,
    /// Its job.
    pub job: JobId,
    /// Its stage.
    pub stage: Stage,
    /// Whether it travels past the bulk.
    pub express: bool,
    /// Beats that named this dispatch; 0: no worker has it.
    pub beats: u64,
    /// Who named it last.
    pub worker: Option<WorkerId>,
}

/// Which open shards are taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reclaim<'a> {
    /// All: after a restart of the embedded mode nobody works on them.
    All,
    /// Those whose current dispatch is one of these.
    These(&'a [ShardAttempt]),
}

/// What a re-drive brought back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Redriven {
    /// Pages.
    pub pages: u64,
    /// Sources.
    pub sources: u64,
}

/// The figures of all jobs together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StoreFigures {
    /// The sum of all ledgers.
    pub ledger: Ledger,
    /// Sources of sealed jobs that are not final.
    pub sources_pending: u64,
    /// Pages of sealed jobs that are not final.
    pub pages_pending: u64,
    /// Documents of sealed jobs that are not final.
    pub documents_pending: u64,
    /// Outcomes that came too late or twice.
    pub outcomes_ignored: u64,
    /// When the oldest job with something pending was opened, in seconds since 1970.
    pub oldest_pending_unix_seconds: Option<i64>,
}

/// Who leads.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LeaderLease {
    /// The number of this leadership; 0 before the first.
    pub epoch: i64,
    /// Moves while the leader lives.
    pub beat: i64,
    /// Its name: where it can be reached.
    pub holder: String,
}

/// What a worker says every few seconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerBeat {
    /// Which worker.
    pub worker: WorkerId,
    /// Pagemill's version.
    pub version: String,
    /// What its pages are read with.
    pub fingerprint: String,
    /// Its slots.
    pub slots: u32,
    /// All that it holds, and what it is about to begin.
    pub busy: Vec<ShardAttempt>,
    /// When, in seconds since 1970; only shown to people.
    pub now_unix_seconds: i64,
}

/// What a worker is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BeatAnswer {
    /// Whether it is to take work.
    pub directive: Directive,
    /// Of those it named: no longer to be worked on.
    pub dropped: Vec<ShardAttempt>,
}

/// What an admin wants of a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Directive {
    /// Takes work.
    #[default]
    Serve,
    /// Takes none until told.
    Cordon,
    /// Takes none, finishes and ends.
    Drain,
}

impl Directive {
    /// The name that the store uses.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Serve => "serve",
            Self::Cordon => "cordon",
            Self::Drain => "drain",
        }
    }
}

/// A worker as listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerRow {
    /// Which worker.
    pub worker: WorkerId,
    /// Pagemill's version.
    pub version: String,
    /// What its pages are read with.
    pub fingerprint: String,
    /// Its slots.
    pub slots: u32,
    /// Shards that its last beat named.
    pub slots_busy: u32,
    /// What it was told.
    pub directive: Directive,
    /// Its last beat, in seconds since 1970.
    pub beat_unix_seconds: i64,
}

/// Which dead letters.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DeadLetterFilter {
    /// Only of this tenant.
    pub tenant: Option<String>,
    /// Only of this job.
    pub job: Option<JobId>,
}

/// A dead page, or a rejected source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// Its job.
    pub job: JobId,
    /// The source's row number.
    pub source: i64,
    /// The source's path.
    pub path: String,
    /// The page's number; 0: the source itself.
    pub number: u32,
    /// Failures that it caused.
    pub faults: u32,
    /// Failures that it did not cause.
    pub losses: u32,
    /// Stable code.
    pub reason: String,
    /// The same in words.
    pub detail: String,
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
    /// Given up on request (cancel).
    Cancelled,
}

impl JobState {
    /// The name that the store uses.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Sealed => "sealed",
            Self::Closed => "closed",
            Self::Cancelled => "cancelled",
        }
    }

    /// The state of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Draft, Self::Sealed, Self::Closed, Self::Cancelled]
            .into_iter()
            .find(|state| state.name() == name)
    }
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

/// Where a listing of named blobs goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NamedCursor {
    /// With sources after this one.
    Sources {
        /// The last source seen.
        after: i64,
    },
    /// With pages after this one.
    Pages {
        /// The last page seen.
        after: PageCursor,
    },
    /// With artifacts after this one.
    Artifacts {
        /// The document of the last artifact seen.
        document: i64,
        /// Its name.
        name: String,
    },
}

impl Default for NamedCursor {
    fn default() -> Self {
        Self::Sources { after: 0 }
    }
}

/// Some of the blobs that rows name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedBlobs {
    /// What they are called; one may come repeatedly.
    pub blobs: Vec<BlobName>,
    /// Where the listing goes on; `None` at its end.
    pub next: Option<NamedCursor>,
}
