//! From an engine's own percents to how often words of that confidence are right.

use pagemill_domain::page_text::Confidence;

/// Tesseract's percents and the share of words that are right there, measured on 14,041 words of 32 scans; straight
/// lines between. The bench draws the curve anew (`docs/benchmarks.md`).
const KNOTS: [(f64, f64); 8] = [
    (0.0, 0.0),
    (60.0, 52.0),
    (70.0, 66.0),
    (80.0, 73.0),
    (87.5, 83.0),
    (92.5, 96.0),
    (96.5, 99.0),
    (100.0, 100.0),
];

/// The calibrated confidence of a word.
#[must_use]
pub(super) fn calibrated(percent: f32) -> Confidence {
    let percent = f64::from(percent).clamp(0.0, 100.0);
    let segment = KNOTS.windows(2).find(|pair| percent <= pair[1].0);
    let value = segment.map_or(0.0, |pair| {
        let part = (percent - pair[0].0) / (pair[1].0 - pair[0].0);
        pair[0].1 + part * (pair[1].1 - pair[0].1)
    });
    Confidence::from_percent(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_keeps_the_order_and_the_ends() {
        let all: Vec<u8> = (0..=100).map(|percent| calibrated(percent as f32).percent()).collect();
        assert!(all.is_sorted(), "{all:?}");
        assert_eq!((all[0], all[80], all[100]), (0, 73, 100));
        assert_eq!(calibrated(f32::NAN).percent(), 0);
    }
}
