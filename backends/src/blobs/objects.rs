//! The blobs of a cluster: in S3 or what speaks like it, or in a folder that all machines share, under the same keys.

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt, TryStreamExt};
use object_store::path::Path;
use pagemill_domain::hash::{ContentHash, ContentHasher};
use pagemill_domain::outcome::Artifact;
use pagemill_domain::shard::{ResultRef, SourceLocation};
use tempfile::NamedTempFile;
use tokio::io::AsyncWriteExt;

use super::bucket::{Bucket, failed};
use super::cache::SourceCache;
use super::names::BlobName;
use super::pieces::{self, Pieces};
use super::roots::{ObjectAddress, SourceRoots};
use super::scratch::Scratch;
use super::{BlobError, Blobs, OpenedSource, Staging, Upload, check_artifact_name, io_error, leftovers};

mod mapped;

/// Blobs of a cluster.
#[derive(Debug)]
pub(super) struct ObjectBlobs {
    pub(super) bucket: Bucket,
    /// The folder that all machines share, where the bucket is one.
    pub(super) folder: Option<PathBuf>,
    /// Where the bucket itself lies: nobody reads it by reference.
    pub(super) own: Option<ObjectAddress>,
    pub(super) roots: SourceRoots,
    /// The buckets of the roots, in their order.
    pub(super) root_buckets: Vec<Bucket>,
    pub(super) scratch: Arc<Scratch>,
    pub(super) cache: SourceCache,
    /// Bytes of sources and their maps that were fetched.
    pub(super) fetched: AtomicU64,
}

#[async_trait]
impl Blobs for ObjectBlobs {
    async fn put_result(&self, bytes: Vec<u8>) -> Result<ContentHash, BlobError> {
        let hash = ContentHash::of(&bytes);
        self.bucket.put(&BlobName::Result(hash), bytes.into()).await?;
        Ok(hash)
    }

    async fn get_result(&self, result: &ResultRef) -> Result<Vec<u8>, BlobError> {
        self.bucket.get_result(result).await
    }

    async fn open_source(
        &self,
        location: &SourceLocation,
        hash: Option<ContentHash>,
    ) -> Result<OpenedSource, BlobError> {
        match location {
            SourceLocation::File(path) => Ok(OpenedSource::whole(self.roots.open(path)?, false)),
            SourceLocation::Blob { tenant, hash } => {
                let name = BlobName::source(tenant, *hash)?;
                self.open_fetched(name.key().as_ref(), Some(*hash), || self.bucket.get(&name, 0)).await
            }
            SourceLocation::Object(address) => {
                self.open_fetched(address, hash, || self.get_reference(address)).await
            }
        }
    }

    async fn open_pages(
        &self,
        location: &SourceLocation,
        hash: ContentHash,
        map: &ResultRef,
        pages: &[u32],
    ) -> Result<OpenedSource, BlobError> {
        match self.open_mapped(location, hash, map, pages).await {
            Ok(Some(opened)) => Ok(opened),
            // What is damaged in a part, the whole tells for certain.
            Ok(None) | Err(BlobError::Damaged(_)) => self.open_source(location, Some(hash)).await,
            Err(error) => Err(error),
        }
    }

    fn source_bytes_fetched(&self) -> u64 {
        self.fetched.load(Ordering::Relaxed)
    }

    async fn stage_artifact(&self) -> Result<Staging, BlobError> {
        self.scratch.file().map(Staging)
    }

    async fn commit_artifact(
        &self,
        staging: Staging,
        name: &str,
        hash: ContentHash,
    ) -> Result<(), BlobError> {
        check_artifact_name(name)?;
        let failed = io_error("look at", staging.0.path());
        let bytes = staging.0.as_file().metadata().map_err(failed)?.len();
        self.bucket.put_file(&BlobName::Artifact(hash), reopened(&staging.0)?, bytes).await
    }

    async fn artifact_bytes(&self, artifact: &Artifact) -> Result<Option<u64>, BlobError> {
        self.bucket.bytes(&BlobName::Artifact(artifact.hash)).await
    }

    async fn read_artifact(
        &self,
        artifact: &Artifact,
        offset: u64,
    ) -> Result<BoxStream<'static, Result<Bytes, BlobError>>, BlobError> {
        if offset >= artifact.bytes {
            return Ok(Box::pin(futures::stream::empty()));
        }
        let pieces = self.bucket.get(&BlobName::Artifact(artifact.hash), offset).await?;
        Ok(if offset == 0 { pieces::checked(pieces, artifact.hash) } else { pieces })
    }

    /// Artifacts are shared by their hash: the sweep removes those that nothing names.
    async fn remove_artifact(&self, _name: &str) -> Result<(), BlobError> {
        Ok(())
    }

    async fn missing_sources(
        &self,
        tenant: &str,
        hashes: &[ContentHash],
    ) -> Result<Vec<ContentHash>, BlobError> {
        let names: Result<Vec<_>, _> = hashes.iter().map(|hash| BlobName::source(tenant, *hash)).collect();
        let missing = self.bucket.missing(names?).await?;
        Ok(missing.iter().map(BlobName::hash).collect())
    }

    async fn begin_upload(
        &self,
        tenant: &str,
        hash: ContentHash,
        bytes: u64,
    ) -> Result<Box<dyn Upload>, BlobError> {
        let name = BlobName::source(tenant, hash)?;
        let staging = self.scratch.file()?;
        Ok(Box::new(StagedUpload {
            bucket: self.bucket.clone(),
            writer: FileWriter::new(&staging)?,
            staging,
            name,
            bytes,
            _scratch: self.scratch.clone(),
        }))
    }

    fn old_blobs(&self, put_before: SystemTime) -> BoxStream<'static, Result<BlobName, BlobError>> {
        let (bucket, folder) = (self.bucket.clone(), self.folder.clone());
        let listing = async move {
            if let Some(folder) = folder {
                let swept = tokio::task::spawn_blocking(move || leftovers::remove(&folder, put_before)).await;
                if let Err(error) = swept.unwrap_or_else(|error| Err(io::Error::other(error))) {
                    tracing::warn!(%error, "what was left half-written can't be removed");
                }
            }
            bucket.old_blobs(put_before)
        };
        listing.flatten_stream().boxed()
    }

    async fn check_blob(&self, name: &BlobName) -> Result<u64, BlobError> {
        let mut pieces = pieces::checked(self.bucket.get(name, 0).await?, name.hash());
        let mut bytes = 0;
        while let Some(piece) = pieces.try_next().await? {
            bytes += piece.len() as u64;
        }
        Ok(bytes)
    }

    async fn remove_blob(&self, name: &BlobName) -> Result<(), BlobError> {
        self.bucket.remove(name).await
    }
}

impl ObjectBlobs {
    /// Opens a source from the cache, or fetches it there first. One whose `hash` is unknown is always fetched: there is
    /// nothing that could tell whether it is still the same.
    async fn open_fetched<Fetching>(
        &self,
        key: &str,
        hash: Option<ContentHash>,
        fetch: impl FnOnce() -> Fetching,
    ) -> Result<OpenedSource, BlobError>
    where
        Fetching: Future<Output = Result<Pieces, BlobError>>,
    {
        let cache_key = |hash| cache_key(hash, key);
        let turn = self.cache.turn(&hash.map_or_else(|| key.to_owned(), cache_key));
        let _mine = turn.lock().await;
        if let Some(file) = hash.and_then(|hash| self.cache.open(&cache_key(hash))) {
            return Ok(OpenedSource::whole(file, true));
        }
        let uncached = |error| self.uncached(error);
        let staging = self.scratch.file().map_err(uncached)?;
        let mut writer = FileWriter::new(&staging).map_err(uncached)?;
        let mut pieces = fetch().await?;
        while let Some(piece) = pieces.try_next().await? {
            self.count_fetched(piece.len());
            writer.write(&piece).await.map_err(uncached)?;
        }
        let bytes = writer.bytes;
        let found = writer.finish().await.map_err(uncached)?;
        if let Some(hash) = hash.filter(|hash| *hash != found) {
            return Err(BlobError::Damaged(hash));
        }
        let file = to_read(&staging).map_err(uncached)?;
        self.cache.keep(&cache_key(found), staging, bytes);
        Ok(OpenedSource::whole(file, hash.is_some()))
    }

    /// That this machine's disk is full says nothing about the source: it can be fetched later, when the cache has made
    /// room, or elsewhere.
    #[expect(clippy::needless_pass_by_value, reason = "made for map_err")]
    fn uncached(&self, error: BlobError) -> BlobError {
        if error.is_disk_full() {
            self.cache.make_room();
        }
        BlobError::Unavailable { action: "keep a source that was fetched", why: error.to_string() }
    }

    fn count_fetched(&self, bytes: usize) {
        self.fetched.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    async fn get_reference(&self, address: &str) -> Result<Pieces, BlobError> {
        let (bucket, path) = self.referenced(address)?;
        let object = bucket.0.get_opts(&path, object_store::GetOptions::default()).await;
        Ok(pieces::of_object(object.map_err(failed("fetch", address))?, failed("fetch", address)))
    }

    /// Where an object below one of the roots is.
    fn referenced(&self, address: &str) -> Result<(&Bucket, Path), BlobError> {
        let object: ObjectAddress = address.parse()?;
        let own = self.own.as_ref().is_some_and(|own| object.is_below(own));
        let root = self.roots.objects.iter().position(|root| object.is_below(root));
        let Some(bucket) = root.filter(|_| !own).and_then(|root| self.root_buckets.get(root)) else {
            return Err(BlobError::NotServed(format!("{address} is not below a source root (source_roots)")));
        };
        let path = Path::parse(&object.key)
            .map_err(|_| BlobError::NotServed(format!("{address} is not an object's address")))?;
        Ok((bucket, path))
    }
}

/// Under what the cache holds a source.
fn cache_key(hash: ContentHash, key: &str) -> String {
    format!("{hash} {key}")
}

/// An upload on its way to a file of this process: the bucket sees it when it is whole and found to be what was
/// announced.
struct StagedUpload {
    bucket: Bucket,
    name: BlobName,
    bytes: u64,
    staging: NamedTempFile,
    writer: FileWriter,
    _scratch: Arc<Scratch>,
}

#[async_trait]
impl Upload for StagedUpload {
    async fn write(&mut self, piece: Bytes) -> Result<(), BlobError> {
        if self.writer.bytes + piece.len() as u64 > self.bytes {
            return Err(BlobError::Damaged(self.name.hash()));
        }
        self.writer.write(&piece).await
    }

    async fn finish(self: Box<Self>) -> Result<(), BlobError> {
        let Self { bucket, name, bytes, staging, writer, .. } = *self;
        if writer.bytes != bytes || writer.finish().await? != name.hash() {
            return Err(BlobError::Damaged(name.hash()));
        }
        bucket.put_file(&name, reopened(&staging)?, bytes).await
    }
}

/// Writes pieces to a file where it may block, and hashes them on the way.
struct FileWriter {
    file: tokio::fs::File,
    hasher: ContentHasher,
    bytes: u64,
}

impl FileWriter {
    fn new(staging: &NamedTempFile) -> Result<Self, BlobError> {
        let file = tokio::fs::File::from_std(reopened(staging)?);
        Ok(Self { file, hasher: ContentHasher::default(), bytes: 0 })
    }

    async fn write(&mut self, piece: &[u8]) -> Result<(), BlobError> {
        self.hasher.update(piece);
        self.bytes += piece.len() as u64;
        self.file.write_all(piece).await.map_err(io_error("write", "a staged file".as_ref()))
    }

    async fn finish(mut self) -> Result<ContentHash, BlobError> {
        self.file.flush().await.map_err(io_error("write", "a staged file".as_ref()))?;
        Ok(self.hasher.finish())
    }
}

/// A handle on the file for a child, which must not be able to write to it.
fn to_read(staging: &NamedTempFile) -> Result<File, BlobError> {
    File::open(staging.path()).map_err(io_error("open", staging.path()))
}

/// Another handle on the file, at its beginning.
fn reopened(staging: &NamedTempFile) -> Result<File, BlobError> {
    staging.reopen().map_err(io_error("open", staging.path()))
}

#[cfg(test)]
mod tests;
