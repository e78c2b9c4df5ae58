//! What a scanner sees beside the paper: dark borders, torn corners, punch holes. They are painted over before the paper's
//! shade is taken, which they would darken.

use super::grey::Grey;
use crate::layout::components::{Component, Components};

/// Borders are darker than this part of the page's usual shade, in percents.
const DARK_PERCENT: u32 = 50;

/// How far from an edge borders are painted over, in inches: torn corners reach 25 mm.
const REACH_INCHES: f64 = 1.0;

/// Shortest border along the edge, in inches: what is shorter may be a letter that was cut off.
const LENGTH_MIN_INCHES: f64 = 0.5;

/// Thinnest border, in inches: a ruling that runs off the page is thinner.
const THICKNESS_MIN_INCHES: f64 = 0.03;

/// Size of punch holes in inches (4 to 9 mm; ISO 838: 6 ± 0.5), and how far their inner sides are from the edge (20 mm).
const HOLE_INCHES: std::ops::RangeInclusive<f64> = 0.16..=0.36;
const HOLE_REACH_INCHES: f64 = 0.8;

/// A disc fills π/4 of its box.
const DISC_FILLED: std::ops::RangeInclusive<f64> = 0.68..=0.9;

/// Blurred rim that goes with a border, in pixels.
const RIM: i32 = 3;

/// Paints borders and punch holes over with the page's usual shade.
pub fn clear(grey: &mut Grey, dpi: u32) {
    let paper = grey.usual_shade();
    let dark = (u32::from(paper) * DARK_PERCENT / 100) as u8;
    let found = Components::find(grey, |_| dark);
    let reach = (REACH_INCHES * f64::from(dpi)) as i32;
    let (width, height) = (grey.width as i32, grey.height as i32);
    for one in &found.list {
        let hole = is_hole(one, width, height, dpi);
        if !hole && !is_border(one, width, height, dpi) {
            continue;
        }
        for run in found.runs(one) {
            let inner = run.y >= reach && run.y < height - reach;
            for y in (run.y - RIM).max(0)..(run.y + RIM + 1).min(height) {
                let (left, right) = ((run.left - RIM).max(0), (run.right + RIM).min(width));
                let row = grey.row_mut(y as usize);
                if hole || !inner {
                    row[left as usize..right as usize].fill(paper);
                    continue;
                }
                // Beside the text only what is near the left or the right edge.
                for (from, to) in [(left, right.min(reach)), (left.max(width - reach), right)] {
                    if from < to {
                        row[from as usize..to as usize].fill(paper);
                    }
                }
            }
        }
    }
}

fn is_border(one: &Component, width: i32, height: i32, dpi: u32) -> bool {
    let pixels = |inches: f64| (inches * f64::from(dpi)) as i32;
    let bounds = one.bounds;
    let sides = bounds.left <= 1 || bounds.right >= width - 1;
    let ends = bounds.top <= 1 || bounds.bottom >= height - 1;
    let length = if sides && ends {
        bounds.width().max(bounds.height())
    } else if sides {
        bounds.height()
    } else {
        bounds.width()
    };
    (sides || ends)
        && length >= pixels(LENGTH_MIN_INCHES)
        && one.area >= length * pixels(THICKNESS_MIN_INCHES)
}

fn is_hole(one: &Component, width: i32, height: i32, dpi: u32) -> bool {
    let inches = |pixels: i32| f64::from(pixels) / f64::from(dpi);
    let bounds = one.bounds;
    let filled = f64::from(one.area) / f64::from(bounds.width() * bounds.height());
    let away = bounds.right.min(bounds.bottom).min(width - bounds.left).min(height - bounds.top);
    HOLE_INCHES.contains(&inches(bounds.width()))
        && HOLE_INCHES.contains(&inches(bounds.height()))
        && DISC_FILLED.contains(&filled)
        && inches(away) <= HOLE_REACH_INCHES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn borders_and_holes_go_and_cut_letters_and_rulings_stay() {
        let mut grey = Grey::filled(1400, 1980, 220);
        for y in 0..1980 {
            grey.row_mut(y)[1370..].fill(25);
        }
        for y in 900..945_usize {
            for x in 60..105_usize {
                if (x as f64 - 82.0).hypot(y as f64 - 922.0) < 20.0 {
                    grey.row_mut(y)[x] = 30;
                }
            }
        }
        let before = grey.clone();
        // A letter at the edge, a ruling that runs off the page, and print.
        for (left, top, width, height) in [(0, 300, 12, 18), (0, 600, 700, 3), (400, 1000, 12, 18)] {
            for y in top..top + height {
                grey.row_mut(y)[left..left + width].fill(30);
            }
        }
        clear(&mut grey, 170);
        assert_eq!((grey.row(5)[1390], grey.row(922)[82]), (220, 220));
        assert_eq!((grey.row(310)[5], grey.row(601)[20], grey.row(1010)[405]), (30, 30, 30));
        let mut empty = before;
        clear(&mut empty, 170);
        assert!(empty.samples.iter().all(|&sample| sample == 220));
    }
}
