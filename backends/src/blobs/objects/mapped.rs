//! Fetching the pages of a large source that a shard needs, and no others.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use bytes::Bytes;
use object_store::path::Path;
use pagemill_domain::hash::ContentHash;
use pagemill_domain::shard::{ResultRef, SourceLocation};
use pagemill_domain::source_map::{ByteRange, SourceMap, union};

use super::super::bucket::Bucket;
use super::super::cache::{Part, PartFile};
use super::super::names::BlobName;
use super::super::{BlobError, OpenedSource, io_error, map_object};
use super::{ObjectBlobs, cache_key, to_read};

/// Bytes of one request, and so of what is held in memory at once.
const REQUEST_BYTES_MAX: u64 = 8 << 20;

/// Bytes between two ranges that are fetched along with them rather than cost another request: what stands between two
/// images, and their edges, which are shared.
const GAP_BYTES_MAX: u64 = 16 << 10;

/// Where a source's bytes are fetched from.
struct Origin<'a> {
    bucket: &'a Bucket,
    path: Path,
    /// For messages.
    name: String,
    hash: ContentHash,
}

impl ObjectBlobs {
    /// A source with the bytes of these pages; `None` where the whole has to be opened: it is held or read in place, or
    /// there is no map that can be used.
    pub(super) async fn open_mapped(
        &self,
        location: &SourceLocation,
        hash: ContentHash,
        map: &ResultRef,
        pages: &[u32],
    ) -> Result<Option<OpenedSource>, BlobError> {
        let Some(origin) = self.origin(location, hash)? else { return Ok(None) };
        let whole = cache_key(hash, &origin.name);
        if self.cache.open(&whole).is_some() {
            return Ok(None);
        }
        let key = format!("{whole} {}", map.blob);
        let turn = self.cache.turn(&key);
        let _mine = turn.lock().await;
        let open = match self.cache.open_part(&key) {
            Some(open) => open,
            None => match self.begin_part(&key, map).await? {
                Some(open) => open,
                None => return Ok(None),
            },
        };
        let PartFile { to_read, to_write, part: Part { map, pages: mut held } } = open;
        let missing: Vec<u32> = pages.iter().copied().filter(|page| !held.contains(page)).collect();
        let file = Arc::new(to_write);
        let bytes = self.fetch_pages(&origin, &map, &missing, &file).await?;
        check_pages(&origin, &map, &missing, to_read.try_clone()).await?;
        self.cache.add_pages(&key, &missing, bytes);
        held.extend(missing);
        let holes = map.holes(|page| held.contains(&page));
        Ok(Some(OpenedSource { file: to_read, hash_checked: true, holes }))
    }

    fn origin(&self, location: &SourceLocation, hash: ContentHash) -> Result<Option<Origin<'_>>, BlobError> {
        Ok(match location {
            SourceLocation::File(_) => None,
            SourceLocation::Blob { tenant, hash } => {
                let path = BlobName::source(tenant, *hash)?.key();
                Some(Origin { bucket: &self.bucket, name: path.to_string(), path, hash: *hash })
            }
            SourceLocation::Object(address) => {
                let (bucket, path) = self.referenced(address)?;
                Some(Origin { bucket, path, name: address.clone(), hash })
            }
        })
    }

    /// A new file with the shared bytes alone; `None` where the map is gone or damaged.
    async fn begin_part(&self, key: &str, map: &ResultRef) -> Result<Option<PartFile>, BlobError> {
        let object = match self.bucket.get_result(map).await {
            Ok(object) => object,
            Err(error @ (BlobError::Missing(_) | BlobError::Damaged(_))) => {
                tracing::warn!(%error, "the map of a source can't be used; the whole is fetched");
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        self.count_fetched(object.len());
        let Some((map, shared)) = map_object::read(&object) else { return Ok(None) };
        let uncached = |error| self.uncached(error);
        let staging = self.scratch.file().map_err(uncached)?;
        let to_read = to_read(&staging).map_err(uncached)?;
        let to_write = OpenOptions::new().write(true).open(staging.path());
        let to_write = to_write.map_err(|error| uncached(staged(error)))?;
        write_shared(&to_write, &map, shared).map_err(|error| uncached(staged(error)))?;
        let part = Part { map: Arc::new(map), pages: BTreeSet::new() };
        self.cache.keep_part(key, staging, part.clone(), shared.len() as u64);
        Ok(Some(PartFile { to_read, to_write, part }))
    }

    /// Fetches the bulk of these pages into the file; returns how many bytes it takes there.
    async fn fetch_pages(
        &self,
        origin: &Origin<'_>,
        map: &SourceMap,
        pages: &[u32],
        file: &Arc<File>,
    ) -> Result<u64, BlobError> {
        let wanted = union(
            pages.iter().filter_map(|&page| map.page(page)).flat_map(|page| page.ranges.iter().copied()),
        );
        for request in requests(&wanted) {
            let range = request.offset..request.end();
            let fetched = origin.bucket.get_range(&origin.path, range, &origin.name).await?;
            let bytes = fetched.ok_or(BlobError::Damaged(origin.hash))?;
            self.count_fetched(bytes.len());
            let (file, parts) = (file.clone(), parts_of(request, &wanted));
            let written = blocking(move || write_parts(&file, request.offset, &bytes, &parts)).await;
            written.map_err(|error| self.uncached(staged(error)))?;
        }
        Ok(wanted.iter().map(|range| range.length).sum())
    }
}

/// The requests that bring these ranges: near ones together, large ones in pieces.
fn requests(wanted: &[ByteRange]) -> Vec<ByteRange> {
    let mut spans: Vec<ByteRange> = Vec::new();
    for &range in wanted {
        match spans.last_mut().filter(|span| range.offset - span.end() <= GAP_BYTES_MAX) {
            Some(span) => span.length = range.end() - span.offset,
            None => spans.push(range),
        }
    }
    let pieces = spans.into_iter().flat_map(|span| {
        (span.offset..span.end())
            .step_by(REQUEST_BYTES_MAX as usize)
            .map(move |offset| ByteRange { offset, length: (span.end() - offset).min(REQUEST_BYTES_MAX) })
    });
    pieces.collect()
}

/// What a request brings of the ranges that are wanted.
fn parts_of(request: ByteRange, wanted: &[ByteRange]) -> Vec<ByteRange> {
    let parts = wanted.iter().map(|range| {
        let offset = range.offset.max(request.offset);
        ByteRange { offset, length: range.end().min(request.end()).saturating_sub(offset) }
    });
    parts.filter(|part| part.length > 0).collect()
}

/// Writes these parts of what was fetched from `start` on.
fn write_parts(file: &File, start: u64, bytes: &Bytes, parts: &[ByteRange]) -> io::Result<()> {
    parts.iter().try_for_each(|part| {
        let first = (part.offset - start) as usize;
        file.write_all_at(&bytes[first..first + part.length as usize], part.offset)
    })
}

fn write_shared(file: &File, map: &SourceMap, shared: &[u8]) -> io::Result<()> {
    file.set_len(map.bytes)?;
    let mut rest = shared;
    for range in map.shared() {
        let (bytes, behind) = rest.split_at(range.length as usize);
        file.write_all_at(bytes, range.offset)?;
        rest = behind;
    }
    Ok(())
}

/// Checks that the pages are those that were mapped.
async fn check_pages(
    origin: &Origin<'_>,
    map: &Arc<SourceMap>,
    pages: &[u32],
    file: io::Result<File>,
) -> Result<(), BlobError> {
    let (file, map, pages) = (file.map_err(staged)?, map.clone(), pages.to_vec());
    let are_whole = blocking(move || {
        for page in pages.iter().filter_map(|&page| map.page(page)) {
            if map_object::hash_of_ranges(&file, &page.ranges)? != page.hash {
                return Ok(false);
            }
        }
        Ok(true)
    });
    if are_whole.await.map_err(staged)? { Ok(()) } else { Err(BlobError::Damaged(origin.hash)) }
}

/// Does what may wait for the disk where nobody else waits for it.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(io::Error::other(error)))
}

fn staged(error: io::Error) -> BlobError {
    io_error("write", "a staged file".as_ref())(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(offset: u64, length: u64) -> ByteRange {
        ByteRange { offset, length }
    }

    #[test]
    fn near_ranges_come_together_and_large_ones_in_pieces() {
        let far = 1_000_000;
        let wanted = [range(10, 100), range(200, 100), range(far, 2 * REQUEST_BYTES_MAX + 5)];
        assert_eq!(
            requests(&wanted),
            [
                range(10, 290),
                range(far, REQUEST_BYTES_MAX),
                range(far + REQUEST_BYTES_MAX, REQUEST_BYTES_MAX),
                range(far + 2 * REQUEST_BYTES_MAX, 5)
            ]
        );
        assert_eq!(parts_of(range(10, 290), &wanted), [range(10, 100), range(200, 100)]);
        let last = range(far + 2 * REQUEST_BYTES_MAX, 5);
        assert_eq!(parts_of(last, &wanted), [last]);
    }
}
