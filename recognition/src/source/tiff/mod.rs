//! TIFF files (TIFF 6.0, its technical notes 1 and 2, and `BigTIFF`): one page a directory.

mod chunk;
pub(crate) mod directory;
mod jpeg_join;
mod jpeg_strips;
mod layout;

use std::collections::HashSet;

use pagemill_domain::limits::Limits;
use pagemill_domain::scan::{PageDefect, PageFacts, Rejection};
use pagemill_domain::source_map::{ByteRange, union};

use self::directory::{Tiff, tag};
pub(crate) use self::layout::{Compression, Layout};
use super::BULK_BYTES_MIN;
use super::header::defective;

/// Where the pages of a file stand.
#[derive(Debug, Clone)]
pub(crate) struct TiffPages {
    /// Offset of each page's directory; `None` for one that the file declares but does not hold.
    directories: Vec<Option<u64>>,
}

/// Whether `bytes` start a TIFF file.
pub(crate) fn is_tiff(bytes: &[u8]) -> bool {
    [b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"].iter().any(|magic| bytes.starts_with(*magic))
}

impl TiffPages {
    /// Follows the chain of directories: each is visited once, however they point at each other. Thumbnails and masks
    /// (TIFF 6.0, `NewSubfileType` bits 0 and 2) are no pages, unless there is nothing else.
    pub(crate) fn read(bytes: &[u8], limits: &Limits) -> Result<Self, Rejection> {
        let damaged = || Rejection::Damaged("TIFF: no directory".into());
        let (tiff, mut offset) = Tiff::open(bytes).ok_or_else(damaged)?;
        let (mut pages, mut others, mut visited) = (Vec::new(), Vec::new(), HashSet::new());
        while offset != 0 && visited.insert(offset) {
            let Some(directory) = tiff.directory(offset) else {
                pages.push(None);
                break;
            };
            let subfile = directory.integer(&tiff, tag::NEW_SUBFILE_TYPE).unwrap_or(0);
            let list = if subfile & 0b101 == 0 { &mut pages } else { &mut others };
            list.push(Some(offset));
            if list.len() > limits.pages_per_source_max as usize {
                return Err(Rejection::TooManyPages { pages: list.len() as u64 });
            }
            offset = directory.next;
        }
        let directories = if pages.iter().all(Option::is_none) { others } else { pages };
        if directories.is_empty() { Err(damaged()) } else { Ok(Self { directories }) }
    }

    /// Number of pages that the file declares.
    pub(crate) fn len(&self) -> usize {
        self.directories.len()
    }

    /// How a page is stored.
    pub(crate) fn layout<'a>(&self, bytes: &'a [u8], page: usize) -> Result<(Tiff<'a>, Layout), PageDefect> {
        let offset = self.directories.get(page).copied().flatten().ok_or(PageDefect::Missing)?;
        let (tiff, _) = Tiff::open(bytes).ok_or(PageDefect::Missing)?;
        let directory = tiff.directory(offset).ok_or(PageDefect::Missing)?;
        Ok((tiff, Layout::read(&tiff, &directory)?))
    }

    /// The bulk of each page: its strips or tiles.
    pub(crate) fn page_ranges(&self, bytes: &[u8]) -> Vec<Vec<ByteRange>> {
        let chunks = |page| match self.layout(bytes, page) {
            Ok((_, layout)) => layout.chunks,
            // It needs nothing: it can't be read.
            Err(_) => Vec::new(),
        };
        let bulk = |page| {
            let ranges = chunks(page).into_iter().map(|(offset, length)| ByteRange { offset, length });
            let inside = ranges.filter(|range| range.end() <= bytes.len() as u64);
            union(inside).into_iter().filter(|range| range.length >= BULK_BYTES_MIN).collect()
        };
        (0..self.len()).map(bulk).collect()
    }

    /// The facts of a page.
    pub(crate) fn facts(&self, bytes: &[u8], page: usize, limits: &Limits) -> PageFacts {
        match self.layout(bytes, page) {
            Ok((tiff, layout)) => layout.image.facts(limits, layout.check(&tiff).err()),
            Err(defect) => defective(defect),
        }
    }
}
