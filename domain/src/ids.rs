//! Identities. Rows are numbered by the store; a number is never used twice.

use serde::{Deserialize, Serialize};

macro_rules! row_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub struct $name(pub i64);

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

row_id! {
    /// A job: one submission.
    JobId
}
row_id! {
    /// A source: an input file of a job.
    SourceId
}
row_id! {
    /// A document: pages that are delivered together.
    DocumentId
}
row_id! {
    /// A shard: a unit of dispatch.
    ShardId
}

/// A page: a source and the page's number in it, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PageId {
    /// The source that holds the page.
    pub source: SourceId,
    /// The page's number in its source, from 1.
    pub number: u32,
}

/// The fencing number of a leader: grows with each change of leadership; every background write checks it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Epoch(pub i64);

/// A worker: host and process, or what the admin named it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct WorkerId(pub String);

impl std::fmt::Display for WorkerId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// One dispatch of a shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ShardAttempt {
    /// Which shard.
    pub shard: ShardId,
    /// Which dispatch of it.
    pub attempt: Attempt,
}

/// The fencing number of a shard: grows with each dispatch; only the outcome of the current one is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Attempt(pub u32);
