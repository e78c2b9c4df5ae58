//! TIFF 6.0, or BigTIFF for long documents: a page a directory, its samples in one strip.
//!
//! A directory stands before its samples and names the place of the next one, so a file needs no going back: all that
//! must be known of a page is the length of its samples.

mod directory;

use std::io::{self, Read, Write};

use pagemill_domain::geometry::Orientation;
use pagemill_domain::page_image::{Coding, PixelFormat};
use pagemill_domain::scan::Dpi;

use crate::document::{DocumentInfo, DocumentPage, DocumentWriter, SourcedImage, WriteError};
use crate::jpeg::header::JpegHeader;
use crate::output::Output;
use directory::{Directory, Layout, Value};

/// Documents of more pages are BigTIFF: 200 lossless colour pages of A4 at 300 dpi fill the 4 GiB of a plain TIFF,
/// which more programs read.
const CLASSIC_PAGES_MAX: u32 = 200;

/// Writes TIFF.
pub(crate) struct TiffWriter<W> {
    out: Output<W>,
    layout: Layout,
    pages: u32,
}

impl<W: Write> TiffWriter<W> {
    pub(crate) fn new(info: &DocumentInfo, out: W) -> Result<Self, WriteError> {
        let layout = if info.pages > CLASSIC_PAGES_MAX { Layout::Big } else { Layout::Classic };
        let mut out = Output::new(out);
        out.write_all(&layout.header(info.pages > 0))?;
        Ok(Self { out, layout, pages: info.pages })
    }
}

impl<W: Write> DocumentWriter for TiffWriter<W> {
    fn page(&mut self, page: &DocumentPage<'_>) -> Result<(), WriteError> {
        let strip = match page.image {
            Some(sourced) => Strip::of_image(page.number, sourced)?,
            None => Strip::placeholder(page),
        };
        let mut directory = Directory::default();
        strip.describe(&mut directory);
        directory.set(254, Value::Long(vec![if self.pages > 1 { 2 } else { 0 }]));
        if let (Ok(index), Ok(pages)) = (u16::try_from(page.number - 1), u16::try_from(self.pages)) {
            directory.set(297, Value::Short(vec![index, pages]));
        }
        let is_last = page.number == self.pages;
        let encoded = directory
            .encode(self.layout, self.out.position(), strip.length(), is_last)
            .ok_or(WriteError::FormatLimit { page: page.number, limit: "4 GiB" })?;
        self.out.write_all(&encoded)?;
        strip.write(page.number, &mut self.out)?;
        if self.out.position() % 2 == 1 {
            self.out.write_all(&[0])?;
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<(), WriteError> {
        Ok(self.out.flush()?)
    }
}

/// A page's samples and what they mean.
struct Strip<'a> {
    samples: Samples<'a>,
    width: u32,
    height: u32,
    dpi: Dpi,
    orientation: Orientation,
    pixels: &'a PixelFormat,
    compression: u16,
    photometric: u16,
    /// Rows are differences between neighbouring pixels.
    is_differenced: bool,
    /// Of a JPEG with chroma: how many pixels share a chroma sample.
    subsampling: Option<[u16; 2]>,
}

enum Samples<'a> {
    /// As the image has them.
    Original(SourcedImage<'a>),
    /// So many white rows in T.6.
    WhiteRows(u32),
}

/// Values of `Compression`.
const T6: u16 = 4;
const JPEG: u16 = 7;
const DEFLATE: u16 = 8;

/// Values of `PhotometricInterpretation`.
const WHITE_IS_ZERO: u16 = 0;
const BLACK_IS_ZERO: u16 = 1;
const RGB: u16 = 2;
const PALETTE: u16 = 3;
const YCBCR: u16 = 6;

const BITONAL: PixelFormat = PixelFormat::Bitonal { black_is_one: true };

impl<'a> Strip<'a> {
    fn of_image(page: u32, sourced: SourcedImage<'a>) -> Result<Self, WriteError> {
        let image = sourced.image;
        let photometric = match &image.pixels {
            PixelFormat::Bitonal { black_is_one: true } => WHITE_IS_ZERO,
            PixelFormat::Bitonal { black_is_one: false } | PixelFormat::Grey { .. } => BLACK_IS_ZERO,
            PixelFormat::Rgb => RGB,
            PixelFormat::Palette { .. } => PALETTE,
        };
        let mut strip = Self {
            samples: Samples::Original(sourced),
            width: image.width,
            height: image.height,
            dpi: image.dpi,
            orientation: image.orientation,
            pixels: &image.pixels,
            compression: T6,
            photometric,
            is_differenced: false,
            subsampling: None,
        };
        match (&image.coding, &image.pixels) {
            (Coding::G4, PixelFormat::Bitonal { .. }) => {}
            (Coding::Jpeg, PixelFormat::Grey { bits: 8 } | PixelFormat::Rgb) => {
                let header = JpegHeader::read(page, sourced)?;
                if header.components != image.pixels.samples() {
                    return Err(WriteError::Image {
                        page,
                        problem: "a JPEG of other channels than declared",
                    });
                }
                strip.compression = JPEG;
                if header.is_ycbcr() {
                    strip.photometric = YCBCR;
                    strip.subsampling = Some(header.subsampling);
                }
            }
            (Coding::FlateTiff { differences }, _) => {
                strip.compression = DEFLATE;
                strip.is_differenced = *differences;
            }
            _ => {
                let problem = "an image of a coding that a TIFF has not, or that does not fit its samples";
                return Err(WriteError::Image { page, problem });
            }
        }
        Ok(strip)
    }

    /// A white page.
    fn placeholder(page: &DocumentPage<'_>) -> Self {
        let height = page.height.max(1);
        Self {
            samples: Samples::WhiteRows(height),
            width: page.width.max(1),
            height,
            dpi: page.dpi,
            orientation: Orientation::default(),
            pixels: &BITONAL,
            compression: T6,
            photometric: WHITE_IS_ZERO,
            is_differenced: false,
            subsampling: None,
        }
    }

    fn describe(&self, directory: &mut Directory) {
        let (bits, samples) = (u16::from(self.pixels.bits()), u16::from(self.pixels.samples()));
        directory.set(256, Value::Long(vec![self.width]));
        directory.set(257, Value::Long(vec![self.height]));
        directory.set(258, Value::Short(vec![bits; usize::from(samples)]));
        directory.set(259, Value::Short(vec![self.compression]));
        directory.set(262, Value::Short(vec![self.photometric]));
        directory.set(274, Value::Short(vec![self.orientation.tag()]));
        directory.set(277, Value::Short(vec![samples]));
        directory.set(278, Value::Long(vec![self.height]));
        directory.set(282, Value::Rational(vec![(self.dpi.x_milli, 1000)]));
        directory.set(283, Value::Rational(vec![(self.dpi.y_milli, 1000)]));
        directory.set(284, Value::Short(vec![1]));
        directory.set(296, Value::Short(vec![2]));
        if self.is_differenced {
            directory.set(317, Value::Short(vec![2]));
        }
        if let PixelFormat::Palette { bits, entries } = self.pixels {
            directory.set(320, Value::Short(colour_map(*bits, entries)));
        }
        if let Some(subsampling) = self.subsampling {
            directory.set(530, Value::Short(subsampling.to_vec()));
            // JPEG's full range (TIFF Technical Note 2); the default means something else.
            let range = [(0, 1), (255, 1), (128, 1), (255, 1), (128, 1), (255, 1)];
            directory.set(532, Value::Rational(range.to_vec()));
        }
    }

    fn length(&self) -> u64 {
        match &self.samples {
            Samples::Original(sourced) => sourced.length(),
            Samples::WhiteRows(rows) => u64::from(*rows).div_ceil(8) + END_OF_BLOCK.len() as u64,
        }
    }

    fn write(&self, page: u32, out: &mut impl Write) -> Result<(), WriteError> {
        match &self.samples {
            Samples::Original(sourced) => sourced.copy_from(page, 0, out),
            Samples::WhiteRows(rows) => Ok(write_white_rows(*rows, out)?),
        }
    }
}

/// T.6's end of the page, two end-of-line codes, on a byte boundary.
const END_OF_BLOCK: [u8; 3] = [0x00, 0x10, 0x01];

/// In T.6 a row that is like the one above takes the one bit 1, and above the first row lies white. Rows beyond the
/// last, with which the last byte is filled up, are never read.
fn write_white_rows(rows: u32, out: &mut impl Write) -> io::Result<()> {
    io::copy(&mut io::repeat(0xFF).take(u64::from(rows).div_ceil(8)), out)?;
    out.write_all(&END_OF_BLOCK)
}

/// `ColorMap`: all reds, all greens, all blues, of 16 bits.
fn colour_map(bits: u8, entries: &[u8]) -> Vec<u16> {
    let colours = 1 << bits.min(8);
    let channel = |channel: usize| {
        (0..colours)
            .map(move |colour| entries.get(colour * 3 + channel).map_or(0, |&value| u16::from(value) * 257))
    };
    (0..3).flat_map(channel).collect()
}

#[cfg(test)]
mod tests;
