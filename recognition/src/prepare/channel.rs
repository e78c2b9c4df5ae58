//! From any decoded page to grey: the channel in which coloured stamps and pens are faintest.

use super::grey::Grey;
use crate::pix::Pix;

/// Pixels that are taken at a time.
const STRIDE: usize = 16;

/// The page as grey. Of a colour page each pixel's brightest channel counts: red stamps and blue pens fade, black print
/// stays black.
#[must_use]
pub fn brightest(pix: &Pix) -> Grey {
    grey_by(pix, |[red, green, blue]| red.max(green).max(blue))
}

/// The page as grey by each pixel's darkest channel: any colour leaves a trace here.
#[must_use]
pub fn darkest(pix: &Pix) -> Grey {
    grey_by(pix, |[red, green, blue]| red.min(green).min(blue))
}

fn grey_by(pix: &Pix, of_colour: impl Fn([u8; 3]) -> u8) -> Grey {
    match pix.depth() {
        1 => from_bits(pix),
        8 => Grey::from_pix(pix),
        _ => {
            let mut grey = Grey::filled(pix.width() as usize, pix.height() as usize, 0);
            for (y, words) in pix.words().chunks_exact(pix.words_per_row()).enumerate() {
                let (strides, last) = words.as_chunks::<STRIDE>();
                let (samples, last_samples) = grey.row_mut(y).as_chunks_mut::<STRIDE>();
                for (samples, words) in samples.iter_mut().zip(strides) {
                    reduce(words, samples, &of_colour);
                }
                for (sample, word) in last_samples.iter_mut().zip(last) {
                    reduce(std::array::from_ref(word), std::array::from_mut(sample), &of_colour);
                }
            }
            grey
        }
    }
}

/// Channel by channel, which is what vector code can do.
fn reduce<const N: usize>(words: &[u32; N], samples: &mut [u8; N], of_colour: impl Fn([u8; 3]) -> u8) {
    let channel = |shift: u32| {
        let mut channel = [0; N];
        for (sample, word) in channel.iter_mut().zip(words) {
            *sample = (word >> shift) as u8;
        }
        channel
    };
    let (red, green, blue) = (channel(24), channel(16), channel(8));
    for (at, sample) in samples.iter_mut().enumerate() {
        *sample = of_colour([red[at], green[at], blue[at]]);
    }
}

/// A set bit is black, as in every 1-bit Leptonica image.
fn from_bits(pix: &Pix) -> Grey {
    let mut grey = Grey::filled(pix.width() as usize, pix.height() as usize, 255);
    for (y, words) in pix.words().chunks_exact(pix.words_per_row()).enumerate() {
        for (samples, &word) in grey.row_mut(y).chunks_mut(32).zip(words) {
            if word == 0 {
                continue;
            }
            for (bit, sample) in samples.iter_mut().enumerate() {
                if word & (0x8000_0000 >> bit) != 0 {
                    *sample = 0;
                }
            }
        }
    }
    grey
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_red_stamp_fades_and_a_set_bit_is_black() {
        let mut colour = Pix::new(2, 1, 32).unwrap();
        colour.words_mut().copy_from_slice(&[0xd0_20_30_00, 0x10_12_11_00]);
        assert_eq!(brightest(&colour).samples, [0xd0, 0x12]);
        assert_eq!(darkest(&colour).samples, [0x20, 0x10]);
        let mut bits = Pix::new(34, 1, 1).unwrap();
        bits.words_mut().copy_from_slice(&[0x8000_0001, 0x4000_0000]);
        let black: Vec<usize> = (0..34).filter(|&x| brightest(&bits).samples[x] == 0).collect();
        assert_eq!(black, [0, 31, 33]);
    }
}
