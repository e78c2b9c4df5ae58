//! Turning by quarters, and by the small angle that straightens a page.

use pagemill_domain::geometry::Turn;

use super::grey::Grey;

/// The picture turned clockwise by quarters.
#[must_use]
pub fn by_quarters(grey: &Grey, turn: Turn) -> Grey {
    let (width, height) = (grey.width, grey.height);
    match turn {
        Turn::None => grey.clone(),
        Turn::Half => Grey { width, height, samples: grey.samples.iter().rev().copied().collect() },
        Turn::Right | Turn::Left => {
            let mut result = Grey::filled(height, width, 255);
            for y in 0..height {
                for (x, &sample) in grey.row(y).iter().enumerate() {
                    let (to_x, to_y) =
                        if turn == Turn::Right { (height - 1 - y, x) } else { (y, width - 1 - x) };
                    result.samples[to_y * height + to_x] = sample;
                }
            }
            result
        }
    }
}

/// Fixed-point bits of a source position; the upper eight of them weigh the pixels around it.
const FRACTION_BITS: u32 = 16;

/// The picture rotated clockwise about its centre, interpolated; what comes from outside is `ground`.
#[must_use]
pub fn by_angle(grey: &Grey, radians: f64, ground: u8) -> Grey {
    let (sin, cos) = radians.sin_cos();
    let (centre_x, centre_y) = (grey.width as f64 / 2.0, grey.height as f64 / 2.0);
    // An error of 2⁻¹⁷ pixels a step stays far below a pixel over any row.
    let one = f64::from(1 << FRACTION_BITS);
    let step = ((cos * one).round() as i64, (-sin * one).round() as i64);
    let mut result = Grey::filled(grey.width, grey.height, ground);
    for y in 0..grey.height {
        let (dx, dy) = (-centre_x, y as f64 - centre_y);
        let mut from = (
            ((centre_x + dx * cos + dy * sin) * one) as i64,
            ((centre_y - dx * sin + dy * cos) * one) as i64,
        );
        let mut row = result.row_mut(y);
        while !row.is_empty() {
            let stretch = Stretch::at(grey, from, step, row.len());
            let length = stretch.as_ref().map_or(1, |stretch| stretch.length);
            let (target, rest) = row.split_at_mut(length);
            if let Some(stretch) = stretch {
                stretch.interpolate(grey, target);
            }
            row = rest;
            from = (from.0 + length as i64 * step.0, from.1 + length as i64 * step.1);
        }
    }
    result
}

/// Pixels of a result's row that come from two rows of the source, column by column: with small angles many.
struct Stretch {
    /// Source pixel above and left of the first one.
    left: usize,
    top: usize,
    length: usize,
    /// How far right of and below it the first one lies.
    part: (u16, u16),
    /// By how much that changes from pixel to pixel, modulo one.
    drift: (u16, u16),
}

impl Stretch {
    /// The stretch from a source position on, at most `length_max` long; `None` outside the source.
    fn at(grey: &Grey, from: (i64, i64), step: (i64, i64), length_max: usize) -> Option<Self> {
        let one = 1 << FRACTION_BITS;
        let (left, top) = (from.0 >> FRACTION_BITS, from.1 >> FRACTION_BITS);
        if left < 0 || top < 0 || left + 1 >= grey.width as i64 || top + 1 >= grey.height as i64 {
            return None;
        }
        let part = (from.0 & (one - 1), from.1 & (one - 1));
        // Steps until the source's row, or its column apart from one a step, changes.
        let steps = |part: i64, drift: i64| match drift {
            0 => i64::MAX,
            1.. => (one - 1 - part) / drift,
            _ => part / -drift,
        };
        let steady = steps(part.0, step.0 - one).min(steps(part.1, step.1));
        let inside = grey.width as i64 - 2 - left;
        let length = (steady.min(inside) as usize).saturating_add(1).min(length_max);
        let (part, drift) = ((part.0 as u16, part.1 as u16), (step.0 as u16, step.1 as u16));
        Some(Self { left: left as usize, top: top as usize, length, part, drift })
    }

    /// Mixes the four pixels around each position. All fits 16 bits but the last step: vector code takes eight at a
    /// time.
    fn interpolate(&self, grey: &Grey, target: &mut [u8]) {
        let length = target.len();
        let (above, below) = (&grey.row(self.top)[self.left..], &grey.row(self.top + 1)[self.left..]);
        let (above, above_right) = (&above[..length], &above[1..=length]);
        let (below, below_right) = (&below[..length], &below[1..=length]);
        for (x, sample) in target.iter_mut().enumerate() {
            let part = |start: u16, drift: u16| start.wrapping_add((x as u16).wrapping_mul(drift)) >> 8;
            let (right, down) = (part(self.part.0, self.drift.0), part(self.part.1, self.drift.1));
            let mix = |one: u8, other: u8| u16::from(one) * (256 - right) + u16::from(other) * right;
            let upper = u32::from(mix(above[x], above_right[x])) * u32::from(256 - down);
            let lower = u32::from(mix(below[x], below_right[x])) * u32::from(down);
            *sample = ((upper + lower + (1 << 15)) >> 16) as u8;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prepare::mapping::Mapping;

    #[test]
    fn a_dot_is_found_again_through_the_mapping() {
        let mut page = Grey::filled(200, 100, 255);
        for y in 20..24 {
            page.row_mut(y)[150..154].fill(0);
        }
        let radians = 3.0_f64.to_radians();
        let rotated = by_angle(&page, radians, 255);
        let back = Mapping::undoing_rotation(radians, 100.0, 50.0);
        let darkest = (0..rotated.samples.len()).min_by_key(|&at| rotated.samples[at]).unwrap();
        let (x, y) = back.apply((darkest % 200) as f64, (darkest / 200) as f64);
        assert!((150.0..154.0).contains(&x) && (20.0..24.0).contains(&y), "{x} {y}");
        for turn in [Turn::None, Turn::Right, Turn::Half, Turn::Left] {
            let turned = by_quarters(&page, turn);
            let dark = turned.samples.iter().position(|&sample| sample == 0).unwrap();
            let back = Mapping::undoing_turn(turn, turned.width as f64, turned.height as f64);
            let at = ((dark % turned.width) as f64 + 0.5, (dark / turned.width) as f64 + 0.5);
            let (x, y) = back.apply(at.0, at.1);
            assert!((150.0..154.0).contains(&x) && (20.0..24.0).contains(&y), "{turn:?} {x} {y}");
        }
    }
}
