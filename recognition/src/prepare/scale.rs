//! Scaling down by area: every source pixel counts with the part of it that a result pixel covers.

use super::grey::Grey;

/// Fixed-point one for weights. A column's weighted sum stays below 2¹⁶, so that vector code takes eight at a time.
const ONE: u16 = 1 << 8;

/// Scales to `width` × `height`; enlarging interpolates linearly.
#[must_use]
pub fn to_size(grey: &Grey, width: usize, height: usize) -> Grey {
    let (width, height) = (width.max(1), height.max(1));
    if (width, height) == (grey.width, grey.height) || grey.samples.is_empty() {
        return grey.clone();
    }
    let (columns, rows) = (Taps::new(grey.width, width), Taps::new(grey.height, height));
    let across = match columns.reach {
        1 => across_by::<1>,
        2 => across_by::<2>,
        3 => across_by::<3>,
        4 => across_by::<4>,
        _ => across,
    };
    let mut result = Grey::filled(width, height, 0);
    let mut sums = vec![0_u16; grey.width];
    for y in 0..height {
        let (first, weights) = rows.of(y);
        sums.fill(0);
        for (offset, &weight) in weights.iter().enumerate().filter(|(_, weight)| **weight > 0) {
            for (sum, &sample) in sums.iter_mut().zip(grey.row(first + offset)) {
                *sum = sum.wrapping_add(u16::from(sample).wrapping_mul(weight));
            }
        }
        across(&sums, &columns, result.row_mut(y));
    }
    result
}

/// A row of the result from sums over the source's columns, each of `N` columns.
fn across_by<const N: usize>(sums: &[u16], columns: &Taps, row: &mut [u8]) {
    let (weights, _) = columns.weights.as_chunks::<N>();
    for ((sample, &first), weights) in row.iter_mut().zip(&columns.firsts).zip(weights) {
        let covered = &sums[first..first + N];
        *sample = rounded(covered.iter().zip(weights));
    }
}

/// The same for any number of columns.
fn across(sums: &[u16], columns: &Taps, row: &mut [u8]) {
    for (x, sample) in row.iter_mut().enumerate() {
        let (first, weights) = columns.of(x);
        *sample = rounded(sums[first..].iter().zip(weights));
    }
}

fn rounded<'a>(weighted: impl Iterator<Item = (&'a u16, &'a u16)>) -> u8 {
    let sum: u32 = weighted.map(|(&sum, &weight)| u32::from(sum) * u32::from(weight)).sum();
    ((sum + (1 << 15)) >> 16) as u8
}

/// The source pixels that each result pixel is made of, the same number for all; their weights sum up to [`ONE`].
struct Taps {
    reach: usize,
    firsts: Vec<usize>,
    weights: Vec<u16>,
}

impl Taps {
    fn new(from: usize, to: usize) -> Self {
        let ratio = from as f64 / to as f64;
        let tap = |index| if ratio > 1.0 { area(index, ratio, from) } else { linear(index, ratio, from) };
        let taps: Vec<(usize, Vec<u16>)> = (0..to).map(tap).collect();
        let reach = taps.iter().map(|tap| tap.1.len()).max().unwrap_or(1);
        let mut firsts = Vec::with_capacity(to);
        let mut weights = vec![0; reach * to];
        for ((first, own), weights) in taps.into_iter().zip(weights.chunks_exact_mut(reach)) {
            // Those at the end start earlier, with pixels that do not count.
            let start = first.min(from - reach);
            weights[first - start..][..own.len()].copy_from_slice(&own);
            firsts.push(start);
        }
        Self { reach, firsts, weights }
    }

    /// First source pixel of a result pixel, and the weights from there on.
    fn of(&self, index: usize) -> (usize, &[u16]) {
        (self.firsts[index], &self.weights[index * self.reach..(index + 1) * self.reach])
    }
}

fn area(index: usize, ratio: f64, from: usize) -> (usize, Vec<u16>) {
    let (start, end) = (index as f64 * ratio, ((index + 1) as f64 * ratio).min(from as f64));
    let first = (start as usize).min(from - 1);
    let last = ((end.ceil() as usize).max(first + 1)).min(from);
    let covered = |pixel: usize| end.min((pixel + 1) as f64) - start.max(pixel as f64);
    (first, normalised(&(first..last).map(covered).collect::<Vec<f64>>()))
}

fn linear(index: usize, ratio: f64, from: usize) -> (usize, Vec<u16>) {
    let centre = ((index as f64 + 0.5) * ratio - 0.5).clamp(0.0, (from - 1) as f64);
    let first = centre as usize;
    let part = centre - first as f64;
    let shares = if first + 1 < from { vec![1.0 - part, part] } else { vec![1.0] };
    (first, normalised(&shares))
}

/// Rounds the shares to fixed point; what rounding leaves goes to the largest.
fn normalised(shares: &[f64]) -> Vec<u16> {
    let total: f64 = shares.iter().sum();
    let mut weights: Vec<u16> = shares.iter().map(|share| (share / total * f64::from(ONE)) as u16).collect();
    let missing = ONE.saturating_sub(weights.iter().sum());
    if let Some(largest) = weights.iter_mut().max() {
        *largest += missing;
    }
    weights
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
