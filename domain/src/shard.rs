//! Shards: what is sent to a worker. A shard tells all that the work needs, so that workers hold no state.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::hash::ContentHash;
use crate::ids::{Attempt, DocumentId, JobId, ShardAttempt, ShardId, SourceId};
use crate::page::PageState;
use crate::recipe::Recipe;
use crate::scan::Dpi;
use crate::trace::Traceparent;

/// A unit of dispatch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shard {
    /// Which shard.
    pub id: ShardId,
    /// Which dispatch of it.
    pub attempt: Attempt,
    /// The job that it belongs to.
    pub job: JobId,
    /// Travels past the bulk: the job is small.
    #[serde(default)]
    pub express: bool,
    /// How the job wants its pages treated.
    pub recipe: Recipe,
    /// What is to be done.
    pub work: Work,
}

impl Shard {
    /// Which dispatch this is.
    #[must_use]
    pub const fn dispatch(&self) -> ShardAttempt {
        ShardAttempt { shard: self.id, attempt: self.attempt }
    }

    /// What follows this dispatch through logs and message headers.
    #[must_use]
    pub fn traceparent(&self) -> Traceparent {
        Traceparent { trace: self.job.trace(), parent: self.dispatch().span(), sampled: true }
    }
}

/// The stages of a page's way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Reading headers.
    Inspect,
    /// Reading pages.
    Recognise,
    /// Writing a document's artifacts.
    Assemble,
}

impl Stage {
    /// All of them, in the order of a page's way.
    pub const ALL: [Self; 3] = [Self::Inspect, Self::Recognise, Self::Assemble];

    /// The name that metrics, queues and the store use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Inspect => "inspect",
            Self::Recognise => "recognise",
            Self::Assemble => "assemble",
        }
    }
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Work {
    /// Hash these sources and read their headers.
    Inspect(Vec<SourceRef>),
    /// Read these pages.
    Recognise(Vec<PagesOfSource>),
    /// Write this document's artifacts.
    Assemble(DocumentPlan),
    /// The same, where the plan is too large for a message: it lies in a result object, as JSON.
    AssembleStored(ResultRef),
}

impl Work {
    /// The stage that this work belongs to.
    #[must_use]
    pub const fn stage(&self) -> Stage {
        match self {
            Self::Inspect(_) => Stage::Inspect,
            Self::Recognise(_) => Stage::Recognise,
            Self::Assemble(_) | Self::AssembleStored(_) => Stage::Assemble,
        }
    }
}

/// Where a source's bytes are, and what they must be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceRef {
    /// Which source.
    pub id: SourceId,
    /// Where its bytes are.
    pub location: SourceLocation,
    /// What its content hashed to at inspect; `None` before.
    pub hash: Option<ContentHash>,
    /// Its identity when it was listed.
    pub stamp: FileStamp,
    /// Where its [map](crate::source_map::SourceMap) lies; `None` where the whole has to be fetched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub map: Option<ResultRef>,
}

/// Where a source's bytes are.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceLocation {
    /// A file that is read in place. The path is the operating system's own bytes.
    File(#[serde(with = "crate::naming::path_as_text")] PathBuf),
    /// An uploaded source. Each tenant has its own: knowing a hash opens nobody else's bytes.
    Blob {
        /// Whose upload.
        tenant: String,
        /// What it hashes to.
        hash: ContentHash,
    },
    /// An object by reference: `s3://bucket/key`. Its content is fixed at inspect and checked at each read.
    Object(String),
}

/// By what an unchanged file is known without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct FileStamp {
    /// Size in bytes.
    pub bytes: u64,
    /// Modification time in nanoseconds since 1970.
    pub modified_ns: i64,
    /// Inode number.
    pub inode: u64,
}

/// Pages of one source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PagesOfSource {
    /// The source.
    pub source: SourceRef,
    /// Page numbers from 1, ascending.
    pub pages: Vec<u32>,
    /// Read with the degraded recipe: the last step of the ladder.
    pub degraded: bool,
}

/// All that is needed to write a document's artifacts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DocumentPlan {
    /// Which document.
    pub id: DocumentId,
    /// Its name: a relative path without extension, safe to join to the output folder.
    pub name: String,
    /// Its sources in order, each with its pages in order.
    pub sources: Vec<PlannedSource>,
    /// The source's own bytes are the PDF: a signed one, or one whose pages are all kept.
    pub deliver_original: bool,
}

/// A source's part of a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedSource {
    /// The source.
    pub source: SourceRef,
    /// Its pages in order.
    pub pages: Vec<PlannedPage>,
}

/// One page of a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedPage {
    /// Its number in its source, from 1.
    pub number: u32,
    /// Width in pixels as displayed; what a placeholder is made of where the page can't be decoded.
    pub width: u32,
    /// Height in pixels as displayed.
    pub height: u32,
    /// Resolution as displayed.
    pub dpi: Dpi,
    /// Its final state.
    pub state: PageState,
    /// Where its text is, if it has one.
    pub result: Option<ResultRef>,
}

/// Where a page's text lies: a range of a shard's result object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResultRef {
    /// The result object.
    pub blob: ContentHash,
    /// First byte of the page's part.
    pub offset: u64,
    /// Bytes of the page's part.
    pub length: u64,
    /// Hash of the page's part; checked at each read.
    pub hash: ContentHash,
}
