//! From a grey crop of a line to the network's input.

mod contrast;
mod scale;

pub(super) use contrast::normalise_contrast;
use scale::scale_to_height;

/// Widest scaled line that is read, in pixels: at the model's height of 36 pixels a line of some 6,000 letters.
pub const LINE_WIDTH_MAX: usize = 32_768;
/// Tallest and widest crop, in pixels.
pub const CROP_SIDE_MAX: usize = 65_535;

/// A grey crop of one line of text, 0 black; it should leave 4 pixels around the letters, as Tesseract does.
#[derive(Debug, Clone, Copy)]
pub struct GreyLine<'a> {
    pixels: &'a [u8],
    width: usize,
    height: usize,
    stride: usize,
}

/// Why a crop cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LineError {
    /// The pixels do not make an image of the size given.
    #[error("line image of {width} × {height} pixels has {bytes} bytes at {stride} bytes a row")]
    Size {
        /// Width in pixels.
        width: usize,
        /// Height in pixels.
        height: usize,
        /// Bytes from row to row.
        stride: usize,
        /// Bytes there are.
        bytes: usize,
    },
    /// The line is too long for its height.
    #[error(
        "line image of {width} × {height} pixels would be wider than {LINE_WIDTH_MAX} pixels when scaled"
    )]
    TooLong {
        /// Width in pixels.
        width: usize,
        /// Height in pixels.
        height: usize,
    },
}

impl<'a> GreyLine<'a> {
    /// A crop whose rows start `stride` bytes apart, so that a line of a page needs no copy.
    pub fn new(pixels: &'a [u8], width: usize, height: usize, stride: usize) -> Result<Self, LineError> {
        let sides = 1..=CROP_SIDE_MAX;
        let fits = sides.contains(&width)
            && sides.contains(&height)
            && stride >= width
            && (height - 1)
                .checked_mul(stride)
                .and_then(|bytes| bytes.checked_add(width))
                .is_some_and(|bytes| bytes <= pixels.len());
        if !fits {
            return Err(LineError::Size { width, height, stride, bytes: pixels.len() });
        }
        Ok(Self { pixels, width, height, stride })
    }

    /// Width in pixels.
    #[must_use]
    pub const fn width(&self) -> usize {
        self.width
    }

    /// Height in pixels.
    #[must_use]
    pub const fn height(&self) -> usize {
        self.height
    }

    fn row(&self, y: usize) -> &'a [u8] {
        &self.pixels[y * self.stride..][..self.width]
    }

    fn at(&self, x: usize, y: usize) -> u8 {
        self.pixels[y * self.stride + x]
    }
}

/// A line at the model's height.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ScaledLine {
    /// Grey, row by row without gaps.
    pub(super) pixels: Vec<u8>,
    pub(super) width: usize,
    pub(super) height: usize,
}

impl ScaledLine {
    /// Scales a crop to `height` rows and sharpens it.
    pub(super) fn new(line: &GreyLine<'_>, height: usize) -> Result<Self, LineError> {
        let width = (line.width * height).div_ceil(line.height);
        if width > LINE_WIDTH_MAX {
            return Err(LineError::TooLong { width: line.width, height: line.height });
        }
        Ok(scale_to_height(line, height))
    }

    /// The same line with black and white changed over.
    pub(super) fn inverted(&self) -> Self {
        Self { pixels: self.pixels.iter().map(|pixel| !pixel).collect(), ..*self }
    }
}

#[cfg(test)]
mod tests;
