//! Lines to paragraphs, by how they are set: a paragraph's first line is indented, its last one ends early.

use pagemill_domain::page_text::{Line, Paragraph};

/// A first line is indented by more than this part of a line's height, in percents.
const INDENT_PERCENT: u32 = 60;

/// A last line ends before the margin by more than this many line heights.
const SHORT_BY_HEIGHTS: u32 = 4;

/// The paragraphs that `lines` (one under the other, at least one) form. Lines that are not `upright` on the page are
/// kept together.
pub(super) fn of(lines: &[Line], upright: bool) -> Vec<Paragraph> {
    let left = lines.iter().map(|line| line.bounds.left).min().unwrap_or(0);
    let right = lines.iter().map(|line| line.bounds.right).max().unwrap_or(0);
    let mut heights: Vec<u32> = lines.iter().map(|line| line.bounds.height()).collect();
    heights.sort_unstable();
    let height = heights[heights.len() / 2];
    let indented = |line: &Line| (line.bounds.left - left) * 100 > height * INDENT_PERCENT;
    let ends_early = |line: &Line| right - line.bounds.right > height * SHORT_BY_HEIGHTS;
    lines
        .chunk_by(|line, next| !upright || !(indented(next) || ends_early(line)))
        .map(|lines| Paragraph { lines: lines.to_vec() })
        .collect()
}
