//! What a document is when it is written: its facts, its pages one by one, and what can go wrong.

use std::io;

use pagemill_domain::page::PageState;
use pagemill_domain::page_image::{ImageBytes, PageImage};
use pagemill_domain::page_text::PageText;
use pagemill_domain::scan::Dpi;

/// Writes one artifact. Made by [`crate::writer`].
pub trait DocumentWriter {
    /// Writes the next page. After [`WriteError::Image`] nothing of the page is written, and it may be given again
    /// without its image; after any other error the artifact is lost.
    fn page(&mut self, page: &DocumentPage<'_>) -> Result<(), WriteError>;

    /// Writes what comes after the last page and flushes; without it the artifact is not complete.
    fn finish(self: Box<Self>) -> Result<(), WriteError>;
}

/// What is known of a document before its first page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentInfo {
    /// What readers show as its title: by use, the artifact's name without extension. Empty for none.
    pub title: String,
    /// Number of pages that will follow. A TIFF links each page to the next before it sees that.
    pub pages: u32,
}

/// One page, as it goes into an artifact.
#[derive(Clone, Copy)]
pub struct DocumentPage<'a> {
    /// The page's number in the document, from 1, without a gap.
    pub number: u32,
    /// Width in pixels, as displayed; of a page that can't be decoded, as declared.
    pub width: u32,
    /// Height in pixels, as displayed; of a page that can't be decoded, as declared.
    pub height: u32,
    /// Resolution as displayed; it makes the page true to scale.
    pub dpi: Dpi,
    /// How the page ended.
    pub state: PageState,
    /// What was read; `None` where nothing was.
    pub text: Option<&'a PageText>,
    /// What is shown; `None` leaves a placeholder of the page's size.
    pub image: Option<SourcedImage<'a>>,
}

/// A page's image and the file of which its bytes may be a range.
#[derive(Clone, Copy)]
pub struct SourcedImage<'a> {
    /// The image.
    pub image: &'a PageImage,
    /// Where [`ImageBytes::Source`] lies.
    pub source: &'a dyn SourceBytes,
}

/// A source that can be read at any place, as by `pread`: nothing moves, so readers do not disturb each other.
pub trait SourceBytes {
    /// Reads from `offset` on into `piece` and says how many bytes came; 0 at the end.
    fn read_at(&self, offset: u64, piece: &mut [u8]) -> io::Result<usize>;
}

#[cfg(unix)]
impl SourceBytes for std::fs::File {
    fn read_at(&self, offset: u64, piece: &mut [u8]) -> io::Result<usize> {
        std::os::unix::fs::FileExt::read_at(self, piece, offset)
    }
}

impl SourceBytes for [u8] {
    fn read_at(&self, offset: u64, piece: &mut [u8]) -> io::Result<usize> {
        let rest = usize::try_from(offset).ok().and_then(|start| self.get(start..)).unwrap_or_default();
        let count = rest.len().min(piece.len());
        piece[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }
}

impl SourceBytes for Vec<u8> {
    fn read_at(&self, offset: u64, piece: &mut [u8]) -> io::Result<usize> {
        self.as_slice().read_at(offset, piece)
    }
}

/// Why an artifact could not be written. It is incomplete then and must be thrown away.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The destination refuses bytes: disk full, file gone.
    #[error("write artifact: {0}")]
    Output(#[from] io::Error),
    /// The source can't be read.
    #[error("read the image of page {page} from its source: {error}")]
    Source {
        /// The page's number in the document.
        page: u32,
        /// What the operating system says.
        error: io::Error,
    },
    /// The source ends before the image does: it changed after it was inspected.
    #[error("read the image of page {page}: the source ends {missing_bytes} bytes before the image does")]
    SourceTooShort {
        /// The page's number in the document.
        page: u32,
        /// How many bytes are missing.
        missing_bytes: u64,
    },
    /// The image is stored in a way that the artifact can't hold; it was extracted for another deliverable.
    #[error("write page {page}: {problem}")]
    Image {
        /// The page's number in the document.
        page: u32,
        /// What does not fit.
        problem: &'static str,
    },
    /// The pages that came are not those that [`DocumentInfo::pages`] promised.
    #[error("write page {page} of a document of {pages} pages: the page before it was {before}")]
    PageOrder {
        /// The page that came; one past the last at the end.
        page: u32,
        /// The pages that were promised.
        pages: u32,
        /// The page before it.
        before: u32,
    },
    /// A bound of the format is exceeded.
    #[error("write page {page}: the file would exceed {limit}, a limit of its format")]
    FormatLimit {
        /// The page's number in the document.
        page: u32,
        /// Which bound.
        limit: &'static str,
    },
}

/// Bytes that are held in memory while an image goes from its source to an artifact.
const PIECE_BYTES: usize = 64 << 10;

impl SourcedImage<'_> {
    /// Length of the compressed samples in bytes.
    pub(crate) fn length(&self) -> u64 {
        match &self.image.bytes {
            ImageBytes::Source { length, .. } => *length,
            ImageBytes::Owned(bytes) => bytes.len() as u64,
        }
    }

    /// Reads the compressed samples from `offset` within them; fewer than asked only at their end.
    pub(crate) fn read_at(&self, page: u32, offset: u64, piece: &mut [u8]) -> Result<usize, WriteError> {
        let rest = self.length().saturating_sub(offset).min(piece.len() as u64) as usize;
        match &self.image.bytes {
            ImageBytes::Owned(bytes) => {
                let start = bytes.len().min(offset as usize);
                piece[..rest].copy_from_slice(&bytes[start..start + rest]);
            }
            ImageBytes::Source { offset: first, length } => {
                let mut filled = 0;
                while filled < rest {
                    let place = first.saturating_add(offset).saturating_add(filled as u64);
                    match self.source.read_at(place, &mut piece[filled..rest]) {
                        Ok(0) => {
                            let missing_bytes = length - offset - filled as u64;
                            return Err(WriteError::SourceTooShort { page, missing_bytes });
                        }
                        Ok(count) => filled += count,
                        Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                        Err(error) => return Err(WriteError::Source { page, error }),
                    }
                }
            }
        }
        Ok(rest)
    }

    /// Copies the compressed samples from `offset` within them to their end, in bounded pieces.
    pub(crate) fn copy_from(
        &self,
        page: u32,
        offset: u64,
        out: &mut impl io::Write,
    ) -> Result<(), WriteError> {
        let mut piece = vec![0; PIECE_BYTES.min(self.length() as usize)];
        let mut place = offset;
        while place < self.length() {
            let count = self.read_at(page, place, &mut piece)?;
            out.write_all(&piece[..count])?;
            place += count as u64;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use pagemill_domain::page_image::{Coding, PixelFormat};

    use super::*;

    fn image(bytes: ImageBytes) -> PageImage {
        PageImage {
            width: 1,
            height: 1,
            dpi: Dpi::square(300),
            orientation: pagemill_domain::geometry::Orientation::default(),
            pixels: PixelFormat::Rgb,
            coding: Coding::Jpeg,
            bytes,
        }
    }

    #[test]
    fn a_range_of_the_source_is_copied_whole() {
        let source: Vec<u8> = (0..200_000_u32).map(|n| n as u8).collect();
        let image = image(ImageBytes::Source { offset: 7, length: 150_001 });
        let mut copy = Vec::new();
        SourcedImage { image: &image, source: &source }.copy_from(1, 0, &mut copy).unwrap();
        assert_eq!(copy, source[7..150_008]);
    }

    #[test]
    fn a_source_that_shrank_is_an_error() {
        let image = image(ImageBytes::Source { offset: 7, length: 10 });
        let error = SourcedImage { image: &image, source: &vec![0; 12] }
            .copy_from(3, 0, &mut io::sink())
            .unwrap_err();
        assert!(matches!(error, WriteError::SourceTooShort { page: 3, missing_bytes: 5 }), "{error}");
    }
}
