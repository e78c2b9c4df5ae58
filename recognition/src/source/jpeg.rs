//! JPEG streams (ITU-T T.81): files, strips of a TIFF, images of a PDF. Their own bytes are delivered wherever a PDF may
//! hold them; else libjpeg encodes through Leptonica.
#![allow(unsafe_code, reason = "Leptonica encodes")]

use std::borrow::Cow;

use leptess::capi;
use pagemill_domain::geometry::Orientation;
use pagemill_domain::scan::{DPI_SANE, Dpi, PageDefect};

use super::colour::{Colour, Samples};
use super::exif;
use super::header::Header;
use super::jpeg_markers::{END_OF_IMAGE, START_OF_IMAGE, Segment, Segments};
use super::turbo;
use crate::pix::Pix;
use crate::planes::Planes;

/// Quality of the JPEGs that we encode, in libjpeg's scale, with its default 4:2:0 chroma: at 300 dpi beyond it files
/// grow and letters do not get sharper.
pub(crate) const QUALITY: i32 = 85;

/// What the markers before the first scan say.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct JpegHeader {
    /// Size, resolution, orientation.
    pub(crate) image: Header,
    /// Number of components: 1, 3 or 4.
    pub(crate) components: u8,
    /// Bits a sample.
    pub(crate) precision: u8,
    /// Start-of-frame marker: which process compressed the samples.
    frame: u8,
    /// Whether Adobe's APP14 marker stands there.
    has_adobe_marker: bool,
}

/// Whether `bytes` start a JPEG stream.
pub(crate) fn is_jpeg(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0xff, 0xd8, 0xff])
}

impl JpegHeader {
    /// Reads the markers up to the first scan.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, PageDefect> {
        let damaged = |what: &str| PageDefect::Damaged(format!("JPEG: {what}"));
        let mut header: Option<Self> = None;
        let mut density = Densities::default();
        let mut has_adobe_marker = false;
        for segment in Segments::new(bytes) {
            match (segment.marker, segment.body) {
                (marker, body) if is_frame(marker) => {
                    header =
                        Some(Self::of_frame(marker, body).ok_or_else(|| damaged("frame header cut off"))?);
                }
                (0xe0, body) => density.read_jfif(body),
                (0xe1, body) => density.read_exif(body),
                (0xee, body) if body.starts_with(b"Adobe") => has_adobe_marker = true,
                _ => {}
            }
        }
        let mut header = header.ok_or_else(|| damaged("no frame header"))?;
        header.image.declared = density.best();
        header.image.orientation = density.orientation;
        header.has_adobe_marker = has_adobe_marker;
        Ok(header)
    }

    fn of_frame(marker: u8, body: &[u8]) -> Option<Self> {
        let &[precision, h1, h2, w1, w2, components, ..] = body else { return None };
        let image = Header {
            width: u32::from(u16::from_be_bytes([w1, w2])),
            height: u32::from(u16::from_be_bytes([h1, h2])),
            ..Header::default()
        };
        Some(Self { image, components, precision, frame: marker, has_adobe_marker: false })
    }

    /// Refuses processes that no decoder here reads.
    pub(crate) fn check(&self) -> Result<(), PageDefect> {
        if !matches!(self.frame, 0xc0..=0xc2 | 0xc9 | 0xca) {
            return Err(PageDefect::Unsupported("lossless or hierarchical JPEG".into()));
        }
        if self.precision != 8 {
            return Err(PageDefect::Unsupported(format!("JPEG of {} bits a sample", self.precision)));
        }
        if !matches!(self.components, 1 | 3 | 4) {
            return Err(PageDefect::Unsupported(format!("JPEG of {} components", self.components)));
        }
        Ok(())
    }

    /// Whether every reader of PDF, and every JPEG reader, shows these very bytes right: Huffman coding, grey or
    /// colour. CMYK would need a CMYK output intent, arithmetic coding is outside of PDF.
    pub(crate) fn is_plain(&self) -> bool {
        matches!(self.frame, 0xc0..=0xc2) && self.precision == 8 && matches!(self.components, 1 | 3)
    }
}

/// Decodes a whole stream of 1, 3 or 4 components to 8-bit grey or 32-bit colour. Anything that costs a sample is
/// damage. Inks are taken for inverted where Adobe's marker stands (the rules: [`super::colour`]).
pub(crate) fn decode(bytes: &[u8], header: &JpegHeader) -> Result<Pix, PageDefect> {
    header.check()?;
    let size = (header.image.width, header.image.height);
    if header.components == 4 {
        let samples = Samples {
            width: size.0,
            height: size.1,
            bits: 8,
            colour: Colour::Cmyk { inverted: header.has_adobe_marker },
            alpha: None,
            channels: 4,
            rows: decode_inks(bytes, header)?,
        };
        return samples.into_raster()?.to_pix();
    }
    let depth = if header.components == 1 { 8 } else { 32 };
    let mut pix = Pix::new(size.0, size.1, depth)
        .ok_or_else(|| PageDefect::Damaged("no image of this size can be made".into()))?;
    let words_per_row = pix.words_per_row();
    let decode = if depth == 8 { turbo::decode_grey } else { turbo::decode_colour };
    decode(&terminated(bytes), pix.words_mut(), words_per_row, size)?;
    Ok(pix)
}

/// Decodes a whole stream to its planes; `None` where it has others than luminance and colour.
pub(crate) fn decode_planes(bytes: &[u8], header: &JpegHeader) -> Result<Option<Planes>, PageDefect> {
    header.check()?;
    if header.components == 4 {
        return Ok(None);
    }
    turbo::decode_planes(terminated(bytes).into_owned(), (header.image.width, header.image.height))
}

/// Decodes four components to the inks that are stored, neither converted nor inverted.
pub(crate) fn decode_inks(bytes: &[u8], header: &JpegHeader) -> Result<Vec<u8>, PageDefect> {
    header.check()?;
    if header.components != 4 {
        return Err(PageDefect::Unsupported("inks in a JPEG of other components".into()));
    }
    turbo::decode_inks(&terminated(bytes), (header.image.width, header.image.height))
}

/// The stream with an end marker as its last bytes: without one libjpeg warns although no sample is missing; a second
/// one does no harm.
fn terminated(bytes: &[u8]) -> Cow<'_, [u8]> {
    if bytes.ends_with(&END_OF_IMAGE) {
        return Cow::Borrowed(bytes);
    }
    Cow::Owned([bytes, &END_OF_IMAGE].concat())
}

/// The stream without its EXIF data: inside a PDF its orientation means nothing, in a file of its own it would.
pub(crate) fn without_exif(bytes: &[u8]) -> Vec<u8> {
    let mut segments = Segments::new(bytes);
    let mut stream = START_OF_IMAGE.to_vec();
    for segment in segments.by_ref().filter(|segment| !is_exif(segment)) {
        stream.extend_from_slice(segment.whole);
    }
    stream.extend_from_slice(segments.rest());
    stream
}

fn is_exif(segment: &Segment<'_>) -> bool {
    segment.marker == 0xe1 && segment.body.starts_with(b"Exif\0\0")
}

/// Encodes at [`QUALITY`].
pub(crate) fn encode(pix: &Pix) -> Result<Vec<u8>, PageDefect> {
    let (mut buffer, mut length) = (std::ptr::null_mut(), 0);
    // SAFETY: the image is valid; the function allocates a buffer and stores its address and length.
    let failed = unsafe { capi::pixWriteMemJpeg(&raw mut buffer, &raw mut length, pix.as_ptr(), QUALITY, 0) };
    // SAFETY: what `pixWriteMemJpeg` stored, unless it failed.
    let bytes = unsafe { take_buffer(buffer, length) };
    bytes.filter(|_| failed == 0).ok_or_else(|| PageDefect::Damaged("encode page as JPEG".into()))
}

/// Copies a buffer that Leptonica allocated and frees it; `None` for null.
///
/// # Safety
/// `buffer` is null or was allocated by Leptonica with `length` bytes, and nobody else uses it.
pub(crate) unsafe fn take_buffer(buffer: *mut u8, length: usize) -> Option<Vec<u8>> {
    if buffer.is_null() {
        return None;
    }
    // SAFETY: the caller vouches for pointer and length.
    let bytes = unsafe { std::slice::from_raw_parts(buffer, length) }.to_vec();
    // SAFETY: allocated by Leptonica and not used any more.
    unsafe { capi::lept_free(buffer.cast()) };
    Some(bytes)
}

/// A start-of-frame marker; C4 (tables), C8 (reserved) and CC (conditioning) look alike.
fn is_frame(marker: u8) -> bool {
    matches!(marker, 0xc0..=0xcf) && !matches!(marker, 0xc4 | 0xc8 | 0xcc)
}

/// Resolutions and orientation that JFIF and EXIF declare.
#[derive(Default)]
struct Densities {
    jfif: Option<Dpi>,
    exif: Option<Dpi>,
    orientation: Orientation,
}

impl Densities {
    fn read_jfif(&mut self, body: &[u8]) {
        let &[b'J', b'F', b'I', b'F', 0, _, _, unit, x1, x2, y1, y2, ..] = body else { return };
        let x = f64::from(u16::from_be_bytes([x1, x2]));
        let y = f64::from(u16::from_be_bytes([y1, y2]));
        self.jfif = match unit {
            1 => Some(Dpi::from_f64(x, y)),
            2 => Some(Dpi::from_f64(x * 2.54, y * 2.54)),
            _ => None,
        };
    }

    fn read_exif(&mut self, body: &[u8]) {
        let Some(tiff) = body.strip_prefix(b"Exif\0\0") else { return };
        let (declared, orientation) = exif::read(tiff);
        self.exif = declared;
        self.orientation = orientation;
    }

    /// The first that is sane, JFIF before EXIF; else the first that is there at all.
    fn best(&self) -> Option<Dpi> {
        let declared = [self.jfif, self.exif];
        let sane = |dpi: &Dpi| DPI_SANE.contains(&dpi.coarser());
        declared.into_iter().flatten().find(sane).or(self.jfif).or(self.exif)
    }
}
