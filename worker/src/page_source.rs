//! Opening a source and making sure that it is still what was inspected.

use std::fs::File;
use std::os::unix::fs::{FileExt, MetadataExt};

use pagemill_backends::blobs::OpenedSource;
use pagemill_domain::hash::{ContentHash, ContentHasher};
use pagemill_domain::outcome::Loss;
use pagemill_domain::scan::PageDefect;
use pagemill_domain::shard::{FileStamp, SourceRef};
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
pub(crate) enum Unusable {
    /// Its content is another one now.
    Changed,
    /// It can't be reached; it may be back later.
    Lost(Loss),
}

impl Unusable {
    /// The same as a page's result.
    pub(crate) fn into_page_result(self) -> pagemill_domain::outcome::PageResult {
        match self {
            Self::Changed => pagemill_domain::outcome::PageResult::Defect(PageDefect::Changed),
            Self::Lost(loss) => pagemill_domain::outcome::PageResult::Lost(loss),
        }
    }
}

/// Opens an inspected source; the outer error ends the work on the shard.
pub(crate) fn open(bench: &Bench, source: &SourceRef) -> Result<Result<OpenSource, Unusable>, Halt> {
    let fetched = bench.fetch(|| bench.blobs().open_source(&source.location, source.hash))?;
    Ok(fetched.map_err(|error| lost(&error)).and_then(|opened| check(opened, source)))
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
            return Err(Unusable::Changed);
        }
    }
    let copy = file.try_clone().map_err(|error| lost(&error))?;
    let boxed = SourceFile::new(copy).map_err(|rejection| lost(&rejection))?;
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
