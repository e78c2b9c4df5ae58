//! A source file as it is handed to children.

use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

use pagemill_domain::scan::Rejection;
use pagemill_domain::source_map::ByteRange;

/// An open source file. Children get its descriptor and map it; no byte of it is read in the worker.
///
/// Clones are the same source: a child that has one open keeps it from page to page.
#[derive(Debug, Clone)]
pub struct SourceFile {
    file: Arc<File>,
    bytes: u64,
    holes: Arc<[ByteRange]>,
}

impl SourceFile {
    /// A file that was opened for reading. Refused where it is no regular file, as only those can be mapped.
    pub fn new(file: File) -> Result<Self, Rejection> {
        Self::with_holes(file, &[])
    }

    /// A file in which these bytes are not there. Whatever needs one of them fails.
    pub fn with_holes(file: File, holes: &[ByteRange]) -> Result<Self, Rejection> {
        let facts = file.metadata().map_err(|error| Rejection::Unreadable(error.to_string()))?;
        if !facts.is_file() {
            return Err(Rejection::Unreadable("not a regular file".into()));
        }
        Ok(Self { file: Arc::new(file), bytes: facts.len(), holes: holes.into() })
    }

    /// Its size in bytes when it was opened.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether all of its bytes are there.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.holes.is_empty()
    }

    pub(super) fn holes(&self) -> &[ByteRange] {
        &self.holes
    }

    pub(super) fn descriptor(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }

    pub(super) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.file, &other.file)
    }
}
