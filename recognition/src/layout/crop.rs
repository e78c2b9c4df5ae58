//! Pictures of single lines, cut out of the prepared page.

use super::components::Components;
use super::lines::TextLine;
use crate::engine::{LineImage, Span};
use crate::prepare::grey::Grey;

/// The line's box reaches at least so many letter heights above the baseline: a small letter with two marks.
const ABOVE_MIN_HEIGHTS: f64 = 1.5;

/// And so many below: a descender.
const BELOW_MIN_HEIGHTS: f64 = 0.35;

/// Margin around the box, in pixels.
const MARGIN: i32 = 5;

/// Ink of other lines is painted over with so much around it, in pixels: its blurred edge.
const EDGE: i32 = 1;

/// A line's picture and where it was cut out.
#[derive(Debug, Clone)]
pub struct Crop {
    /// For the engine.
    pub image: LineImage,
    /// Its top left corner on the prepared page.
    pub left: i32,
    /// As `left`.
    pub top: i32,
}

/// Cuts a line out. `owners` names each component's line, by the line's index; the ink of other lines is painted over
/// with the `ground`.
#[must_use]
pub fn cut(
    grey: &Grey,
    components: &Components,
    owners: &[Option<usize>],
    line: (usize, &TextLine),
    ground: u8,
    dpi: u32,
    page_letter_height: i32,
) -> Crop {
    let (index, line) = line;
    let bounds = frame(line, grey, page_letter_height);
    let (width, height) = (bounds.width() as usize, bounds.height() as usize);
    let mut picture = Grey::filled(width, height, ground);
    for y in 0..height {
        let from = (bounds.top as usize + y) * grey.width + bounds.left as usize;
        picture.row_mut(y).copy_from_slice(&grey.samples[from..from + width]);
    }
    for (component, owner) in components.list.iter().zip(owners) {
        let foreign = owner.is_some_and(|owner| owner != index);
        if foreign && component.bounds.grown(EDGE).meets(bounds) {
            paint_over(&mut picture, components.runs(component), bounds, ground);
        }
    }
    let baseline = line.baseline_at(f64::from(bounds.left + bounds.right) / 2.0) - f64::from(bounds.top);
    let image = LineImage { grey: picture, baseline: baseline as f32, dpi };
    Crop { image, left: bounds.left, top: bounds.top }
}

fn frame(line: &TextLine, grey: &Grey, page_letter_height: i32) -> Span {
    let letter_height = small_letter_height(line.letter_height, f64::from(page_letter_height));
    let ends = [line.bounds.left, line.bounds.right].map(|x| line.baseline_at(f64::from(x)));
    let (high, low) = (ends[0].min(ends[1]), ends[0].max(ends[1]));
    let top = line.bounds.top.min((high - ABOVE_MIN_HEIGHTS * letter_height) as i32);
    let bottom = line.bounds.bottom.max((low + BELOW_MIN_HEIGHTS * letter_height) as i32);
    Span {
        left: (line.bounds.left - MARGIN).max(0),
        top: (top - MARGIN).max(0),
        right: (line.bounds.right + MARGIN).min(grey.width as i32),
        bottom: (bottom + MARGIN).min(grey.height as i32),
    }
}

/// Height of a line's small letters, of which a line of capitals or digits has none: those are higher by two fifths.
fn small_letter_height(of_line: f64, of_page: f64) -> f64 {
    if of_line > 1.2 * of_page { (of_line / 1.37).max(of_page) } else { of_line.max(0.75 * of_page) }
}

fn paint_over(picture: &mut Grey, runs: &[super::components::Run], bounds: Span, ground: u8) {
    for run in runs {
        let left = (run.left - EDGE - bounds.left).clamp(0, picture.width as i32) as usize;
        let right = (run.right + EDGE - bounds.left).clamp(0, picture.width as i32) as usize;
        for y in (run.y - EDGE - bounds.top)..=(run.y + EDGE - bounds.top) {
            if left < right && (0..picture.height as i32).contains(&y) {
                picture.row_mut(y as usize)[left..right].fill(ground);
            }
        }
    }
}
