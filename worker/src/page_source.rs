//! Opening a source and making sure that it is still what was inspected.

use std::fs::File;
use std::os::unix::fs::{FileExt, MetadataExt};

use pagemill_backends::blobs::{BlobError, OpenedSource};
use pagemill_domain::hash::{ContentHash, ContentHasher};
use pagemill_domain::outcome::{Loss, PageResult};
use pagemill_domain::scan::PageDefect;
use pagemill_domain::shard::{FileStamp, SourceLocation, SourceRef};
use pagemill_recognition::boxed::client::SourceFile;

use crate::error::Halt;
use crate::slot::Bench;

/// Bytes that are hashed at once.
const HASH_PIECE_BYTES: usize = 1 << 20;

/// A source that is open twice over the same file: for the child, and for copying ranges of it.
pub(crate) struct OpenSource {
    /// For the child.
    pub(crate) boxed: SourceFile,
    /// For copying bytes that nobody parses.
    pub(crate) file: File,
}

/// Why a source can't be worked on.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Unusable {
    /// It is gone, or its content is another one now: another try finds the same.
    Defect(PageDefect),
    /// It can't be reached; it may be back later.
    Lost(Loss),
}

impl Unusable {
    /// The same as a page's result.
    pub(crate) fn into_page_result(self) -> PageResult {
        match self {
            Self::Defect(defect) => PageResult::Defect(defect),
            Self::Lost(loss) => PageResult::Lost(loss),
        }
    }
}

/// Opens an inspected source for these pages: others may be missing in it. The outer error ends the work on the shard.
pub(crate) fn open_pages(
    bench: &Bench,
    source: &SourceRef,
    pages: &[u32],
) -> Result<Result<OpenSource, Unusable>, Halt> {
    let (Some(map), Some(hash)) = (&source.map, source.hash) else { return open(bench, source) };
    let fetched = bench.fetch(|| bench.blobs().open_pages(&source.location, hash, map, pages))?;
    Ok(fetched.map_err(|error| unusable(&error, &source.location)).and_then(|opened| check(opened, source)))
}

/// Opens all of an inspected source; the outer error ends the work on the shard.
pub(crate) fn open(bench: &Bench, source: &SourceRef) -> Result<Result<OpenSource, Unusable>, Halt> {
    let fetched = bench.fetch(|| bench.blobs().open_source(&source.location, source.hash))?;
    Ok(fetched.map_err(|error| unusable(&error, &source.location)).and_then(|opened| check(opened, source)))
}

/// A source that is away may come back. One that the place where it was can be asked for, and which is not there or is
/// another one, stays so until somebody does something about it and re-drives its pages.
fn unusable(error: &BlobError, location: &SourceLocation) -> Unusable {
    match (error, location) {
        (BlobError::Damaged(_), SourceLocation::Object(_)) => Unusable::Defect(PageDefect::Changed),
        (error, _) if error.is_gone() => Unusable::Defect(PageDefect::Gone(error.to_string())),
        (error, _) => lost(error),
    }
}

fn lost(error: &dyn std::fmt::Display) -> Unusable {
    Unusable::Lost(Loss::Unavailable { what: error.to_string() })
}

fn check(opened: OpenedSource, source: &SourceRef) -> Result<OpenSource, Unusable> {
    let file = opened.file;
    let found = stamp(&file).map_err(|error| lost(&error))?;
    if !opened.hash_checked && found != source.stamp {
        let hash = hash(&file).map_err(|error| lost(&error))?;
        if source.hash != Some(hash) {
            return Err(Unusable::Defect(PageDefect::Changed));
        }
    }
    let copy = file.try_clone().map_err(|error| lost(&error))?;
    let boxed = SourceFile::with_holes(copy, &opened.holes).map_err(|rejection| lost(&rejection))?;
    Ok(OpenSource { boxed, file })
}

/// By what an unchanged file is known.
pub(crate) fn stamp(file: &File) -> std::io::Result<FileStamp> {
    let metadata = file.metadata()?;
    let modified_ns = metadata.mtime() * 1_000_000_000 + metadata.mtime_nsec();
    Ok(FileStamp { bytes: metadata.len(), modified_ns, inode: metadata.ino() })
}

/// The hash of a file's content.
pub(crate) fn hash(file: &File) -> std::io::Result<ContentHash> {
    let mut hasher = ContentHasher::default();
    let mut piece = vec![0; HASH_PIECE_BYTES];
    let mut offset = 0;
    loop {
        match file.read_at(&mut piece, offset)? {
            0 => return Ok(hasher.finish()),
            count => {
                hasher.update(&piece[..count]);
                offset += count as u64;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_gone_or_changed_is_not_tried_again() {
        let object = SourceLocation::Object("s3://scans/1.tif".into());
        let blob = SourceLocation::Blob { tenant: "default".into(), hash: ContentHash::of(b"x") };
        let damaged = || BlobError::Damaged(ContentHash::of(b"x"));
        assert_eq!(unusable(&damaged(), &object), Unusable::Defect(PageDefect::Changed));
        assert!(
            matches!(unusable(&damaged(), &blob), Unusable::Lost(_)),
            "our own copy: another may be whole"
        );
        let missing = BlobError::Missing("object s3://scans/1.tif".into());
        assert!(matches!(unusable(&missing, &object), Unusable::Defect(PageDefect::Gone(_))));
        let refused = BlobError::NotServed("outside the source roots".into());
        assert!(matches!(unusable(&refused, &object), Unusable::Lost(_)), "another worker may serve it");
        let away = BlobError::Unavailable { action: "fetch", why: "timeout".into() };
        assert!(matches!(unusable(&away, &object), Unusable::Lost(_)));
    }
}
