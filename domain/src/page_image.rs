//! The image of a page as it is delivered: the original bytes wherever they can be passed through.
//!
//! `recognition` extracts it inside the box; `formats` wraps it into a PDF, JPEG or TIFF without decoding a sample.

use serde::{Deserialize, Serialize};

use crate::geometry::Orientation;
use crate::scan::Dpi;

/// One page's image, ready to be wrapped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageImage {
    /// Stored width in samples, before [`PageImage::orientation`].
    pub width: u32,
    /// Stored height in samples, before [`PageImage::orientation`].
    pub height: u32,
    /// Resolution of the stored samples (x along the stored width).
    pub dpi: Dpi,
    /// How the stored samples are to be displayed.
    pub orientation: Orientation,
    /// What a sample means.
    pub pixels: PixelFormat,
    /// How the samples are compressed.
    pub coding: Coding,
    /// The compressed samples.
    pub bytes: ImageBytes,
}

/// For which deliverable a page's image is wanted; it decides what may be passed through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Deliverable {
    /// A page of a PDF 1.4 file (PDF/A-1): everything but JPX.
    Pdf14,
    /// A page of a PDF 1.7 file (PDF/A-2 and later): everything.
    Pdf17,
    /// A JPEG file: the original JPEG, else encoded.
    Jpeg,
    /// A page of a TIFF file: G4 for bitonal pages, the original JPEG, else lossless.
    Tiff,
}

/// How samples are compressed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Coding {
    /// A whole JPEG stream.
    Jpeg,
    /// CCITT T.6 without end-of-line marks; each row starts on a byte boundary only where T.6 says so.
    G4,
    /// JBIG2 segments as PDF embeds them, and the global segments.
    Jbig2 {
        /// The `JBIG2Globals` stream, where there is one.
        globals: Option<Vec<u8>>,
    },
    /// A JPEG 2000 stream.
    Jpx,
    /// A zlib stream of rows that each start with a PNG filter byte (PDF's predictor 15). Never for
    /// [`Deliverable::Tiff`], which has no such predictor.
    FlatePng,
    /// A zlib stream of rows as a TIFF strip stores them (compression 8); only for [`Deliverable::Tiff`].
    FlateTiff {
        /// Samples are differences from their left neighbour (predictor 2); only those of 8 bits ever are.
        differences: bool,
    },
}

/// What a sample means.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PixelFormat {
    /// One bit; which value is black.
    Bitonal {
        /// A set bit is black. [`Coding::G4`] and [`Coding::Jbig2`] name their own foreground "black": there `true`
        /// means that it is displayed black (PDF's default for both), whatever bit a decoder writes for it.
        black_is_one: bool,
    },
    /// Grey of 1, 2, 4 or 8 bits, 0 black.
    Grey {
        /// Bits a sample.
        bits: u8,
    },
    /// sRGB, 8 bits a channel.
    Rgb,
    /// Indices into a table of sRGB triples.
    Palette {
        /// Bits an index: 1, 2, 4 or 8.
        bits: u8,
        /// Three bytes an entry.
        entries: Vec<u8>,
    },
}

/// Where the compressed samples are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ImageBytes {
    /// A range of the source itself: passed through without a copy.
    Source {
        /// First byte.
        offset: u64,
        /// Number of bytes.
        length: u64,
    },
    /// Bytes made for this deliverable.
    Owned(Vec<u8>),
}

impl PixelFormat {
    /// Bits a sample.
    #[must_use]
    pub const fn bits(&self) -> u8 {
        match self {
            Self::Bitonal { .. } => 1,
            Self::Grey { bits } | Self::Palette { bits, .. } => *bits,
            Self::Rgb => 8,
        }
    }

    /// Samples a pixel.
    #[must_use]
    pub const fn samples(&self) -> u8 {
        match self {
            Self::Rgb => 3,
            Self::Bitonal { .. } | Self::Grey { .. } | Self::Palette { .. } => 1,
        }
    }
}

impl PageImage {
    /// Width and height as displayed.
    #[must_use]
    pub const fn displayed_size(&self) -> (u32, u32) {
        self.orientation.displayed(self.width, self.height)
    }

    /// Resolution as displayed.
    #[must_use]
    pub const fn displayed_dpi(&self) -> Dpi {
        if self.orientation.turn.swaps_axes() { self.dpi.swapped() } else { self.dpi }
    }
}
