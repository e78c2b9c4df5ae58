//! Pages on their way into a deliverable: what can't be passed through is coded here.
//!
//! | samples | PDF | TIFF | JPEG file |
//! | --- | --- | --- | --- |
//! | bitonal | T.6 (dithered: zlib) | T.6 | JPEG |
//! | grey, colour, palette, stored without loss | zlib with PNG filters | zlib | JPEG |
//! | stored with loss, but in a way that the deliverable can't hold | JPEG | JPEG | JPEG |
//!
//! JPEG is written at [`jpeg::QUALITY`].

use pagemill_domain::page_image::{Coding, Deliverable, ImageBytes, PageImage, PixelFormat};
use pagemill_domain::scan::PageDefect;

use super::header::Header;
use super::raster::Raster;
use super::{flate, g4, jpeg};
use crate::pix::Pix;

/// Bitonal pages that T.6 shrinks to no less than a quarter are pictures of dots, on which zlib does better. Pages of text
/// shrink to a twentieth and below.
const DITHERED_RATIO: usize = 4;

/// The decoded samples of a page, as stored.
pub(crate) enum Decoded {
    /// Stored without loss.
    Lossless(Raster),
    /// Stored with loss: coding them without loss again would only make them larger.
    Lossy(Pix),
}

impl Decoded {
    /// As an image.
    pub(crate) fn into_pix(self) -> Result<Pix, PageDefect> {
        match self {
            Self::Lossless(raster) => raster.to_pix(),
            Self::Lossy(pix) => Ok(pix),
        }
    }

    /// Coded by the rules of this module.
    pub(crate) fn encode(self, header: &Header, deliverable: Deliverable) -> Result<PageImage, PageDefect> {
        let raster = match (self, deliverable) {
            (Self::Lossy(pix), _) => return as_jpeg(&pix, header),
            (decoded, Deliverable::Jpeg) => return as_jpeg(&decoded.into_pix()?, header),
            (Self::Lossless(raster), _) => raster,
        };
        if matches!(raster.pixels, PixelFormat::Bitonal { .. } | PixelFormat::Grey { bits: 1 }) {
            let bytes = g4::encode(&raster.to_pix()?)?;
            let dithered = bytes.len() > raster.rows.len() / DITHERED_RATIO;
            if !dithered || deliverable == Deliverable::Tiff {
                return Ok(page_image(
                    header,
                    PixelFormat::Bitonal { black_is_one: true },
                    Coding::G4,
                    bytes,
                ));
            }
        }
        let (coding, bytes) = match deliverable {
            Deliverable::Tiff => {
                let (differences, bytes) = flate::tiff_rows(&raster)?;
                (Coding::FlateTiff { differences }, bytes)
            }
            _ => (Coding::FlatePng, flate::png_rows(&raster)?),
        };
        Ok(page_image(header, raster.pixels, coding, bytes))
    }
}

fn as_jpeg(pix: &Pix, header: &Header) -> Result<PageImage, PageDefect> {
    let pixels = if pix.depth() == 32 { PixelFormat::Rgb } else { PixelFormat::Grey { bits: 8 } };
    Ok(page_image(header, pixels, Coding::Jpeg, jpeg::encode(pix)?))
}

/// A page image of bytes that were made for it.
pub(crate) fn page_image(header: &Header, pixels: PixelFormat, coding: Coding, bytes: Vec<u8>) -> PageImage {
    of_bytes(header, pixels, coding, ImageBytes::Owned(bytes))
}

/// A page image whose bytes are a range of the source.
pub(crate) fn passed_through(
    header: &Header,
    pixels: PixelFormat,
    coding: Coding,
    (offset, length): (u64, u64),
) -> PageImage {
    of_bytes(header, pixels, coding, ImageBytes::Source { offset, length })
}

fn of_bytes(header: &Header, pixels: PixelFormat, coding: Coding, bytes: ImageBytes) -> PageImage {
    PageImage {
        width: header.width,
        height: header.height,
        dpi: header.stored_dpi(),
        orientation: header.orientation,
        pixels,
        coding,
        bytes,
    }
}

/// What the samples of a JPEG stream of 1 or 3 components mean.
pub(crate) fn jpeg_pixels(components: u8) -> PixelFormat {
    if components == 1 { PixelFormat::Grey { bits: 8 } } else { PixelFormat::Rgb }
}
