//! How high the print of a page is: what a file claims of its resolution may be wrong, and print may be small.

use crate::layout::components::Components;

/// Height of letters at 300 dpi in pixels on an ordinary page (13 point), weighted as [`of`] does. Measured on 32 scans:
/// 24 to 30.
const USUAL_AT_300_DPI: f64 = 27.0;

/// Letters are not lower than this, in pixels, nor higher than that.
const LETTER_PIXELS: std::ops::RangeInclusive<i32> = 5..=240;

/// Fewer letters tell nothing.
const LETTERS_MIN: usize = 60;

/// Gate: as long as print is so many times as high as is usual at the claimed resolution, the claim is believed.
const BELIEVED: std::ops::RangeInclusive<f64> = 0.62..=1.9;

/// Median height of letters in pixels, each counted by its width, so that marks and dots weigh little; `None` where
/// there are too few.
#[must_use]
pub fn of(components: &Components) -> Option<f64> {
    let mut letters: Vec<(i32, i32)> = components
        .list
        .iter()
        .filter(|one| {
            let (width, height) = (one.bounds.width(), one.bounds.height());
            LETTER_PIXELS.contains(&height)
                && width * 4 >= height
                && width <= height * 3
                && (15..=85).contains(&(one.area * 100 / (width * height)))
        })
        .map(|one| (one.bounds.height(), one.bounds.width()))
        .collect();
    if letters.len() < LETTERS_MIN {
        return None;
    }
    letters.sort_unstable();
    let half = letters.iter().map(|letter| i64::from(letter.1)).sum::<i64>() / 2;
    let mut seen = 0;
    let median = letters.iter().find(|letter| {
        seen += i64::from(letter.1);
        seen >= half
    });
    median.map(|letter| f64::from(letter.0))
}

/// By how many times a page's print is higher than is usual at the resolution that its file claims; 1 where the claim
/// is believed.
#[must_use]
pub fn disproportion(letter_pixels: f64, dpi: f64) -> f64 {
    let times = letter_pixels / (USUAL_AT_300_DPI * dpi / 300.0);
    if BELIEVED.contains(&times) { 1.0 } else { times }
}
