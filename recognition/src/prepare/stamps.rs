//! Grey stamps and pen strokes over print: inside their boxes only dark ink is kept.
//!
//! A seal or a signature is much larger than a letter and mostly empty. Where one lies, ink that is paler than print and
//! not part of a printed stroke's edge goes, and so do strokes too large for letters. Elsewhere nothing is touched: on
//! whole pages the same rule ate marks (measured on 32 scans).

use super::GROUND;
use super::grey::Grey;
use crate::engine::Span;
use crate::layout::components::{Component, Components};

/// Size of seals and signatures in inches: administrative seals have 30 to 42 mm, signatures reach 90 mm.
const HEIGHT_INCHES: std::ops::RangeInclusive<f64> = 0.5..=1.9;
const WIDTH_INCHES: std::ops::RangeInclusive<f64> = 0.5..=3.6;

/// They fill at most this part of their box.
const FILLED_PERCENT_MAX: i32 = 45;

/// Ink for finding them: paler than what layout counts.
const INK_BELOW: u8 = 180;

/// Print is darker than this; its own shade is taken from the darkest quarter.
const PRINT_BELOW: u8 = 130;

/// Print may be so much paler than its darkest quarter.
const PRINT_SPREAD: u8 = 20;

/// A printed stroke's blurred edge, in pixels.
const EDGE: usize = 3;

/// What remains is a letter only up to this height and width, in inches.
const LETTER_HEIGHT_MAX_INCHES: f64 = 0.3;
const LETTER_WIDTH_MAX_INCHES: f64 = 0.67;

/// Cleans the boxes of stamps and signatures and names them.
pub fn clean(grey: &mut Grey, dpi: u32) -> Vec<Span> {
    let found = Components::find(grey, |_| INK_BELOW);
    let boxes: Vec<Span> =
        found.list.iter().filter(|one| is_overlay(one, dpi)).map(|one| one.bounds.grown(4)).collect();
    if !boxes.is_empty()
        && let Some(shade) = print_shade(grey)
    {
        for bounds in &boxes {
            keep_print(grey, *bounds, shade.saturating_add(PRINT_SPREAD), dpi);
        }
    }
    boxes
}

fn is_overlay(one: &Component, dpi: u32) -> bool {
    let inches = |pixels: i32| f64::from(pixels) / f64::from(dpi);
    let (width, height) = (one.bounds.width(), one.bounds.height());
    HEIGHT_INCHES.contains(&inches(height))
        && WIDTH_INCHES.contains(&inches(width))
        && one.area * 100 < width * height * FILLED_PERCENT_MAX
}

/// The shade that a quarter of the page's print reaches.
fn print_shade(grey: &Grey) -> Option<u8> {
    let mut counts = [0_usize; 256];
    for &sample in &grey.samples {
        counts[usize::from(sample)] += 1;
    }
    let total: usize = counts[..usize::from(PRINT_BELOW)].iter().sum();
    let mut seen = 0;
    (0..PRINT_BELOW).find(|&shade| {
        seen += counts[usize::from(shade)];
        seen * 4 >= total && total > 0
    })
}

fn keep_print(grey: &mut Grey, bounds: Span, print_below: u8, dpi: u32) {
    let (left, right) = (bounds.left.max(0) as usize, bounds.right.min(grey.width as i32) as usize);
    let (top, bottom) = (bounds.top.max(0) as usize, bounds.bottom.min(grey.height as i32) as usize);
    let (width, height) = (right - left, bottom - top);
    let mut near_print = vec![false; width * height];
    for y in 0..height {
        for x in 0..width {
            if grey.row(top + y)[left + x] < print_below {
                for near_y in y.saturating_sub(EDGE)..(y + EDGE + 1).min(height) {
                    let reach = if near_y.abs_diff(y) == EDGE { EDGE - 1 } else { EDGE };
                    near_print[near_y * width + x.saturating_sub(reach)
                        ..near_y * width + (x + reach + 1).min(width)]
                        .fill(true);
                }
            }
        }
    }
    let mut part = Grey::filled(width, height, GROUND);
    for y in 0..height {
        for x in 0..width {
            if near_print[y * width + x] {
                part.row_mut(y)[x] = grey.row(top + y)[left + x];
            }
        }
    }
    remove_large(&mut part, dpi);
    for y in 0..height {
        grey.row_mut(top + y)[left..right].copy_from_slice(part.row(y));
    }
}

fn remove_large(part: &mut Grey, dpi: u32) {
    let pixels = |inches: f64| (inches * f64::from(dpi)) as i32;
    let found = Components::find(part, |_| 165);
    for one in &found.list {
        if one.bounds.height() <= pixels(LETTER_HEIGHT_MAX_INCHES)
            && one.bounds.width() <= pixels(LETTER_WIDTH_MAX_INCHES)
        {
            continue;
        }
        for run in found.runs(one) {
            for y in (run.y - 1).max(0)..(run.y + 2).min(part.height as i32) {
                let (from, to) =
                    ((run.left - 1).max(0) as usize, (run.right + 1).min(part.width as i32) as usize);
                part.row_mut(y as usize)[from..to].fill(GROUND);
            }
        }
    }
}
