//! Light print on dark areas: heads of tables, titles in boxes. They are turned into dark print on light, in a frame.

use super::grey::{self, Grey};
use super::scale;
use crate::layout::components::{Component, Components};

/// Side of the squares by which dark areas are found, in inches: wider than a stroke, narrower than a line.
const SQUARE_INCHES: f64 = 0.035;

/// Dark is below this part of the page's usual shade, in percents.
const DARK_PERCENT: u32 = 50;

/// Smallest area in inches: one line of small print high, a short word wide.
const HEIGHT_MIN_INCHES: f64 = 0.14;
const WIDTH_MIN_INCHES: f64 = 0.4;

/// Of an area's box this part is dark, in percents: less is a bold heading or a seal, more than the second a bar, which
/// bears no letters.
const FILLED_PERCENT_MIN: i32 = 60;

/// Lines of the frame, in pixels.
const FRAME: usize = 2;
const FRAME_SHADE: u8 = 40;

/// Inverts dark areas; without any, nothing changes.
pub fn turn_dark_on_light(grey: &mut Grey, dpi: u32) {
    let square = ((SQUARE_INCHES * f64::from(dpi)).round() as usize).max(2);
    let paper = grey.usual_shade();
    let dark = (u32::from(paper) * DARK_PERCENT / 100) as u8;
    let (columns, rows) = (grey.width.div_ceil(square), grey.height.div_ceil(square));
    let coarse = scale::to_size(grey, columns, rows);
    let found = Components::find(&coarse, |_| dark);
    let squares = |inches: f64| (inches * f64::from(dpi) / square as f64).floor() as i32;
    let is_area = |one: &&Component| {
        let (width, height) = (one.bounds.width(), one.bounds.height());
        height >= squares(HEIGHT_MIN_INCHES)
            && width >= squares(WIDTH_MIN_INCHES)
            && one.area * 100 >= width * height * FILLED_PERCENT_MIN
    };
    for area in found.list.iter().filter(is_area) {
        let bounds = area.bounds.grown(1);
        let pixels =
            |squares: i32, scale: f64, end: usize| ((f64::from(squares.max(0)) * scale) as usize).min(end);
        let (across, along) = (grey.width as f64 / columns as f64, grey.height as f64 / rows as f64);
        let (left, right) =
            (pixels(bounds.left, across, grey.width), pixels(bounds.right, across, grey.width));
        let (top, bottom) =
            (pixels(bounds.top, along, grey.height), pixels(bounds.bottom, along, grey.height));
        invert(grey, (left, right), (top, bottom), paper, dark);
    }
}

/// Inverts the dark area inside a box: in each row what lies between its first and its last dark pixel.
fn invert(
    grey: &mut Grey,
    (left, right): (usize, usize),
    (top, bottom): (usize, usize),
    paper: u8,
    dark: u8,
) {
    let spans: Vec<(usize, usize)> = (top..bottom)
        .map(|y| {
            let row = &grey.row(y)[left..right];
            let is_dark = |sample: &u8| *sample < dark;
            let count = row.iter().copied().filter(|sample| is_dark(sample)).count();
            let first = row.iter().position(is_dark).unwrap_or(0);
            let last = row.iter().rposition(is_dark).unwrap_or(0);
            // A row of text beside the area, or one that only its corner reaches, has little that is dark.
            if count * 100 >= (last + 1 - first) * 40 && last - first > FRAME * 4 {
                (first, last + 1)
            } else {
                (0, 0)
            }
        })
        .collect();
    let shade = darkest_half(grey, left, top, &spans);
    let range = u32::from(paper.saturating_sub(shade)).max(1);
    let inside = |x: usize, y: usize| spans.get(y).is_some_and(|&(first, last)| first <= x && x < last);
    for (at, &(first, last)) in spans.iter().enumerate() {
        for x in first..last {
            let framed = x < first + FRAME
                || x + FRAME >= last
                || at < FRAME
                || !inside(x, at - FRAME)
                || !inside(x, at + FRAME);
            let sample = &mut grey.row_mut(top + at)[left + x];
            let light = u32::from(sample.saturating_sub(shade)).min(range);
            *sample = if framed {
                FRAME_SHADE
            } else {
                (u32::from(paper) - light * u32::from(paper) / range) as u8
            };
        }
    }
}

/// The shade that half of the area's pixels reach.
fn darkest_half(grey: &Grey, left: usize, top: usize, spans: &[(usize, usize)]) -> u8 {
    let inside = spans
        .iter()
        .enumerate()
        .flat_map(|(at, &(first, last))| &grey.row(top + at)[left + first..left + last]);
    grey::median(inside).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dark_band_gets_dark_letters_in_a_frame_and_a_bold_line_stays() {
        let mut grey = Grey::filled(1400, 600, 220);
        for y in 100..150 {
            grey.row_mut(y)[200..1200].fill(60);
        }
        for letter in 0..20 {
            for y in 118..134 {
                grey.row_mut(y)[240 + letter * 24..250 + letter * 24].fill(210);
                grey.row_mut(y + 200)[240 + letter * 24..250 + letter * 24].fill(30);
            }
        }
        let before = grey.clone();
        turn_dark_on_light(&mut grey, 170);
        assert!(grey.row(125)[245] < 30 && grey.row(125)[232] > 200);
        assert!(grey.row(100)[700] < 60 && grey.row(125)[201] < 60, "the frame");
        assert_eq!(grey.row(325), before.row(325));
        assert_eq!(grey.row(95), before.row(95));
    }
}
