//! Ruled lines: long, thin, straight stretches of ink.

use super::components::{Component, Components};
use crate::engine::Span;
use crate::prepare::bits::Bits;
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
    /// Finds the rulings of a straightened picture: long runs of ink, where ink beside them fills gaps, so that a
    /// ruling that shifts by a pixel stays whole.
    #[must_use]
    pub fn find(grey: &Grey, ink_below: u8, dpi: u32) -> Self {
        let pixels = |inches: f64| (inches * f64::from(dpi)).round() as usize;
        let thickness_max = pixels(THICKNESS_MAX_INCHES).max(2) as i32;
        let ink = Bits::darker(grey, ink_below);
        let mut across = ink.clone();
        across.heighten(1);
        across.keep_long_across(pixels(ACROSS_MIN_INCHES));
        let mut down = ink;
        down.widen(1);
        down.keep_long_down(pixels(DOWN_MIN_INCHES));
        let mut rulings = Self {
            across: thin(&Components::of(&across), thickness_max, Span::width, Span::height),
            down: thin(&Components::of(&down), thickness_max, Span::height, Span::width),
        };
        rulings.down.sort_by_key(|one| (one.left, one.top));
        rulings
    }
}

/// Boxes of those that are no thicker than a ruling. Two rows are the tolerance's own.
fn thin(
    found: &Components,
    thickness_max: i32,
    length: impl Fn(Span) -> i32,
    thickness: impl Fn(Span) -> i32,
) -> Vec<Span> {
    let is_thin = |one: &&Component| {
        let (length, thickness) = (length(one.bounds), thickness(one.bounds));
        // A ruling may rise by a hundredth of its length where the page is bent.
        one.area <= (thickness_max + 2) * length && thickness <= thickness_max + 2 + length / 60
    };
    found.list.iter().filter(is_thin).map(|one| one.bounds).collect()
}
