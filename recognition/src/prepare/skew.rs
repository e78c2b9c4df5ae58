//! By how much a page is skewed.
#![allow(unsafe_code, reason = "Leptonica's skew search")]

use leptess::capi;

use super::bits::{self, WORD_PIXELS};
use super::grey::Grey;
use super::scale;
use crate::pix::Pix;

/// Width to which the page is scaled for the search: letters blur into lines, which is all that it needs.
const SEARCH_WIDTH: usize = 900;

/// Angles that the search covers, in degrees each way: scanners with a feeder stay far below.
const ANGLE_MAX_DEGREES: f32 = 6.0;

/// Leptonica's measure of how clear the answer is; its own deskew trusts 3 and above (`skew.c`).
const CONFIDENCE_MIN: f32 = 3.0;

/// The clockwise rotation in degrees that straightens the page; `None` where nothing clear is found.
#[must_use]
pub fn straightening_degrees(grey: &Grey, ink_below: u8) -> Option<f64> {
    let small = if grey.width > SEARCH_WIDTH {
        scale::to_size(grey, SEARCH_WIDTH, grey.height * SEARCH_WIDTH / grey.width)
    } else {
        grey.clone()
    };
    let bits = to_bits(&small, ink_below)?;
    let (mut angle, mut confidence) = (0.0_f32, 0.0_f32);
    // SAFETY: `bits` is a valid 1-bit image; both results point to live floats. The reductions are powers of two.
    let code = unsafe {
        capi::pixFindSkewSweepAndSearch(
            bits.as_ptr(),
            &raw mut angle,
            &raw mut confidence,
            2,
            1,
            ANGLE_MAX_DEGREES,
            1.0,
            0.02,
        )
    };
    (code == 0 && confidence >= CONFIDENCE_MIN).then_some(f64::from(angle))
}

/// Pixels darker than `ink_below` as set bits.
#[must_use]
pub fn to_bits(grey: &Grey, ink_below: u8) -> Option<Pix> {
    let mut pix = Pix::new(grey.width as u32, grey.height as u32, 1)?;
    let words_per_row = pix.words_per_row();
    let mut row = vec![0; grey.width.div_ceil(WORD_PIXELS)];
    for (y, words) in pix.words_mut().chunks_exact_mut(words_per_row).enumerate() {
        bits::mark_darker(grey.row(y), ink_below, &mut row);
        for (pair, word) in words.chunks_mut(2).zip(&row) {
            // Leptonica's first pixel is the highest bit of 32.
            let turned = word.reverse_bits();
            for (half, bits) in pair.iter_mut().zip([turned >> 32, turned]) {
                *half = bits as u32;
            }
        }
    }
    Some(pix)
}
