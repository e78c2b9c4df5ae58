//! Scaling down by area: every source pixel counts with the part of it that a result pixel covers.

use super::grey::Grey;

/// Fixed-point one for weights.
const ONE: u32 = 1 << 8;

/// Scales to `width` × `height`; enlarging interpolates linearly.
#[must_use]
pub fn to_size(grey: &Grey, width: usize, height: usize) -> Grey {
    let (width, height) = (width.max(1), height.max(1));
    if (width, height) == (grey.width, grey.height) || grey.samples.is_empty() {
        return grey.clone();
    }
    let columns = taps(grey.width, width);
    let mut result = Grey::filled(width, height, 255);
    let mut sums = vec![0_u32; grey.width];
    for (y, tap) in taps(grey.height, height).iter().enumerate() {
        sums.fill(0);
        for (offset, &weight) in tap.weights.iter().enumerate() {
            for (sum, &sample) in sums.iter_mut().zip(grey.row(tap.first + offset)) {
                *sum += u32::from(sample) * weight;
            }
        }
        for (sample, tap) in result.row_mut(y).iter_mut().zip(&columns) {
            let covered = &sums[tap.first..tap.first + tap.weights.len()];
            let sum: u32 = covered.iter().zip(&tap.weights).map(|(sum, weight)| sum * weight).sum();
            *sample = ((sum + ONE * ONE / 2) / (ONE * ONE)) as u8;
        }
    }
    result
}

/// Source pixels that one result pixel is made of; their weights sum up to [`ONE`].
struct Tap {
    first: usize,
    weights: Vec<u32>,
}

fn taps(from: usize, to: usize) -> Vec<Tap> {
    let ratio = from as f64 / to as f64;
    (0..to)
        .map(|index| if ratio > 1.0 { area(index, ratio, from) } else { linear(index, ratio, from) })
        .collect()
}

fn area(index: usize, ratio: f64, from: usize) -> Tap {
    let (start, end) = (index as f64 * ratio, ((index + 1) as f64 * ratio).min(from as f64));
    let first = (start as usize).min(from - 1);
    let last = ((end.ceil() as usize).max(first + 1)).min(from);
    let covered = |pixel: usize| end.min((pixel + 1) as f64) - start.max(pixel as f64);
    normalised(first, &(first..last).map(covered).collect::<Vec<f64>>())
}

fn linear(index: usize, ratio: f64, from: usize) -> Tap {
    let centre = ((index as f64 + 0.5) * ratio - 0.5).clamp(0.0, (from - 1) as f64);
    let first = centre as usize;
    let part = centre - first as f64;
    let shares = if first + 1 < from { vec![1.0 - part, part] } else { vec![1.0] };
    normalised(first, &shares)
}

/// Rounds the shares to fixed point; what rounding leaves goes to the largest.
fn normalised(first: usize, shares: &[f64]) -> Tap {
    let total: f64 = shares.iter().sum();
    let mut weights: Vec<u32> = shares.iter().map(|share| (share / total * f64::from(ONE)) as u32).collect();
    let missing = ONE.saturating_sub(weights.iter().sum());
    if let Some(largest) = weights.iter_mut().max() {
        *largest += missing;
    }
    Tap { first, weights }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn area_means_are_exact_and_ends_stay_inside() {
        let grey = Grey { width: 4, height: 2, samples: vec![0, 100, 200, 40, 100, 200, 0, 60] };
        assert_eq!(to_size(&grey, 2, 1).samples, [100, 75]);
        for (width, height) in [(1, 1), (3, 2), (7, 5), (4, 1)] {
            let scaled = to_size(&Grey::filled(5, 3, 255), width, height);
            assert_eq!(scaled, Grey::filled(width, height, 255));
        }
    }
}
