//! Blobs: result objects by their hash, sources where they are, artifacts by their name.

use std::fs::File;
use std::io;
use std::path::PathBuf;

use async_trait::async_trait;
use pagemill_domain::hash::ContentHash;
use pagemill_domain::shard::{ResultRef, SourceLocation};

mod folder;

pub use folder::{FolderBlobs, Staging};

/// Holds bytes. Everything that it accepted survives a crash.
#[async_trait]
pub trait Blobs: Send + Sync {
    /// Stores a result object under its hash; storing it again changes nothing.
    async fn put_result(&self, bytes: Vec<u8>) -> Result<ContentHash, BlobError>;

    /// A page's part of a result object, checked against its hash.
    async fn get_result(&self, result: &ResultRef) -> Result<Vec<u8>, BlobError>;

    /// A source's bytes as an open file.
    async fn open_source(&self, location: &SourceLocation) -> Result<File, BlobError>;

    /// A place to write an artifact that nobody sees before it is committed.
    async fn stage_artifact(&self) -> Result<Staging, BlobError>;

    /// Makes a staged artifact durable and visible under `name`, in place of what was there.
    async fn commit_artifact(&self, staging: Staging, name: &str) -> Result<(), BlobError>;

    /// An artifact's size in bytes; `None` where it is not there.
    async fn artifact_bytes(&self, name: &str) -> Result<Option<u64>, BlobError>;

    /// Removes an artifact that no document has any more; one that is not there is no error.
    async fn remove_artifact(&self, name: &str) -> Result<(), BlobError>;
}

/// Bytes could not be stored or fetched.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// The medium failed: disk full, no permission, gone.
    #[error("{action} {path}: {source}")]
    Io {
        /// What was attempted, verb first.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The bytes are not those that were stored.
    #[error("blob {0} is damaged: its bytes do not match its hash")]
    Damaged(ContentHash),
    /// The name would lead out of the output folder.
    #[error("artifact name {0:?} leads out of the output folder")]
    UnsafeName(String),
}

#[cfg(test)]
mod conformance;
