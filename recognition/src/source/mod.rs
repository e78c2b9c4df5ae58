//! A user's file: what it is, what its pages are, their pixels, and their images for the deliverables.
//!
//! Works on bytes that it is handed, opens nothing and starts nothing, so that it runs inside the locked child. Headers
//! are held against [`Limits`] before a sample is decoded.
//!
//! How stored samples are turned into pages: [`colour`]. How pages are coded for a deliverable: [`deliver`].

mod ccitt;
mod colour;
mod deliver;
mod exif;
mod flate;
mod g4;
mod header;
mod jpeg;
mod jpeg_markers;
mod orient;
mod pdf;
mod png;
mod raster;
mod tiff;
mod turbo;

#[cfg(test)]
mod tests;

use std::cell::OnceCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use pagemill_domain::geometry::Orientation;
use pagemill_domain::limits::Limits;
use pagemill_domain::page_image::{Coding, Deliverable, PageImage};
use pagemill_domain::page_text::PageText;
use pagemill_domain::scan::{PageDefect, PageFacts, Rejection, SourceFacts, SourceKind};
use pagemill_domain::source_map::{self, ByteRange};

use self::deliver::{Decoded, jpeg_pixels, page_image, passed_through};
use self::header::{Header, defective};
use self::jpeg::JpegHeader;
use self::pdf::PdfFile;
use self::png::PngHeader;
use self::tiff::TiffPages;
use crate::channels::Channels;
use crate::planes::Planes;
use crate::scan::{Scan, Sheet, SheetSamples};

/// Bytes of coded samples that are worth a hole where they are not needed.
pub(crate) const BULK_BYTES_MIN: u64 = 8 << 10;

/// Holes begin and end with pages of memory, so that no byte of one can be read (see [`crate::boxed`]).
const HOLE_UNIT_BYTES: u64 = 4 << 10;

/// A source's bytes: a mapped file, or bytes in memory.
pub type SourceBytes = Arc<dyn AsRef<[u8]> + Send + Sync>;

/// An opened source. Its headers are parsed once, its pages on demand; it holds no decoded page.
pub struct Source {
    bytes: SourceBytes,
    limits: Limits,
    content: Content,
    facts: OnceCell<SourceFacts>,
}

enum Content {
    Jpeg(JpegHeader),
    Png(PngHeader),
    Tiff(TiffPages),
    Pdf(Box<PdfFile>),
}

impl Source {
    /// Recognises the content, never the name, and reads its headers.
    pub fn open(bytes: SourceBytes, limits: &Limits) -> Result<Self, Rejection> {
        crate::prepare::quiet_leptonica();
        let limits = limits.clone();
        let content = guarded(|| Content::read(&bytes, &limits))
            .unwrap_or_else(|panic| Err(Rejection::Damaged(panic)))?;
        Ok(Self { bytes, limits, content, facts: OnceCell::new() })
    }

    /// What the headers say, of every page.
    pub fn facts(&self) -> &SourceFacts {
        self.facts.get_or_init(|| SourceFacts {
            kind: self.content.kind(),
            pages: (0..self.content.page_count()).map(|page| self.page_facts(page)).collect(),
            signed: guarded(|| self.content.is_signed()).unwrap_or(false),
        })
    }

    /// The bulk of each page: where the coded samples stand that it alone needs, or shares with few, in whole pages of
    /// memory. `None` where that can't be told.
    pub fn page_ranges(&self) -> Option<Vec<Vec<ByteRange>>> {
        let pages = guarded(|| match &self.content {
            Content::Tiff(pages) => Some(pages.page_ranges(self.bytes())),
            Content::Pdf(file) => file.page_ranges(),
            Content::Jpeg(_) | Content::Png(_) => None,
        })
        .ok()??;
        let pages: Vec<Vec<ByteRange>> =
            pages.into_iter().map(|ranges| ranges.into_iter().filter_map(whole_units).collect()).collect();
        source_map::are_sound(&pages, self.bytes().len() as u64).then_some(pages)
    }

    /// The page as displayed, at full resolution.
    pub fn decode(&self, page: u32) -> Result<Scan, PageDefect> {
        guarded_page(|| {
            let header = self.header(page)?;
            let pix = orient::displayed(self.decoded(page)?.into_pix()?, header.orientation)?;
            let (dpi, _) = header.displayed_dpi();
            Ok(Scan { pix, dpi })
        })
    }

    /// The page as displayed, as it is read. An upright picture in colour stays in the form that it is stored in.
    pub fn sheet(&self, page: u32) -> Result<Sheet, PageDefect> {
        guarded_page(|| {
            let header = self.header(page)?;
            let as_stored = if header.orientation == Orientation::default() {
                self.samples_as_stored(page)?
            } else {
                None
            };
            let samples = match as_stored {
                Some(samples) => samples,
                None => {
                    SheetSamples::Pix(orient::displayed(self.decoded(page)?.into_pix()?, header.orientation)?)
                }
            };
            Ok(Sheet { samples, dpi: header.displayed_dpi().0 })
        })
    }

    /// The page's image for a deliverable: the original bytes wherever it may hold them.
    pub fn deliver(&self, page: u32, deliverable: Deliverable) -> Result<PageImage, PageDefect> {
        guarded_page(|| {
            let header = self.header(page)?;
            match self.pass_through(page, &header, deliverable)? {
                Some(image) => Ok(image),
                None => self.decoded(page)?.encode(&header, deliverable),
            }
        })
    }

    /// The text that a PDF page has already, in page space; `None` where it has none. Its language is not known: it is
    /// left empty, and its confidence is full.
    pub fn existing_text(&self, page: u32) -> Option<PageText> {
        let Content::Pdf(file) = &self.content else { return None };
        guarded_page(|| file.existing_text(page as usize)).ok().flatten()
    }

    fn bytes(&self) -> &[u8] {
        (*self.bytes).as_ref()
    }

    fn page_facts(&self, page: u32) -> PageFacts {
        let facts = guarded_page(|| {
            Ok(match &self.content {
                Content::Jpeg(jpeg) => jpeg.image.facts(&self.limits, jpeg.check().err()),
                Content::Png(png) => png.image.facts(&self.limits, None),
                Content::Tiff(pages) => pages.facts(self.bytes(), page as usize, &self.limits),
                Content::Pdf(file) => file.facts(page as usize),
            })
        });
        facts.unwrap_or_else(defective)
    }

    /// The headers of a page that may be decoded.
    fn header(&self, page: u32) -> Result<Header, PageDefect> {
        if page >= self.content.page_count() {
            return Err(PageDefect::Missing);
        }
        let header = match &self.content {
            Content::Jpeg(jpeg) => jpeg.image.clone(),
            Content::Png(png) => png.image.clone(),
            Content::Tiff(pages) => pages.layout(self.bytes(), page as usize)?.1.image,
            Content::Pdf(file) => file.header(page as usize)?,
        };
        header.check(&self.limits)?;
        Ok(header)
    }

    /// Decodes the stored samples of a page whose headers were checked.
    fn decoded(&self, page: u32) -> Result<Decoded, PageDefect> {
        match &self.content {
            Content::Jpeg(header) => jpeg::decode(self.bytes(), header).map(Decoded::Lossy),
            Content::Png(header) => png::decode(self.bytes(), header).map(Decoded::Lossless),
            Content::Tiff(pages) => {
                let (tiff, layout) = pages.layout(self.bytes(), page as usize)?;
                if layout.is_jpeg() {
                    layout.decode_jpeg(&tiff).map(Decoded::Lossy)
                } else {
                    layout.decode(&tiff).map(Decoded::Lossless)
                }
            }
            Content::Pdf(file) => file.decode(page as usize),
        }
    }

    /// A page whose headers were checked, in a form that takes less memory than its pixels, where it has one: a JPEG's planes,
    /// or the channels of colour without loss.
    fn samples_as_stored(&self, page: u32) -> Result<Option<SheetSamples>, PageDefect> {
        let planes = |planes: Option<Planes>| planes.map(SheetSamples::Planes);
        let channels = |channels: Option<Channels>| channels.map(SheetSamples::Channels);
        match &self.content {
            Content::Jpeg(header) => jpeg::decode_planes(self.bytes(), header).map(planes),
            Content::Pdf(file) => file.planes(page as usize).map(planes),
            Content::Png(header) => png::decode_channels(self.bytes(), header).map(channels),
            Content::Tiff(pages) => {
                let (tiff, layout) = pages.layout(self.bytes(), page as usize)?;
                layout.decode_channels(&tiff).map(channels)
            }
        }
    }

    /// The page's own coded bytes, where the deliverable may hold them.
    fn pass_through(
        &self,
        page: u32,
        header: &Header,
        deliverable: Deliverable,
    ) -> Result<Option<PageImage>, PageDefect> {
        let is_pdf = matches!(deliverable, Deliverable::Pdf14 | Deliverable::Pdf17);
        match &self.content {
            Content::Jpeg(jpeg) => {
                jpeg.check()?;
                let whole = (0, self.bytes().len() as u64);
                Ok(jpeg
                    .is_plain()
                    .then(|| passed_through(header, jpeg_pixels(jpeg.components), Coding::Jpeg, whole)))
            }
            Content::Png(png) if is_pdf => Ok(self.pass_png_through(png)),
            Content::Png(_) => Ok(None),
            Content::Tiff(pages) => {
                let (tiff, layout) = pages.layout(self.bytes(), page as usize)?;
                let whole = layout.whole_jpeg(&tiff)?.filter(|whole| whole.header.is_plain());
                Ok(whole.map(|whole| {
                    let pixels = jpeg_pixels(whole.header.components);
                    match whole.stored {
                        Some(range) => passed_through(header, pixels, Coding::Jpeg, range),
                        None => page_image(header, pixels, Coding::Jpeg, whole.stream),
                    }
                }))
            }
            Content::Pdf(file) => file.pass_through(page as usize, deliverable),
        }
    }

    fn pass_png_through(&self, png: &PngHeader) -> Option<PageImage> {
        let (pixels, ranges) = png.flate_rows()?;
        if raster::bits_per_pixel(&pixels) == 1 {
            return None;
        }
        Some(match ranges {
            [range] => {
                let stored = (range.start as u64, range.len() as u64);
                passed_through(&png.image, pixels, Coding::FlatePng, stored)
            }
            ranges => {
                let bytes = ranges.iter().flat_map(|range| &self.bytes()[range.clone()]).copied().collect();
                page_image(&png.image, pixels, Coding::FlatePng, bytes)
            }
        })
    }
}

impl Content {
    fn read(source: &SourceBytes, limits: &Limits) -> Result<Self, Rejection> {
        let bytes = (**source).as_ref();
        if bytes.is_empty() {
            return Err(Rejection::Empty);
        }
        if bytes.len() as u64 > limits.bytes_per_source_max {
            return Err(Rejection::TooManyBytes { bytes: bytes.len() as u64 });
        }
        if jpeg::is_jpeg(bytes) {
            let header = JpegHeader::read(bytes).map_err(|defect| Rejection::Damaged(defect.to_string()))?;
            return Ok(Self::Jpeg(header));
        }
        if png::is_png(bytes) {
            return PngHeader::read(bytes).map(Self::Png);
        }
        if tiff::is_tiff(bytes) {
            return TiffPages::read(bytes, limits).map(Self::Tiff);
        }
        if pdf::is_pdf(bytes) {
            return PdfFile::open(Arc::clone(source), limits).map(|file| Self::Pdf(Box::new(file)));
        }
        Err(Rejection::UnknownKind)
    }

    fn kind(&self) -> SourceKind {
        match self {
            Self::Jpeg(_) => SourceKind::Jpeg,
            Self::Png(_) => SourceKind::Png,
            Self::Tiff(_) => SourceKind::Tiff,
            Self::Pdf(_) => SourceKind::Pdf,
        }
    }

    fn page_count(&self) -> u32 {
        match self {
            Self::Jpeg(_) | Self::Png(_) => 1,
            Self::Tiff(pages) => pages.len() as u32,
            Self::Pdf(file) => file.len() as u32,
        }
    }

    fn is_signed(&self) -> bool {
        matches!(self, Self::Pdf(file) if file.is_signed())
    }
}

/// What of a range can become a hole.
fn whole_units(range: ByteRange) -> Option<ByteRange> {
    let offset = range.offset.next_multiple_of(HOLE_UNIT_BYTES);
    let length = (range.end() / HOLE_UNIT_BYTES * HOLE_UNIT_BYTES).checked_sub(offset)?;
    (length > 0).then_some(ByteRange { offset, length })
}

fn guarded_page<T>(read: impl FnOnce() -> Result<T, PageDefect>) -> Result<T, PageDefect> {
    guarded(read).unwrap_or_else(|panic| Err(PageDefect::Damaged(panic)))
}

/// The one place where a panic becomes damage: the decoders below are other people's code on hostile bytes, and a
/// panic in one of them is a fact about the file, not about us. Nothing that a panic leaves half done is used again.
fn guarded<T>(read: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(read)).map_err(|_| "its decoder gave up".to_owned())
}
