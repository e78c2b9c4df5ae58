//! The head of an administrative document (Decree 30/2020, annex I): on the left the parent body, the issuing body and
//! the number, on the right the name of the state, its motto, place and date. Each stands beside its counterpart; a
//! name that is too long for its column goes on in the next line.

use super::lines::TextLine;

/// Lines of one element have the same weight of print up to this factor: bold is heavier by a fifth and more.
const WEIGHT_RATIO_MAX: f64 = 1.12;

/// The weight of so few letters says little: a factor of its own.
const FEW_LETTERS: usize = 4;
const WEIGHT_RATIO_MAX_OF_FEW: f64 = 1.25;

/// Capitals and mixed case differ in their share of small letters by more than this.
const SMALL_SHARE_APART: f64 = 0.25;

/// And the same size up to this one.
const SIZE_RATIO_MAX: f64 = 1.2;

/// A name goes on where line and next word together come near the column's width, which its widest line shows.
const FULL_PART: f64 = 0.97;

/// Gaps from this many letter heights on part words.
const SPACE_HEIGHTS: f64 = 0.35;

/// One row's left and right part.
type Pair = (Option<TextLine>, Option<TextLine>);

/// The lines of a head in reading order: element by element, left before right. Where both sides have as many elements
/// they are paired; otherwise height decides.
pub(super) fn in_order(rows: Vec<Pair>) -> Vec<TextLine> {
    let left = elements(rows.iter().filter_map(|row| row.0.clone()).collect());
    let right = elements(rows.iter().filter_map(|row| row.1.clone()).collect());
    if left.len() != right.len() {
        return rows.into_iter().flat_map(|(left, right)| [left, right]).flatten().collect();
    }
    left.into_iter().zip(right).flat_map(|(left, right)| left.into_iter().chain(right)).collect()
}

/// Lines that go on in the next one, joined into elements.
fn elements(lines: Vec<TextLine>) -> Vec<Vec<TextLine>> {
    let column = lines.iter().map(|line| line.bounds.width()).max().unwrap_or(0);
    let mut elements: Vec<Vec<TextLine>> = Vec::new();
    for line in lines {
        match elements.last_mut() {
            Some(element) if element.last().is_some_and(|last| goes_on(last, &line, column)) => {
                element.push(line);
            }
            _ => elements.push(vec![line]),
        }
    }
    elements
}

/// Whether `next` continues `line`: it looks the same, and its first word would not have fitted any more.
fn goes_on(line: &TextLine, next: &TextLine, column: i32) -> bool {
    let alike = |one: f64, other: f64, ratio: f64| one.max(other) <= one.min(other) * ratio;
    let space = (next.letter_height * 0.5) as i32;
    let few = line.letters().count().min(next.letters().count()) <= FEW_LETTERS;
    let weight_ratio_max = if few { WEIGHT_RATIO_MAX_OF_FEW } else { WEIGHT_RATIO_MAX };
    alike(line.weight(), next.weight(), weight_ratio_max)
        && (small_share(line) - small_share(next)).abs() < SMALL_SHARE_APART
        && alike(line.letter_height, next.letter_height, SIZE_RATIO_MAX)
        && f64::from(line.bounds.width() + space + first_word(next)) > FULL_PART * f64::from(column)
}

/// The part of a line's letters that are much lower than its high ones: none in capitals, of which up to a third are
/// higher still by their marks.
fn small_share(line: &TextLine) -> f64 {
    let mut heights: Vec<i32> = line.letters().map(crate::engine::Span::height).collect();
    heights.sort_unstable();
    let high = heights[heights.len() * 13 / 20];
    heights.iter().filter(|&&height| height * 100 < high * 82).count() as f64 / heights.len() as f64
}

/// Width of a line's first word in pixels.
fn first_word(line: &TextLine) -> i32 {
    let mut letters: Vec<(i32, i32)> = line.letters().map(|letter| (letter.left, letter.right)).collect();
    letters.sort_unstable();
    let start = letters.first().map_or(0, |letter| letter.0);
    let mut end = start;
    for (left, right) in letters {
        if end > start && f64::from(left - end) > SPACE_HEIGHTS * line.letter_height {
            break;
        }
        end = end.max(right);
    }
    end - start
}
