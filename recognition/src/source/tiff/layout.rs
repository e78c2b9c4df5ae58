//! How the samples of one TIFF page are stored.

use pagemill_domain::scan::PageDefect;

use super::directory::{Directory, Tiff, tag};
use crate::source::ccitt::{FaxCoding, Scheme};
use crate::source::colour::{Alpha, Colour};
use crate::source::header::Header;

/// Channels of one pixel that we bear with: CMYK, alpha and a few spot colours.
const CHANNELS_MAX: u64 = 8;

/// How the samples of one page are stored.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    /// Size, resolution, orientation.
    pub(crate) image: Header,
    pub(super) bits: u8,
    pub(super) channels: usize,
    pub(super) colour: Colour,
    pub(super) alpha: Option<Alpha>,
    /// Whether each channel is stored as an image of its own.
    pub(super) planar: bool,
    pub(crate) compression: Compression,
    /// Whether bytes are filled from their least significant bit.
    pub(super) bits_reversed: bool,
    /// Whether samples are differences from their left neighbour (predictor 2).
    pub(super) differences: bool,
    /// Size of a strip or tile.
    pub(super) chunk_width: u32,
    pub(super) chunk_height: u32,
    /// Offset and length of each strip or tile, row by row, plane by plane.
    pub(crate) chunks: Vec<(u64, u64)>,
}

/// How strips and tiles are compressed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Compression {
    None,
    PackBits,
    Lzw,
    Deflate,
    Fax(FaxCoding),
    /// JPEG (technical note 2); the tables that all strips share, and whether the three components are YCbCr.
    Jpeg {
        tables: Vec<u8>,
        ycbcr: bool,
    },
}

impl Layout {
    pub(crate) fn read(tiff: &Tiff, directory: &Directory) -> Result<Self, PageDefect> {
        let damaged = |what: &str| PageDefect::Damaged(format!("TIFF: {what}"));
        let integer = |tag| directory.integer(tiff, tag);
        let dimension = |tag| integer(tag).and_then(|value| u32::try_from(value).ok());
        let (Some(width), Some(height)) = (dimension(tag::IMAGE_WIDTH), dimension(tag::IMAGE_LENGTH)) else {
            return Err(damaged("no size"));
        };
        let image = Header {
            width,
            height,
            declared: directory.resolution(tiff),
            orientation: directory.orientation(tiff),
        };
        let channels = integer(tag::SAMPLES_PER_PIXEL).unwrap_or(1);
        if channels == 0 || channels > CHANNELS_MAX {
            return Err(PageDefect::Unsupported(format!("TIFF of {channels} channels")));
        }
        let channels = channels as usize;
        let compression = Compression::read(tiff, directory)?;
        let colour = colour(tiff, directory, &compression)?;
        if channels < colour.channels() {
            return Err(damaged("channels are missing"));
        }
        let tiled = integer(tag::TILE_WIDTH).is_some();
        let (chunk_width, chunk_height) = if tiled {
            (dimension(tag::TILE_WIDTH).unwrap_or(0), dimension(tag::TILE_LENGTH).unwrap_or(0))
        } else {
            (width, dimension(tag::ROWS_PER_STRIP).unwrap_or(height).min(height))
        };
        Ok(Self {
            image,
            bits: bits(tiff, directory)?,
            channels,
            alpha: alpha(tiff, directory, channels, colour.channels()),
            colour,
            planar: integer(tag::PLANAR_CONFIGURATION) == Some(2) && channels > 1,
            compression,
            bits_reversed: integer(tag::FILL_ORDER) == Some(2),
            differences: predictor(tiff, directory)?,
            chunk_width,
            chunk_height,
            chunks: chunks(tiff, directory, tiled).ok_or_else(|| damaged("no strips"))?,
        })
    }

    /// Refuses pages whose samples are not all inside the file.
    pub(crate) fn check(&self, tiff: &Tiff) -> Result<(), PageDefect> {
        let damaged = |what: &str| Err(PageDefect::Damaged(format!("TIFF: {what}")));
        if self.chunk_width == 0 || self.chunk_height == 0 {
            return damaged("strips without rows");
        }
        let planes = if self.planar { self.channels as u64 } else { 1 };
        let expected = u64::from(self.chunks_across()) * u64::from(self.chunks_down()) * planes;
        if (self.chunks.len() as u64) < expected {
            return damaged("strips are missing");
        }
        if self.chunks.iter().take(expected as usize).any(|&(offset, length)| {
            length == 0 || offset.checked_add(length).is_none_or(|end| end > tiff.len())
        }) {
            return damaged("strips lie outside of the file");
        }
        Ok(())
    }

    pub(super) fn chunks_across(&self) -> u32 {
        self.image.width.div_ceil(self.chunk_width)
    }

    pub(super) fn chunks_down(&self) -> u32 {
        self.image.height.div_ceil(self.chunk_height)
    }
}

impl Compression {
    fn read(tiff: &Tiff, directory: &Directory) -> Result<Self, PageDefect> {
        let unsupported = |what: String| Err(PageDefect::Unsupported(what));
        let fax = |scheme, byte_aligned, end_of_block| {
            Ok(Self::Fax(FaxCoding { scheme, byte_aligned, end_of_block }))
        };
        match directory.integer(tiff, tag::COMPRESSION).unwrap_or(1) {
            1 => Ok(Self::None),
            2 => fax(Scheme::OneDimensional, true, false),
            3 => {
                let two_dimensional = directory.integer(tiff, tag::T4_OPTIONS).unwrap_or(0) & 1 == 1;
                fax(
                    if two_dimensional { Scheme::TwoDimensional } else { Scheme::OneDimensional },
                    false,
                    true,
                )
            }
            4 => fax(Scheme::Group4, false, true),
            5 => Ok(Self::Lzw),
            6 => unsupported("old-style JPEG in TIFF (TIFF 6.0 section 22, withdrawn)".into()),
            7 => Ok(Self::Jpeg {
                tables: directory.bytes(tiff, tag::JPEG_TABLES).unwrap_or_default().to_vec(),
                ycbcr: directory.integer(tiff, tag::PHOTOMETRIC) == Some(photometric::YCBCR),
            }),
            8 | 32_946 => Ok(Self::Deflate),
            32_773 => Ok(Self::PackBits),
            other => unsupported(format!("TIFF compression {other}")),
        }
    }
}

mod photometric {
    pub(super) const WHITE_IS_ZERO: u64 = 0;
    pub(super) const BLACK_IS_ZERO: u64 = 1;
    pub(super) const RGB: u64 = 2;
    pub(super) const PALETTE: u64 = 3;
    pub(super) const MASK: u64 = 4;
    pub(super) const CMYK: u64 = 5;
    pub(super) const YCBCR: u64 = 6;
    pub(super) const CIE_LAB: u64 = 8;
    pub(super) const ICC_LAB: u64 = 9;
}

/// What the colour channels mean. Fax pages that do not say take T.4's meaning.
fn colour(tiff: &Tiff, directory: &Directory, compression: &Compression) -> Result<Colour, PageDefect> {
    let default = match compression {
        Compression::Fax(_) => photometric::WHITE_IS_ZERO,
        _ => photometric::BLACK_IS_ZERO,
    };
    match directory.integer(tiff, tag::PHOTOMETRIC).unwrap_or(default) {
        photometric::WHITE_IS_ZERO => Ok(Colour::Grey { zero_is_white: true }),
        photometric::BLACK_IS_ZERO | photometric::MASK => Ok(Colour::Grey { zero_is_white: false }),
        photometric::RGB => Ok(Colour::Rgb),
        photometric::PALETTE => palette(tiff, directory).map(Colour::Palette),
        photometric::CMYK => Ok(Colour::Cmyk { inverted: false }),
        // The JPEG decoder turns it into RGB.
        photometric::YCBCR if matches!(compression, Compression::Jpeg { .. }) => Ok(Colour::Rgb),
        photometric::YCBCR => Err(PageDefect::Unsupported("TIFF of YCbCr samples without JPEG".into())),
        photometric::CIE_LAB => Ok(Colour::Lab { biased: false }),
        photometric::ICC_LAB => Ok(Colour::Lab { biased: true }),
        other => Err(PageDefect::Unsupported(format!("TIFF photometric interpretation {other}"))),
    }
}

/// RGB triples from three tables of 16-bit values.
fn palette(tiff: &Tiff, directory: &Directory) -> Result<Vec<u8>, PageDefect> {
    let table = directory.integers(tiff, tag::COLOR_MAP).unwrap_or_default();
    let entries = table.len() / 3;
    if entries == 0 || entries > 256 {
        return Err(PageDefect::Damaged("TIFF: a palette page without a palette of its size".into()));
    }
    // Some writers store 8-bit values.
    let shift = if table.iter().all(|&value| value < 256) { 0 } else { 8 };
    let channel = |entry: usize, channel: usize| (table[channel * entries + entry] >> shift) as u8;
    Ok((0..entries).flat_map(|entry| [channel(entry, 0), channel(entry, 1), channel(entry, 2)]).collect())
}

/// Bits a sample: the same for all channels.
fn bits(tiff: &Tiff, directory: &Directory) -> Result<u8, PageDefect> {
    const UNSIGNED: u64 = 1;
    const UNDEFINED: u64 = 4;
    let bits = directory.integers(tiff, tag::BITS_PER_SAMPLE).unwrap_or_else(|| vec![1]);
    let formats = directory.integers(tiff, tag::SAMPLE_FORMAT).unwrap_or_default();
    let is_plain = formats.iter().all(|format| matches!(*format, UNSIGNED | UNDEFINED));
    match bits.first() {
        Some(&(1 | 2 | 4 | 8 | 16)) if is_plain && bits.iter().all(|other| *other == bits[0]) => {
            Ok(bits[0] as u8)
        }
        _ => Err(PageDefect::Unsupported(format!("TIFF of {bits:?} bits a sample, format {formats:?}"))),
    }
}

fn alpha(tiff: &Tiff, directory: &Directory, channels: usize, colours: usize) -> Option<Alpha> {
    if channels == colours {
        return None;
    }
    match directory.integer(tiff, tag::EXTRA_SAMPLES) {
        Some(1) => Some(Alpha::Premultiplied),
        Some(2) => Some(Alpha::Straight),
        _ => None,
    }
}

fn predictor(tiff: &Tiff, directory: &Directory) -> Result<bool, PageDefect> {
    match directory.integer(tiff, tag::PREDICTOR).unwrap_or(1) {
        1 => Ok(false),
        2 => Ok(true),
        other => Err(PageDefect::Unsupported(format!("TIFF predictor {other}"))),
    }
}

/// Offsets and lengths of strips or tiles. A file without lengths (old writers) has one strip up to its end.
fn chunks(tiff: &Tiff, directory: &Directory, tiled: bool) -> Option<Vec<(u64, u64)>> {
    let (offsets_tag, lengths_tag) = if tiled {
        (tag::TILE_OFFSETS, tag::TILE_BYTE_COUNTS)
    } else {
        (tag::STRIP_OFFSETS, tag::STRIP_BYTE_COUNTS)
    };
    let offsets = directory.integers(tiff, offsets_tag)?;
    let lengths = match (directory.integers(tiff, lengths_tag), offsets.as_slice()) {
        (Some(lengths), _) => lengths,
        (None, [offset]) => vec![tiff.len().checked_sub(*offset)?],
        (None, _) => return None,
    };
    Some(offsets.into_iter().zip(lengths).collect())
}
