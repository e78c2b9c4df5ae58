//! Stretching a line's contrast, so that paper and ink of every scan mean the same to the network.

use super::ScaledLine;

/// The share of the dark extremes that is darker than black.
const BLACK_QUANTILE: f64 = 0.25;
/// The share of the light extremes that is darker than white.
const WHITE_QUANTILE: f64 = 0.75;

/// For each grey value, the network's input before rounding: about -1 for ink, 1 for paper.
///
/// Black is the lower quartile of the local minima along the middle row, white the upper quartile of its maxima.
pub(in super::super) fn normalise_contrast(line: &ScaledLine) -> [f32; 256] {
    let (minima, maxima) = extremes(line);
    let black = quantile(&minima, BLACK_QUANTILE) as f32;
    let white = quantile(&maxima, WHITE_QUANTILE) as f32;
    let contrast = (white - black) / 2.0;
    let contrast = if contrast > 0.0 { contrast } else { 1.0 };
    std::array::from_fn(|grey| (grey as f32 - black) / contrast - 1.0)
}

/// Histograms of the local minima and maxima along the middle row.
fn extremes(line: &ScaledLine) -> ([u32; 256], [u32; 256]) {
    let (mut minima, mut maxima) = ([0; 256], [0; 256]);
    let middle = &line.pixels[(line.height / 2) * line.width..][..line.width];
    for window in middle.windows(3) {
        let (before, here, after) = (window[0], window[1], window[2]);
        if (here < before && here <= after) || (here <= before && here < after) {
            minima[usize::from(here)] += 1;
        }
        if (here > before && here >= after) || (here >= before && here > after) {
            maxima[usize::from(here)] += 1;
        }
    }
    if minima.iter().all(|&count| count == 0) {
        minima[0] = 1;
    }
    if maxima.iter().all(|&count| count == 0) {
        maxima[255] = 1;
    }
    (minima, maxima)
}

/// The value below which `share` of the counts lie, interpolated within its bin.
fn quantile(histogram: &[u32; 256], share: f64) -> f64 {
    let total: u32 = histogram.iter().sum();
    let target = (share * f64::from(total)).clamp(1.0, f64::from(total));
    let mut sum = 0.0;
    for (value, &count) in histogram.iter().enumerate() {
        sum += f64::from(count);
        if sum >= target {
            return value as f64 + 1.0 - (sum - target) / f64::from(count.max(1));
        }
    }
    255.0
}
