//! Blobs in a store of objects: put once under their content's name, checked whenever they are read.

use std::fs::File;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures::stream::{BoxStream, StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{
    Error, GetOptions, GetRange, ObjectStore, ObjectStoreExt, PutMode, PutOptions, WriteMultipart,
};
use pagemill_domain::hash::{ContentHash, ContentHasher};
use pagemill_domain::shard::ResultRef;

use super::names::BlobName;
use super::pieces::{self, Pieces};
use super::{BlobError, io_error};

/// Bytes of a part of a large blob; what is not larger goes in one request.
pub(super) const PART_BYTES: u64 = 8 << 20;

/// Parts of a large blob; S3 allows 10,000.
const PARTS_MAX: u64 = 9_000;

/// Parts of a blob that are on their way at once.
const PARTS_AT_ONCE_MAX: usize = 3;

/// Bytes of a page's part of a result object, or of a stored plan.
const RESULT_BYTES_MAX: u64 = 1 << 30;

/// Blobs that are asked for at once.
const HEADS_AT_ONCE_MAX: usize = 32;

/// What is put again when it is older than this (by the store's own clock) becomes young again, so that no sweep takes it from under a job that
/// is about to name it; half of [`super::sweep::ORPHAN_AGE`].
const RENEWAL_AGE: Duration = Duration::from_hours(12);

/// A store of objects below a prefix.
#[derive(Debug, Clone)]
pub(super) struct Bucket(pub(super) Arc<dyn ObjectStore>);

impl Bucket {
    /// Stores a blob that fits in one request. One that is there, whole and young, stays as it is.
    pub(super) async fn put(&self, name: &BlobName, bytes: Bytes) -> Result<(), BlobError> {
        let create = PutOptions::from(PutMode::Create);
        match self.0.put_opts(&name.key(), bytes.clone().into(), create).await {
            Err(Error::AlreadyExists { .. }) if self.holds(name, bytes.len() as u64).await? => Ok(()),
            // Damaged, old, or gone meanwhile.
            Err(Error::AlreadyExists { .. }) => {
                self.0.put(&name.key(), bytes.into()).await.map(drop).map_err(unstored(name))
            }
            answer => answer.map(drop).map_err(unstored(name)),
        }
    }

    /// Stores the first `bytes` of a file, after they were found to hash to what the name says.
    pub(super) async fn put_file(&self, name: &BlobName, file: File, bytes: u64) -> Result<(), BlobError> {
        let file = Arc::new(file);
        if bytes <= PART_BYTES {
            let all = read(&file, 0, bytes, PART_BYTES).await?;
            if all.len() as u64 != bytes || ContentHash::of(&all) != name.hash() {
                return Err(BlobError::Damaged(name.hash()));
            }
            return self.put(name, all).await;
        }
        if self.holds(name, bytes).await? {
            return Ok(());
        }
        let upload = self.0.put_multipart(&name.key()).await.map_err(unstored(name))?;
        let part_bytes = PART_BYTES.max(bytes.div_ceil(PARTS_MAX));
        let mut writer = WriteMultipart::new_with_chunk_size(upload, part_bytes as usize);
        match write_parts(&mut writer, name, &file, bytes, part_bytes).await {
            Ok(()) => writer.finish().await.map(drop).map_err(unstored(name)),
            Err(error) => {
                // What can't be aborted now is left to the bucket's rule for incomplete uploads.
                let _ = writer.abort().await;
                Err(error)
            }
        }
    }

    /// Whether the blob is there, whole and young.
    async fn holds(&self, name: &BlobName, bytes: u64) -> Result<bool, BlobError> {
        let found = match self.0.head(&name.key()).await {
            Err(Error::NotFound { .. }) => return Ok(false),
            found => found.map_err(failed("look for", name))?,
        };
        let age = SystemTime::from(found.last_modified).elapsed();
        if found.size != bytes || age.is_ok_and(|age| age > RENEWAL_AGE) {
            return Ok(false);
        }
        Ok(pieces::hash_of(self.get(name, 0).await?).await? == name.hash())
    }

    /// A blob's bytes from `offset` on; unchecked.
    pub(super) async fn get(&self, name: &BlobName, offset: u64) -> Result<Pieces, BlobError> {
        let range = (offset > 0).then_some(GetRange::Offset(offset));
        let options = GetOptions { range, ..GetOptions::default() };
        let object = self.0.get_opts(&name.key(), options).await.map_err(failed("fetch", name))?;
        Ok(pieces::of_object(object, failed("fetch", name)))
    }

    /// A page's part of a result object, checked.
    pub(super) async fn get_result(&self, result: &ResultRef) -> Result<Vec<u8>, BlobError> {
        let damaged = || BlobError::Damaged(result.blob);
        let name = BlobName::Result(result.blob);
        let end = result.offset.checked_add(result.length).ok_or_else(damaged)?;
        if result.length > RESULT_BYTES_MAX {
            return Err(damaged());
        }
        let bytes = match self.0.get_range(&name.key(), result.offset..end).await {
            Ok(bytes) => bytes,
            // A range beyond the end is no failure of the store.
            Err(Error::Generic { .. }) if self.bytes(&name).await?.is_some_and(|bytes| bytes < end) => {
                return Err(damaged());
            }
            Err(error) => return Err(failed("fetch", &name)(error)),
        };
        let is_whole = bytes.len() as u64 == result.length && ContentHash::of(&bytes) == result.hash;
        if is_whole { Ok(bytes.into()) } else { Err(damaged()) }
    }

    /// A range of what somebody put at `path`; `None` where it ends before that. Unchecked.
    pub(super) async fn get_range(
        &self,
        path: &Path,
        range: std::ops::Range<u64>,
        what: &str,
    ) -> Result<Option<Bytes>, BlobError> {
        let length = range.end - range.start;
        match self.0.get_range(path, range.clone()).await {
            Ok(bytes) => Ok((bytes.len() as u64 == length).then_some(bytes)),
            Err(error @ Error::Generic { .. }) => {
                let found = self.0.head(path).await.map_err(failed("look for", what))?;
                if found.size < range.end { Ok(None) } else { Err(failed("fetch", what)(error)) }
            }
            Err(error) => Err(failed("fetch", what)(error)),
        }
    }

    /// Finds wrong credentials and a wrong bucket, which both answer otherwise than that there is no such blob.
    pub(super) async fn probe(&self, url: &str) -> Result<(), BlobError> {
        match self.0.get(&"probe".into()).await {
            Err(error @ Error::NotFound { .. }) if error.to_string().contains("NoSuchBucket") => {
                Err(BlobError::Misconfigured(format!("{url}: there is no such bucket")))
            }
            Ok(_) | Err(Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(failed("reach the blobs", url)(error)),
        }
    }

    /// A blob's size in bytes; `None` where it is not there.
    pub(super) async fn bytes(&self, name: &BlobName) -> Result<Option<u64>, BlobError> {
        match self.0.head(&name.key()).await {
            Ok(found) => Ok(Some(found.size)),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(failed("look for", name)(error)),
        }
    }

    /// Which of these are not there, in their order.
    pub(super) async fn missing(&self, names: Vec<BlobName>) -> Result<Vec<BlobName>, BlobError> {
        let asked = futures::stream::iter(names)
            .map(|name| async move { Ok((self.bytes(&name).await?.is_none()).then_some(name)) })
            .buffered(HEADS_AT_ONCE_MAX);
        asked.try_filter_map(|missing| std::future::ready(Ok(missing))).try_collect().await
    }

    /// Blobs that were put there before that time. What no Pagemill put there is left alone.
    pub(super) fn old_blobs(
        &self,
        put_before: SystemTime,
    ) -> BoxStream<'static, Result<BlobName, BlobError>> {
        let old = self.0.list(None).try_filter_map(move |object| {
            let name = if SystemTime::from(object.last_modified) < put_before {
                BlobName::at(&object.location)
            } else {
                None
            };
            std::future::ready(Ok(name))
        });
        old.map_err(failed("list", "the blobs")).boxed()
    }

    pub(super) async fn remove(&self, name: &BlobName) -> Result<(), BlobError> {
        match self.0.delete(&name.key()).await {
            Err(Error::NotFound { .. }) => Ok(()),
            answer => answer.map_err(failed("remove", name)),
        }
    }
}

/// Sends a file in parts, and finds out on the way whether it hashes to its name.
async fn write_parts(
    writer: &mut WriteMultipart,
    name: &BlobName,
    file: &Arc<File>,
    bytes: u64,
    part_bytes: u64,
) -> Result<(), BlobError> {
    let mut hasher = ContentHasher::default();
    let mut offset = 0;
    while offset < bytes {
        let part = read(file, offset, bytes, part_bytes).await?;
        if part.is_empty() {
            break;
        }
        hasher.update(&part);
        offset += part.len() as u64;
        writer.wait_for_capacity(PARTS_AT_ONCE_MAX).await.map_err(unstored(name))?;
        writer.put(part);
    }
    writer.wait_for_capacity(0).await.map_err(unstored(name))?;
    if offset == bytes && hasher.finish() == name.hash() {
        Ok(())
    } else {
        Err(BlobError::Damaged(name.hash()))
    }
}

async fn read(file: &Arc<File>, offset: u64, end: u64, bytes_max: u64) -> Result<Bytes, BlobError> {
    let piece = pieces::read_piece(file.clone(), offset, end, bytes_max as usize).await;
    piece.map_err(io_error("read", "a staged file".as_ref()))
}

/// What a failure of the store means: gone, refused, or to be tried again.
pub(super) fn failed(
    action: &'static str,
    what: &(impl ToString + ?Sized),
) -> impl Fn(Error) -> BlobError + Send + Sync + 'static {
    let what = what.to_string();
    move |error| match error {
        Error::NotFound { .. } => BlobError::Missing(what.clone()),
        Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => {
            BlobError::Refused { action, why: said(&what, &error) }
        }
        error => BlobError::Unavailable { action, why: said(&what, &error) },
    }
}

/// The same for a blob that is being stored: that something is missing then says nothing about the blob.
fn unstored(name: &BlobName) -> impl Fn(Error) -> BlobError + Send + Sync + 'static {
    let why = name.to_string();
    let failed = failed("store", name);
    move |error| match error {
        Error::NotFound { .. } => BlobError::Unavailable { action: "store", why: said(&why, &error) },
        error => failed(error),
    }
}

/// What a store said, cut to a line that a log can hold.
fn said(what: &str, error: &Error) -> String {
    const CHARS_MAX: usize = 400;
    format!("{what}: {error}").chars().map(|c| if c.is_control() { ' ' } else { c }).take(CHARS_MAX).collect()
}
