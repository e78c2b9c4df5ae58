//! Decoded samples in the forms in which they are delivered, and their way into a [`Pix`].

use pagemill_domain::page_image::PixelFormat;
use pagemill_domain::scan::PageDefect;

use crate::pix::Pix;

/// A decoded image whose samples keep their meaning: what a lossless deliverable is written from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Raster {
    /// Width in pixels.
    pub(crate) width: u32,
    /// Height in pixels.
    pub(crate) height: u32,
    /// What a sample means.
    pub(crate) pixels: PixelFormat,
    /// Packed rows, the first sample in the most significant bits; each row starts on a byte.
    pub(crate) rows: Vec<u8>,
}

/// Bits of one pixel.
pub(crate) fn bits_per_pixel(pixels: &PixelFormat) -> usize {
    match pixels {
        PixelFormat::Bitonal { .. } => 1,
        PixelFormat::Grey { bits } | PixelFormat::Palette { bits, .. } => usize::from(*bits),
        PixelFormat::Rgb => 24,
    }
}

impl Raster {
    /// Bytes of one packed row.
    pub(crate) fn row_bytes(&self) -> usize {
        (self.width as usize * bits_per_pixel(&self.pixels)).div_ceil(8)
    }

    /// The same picture as a [`Pix`] of 1, 8 or 32 bits without a colour map.
    pub(crate) fn to_pix(&self) -> Result<Pix, PageDefect> {
        match &self.pixels {
            PixelFormat::Bitonal { black_is_one } => self.bitonal_pix(*black_is_one),
            PixelFormat::Grey { bits: 1 } => self.bitonal_pix(false),
            PixelFormat::Grey { bits: 8 } => self.byte_pix(),
            PixelFormat::Grey { bits } => {
                let top = (1_u32 << bits) - 1;
                let levels: Vec<u8> = (0..=top).map(|level| (level * 255 / top) as u8).collect();
                self.looked_up_grey(*bits, &levels)
            }
            PixelFormat::Rgb => self.rgb_pix(),
            PixelFormat::Palette { bits, entries } => {
                let (entries, _) = entries.as_chunks::<3>();
                if entries.iter().all(|[red, green, blue]| red == green && green == blue) {
                    let levels: Vec<u8> = entries.iter().map(|entry| entry[0]).collect();
                    self.looked_up_grey(*bits, &levels)
                } else {
                    self.looked_up_colour(*bits, entries)
                }
            }
        }
    }

    fn bitonal_pix(&self, black_is_one: bool) -> Result<Pix, PageDefect> {
        let flip = if black_is_one { 0 } else { u32::MAX };
        let width = self.width;
        self.pix_of_rows(1, |row, words| {
            pack_words(row, words, flip);
            clear_padding(words, width);
        })
    }

    fn byte_pix(&self) -> Result<Pix, PageDefect> {
        self.pix_of_rows(8, |row, words| pack_words(row, words, 0))
    }

    fn rgb_pix(&self) -> Result<Pix, PageDefect> {
        self.pix_of_rows(32, |row, words| {
            for (word, &[red, green, blue]) in words.iter_mut().zip(row.as_chunks::<3>().0) {
                *word = u32::from_be_bytes([red, green, blue, 0]);
            }
        })
    }

    fn looked_up_grey(&self, bits: u8, levels: &[u8]) -> Result<Pix, PageDefect> {
        let width = self.width as usize;
        let mut bytes = vec![0; width];
        self.pix_of_rows(8, |row, words| {
            for (x, byte) in bytes.iter_mut().enumerate() {
                *byte = levels.get(sample(row, x, bits)).copied().unwrap_or(0);
            }
            pack_words(&bytes, words, 0);
        })
    }

    fn looked_up_colour(&self, bits: u8, entries: &[[u8; 3]]) -> Result<Pix, PageDefect> {
        self.pix_of_rows(32, |row, words| {
            for (x, word) in words.iter_mut().enumerate() {
                let [red, green, blue] = entries.get(sample(row, x, bits)).copied().unwrap_or_default();
                *word = u32::from_be_bytes([red, green, blue, 0]);
            }
        })
    }

    fn pix_of_rows(&self, depth: u32, mut fill: impl FnMut(&[u8], &mut [u32])) -> Result<Pix, PageDefect> {
        let mut pix = Pix::new(self.width, self.height, depth)
            .ok_or_else(|| PageDefect::Damaged("no image of this size can be made".into()))?;
        let words_per_row = pix.words_per_row();
        let rows = self.rows.chunks_exact(self.row_bytes());
        for (row, words) in rows.zip(pix.words_mut().chunks_exact_mut(words_per_row)) {
            fill(row, words);
        }
        Ok(pix)
    }
}

/// The `x`th sample of a packed row of 1, 2, 4 or 8 bits a sample.
pub(crate) fn sample(row: &[u8], x: usize, bits: u8) -> usize {
    let bits = usize::from(bits);
    let position = x * bits;
    let shift = 8 - bits - position % 8;
    (usize::from(row[position / 8]) >> shift) & ((1 << bits) - 1)
}

/// Packs bytes into big-endian words, as Leptonica wants them, and flips the bits of `flip`.
fn pack_words(row: &[u8], words: &mut [u32], flip: u32) {
    let (whole, rest) = row.as_chunks::<4>();
    for (word, bytes) in words.iter_mut().zip(whole) {
        *word = u32::from_be_bytes(*bytes) ^ flip;
    }
    if let (false, Some(word)) = (rest.is_empty(), words.get_mut(whole.len())) {
        let mut bytes = [0; 4];
        bytes[..rest.len()].copy_from_slice(rest);
        *word = u32::from_be_bytes(bytes) ^ flip;
    }
}

/// Clears the bits of a bitonal row beyond its width: Leptonica counts them as white.
fn clear_padding(words: &mut [u32], width: u32) {
    let used = width % 32;
    if let (1.., Some(last)) = (used, words.last_mut()) {
        *last &= u32::MAX << (32 - used);
    }
}
