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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prepare::grey::Grey;

    /// Rows of angles as high as letters, with a dot over every second one.
    fn print(height: usize, letters: usize) -> Components {
        let (pitch, stroke) = (height * 2, (height / 6).max(2));
        let mut grey = Grey::filled(10 * pitch + 1, (letters / 10 + 2) * pitch, 255);
        for letter in 0..letters {
            let (left, top) = (letter % 10 * pitch, (letter / 10 + 1) * pitch);
            for y in 0..height {
                let width = if y + stroke < height { stroke } else { height };
                grey.row_mut(top + y)[left..left + width].fill(0);
            }
            if letter % 2 == 0 {
                grey.row_mut(top - 4)[left..left + 3].fill(0);
            }
        }
        Components::find(&grey, |_| 128)
    }

    #[test]
    fn the_median_letter_counts_and_few_letters_tell_nothing() {
        for height in [14, 27, 60] {
            assert_eq!(of(&print(height, 90)), Some(height as f64));
        }
        assert_eq!(of(&print(27, 50)), None);
        assert_eq!(of(&print(250, 70)), None, "nothing that high is a letter");
    }

    #[test]
    fn a_resolution_is_believed_unless_print_would_be_odd() {
        let one = |pixels, dpi| disproportion(pixels, dpi).to_bits() == 1.0_f64.to_bits();
        assert!(one(27.0, 300.0) && one(18.0, 200.0) && one(45.0, 300.0) && one(20.0, 300.0));
        // Scanned at 300, the file says 72 or 600.
        assert!((disproportion(27.0, 72.0) - 300.0 / 72.0).abs() < 1e-9);
        assert!((disproportion(27.0, 600.0) - 0.5).abs() < 1e-9);
    }
}
