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

/// Fixed-point bits of a source position.
const FRACTION_BITS: u32 = 8;

/// The picture rotated clockwise about its centre, interpolated; what comes from outside is `ground`.
#[must_use]
pub fn by_angle(grey: &Grey, radians: f64, ground: u8) -> Grey {
    let (sin, cos) = radians.sin_cos();
    let (centre_x, centre_y) = (grey.width as f64 / 2.0, grey.height as f64 / 2.0);
    let one = f64::from(1 << FRACTION_BITS);
    // 8 more bits for the steps: an error of 2⁻¹⁷ pixels a step stays far below a pixel over any row.
    let step = one * 256.0;
    let (step_x, step_y) = ((cos * step).round() as i64, (-sin * step).round() as i64);
    let mut result = Grey::filled(grey.width, grey.height, ground);
    for y in 0..grey.height {
        let (dx, dy) = (-centre_x, y as f64 - centre_y);
        let mut from_x = ((centre_x + dx * cos + dy * sin) * step) as i64;
        let mut from_y = ((centre_y - dx * sin + dy * cos) * step) as i64;
        for sample in result.row_mut(y) {
            if let Some(shade) = interpolated(grey, from_x >> 8, from_y >> 8) {
                *sample = shade;
            }
            from_x += step_x;
            from_y += step_y;
        }
    }
    result
}

/// The shade at a fixed-point position; `None` outside.
fn interpolated(grey: &Grey, x: i64, y: i64) -> Option<u8> {
    let (left, top) = (x >> FRACTION_BITS, y >> FRACTION_BITS);
    if left < 0 || top < 0 || left + 1 >= grey.width as i64 || top + 1 >= grey.height as i64 {
        return None;
    }
    let (part_x, part_y) = ((x & 255) as u32, (y & 255) as u32);
    let at = top as usize * grey.width + left as usize;
    let (above, below) = (&grey.samples[at..at + 2], &grey.samples[at + grey.width..at + grey.width + 2]);
    let mix = |pair: &[u8]| u32::from(pair[0]) * (256 - part_x) + u32::from(pair[1]) * part_x;
    Some(((mix(above) * (256 - part_y) + mix(below) * part_y + (1 << 15)) >> 16) as u8)
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
