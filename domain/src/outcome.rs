//! Outcomes: what a worker reports of a shard.

use serde::{Deserialize, Serialize};

use crate::hash::ContentHash;
use crate::ids::{Attempt, DocumentId, JobId, ShardId, SourceId};
use crate::page::PageSummary;
use crate::recipe::Format;
use crate::scan::{PageDefect, Rejection, SourceFacts};
use crate::shard::ResultRef;

/// What a worker reports of a shard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// Which shard.
    pub shard: ShardId,
    /// Which dispatch of it; an outcome of another than the current one is stale.
    pub attempt: Attempt,
    /// Whose shard it was: where the shard is gone, only this tells whose ledger counts the outcome as ignored. Workers
    /// of earlier versions do not say.
    #[serde(default)]
    pub job: Option<JobId>,
    /// What read it: see [`Fingerprint`].
    pub fingerprint: Fingerprint,
    /// CPU milliseconds that the shard took in the box.
    pub cpu_ms: u64,
    /// Wall milliseconds that the shard took.
    pub wall_ms: u64,
    /// What came of it.
    pub report: Report,
}

/// All versions that can change a byte of an artifact: Pagemill, engine, image libraries, models.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub struct Fingerprint(pub String);

/// What came of a shard, by stage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Report {
    /// One entry a source.
    Inspected(Vec<SourceReport>),
    /// One entry a page.
    Recognised(Vec<PageReport>),
    /// The document's artifacts.
    Assembled(DocumentReport),
}

/// What came of inspecting a source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceReport {
    /// Which source.
    pub source: SourceId,
    /// What its content hashes to; `None` where it could not be read.
    pub hash: Option<ContentHash>,
    /// Where its [map](crate::source_map::SourceMap) lies, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub map: Option<ResultRef>,
    /// What came of it.
    pub result: SourceResult,
}

/// What came of inspecting a source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceResult {
    /// Its headers.
    Inspected(SourceFacts),
    /// It is refused.
    Rejected(Rejection),
    /// Its own fault: reading its headers failed in a way that another try may not repeat.
    Fault(Fault),
    /// Not its fault: it is to be inspected again.
    Lost(Loss),
}

/// What came of reading a page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageReport {
    /// Which source.
    pub source: SourceId,
    /// Its number there, from 1.
    pub number: u32,
    /// What came of it.
    pub result: PageResult,
}

/// What came of reading a page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PageResult {
    /// It was read.
    Recognised {
        /// Where its text lies.
        result: ResultRef,
        /// What else there is to know.
        summary: PageSummary,
    },
    /// It is empty.
    Blank {
        /// What else there is to know.
        summary: PageSummary,
    },
    /// It can't be decoded: final, another try changes nothing.
    Defect(PageDefect),
    /// Its own fault: counted, climbs the ladder.
    Fault(Fault),
    /// Not its fault: counted apart, read again as it is.
    Lost(Loss),
}

/// What came of assembling a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DocumentReport {
    /// Which document.
    pub document: DocumentId,
    /// What came of it.
    pub result: DocumentResult,
}

/// What came of assembling a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DocumentResult {
    /// It was delivered.
    Delivered {
        /// Its files.
        artifacts: Vec<Artifact>,
        /// Pages whose image could not be delivered and why: a placeholder stands for each.
        gaps: Vec<Gap>,
    },
    /// Its pages can't be had: final, another try changes nothing before somebody re-drives it.
    Defect(PageDefect),
    /// It is to be assembled again.
    Lost(Loss),
}

/// A file that was delivered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Artifact {
    /// Its format.
    pub format: Format,
    /// Its path below the output folder.
    pub name: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// Its hash.
    pub hash: ContentHash,
}

/// A page for which a placeholder stands in a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// Which source.
    pub source: SourceId,
    /// The page's number there, from 1.
    pub number: u32,
    /// Why.
    pub reason: String,
}

/// A failure that the page (or source) itself caused, seen by a live worker. Counted; climbs the ladder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "code", rename_all = "snake_case")]
pub enum Fault {
    /// The child died while it worked on it.
    #[error("the recognition process crashed ({how})")]
    Crashed {
        /// Signal or exit code, and the end of what it said.
        how: String,
    },
    /// It took more than `page_cpu_seconds_max`.
    #[error("it took more than {seconds} CPU seconds (page_cpu_seconds_max)")]
    CpuBudget {
        /// The budget.
        seconds: u32,
    },
    /// It took more than `child_memory_mib_max`.
    #[error("it took more than {mib} MiB of memory (child_memory_mib_max)")]
    OutOfMemory {
        /// The bound.
        mib: u64,
    },
    /// The child answered with what can't be a page.
    #[error("the recognition process returned rubbish: {what}")]
    Rubbish {
        /// What was wrong.
        what: String,
    },
    /// The engine gave up on it.
    #[error("the engine failed: {what}")]
    Engine {
        /// What it said.
        what: String,
    },
}

impl Fault {
    /// The stable code that metrics use and `docs/errors.md` explains.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Crashed { .. } => "page_crashed",
            Self::CpuBudget { .. } => "page_cpu_budget",
            Self::OutOfMemory { .. } => "page_out_of_memory",
            Self::Rubbish { .. } => "page_rubbish",
            Self::Engine { .. } => "page_engine",
        }
    }
}

/// A failure that the page did not cause. It never degrades a page; only `losses_max` of them end it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "code", rename_all = "snake_case")]
pub enum Loss {
    /// No answer within `page_wall_seconds_max`, though the CPU budget was not used up.
    #[error("no answer within {seconds} seconds (page_wall_seconds_max)")]
    WallDeadline {
        /// The deadline.
        seconds: u32,
    },
    /// The worker stopped or was killed.
    #[error("the worker stopped")]
    Interrupted,
    /// What the work needs could not be fetched.
    #[error("not available: {what}")]
    Unavailable {
        /// What, and why.
        what: String,
    },
    /// Somebody else killed the child: an operator, a service manager, the kernel short of memory.
    #[error("the recognition process was killed from outside ({how})")]
    Killed {
        /// The signal.
        how: String,
    },
    /// An assembly hung.
    #[error("no page was assembled within {seconds} seconds (assemble_page_seconds_max)")]
    Stalled {
        /// The bound.
        seconds: u32,
    },
    /// No child could be started for it.
    #[error("no recognition process: {what}")]
    NotStarted {
        /// Why not.
        what: String,
    },
}

impl Loss {
    /// The stable code that metrics use and `docs/errors.md` explains.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::WallDeadline { .. } => "page_wall_deadline",
            Self::Interrupted => "worker_interrupted",
            Self::Unavailable { .. } => "source_unavailable",
            Self::Killed { .. } => "child_killed",
            Self::Stalled { .. } => "assembly_stalled",
            Self::NotStarted { .. } => "child_not_started",
        }
    }
}
