//! Blobs: result objects by their hash, sources where they are, artifacts by their name.

use std::fs::File;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::time::SystemTime;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use pagemill_domain::hash::ContentHash;
use pagemill_domain::outcome::Artifact;
use pagemill_domain::shard::{ResultRef, SourceLocation};
use pagemill_domain::source_map::ByteRange;

mod bucket;
mod cache;
mod connect;
mod folder;
mod leftovers;
mod map_object;
mod names;
mod objects;
mod pieces;
mod roots;
mod scratch;
mod sweep;

pub use connect::{BlobOptions, S3Settings, connect};
pub use folder::{FolderBlobs, Staging};
pub use map_object::{hash_of_ranges, map_object};
pub use names::{BlobName, TENANT_BYTES_MAX, is_tenant_name};
pub use roots::{ObjectAddress, SourceRoots};
pub use sweep::{ORPHAN_AGE, Swept, sweep_orphans};

/// Holds bytes. Everything that it accepted survives a crash.
#[async_trait]
pub trait Blobs: Send + Sync {
    /// Stores a result object under its hash; storing it again changes nothing.
    async fn put_result(&self, bytes: Vec<u8>) -> Result<ContentHash, BlobError>;

    /// A page's part of a result object, checked against its hash.
    async fn get_result(&self, result: &ResultRef) -> Result<Vec<u8>, BlobError>;

    /// A source's bytes as an open file; those that were fetched are checked against `hash`, where it is known: another
    /// content is [`BlobError::Damaged`].
    async fn open_source(
        &self,
        location: &SourceLocation,
        hash: Option<ContentHash>,
    ) -> Result<OpenedSource, BlobError>;

    /// A source of which only these pages (by number, from 1) are wanted. Its `map` tells which bytes those need: the others
    /// may be holes in the file. The bytes of pages are checked against the map; another content is
    /// [`BlobError::Damaged`].
    async fn open_pages(
        &self,
        location: &SourceLocation,
        hash: ContentHash,
        _map: &ResultRef,
        _pages: &[u32],
    ) -> Result<OpenedSource, BlobError> {
        self.open_source(location, Some(hash)).await
    }

    /// Bytes of sources and their maps that were fetched since the start. What is read in place is not fetched.
    fn source_bytes_fetched(&self) -> u64 {
        0
    }

    /// A place to write an artifact that nobody sees before it is committed.
    async fn stage_artifact(&self) -> Result<Staging, BlobError>;

    /// Makes a staged artifact durable and visible, in place of what was there: under its `name` in an output folder,
    /// under its `hash` in a store of blobs.
    async fn commit_artifact(&self, staging: Staging, name: &str, hash: ContentHash)
    -> Result<(), BlobError>;

    /// An artifact's size in bytes; `None` where it is not there.
    async fn artifact_bytes(&self, artifact: &Artifact) -> Result<Option<u64>, BlobError>;

    /// An artifact's bytes in order, from `offset` on.
    async fn read_artifact(
        &self,
        artifact: &Artifact,
        offset: u64,
    ) -> Result<BoxStream<'static, Result<Bytes, BlobError>>, BlobError>;

    /// Removes an artifact that no document has any more, where artifacts have names; one that is not there is no error.
    async fn remove_artifact(&self, name: &str) -> Result<(), BlobError>;

    /// Which of these sources the tenant has not uploaded.
    async fn missing_sources(
        &self,
        tenant: &str,
        hashes: &[ContentHash],
    ) -> Result<Vec<ContentHash>, BlobError>;

    /// Begins the upload of a source of `bytes` that hashes to `hash`.
    async fn begin_upload(
        &self,
        tenant: &str,
        hash: ContentHash,
        bytes: u64,
    ) -> Result<Box<dyn Upload>, BlobError>;

    /// A cluster's blobs that were put there before that time. An output folder is its user's: there are none.
    fn old_blobs(&self, put_before: SystemTime) -> BoxStream<'static, Result<BlobName, BlobError>>;

    /// Reads a cluster's blob through, and returns its size in bytes; [`BlobError::Damaged`] where its bytes are not what its
    /// name says.
    async fn check_blob(&self, name: &BlobName) -> Result<u64, BlobError>;

    /// Removes a blob that nothing names; one that is not there is no error.
    async fn remove_blob(&self, name: &BlobName) -> Result<(), BlobError>;
}

/// An upload on its way. Dropped before it is finished, nothing of it stays.
#[async_trait]
pub trait Upload: Send {
    /// Adds the next bytes.
    async fn write(&mut self, piece: Bytes) -> Result<(), BlobError>;

    /// Makes the source durable if its bytes are as many and hash to what was announced; [`BlobError::Damaged`] otherwise.
    async fn finish(self: Box<Self>) -> Result<(), BlobError>;
}

/// A source that can be read.
#[derive(Debug)]
pub struct OpenedSource {
    /// Its bytes.
    pub file: File,
    /// Whether its bytes were checked against the hash that was asked for.
    pub hash_checked: bool,
    /// Ranges that are not there, and read as zeros.
    pub holes: Vec<ByteRange>,
}

impl OpenedSource {
    /// A file that has all bytes.
    const fn whole(file: File, hash_checked: bool) -> Self {
        Self { file, hash_checked, holes: Vec::new() }
    }
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
    /// There is no such blob, or no such blob of that tenant.
    #[error("there is no {0}")]
    Missing(String),
    /// The blob store can't be reached at present, or did not answer in time; the same may work later.
    #[error("{action}: {why}")]
    Unavailable {
        /// What was attempted, verb first.
        action: &'static str,
        /// What the client said.
        why: String,
    },
    /// The blob store refuses: wrong credentials, or no right to do that.
    #[error("{action}: refused: {why}")]
    Refused {
        /// What was attempted, verb first.
        action: &'static str,
        /// What the store said.
        why: String,
    },
    /// What is configured can't work.
    #[error("{0}")]
    Misconfigured(String),
    /// A tenant's name can't be a part of a key.
    #[error("tenant {0:?}: 1 to 63 of a-z, A-Z, 0-9, `-`, `_` and `.`, the first a letter or digit")]
    BadTenant(String),
    /// This kind of blobs does not hold that: an embedded run takes no uploads, a cluster's worker no file outside the
    /// source roots.
    #[error("{0}")]
    NotServed(String),
    /// The name would lead out of the output folder.
    #[error("artifact name {0:?} leads out of the output folder")]
    UnsafeName(String),
}

impl BlobError {
    /// Whether this machine's disk is full: the same may work later, or on another machine.
    #[must_use]
    pub fn is_disk_full(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::StorageFull)
    }

    /// Whether it is not there though the place where it was answers: another try finds the same. Of a file whose folder is
    /// gone as well nobody knows: a disk may be unmounted.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        match self {
            Self::Missing(_) => true,
            Self::Io { source, path, .. } => {
                source.kind() == io::ErrorKind::NotFound && path.parent().is_some_and(Path::is_dir)
            }
            _ => false,
        }
    }
}

/// Refuses a name that would lead out of the folder that it is joined to.
fn check_artifact_name(name: &str) -> Result<(), BlobError> {
    let safe = Path::new(name).components().all(|part| matches!(part, Component::Normal(_)));
    if name.is_empty() || !safe || name.contains('\0') {
        return Err(BlobError::UnsafeName(name.into()));
    }
    Ok(())
}

fn io_error(action: &'static str, path: &Path) -> impl Fn(io::Error) -> BlobError + Send + Sync + use<> {
    let path = path.to_path_buf();
    move |source| BlobError::Io { action, path: path.clone(), source }
}

#[cfg(test)]
mod conformance;

#[cfg(test)]
mod tests {
    use std::io::{Error, ErrorKind};

    use super::*;

    #[test]
    fn a_file_is_gone_only_where_its_folder_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let open = |path: &str, kind: ErrorKind| BlobError::Io {
            action: "open",
            path: folder.path().join(path),
            source: Error::from(kind),
        };
        assert!(open("1.tif", ErrorKind::NotFound).is_gone());
        assert!(!open("unmounted/1.tif", ErrorKind::NotFound).is_gone());
        assert!(!open("1.tif", ErrorKind::PermissionDenied).is_gone());
    }
}
