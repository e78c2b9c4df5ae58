//! PNG files (ISO/IEC 15948). An animated PNG is its default image.

use std::io::Cursor;
use std::ops::Range;

use pagemill_domain::page_image::PixelFormat;
use pagemill_domain::scan::{Dpi, PageDefect, Rejection};

use super::colour::{Alpha, Colour, Samples};
use super::exif;
use super::header::Header;
use super::raster::Raster;
use crate::channels::Channels;

const SIGNATURE: [u8; 8] = *b"\x89PNG\r\n\x1a\n";

/// What the chunks say.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PngHeader {
    /// Size, resolution, orientation.
    pub(crate) image: Header,
    bit_depth: u8,
    colour_type: u8,
    interlaced: bool,
    /// RGB triples; already on white where the file makes entries transparent.
    palette: Vec<u8>,
    has_transparency: bool,
    /// Where the image data stands.
    image_data: Vec<Range<usize>>,
}

mod colour_type {
    pub(super) const GREY: u8 = 0;
    pub(super) const RGB: u8 = 2;
    pub(super) const PALETTE: u8 = 3;
}

/// Whether `bytes` start a PNG file.
pub(crate) fn is_png(bytes: &[u8]) -> bool {
    bytes.starts_with(&SIGNATURE)
}

impl PngHeader {
    /// Reads all chunks' headers.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, Rejection> {
        let mut chunks = Chunks { bytes, at: SIGNATURE.len() };
        let header = chunks.next().filter(|chunk| chunk.name == *b"IHDR");
        let mut png = header
            .and_then(|chunk| Self::of_header_chunk(&bytes[chunk.range]))
            .ok_or_else(|| Rejection::Damaged("PNG: no header chunk".into()))?;
        for chunk in chunks {
            let body = &bytes[chunk.range.clone()];
            match &chunk.name {
                b"IDAT" => png.image_data.push(chunk.range),
                b"PLTE" => png.palette = body[..body.len().min(768) / 3 * 3].to_vec(),
                b"tRNS" => png.make_transparent(body),
                b"pHYs" => png.image.declared = physical_density(body),
                b"eXIf" => png.image.orientation = exif::read(body).1,
                _ => {}
            }
        }
        Ok(png)
    }

    fn of_header_chunk(body: &[u8]) -> Option<Self> {
        let &[w1, w2, w3, w4, h1, h2, h3, h4, bit_depth, colour_type, _, _, interlace] = body else {
            return None;
        };
        let image = Header {
            width: u32::from_be_bytes([w1, w2, w3, w4]),
            height: u32::from_be_bytes([h1, h2, h3, h4]),
            ..Header::default()
        };
        Some(Self {
            image,
            bit_depth,
            colour_type,
            interlaced: interlace != 0,
            palette: Vec::new(),
            has_transparency: false,
            image_data: Vec::new(),
        })
    }

    /// Palette entries are laid on white here; a transparent colour of the other types is left to the decoder.
    fn make_transparent(&mut self, alphas: &[u8]) {
        if self.colour_type != colour_type::PALETTE {
            self.has_transparency = true;
            return;
        }
        for (entry, &alpha) in self.palette.as_chunks_mut::<3>().0.iter_mut().zip(alphas) {
            let alpha = u32::from(alpha);
            for value in entry {
                *value = ((u32::from(*value) * alpha + 127) / 255 + 255 - alpha).min(255) as u8;
            }
        }
    }

    /// The compressed rows and their meaning, where a PDF may hold them as they are: not interlaced, no alpha, at
    /// most 8 bits a sample. Depths that the PNG specification (table 11.1) does not allow are left to the decoder,
    /// which refuses them.
    pub(crate) fn flate_rows(&self) -> Option<(PixelFormat, &[Range<usize>])> {
        if self.interlaced || self.has_transparency || self.image_data.is_empty() {
            return None;
        }
        let pixels = match (self.colour_type, self.bit_depth) {
            (colour_type::GREY, bits @ (1 | 2 | 4 | 8)) => PixelFormat::Grey { bits },
            (colour_type::RGB, 8) => PixelFormat::Rgb,
            (colour_type::PALETTE, bits @ (1 | 2 | 4 | 8)) if !self.palette.is_empty() => {
                let entries = &self.palette[..self.palette.len().min(3 << bits)];
                PixelFormat::Palette { bits, entries: entries.to_vec() }
            }
            _ => return None,
        };
        Some((pixels, &self.image_data))
    }
}

/// Decodes the image; its size was checked before.
pub(crate) fn decode(bytes: &[u8], header: &PngHeader) -> Result<Raster, PageDefect> {
    let mut reader = reader(bytes, header)?;
    let size = reader.output_buffer_size().ok_or_else(|| PageDefect::Damaged("PNG: size".into()))?;
    let mut rows = vec![0; size];
    let frame = reader.next_frame(&mut rows).map_err(|error| damaged(&error))?;
    if (frame.width, frame.height) != (header.image.width, header.image.height) {
        return Err(PageDefect::Damaged("PNG: the image's size contradicts its header".into()));
    }
    let (colour, alpha) = match frame.color_type {
        png::ColorType::Grayscale => (Colour::Grey { zero_is_white: false }, None),
        png::ColorType::GrayscaleAlpha => (Colour::Grey { zero_is_white: false }, Some(Alpha::Straight)),
        png::ColorType::Rgb => (Colour::Rgb, None),
        png::ColorType::Rgba => (Colour::Rgb, Some(Alpha::Straight)),
        png::ColorType::Indexed => (Colour::Palette(header.palette.clone()), None),
    };
    let samples = Samples {
        width: frame.width,
        height: frame.height,
        bits: frame.bit_depth as u8,
        channels: colour.channels() + usize::from(alpha.is_some()),
        colour,
        alpha,
        rows,
    };
    samples.into_raster()
}

/// The channels of an image whose rows are red, green and blue bytes in order; its size was checked before.
pub(crate) fn decode_channels(bytes: &[u8], header: &PngHeader) -> Result<Option<Channels>, PageDefect> {
    let is_plain_colour = (header.colour_type, header.bit_depth) == (colour_type::RGB, 8);
    if !is_plain_colour || header.interlaced || header.has_transparency {
        return Ok(None);
    }
    let mut reader = reader(bytes, header)?;
    let (width, height) = (header.image.width, header.image.height);
    let mut channels = Channels::of_width(width as usize, height as usize);
    while let Some(row) = reader.next_row().map_err(|error| damaged(&error))? {
        channels.add_rows(row.data());
    }
    if channels.darkest.height != height as usize {
        return Err(PageDefect::Damaged("PNG: the image's size contradicts its header".into()));
    }
    Ok(Some(channels))
}

/// A decoder of the image.
fn reader<'a>(bytes: &'a [u8], header: &PngHeader) -> Result<png::Reader<Cursor<&'a [u8]>>, PageDefect> {
    let mut decoder = png::Decoder::new(Cursor::new(bytes));
    // Neither is used, and both may hold bombs.
    decoder.set_ignore_text_chunk(true);
    decoder.set_ignore_iccp_chunk(true);
    if header.has_transparency {
        decoder.set_transformations(png::Transformations::EXPAND);
    }
    decoder.read_info().map_err(|error| damaged(&error))
}

fn damaged(error: &png::DecodingError) -> PageDefect {
    PageDefect::Damaged(format!("PNG: {error}"))
}

/// Pixels per metre, if the unit is the metre.
fn physical_density(body: &[u8]) -> Option<Dpi> {
    let &[x1, x2, x3, x4, y1, y2, y3, y4, 1] = body else { return None };
    let per_inch = |per_metre: [u8; 4]| f64::from(u32::from_be_bytes(per_metre)) * 0.0254;
    Some(Dpi::from_f64(per_inch([x1, x2, x3, x4]), per_inch([y1, y2, y3, y4])))
}

struct Chunk {
    name: [u8; 4],
    range: Range<usize>,
}

/// The chunks of a file, in order; ends where one is not wholly inside the file.
struct Chunks<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Iterator for Chunks<'_> {
    type Item = Chunk;

    fn next(&mut self) -> Option<Chunk> {
        const LENGTH_AND_NAME_BYTES: usize = 8;
        const CHECKSUM_BYTES: usize = 4;
        let (length, rest) = self.bytes.get(self.at..)?.split_first_chunk::<4>()?;
        let (name, _) = rest.split_first_chunk::<4>()?;
        let start = self.at + LENGTH_AND_NAME_BYTES;
        let end = start.checked_add(u32::from_be_bytes(*length) as usize)?;
        if end > self.bytes.len() || name == b"IEND" {
            return None;
        }
        self.at = end + CHECKSUM_BYTES;
        Some(Chunk { name: *name, range: start..end })
    }
}
