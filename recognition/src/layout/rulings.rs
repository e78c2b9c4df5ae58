//! Ruled lines: long, thin, straight stretches of ink.

use super::components::{Component, Components};
use crate::engine::Span;
use crate::prepare::grey::Grey;

/// Shortest ruling across, in inches: longer than any stroke of a letter, shorter than a narrow cell.
const ACROSS_MIN_INCHES: f64 = 0.36;

/// Shortest ruling down: about the height of one line of text.
const DOWN_MIN_INCHES: f64 = 0.22;

/// Thickest ruling, in inches (1.3 mm): bars and shadows are thicker.
const THICKNESS_MAX_INCHES: f64 = 0.05;

/// The rulings of a page.
#[derive(Debug, Clone, Default)]
pub struct Rulings {
    /// Those that run across.
    pub across: Vec<Span>,
    /// Those that run down.
    pub down: Vec<Span>,
}

impl Rulings {
    /// Finds the rulings of a straightened picture.
    #[must_use]
    pub fn find(grey: &Grey, ink_below: u8, dpi: u32) -> Self {
        let pixels = |inches: f64| (inches * f64::from(dpi)).round() as usize;
        let thickness_max = pixels(THICKNESS_MAX_INCHES).max(2) as i32;
        let across = long_runs(grey, ink_below, pixels(ACROSS_MIN_INCHES));
        let flat = transposed(grey);
        let down = long_runs(&flat, ink_below, pixels(DOWN_MIN_INCHES));
        let turn =
            |span: Span| Span { left: span.top, top: span.left, right: span.bottom, bottom: span.right };
        Self {
            across: thin(&across, thickness_max),
            down: thin(&down, thickness_max).into_iter().map(turn).collect(),
        }
    }
}

/// Runs of ink of at least `length_min` columns, where ink of the rows above and below fills gaps: a ruling that rises
/// by a pixel stays whole.
fn long_runs(grey: &Grey, ink_below: u8, length_min: usize) -> Components {
    let mut mask = Grey::filled(grey.width, grey.height, 255);
    let mut band = vec![0_u8; grey.width];
    for y in 0..grey.height {
        band.copy_from_slice(grey.row(y));
        for near in [y.wrapping_sub(1), y + 1] {
            if near < grey.height {
                for (least, &sample) in band.iter_mut().zip(grey.row(near)) {
                    *least = sample.min(*least);
                }
            }
        }
        let target = mask.row_mut(y);
        let mut x = 0;
        while x + length_min <= band.len() {
            // The last pixel of the shortest run decides first: most stretches are left in one step.
            let stretch = &band[x..x + length_min];
            if let Some(paper) = stretch.iter().rposition(|&sample| sample >= ink_below) {
                x += paper + 1;
                continue;
            }
            let end =
                band[x..].iter().position(|&sample| sample >= ink_below).map_or(band.len(), |at| x + at);
            target[x..end].fill(0);
            x = end;
        }
    }
    Components::find(&mask, |_| 128)
}

/// Boxes of those that are no thicker than a ruling. Two rows are the tolerance's own.
fn thin(found: &Components, thickness_max: i32) -> Vec<Span> {
    let is_thin = |one: &&Component| {
        let (width, height) = (one.bounds.right - one.bounds.left, one.bounds.bottom - one.bounds.top);
        // A ruling may rise by a hundredth of its length where the page is bent.
        one.area <= (thickness_max + 2) * width && height <= thickness_max + 2 + width / 60
    };
    found.list.iter().filter(is_thin).map(|one| one.bounds).collect()
}

fn transposed(grey: &Grey) -> Grey {
    const TILE: usize = 32;
    let mut result = Grey::filled(grey.height, grey.width, 255);
    for tile_y in (0..grey.height).step_by(TILE) {
        for tile_x in (0..grey.width).step_by(TILE) {
            for y in tile_y..(tile_y + TILE).min(grey.height) {
                let row = &grey.row(y)[tile_x..(tile_x + TILE).min(grey.width)];
                for (x, &sample) in row.iter().enumerate() {
                    result.samples[(tile_x + x) * grey.height + y] = sample;
                }
            }
        }
    }
    result
}
