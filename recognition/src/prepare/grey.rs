//! A grey picture as plain bytes: what every step of clean-up and layout works on.

use crate::pix::Pix;

/// 8-bit grey samples, row after row, 0 black.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grey {
    /// Width in pixels.
    pub width: usize,
    /// Height in pixels.
    pub height: usize,
    /// `width` × `height` samples.
    pub samples: Vec<u8>,
}

/// Every so many samples one is looked at for the usual shade.
const SHADE_STEP: usize = 7;

impl Grey {
    /// A picture of one shade.
    #[must_use]
    pub fn filled(width: usize, height: usize, shade: u8) -> Self {
        Self { width, height, samples: vec![shade; width * height] }
    }

    /// One row's samples.
    #[must_use]
    pub fn row(&self, y: usize) -> &[u8] {
        &self.samples[y * self.width..(y + 1) * self.width]
    }

    /// One row's samples, to be written.
    pub fn row_mut(&mut self, y: usize) -> &mut [u8] {
        &mut self.samples[y * self.width..(y + 1) * self.width]
    }

    /// The median shade: paper, on any page that is read.
    #[must_use]
    pub fn usual_shade(&self) -> u8 {
        median(self.samples.iter().step_by(SHADE_STEP)).unwrap_or(u8::MAX)
    }

    /// From a Leptonica image of 8 bits a pixel without colour map.
    #[must_use]
    pub fn from_pix(pix: &Pix) -> Self {
        let (width, height) = (pix.width() as usize, pix.height() as usize);
        let mut grey = Self::filled(width, height, 0);
        for (y, words) in pix.words().chunks_exact(pix.words_per_row()).enumerate() {
            copy_bytes(words, grey.row_mut(y));
        }
        grey
    }

    /// As a Leptonica image; `None` without memory for it.
    #[must_use]
    pub fn to_pix(&self) -> Option<Pix> {
        let mut pix = Pix::new(self.width as u32, self.height as u32, 8)?;
        let words_per_row = pix.words_per_row();
        for (y, words) in pix.words_mut().chunks_exact_mut(words_per_row).enumerate() {
            let row = self.row(y);
            let mut bytes = row.chunks_exact(4);
            let mut words = words.iter_mut();
            for (four, word) in bytes.by_ref().zip(words.by_ref()) {
                *word = u32::from_be_bytes([four[0], four[1], four[2], four[3]]);
            }
            if let Some(word) = words.next() {
                let mut four = [0; 4];
                four[..bytes.remainder().len()].copy_from_slice(bytes.remainder());
                *word = u32::from_be_bytes(four);
            }
        }
        Some(pix)
    }
}

/// The shade that half of the samples do not exceed; `None` of none.
pub fn median<'a>(samples: impl Iterator<Item = &'a u8>) -> Option<u8> {
    let mut counts = [0_usize; 256];
    samples.for_each(|&sample| counts[usize::from(sample)] += 1);
    let half = counts.iter().sum::<usize>() / 2;
    let mut seen = 0;
    let median = counts.iter().position(|count| {
        seen += count;
        seen > half
    });
    median.map(|shade| shade as u8)
}

/// Unpacks words into the bytes that Leptonica keeps in them, most significant first.
fn copy_bytes(words: &[u32], bytes: &mut [u8]) {
    for (four, word) in bytes.chunks_mut(4).zip(words) {
        four.copy_from_slice(&word.to_be_bytes()[..four.len()]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_one() {
        assert_eq!(median([9, 1, 7, 200, 3].iter()), Some(7));
        assert_eq!(median([4, 8].iter()), Some(8));
        assert_eq!(median([].iter()), None);
        assert_eq!(Grey::filled(0, 0, 0).usual_shade(), 255);
    }

    #[test]
    fn samples_survive_the_way_through_leptonica() {
        for width in 1..9 {
            let samples = (0..width * 3).map(|sample| (sample * 29 % 256) as u8).collect();
            let grey = Grey { width, height: 3, samples };
            assert_eq!(Grey::from_pix(&grey.to_pix().unwrap()), grey);
        }
    }
}
