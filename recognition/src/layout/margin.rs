//! Notes in the margin: short lines that stand wholly beside the text.

use super::lines::TextLine;

/// Long lines show where the text's margins are: from this part of the page's width on, and so many of them.
const LONG_PART: f64 = 0.4;
const LONG_LINES_MIN: usize = 6;

/// A note keeps this distance from the text, in letter heights.
const APART_HEIGHTS: f64 = 1.0;

/// Takes the notes out of a region's lines; they are returned last, from top to bottom.
pub(super) fn take_notes(
    lines: Vec<TextLine>,
    letter_height: f64,
    width: usize,
) -> (Vec<TextLine>, Vec<TextLine>) {
    let long: Vec<&TextLine> =
        lines.iter().filter(|line| f64::from(line.bounds.width()) >= LONG_PART * width as f64).collect();
    if long.len() < LONG_LINES_MIN {
        return (lines, Vec::new());
    }
    let mut lefts: Vec<i32> = long.iter().map(|line| line.bounds.left).collect();
    let mut rights: Vec<i32> = long.iter().map(|line| line.bounds.right).collect();
    lefts.sort_unstable();
    rights.sort_unstable();
    // One line in ten may be set out.
    let (left, right) = (lefts[lefts.len() / 10], rights[rights.len() - 1 - rights.len() / 10]);
    let top = long.iter().map(|line| line.bounds.top).min().unwrap_or(0);
    let bottom = long.iter().map(|line| line.bounds.bottom).max().unwrap_or(0);
    let apart = (APART_HEIGHTS * letter_height) as i32;
    let beside = |line: &TextLine| {
        let outside = line.bounds.right + apart <= left || line.bounds.left - apart >= right;
        outside && line.bounds.bottom > top && line.bounds.top < bottom
    };
    let (mut notes, text): (Vec<TextLine>, Vec<TextLine>) = lines.into_iter().partition(beside);
    notes.sort_by_key(|line| (line.bounds.top, line.bounds.left));
    (text, notes)
}
