//! JPEG in TIFF (technical note 2): strips and tiles that share their tables.
#![allow(unsafe_code, reason = "strips are joined by Leptonica")]

use leptess::capi;
use pagemill_domain::scan::PageDefect;

use super::directory::Tiff;
use super::jpeg_join::join;
use super::layout::{Compression, Layout};
use crate::pix::Pix;
use crate::source::colour::{Colour, Samples};
use crate::source::jpeg::{self, JpegHeader};
use crate::source::jpeg_markers::{END_OF_IMAGE, START_OF_IMAGE};

impl Layout {
    /// Whether the page's strips are JPEG streams.
    pub(crate) fn is_jpeg(&self) -> bool {
        matches!(self.compression, Compression::Jpeg { .. })
    }

    /// The page as one JPEG stream, without decoding a sample: its only strip, or all its strips joined.
    pub(crate) fn whole_jpeg(&self, tiff: &Tiff) -> Result<Option<WholeJpeg>, PageDefect> {
        self.check(tiff)?;
        if !self.is_jpeg() || self.planar || self.chunk_width != self.image.width {
            return Ok(None);
        }
        let mut strips = Vec::new();
        for index in 0..self.chunks_down() {
            strips.push(self.jpeg_stream(tiff, index as usize)?);
        }
        let (stored, stream) = match strips.as_mut_slice() {
            [only] => {
                let (offset, length) = self.chunks[0];
                let as_stored = only.len() as u64 == length;
                (as_stored.then_some((offset, length)), std::mem::take(only))
            }
            strips => match join(strips, self.image.height) {
                Some(stream) => (None, stream),
                None => return Ok(None),
            },
        };
        let header = JpegHeader::read(&stream)?;
        let fits = (header.image.width, header.image.height) == (self.image.width, self.image.height);
        Ok(fits.then_some(WholeJpeg { stored, header, stream }))
    }

    /// Decodes a page of JPEG strips.
    pub(crate) fn decode_jpeg(&self, tiff: &Tiff) -> Result<Pix, PageDefect> {
        if let Some(whole) = self.whole_jpeg(tiff)? {
            return self.decode_stream(&whole.stream, &whole.header);
        }
        if self.planar {
            return Err(PageDefect::Unsupported("TIFF of JPEG planes".into()));
        }
        let depth = if matches!(self.colour, Colour::Grey { .. }) { 8 } else { 32 };
        let page = Pix::new(self.image.width, self.image.height, depth)
            .ok_or_else(|| PageDefect::Damaged("no image of this size can be made".into()))?;
        for row in 0..self.chunks_down() {
            for column in 0..self.chunks_across() {
                let chunk = self.decode_jpeg_chunk(tiff, (row * self.chunks_across() + column) as usize)?;
                if chunk.depth() != depth {
                    return Err(PageDefect::Damaged("TIFF: strips of different colours".into()));
                }
                paste(&page, &chunk, column * self.chunk_width, row * self.chunk_height);
            }
        }
        Ok(page)
    }

    fn decode_jpeg_chunk(&self, tiff: &Tiff, index: usize) -> Result<Pix, PageDefect> {
        let stream = self.jpeg_stream(tiff, index)?;
        let header = JpegHeader::read(&stream)?;
        // The strip's own header may lie about its size.
        let pixels = u64::from(header.image.width) * u64::from(header.image.height);
        if header.image.width > self.chunk_width.next_multiple_of(16)
            || header.image.height > self.chunk_height.next_multiple_of(16)
        {
            return Err(PageDefect::Damaged(format!("TIFF: strip {index} holds {pixels} pixels")));
        }
        self.decode_stream(&stream, &header)
    }

    fn decode_stream(&self, stream: &[u8], header: &JpegHeader) -> Result<Pix, PageDefect> {
        match (&self.colour, header.components) {
            (Colour::Grey { zero_is_white: false }, 1) | (Colour::Rgb, 3) => jpeg::decode(stream, header),
            (Colour::Cmyk { .. }, 4) => {
                let samples = Samples {
                    width: header.image.width,
                    height: header.image.height,
                    bits: 8,
                    colour: self.colour.clone(),
                    alpha: None,
                    channels: 4,
                    rows: jpeg::decode_inks(stream, header)?,
                };
                samples.into_raster()?.to_pix()
            }
            (colour, components) => {
                let detail = format!("TIFF of {colour:?} in JPEG strips of {components} components");
                Err(PageDefect::Unsupported(detail))
            }
        }
    }

    /// A strip as a JPEG stream of its own: with the shared tables, and with the marker that tells a decoder whether
    /// three components are RGB where it would guess.
    fn jpeg_stream(&self, tiff: &Tiff, index: usize) -> Result<Vec<u8>, PageDefect> {
        const ADOBE_RGB: &[u8] = b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00\x00";
        let damaged = || PageDefect::Damaged(format!("TIFF: strip {index} is no JPEG stream"));
        let Compression::Jpeg { tables, ycbcr } = &self.compression else { return Err(damaged()) };
        let (offset, length) = self.chunks[index];
        let strip = tiff.range(offset, length).and_then(|strip| strip.strip_prefix(&START_OF_IMAGE));
        let strip = strip.ok_or_else(damaged)?;
        let tables = tables.strip_prefix(&START_OF_IMAGE).unwrap_or(tables);
        let tables = tables.strip_suffix(&END_OF_IMAGE).unwrap_or(tables);
        let is_rgb = self.colour == Colour::Rgb && !ycbcr;
        let adobe = if is_rgb { ADOBE_RGB } else { &[] };
        Ok([&START_OF_IMAGE, adobe, tables, strip].concat())
    }
}

/// A page as one JPEG stream.
pub(crate) struct WholeJpeg {
    /// Where the stream stands in the file, if it needs nothing added.
    pub(crate) stored: Option<(u64, u64)>,
    pub(crate) header: JpegHeader,
    pub(crate) stream: Vec<u8>,
}

/// Copies `chunk` into `page`; what lies outside is cut off.
fn paste(page: &Pix, chunk: &Pix, left: u32, top: u32) {
    const COPY: i32 = capi::PIX_SRC as i32;
    let (width, height) = (chunk.width() as i32, chunk.height() as i32);
    // SAFETY: both images are valid and of the same depth; Leptonica clips the rectangle to both.
    unsafe {
        capi::pixRasterop(page.as_ptr(), left as i32, top as i32, width, height, COPY, chunk.as_ptr(), 0, 0);
    }
}
