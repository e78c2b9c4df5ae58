//! JPEG 2000 images (ISO/IEC 15444-1).

use hayro_jpeg2000::{ColorSpace, DecodeSettings, DecoderContext, Image};
use pagemill_domain::page_image::PixelFormat;
use pagemill_domain::scan::PageDefect;

use crate::source::raster::Raster;

/// Decodes grey or RGB of any depth to 8 bits a sample.
pub(super) fn decode(bytes: &[u8], (width, height): (u32, u32)) -> Result<Raster, PageDefect> {
    let damaged = |error| PageDefect::Damaged(format!("JPEG 2000: {error}"));
    let image = Image::new(bytes, &DecodeSettings::default()).map_err(damaged)?;
    if (image.width(), image.height()) != (width, height) {
        return Err(PageDefect::Damaged("JPEG 2000: the image's size contradicts its dictionary".into()));
    }
    let pixels = pixels(&image)
        .ok_or_else(|| PageDefect::Unsupported("JPEG 2000 that is neither grey nor RGB".into()))?;
    let mut context = DecoderContext::default();
    let rows = image.decode(&mut context).map_err(damaged)?.data_u8();
    Ok(Raster { width, height, pixels, rows })
}

/// What the samples mean, where a PDF/A-2 file may hold these very bytes (ISO 19005-2 § 6.2.8.3): a JP2 file with 8
/// bits a channel, one colour specification, and that sRGB, grey or sYCC.
pub(super) fn plain_pixels(bytes: &[u8]) -> Option<PixelFormat> {
    const EIGHT_BITS: u8 = 7;
    let image = Image::new(bytes, &DecodeSettings::default()).ok()?;
    let header = boxes(bytes).find(|(name, _)| *name == b"jp2h")?.1;
    let image_header = boxes(header).find(|(name, _)| *name == b"ihdr")?.1;
    let mut colours = boxes(header).filter(|(name, _)| *name == b"colr");
    let (_, colour) = colours.next()?;
    let one_colour = colours.next().is_none();
    let no_palette = !boxes(header).any(|(name, _)| matches!(name, b"pclr" | b"cmap" | b"cdef"));
    let eight_bits = image_header.get(10) == Some(&EIGHT_BITS);
    let enumerated = matches!(colour, [1, _, _, 0, 0, 0, 16..=18, ..]);
    (one_colour && no_palette && eight_bits && enumerated).then(|| pixels(&image))?
}

/// The pixels that the coded image has; 0 where its header can't be read.
pub(super) fn coded_pixels(bytes: &[u8]) -> u64 {
    Image::new(bytes, &DecodeSettings::default())
        .map_or(0, |image| u64::from(image.width()) * u64::from(image.height()))
}

fn pixels(image: &Image<'_>) -> Option<PixelFormat> {
    match image.color_space() {
        _ if image.has_alpha() => None,
        ColorSpace::Gray | ColorSpace::Icc { num_channels: 1, .. } => Some(PixelFormat::Grey { bits: 8 }),
        ColorSpace::RGB | ColorSpace::Icc { num_channels: 3, .. } => Some(PixelFormat::Rgb),
        _ => None,
    }
}

/// The boxes of a JP2 file or of a box that holds boxes (ISO/IEC 15444-1 annex I.4); ends at the first that is not whole.
fn boxes(mut bytes: &[u8]) -> impl Iterator<Item = (&[u8; 4], &[u8])> {
    std::iter::from_fn(move || {
        let (length, rest) = bytes.split_first_chunk::<4>()?;
        let (name, _) = rest.split_first_chunk::<4>()?;
        let length = match u32::from_be_bytes(*length) as usize {
            0 => bytes.len(),
            length => length,
        };
        let content = bytes.get(8..length)?;
        bytes = &bytes[length..];
        Some((name, content))
    })
}
