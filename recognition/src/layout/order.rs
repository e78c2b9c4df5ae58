//! Reading order.
//!
//! The rule: lines at one height form a row; rows are read from top to bottom. Where a gap runs down through several
//! rows, they are a zone of two columns. At the head of a page (the body that issues a document beside the motto) such
//! a zone is read row by row; elsewhere the left column is read first, then the right one (recipients beside the
//! signature). Columns of running text are read from left to right wherever they stand, and notes in the margin after the
//! text that they stand beside. Columns of a few letters (numbers behind a dotted line) belong to their rows.

use super::columns::{self, Part};
use super::lines::TextLine;
use super::{head, margin};

/// Gaps narrower than this are spaces between words, in letter heights.
const GAP_MIN_HEIGHTS: f64 = 1.3;

/// A gap through at least three rows may be so narrow, in letter heights.
const CORRIDOR_OF_THREE_HEIGHTS: f64 = 1.3;

/// Through two rows.
const CORRIDOR_OF_TWO_HEIGHTS: f64 = 1.9;

/// In a single row.
const CORRIDOR_OF_ONE_HEIGHTS: f64 = 5.0;

/// A gap of a single row that is narrower than this, in letter heights, may be one that dots fill.
const DOTTED_MAX_HEIGHTS: f64 = 10.0;

/// Columns that are read one after the other lie so far apart, in letter heights.
const COLUMNS_APART_HEIGHTS: f64 = 2.2;

/// A zone that starts above this part of the page and has at most [`HEAD_ROWS_MAX`] rows with text on both sides is a
/// head.
const HEAD_PART: f64 = 0.25;
const HEAD_ROWS_MAX: usize = 7;

/// A column that is narrower than this part of the page holds no text of its own.
const COLUMN_MIN_PART: f64 = 0.08;

/// Rows further apart than this part of the page are no neighbours in a zone.
const ROW_DISTANCE_PART: f64 = 0.16;

/// How a group of lines is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Zone {
    /// Full lines, one under the other.
    Body,
    /// The head of a document: two columns, row by row.
    Head,
    /// The left column of two.
    Left,
    /// The right column of two.
    Right,
    /// Notes beside the text.
    Margin,
}

/// Lines that are read one after the other.
#[derive(Debug, Clone)]
pub struct Group {
    /// How they lie.
    pub zone: Zone,
    /// In reading order.
    pub lines: Vec<TextLine>,
}

/// Lines at one height, from left to right.
pub(super) type Row = Vec<TextLine>;

/// The lines of a region in reading order; `letter_height` is the page's.
#[must_use]
pub fn arrange(lines: Vec<TextLine>, letter_height: i32, width: usize, height: usize) -> Vec<Group> {
    let (text, notes) = margin::take_notes(lines, f64::from(letter_height), width);
    let mut groups = Vec::new();
    for part in columns::part(text, f64::from(letter_height), width) {
        match part {
            Part::Mixed(lines) => groups.extend(by_rows(lines, letter_height, width, height)),
            Part::Columns(columns) => {
                let last = columns.len() - 1;
                let zone = |at| if at == last { Zone::Right } else { Zone::Left };
                groups.extend(
                    columns.into_iter().enumerate().map(|(at, lines)| Group { zone: zone(at), lines }),
                );
            }
        }
    }
    groups.extend((!notes.is_empty()).then_some(Group { zone: Zone::Margin, lines: notes }));
    groups
}

/// Lines in reading order, row by row, with heads and feet of two columns.
fn by_rows(lines: Vec<TextLine>, letter_height: i32, width: usize, height: usize) -> Vec<Group> {
    let rows = rows(lines);
    let mut groups: Vec<Group> = Vec::new();
    let mut at = 0;
    while at < rows.len() {
        if let Some(corridor) = Corridor::best(&rows, at, f64::from(letter_height), width, height) {
            groups.extend(corridor.groups(&rows[at..corridor.end]));
            at = corridor.end;
            continue;
        }
        let line = joined(&rows[at]);
        match groups.last_mut() {
            Some(Group { zone: Zone::Body, lines }) => lines.push(line),
            _ => groups.push(Group { zone: Zone::Body, lines: vec![line] }),
        }
        at += 1;
    }
    groups
}

/// Lines at one height as rows, from top to bottom.
#[must_use]
pub fn rows(mut lines: Vec<TextLine>) -> Vec<Row> {
    lines.sort_by(|one, other| one.middle().total_cmp(&other.middle()));
    let mut rows: Vec<Row> = Vec::new();
    for line in lines {
        let fits = |row: &Row| {
            row.iter().all(|other| {
                let apart = (line.middle() - other.middle()).abs();
                let beside = line.bounds.left >= other.bounds.right || line.bounds.right <= other.bounds.left;
                beside && apart < 0.55 * line.letter_height.max(other.letter_height)
            })
        };
        match rows.last_mut().filter(|row| fits(row)) {
            Some(row) => row.push(line),
            None => rows.push(vec![line]),
        }
    }
    for row in &mut rows {
        row.sort_by_key(|line| line.bounds.left);
    }
    rows
}

/// The parts of a row as one line.
#[must_use]
pub fn joined(row: &[TextLine]) -> TextLine {
    let mut whole = row[0].clone();
    for part in &row[1..] {
        whole.join(part);
    }
    whole
}

/// A gap that runs down through rows.
struct Corridor {
    left: i32,
    right: i32,
    /// Row after the last.
    end: usize,
    /// Rows with text on both sides.
    both: usize,
    head: bool,
    /// The page's.
    letter_height: f64,
}

impl Corridor {
    /// The clearest corridor that starts in row `start`.
    fn best(rows: &[Row], start: usize, letter_height: f64, width: usize, height: usize) -> Option<Self> {
        gaps(&rows[start], letter_height)
            .into_iter()
            .map(|gap| Self::grow(rows, start, gap, letter_height, height))
            .filter(|corridor| {
                corridor.is_clear()
                    && (corridor.both > 1
                        || f64::from(corridor.right - corridor.left) >= DOTTED_MAX_HEIGHTS * letter_height
                        || f64::from(widest_free(&rows[start], corridor.left, corridor.right))
                            >= CORRIDOR_OF_ONE_HEIGHTS * letter_height)
                    && (corridor.head || corridor.has_columns(&rows[start..corridor.end], width))
            })
            .max_by_key(|corridor| (corridor.both, corridor.right - corridor.left))
    }

    fn grow(rows: &[Row], start: usize, gap: (i32, i32), letter_height: f64, height: usize) -> Self {
        let top = |row: &Row| row.iter().map(|line| line.bounds.top).min().unwrap_or(0);
        let bottom = |row: &Row| row.iter().map(|line| line.bounds.bottom).max().unwrap_or(0);
        let head = f64::from(top(&rows[start])) < HEAD_PART * height as f64;
        let mut corridor = Self { left: gap.0, right: gap.1, end: start + 1, both: 1, head, letter_height };
        for at in start + 1..rows.len() {
            let far = f64::from(top(&rows[at]) - bottom(&rows[at - 1])) > ROW_DISTANCE_PART * height as f64;
            let free = free_around(&rows[at], corridor.left, corridor.right);
            if far || f64::from(free.1 - free.0) < GAP_MIN_HEIGHTS * letter_height {
                break;
            }
            let first = rows[at].first().map_or(i32::MAX, |line| line.bounds.left);
            let last = rows[at].last().map_or(i32::MIN, |line| line.bounds.right);
            if first < free.0 && last > free.1 {
                corridor.both += 1;
                (corridor.left, corridor.right) = free;
                corridor.end = at + 1;
            } else if !head {
                // A head ends with its last row of two; a foot goes on to the name under the signature.
                (corridor.left, corridor.right) = free;
                corridor.end = at + 1;
            } else if at + 1 < rows.len() && at > start + HEAD_ROWS_MAX {
                break;
            }
        }
        corridor.head = head && corridor.both <= HEAD_ROWS_MAX;
        corridor
    }

    fn is_clear(&self) -> bool {
        let width = f64::from(self.right - self.left) / self.letter_height.max(1.0);
        match self.both {
            0 => false,
            1 => width >= CORRIDOR_OF_ONE_HEIGHTS,
            2 => width >= CORRIDOR_OF_TWO_HEIGHTS,
            _ => width >= CORRIDOR_OF_THREE_HEIGHTS,
        }
    }

    /// Whether what lies left and right of it is wide enough to be text of its own, and far enough apart.
    fn has_columns(&self, rows: &[Row], page_width: usize) -> bool {
        let apart = f64::from(self.right - self.left) >= COLUMNS_APART_HEIGHTS * self.letter_height;
        let (left, right) = self.sides(rows);
        let wide = |side: &[TextLine]| {
            let from = side.iter().map(|line| line.bounds.left).min().unwrap_or(0);
            let to = side.iter().map(|line| line.bounds.right).max().unwrap_or(0);
            f64::from(to - from) >= COLUMN_MIN_PART * page_width as f64
        };
        apart && wide(&left) && wide(&right)
    }

    fn sides(&self, rows: &[Row]) -> (Vec<TextLine>, Vec<TextLine>) {
        let middle = i32::midpoint(self.left, self.right);
        let (mut left, mut right) = (Vec::new(), Vec::new());
        for row in rows {
            let (one, other) = split(row, middle);
            left.extend(one);
            right.extend(other);
        }
        (left, right)
    }

    fn groups(&self, rows: &[Row]) -> Vec<Group> {
        let middle = i32::midpoint(self.left, self.right);
        if self.head {
            let rows = rows.iter().map(|row| split(row, middle)).collect();
            return vec![Group { zone: Zone::Head, lines: head::in_order(rows) }];
        }
        let (left, right) = self.sides(rows);
        vec![Group { zone: Zone::Left, lines: left }, Group { zone: Zone::Right, lines: right }]
    }
}

/// The parts of a row left and right of a column, each as one line.
fn split(row: &Row, x: i32) -> (Option<TextLine>, Option<TextLine>) {
    let (mut left, mut right): (Row, Row) = (Vec::new(), Vec::new());
    for line in row {
        let (one, other) = line.split_at(x);
        left.extend(one);
        right.extend(other);
    }
    let whole = |side: Row| if side.is_empty() { None } else { Some(joined(&side)) };
    (whole(left), whole(right))
}

/// Left and right of a row's letters, from left to right.
pub(super) fn letters(row: &Row) -> Vec<(i32, i32)> {
    let mut letters: Vec<(i32, i32)> =
        row.iter().flat_map(TextLine::letters).map(|letter| (letter.left, letter.right)).collect();
    letters.sort_unstable();
    letters
}

/// The widest part of a gap that dots and hyphens leave free.
fn widest_free(row: &Row, left: i32, right: i32) -> i32 {
    let parts = row.iter().flat_map(|line| &line.parts).map(|part| (part.bounds.left, part.bounds.right));
    let mut inside: Vec<(i32, i32)> = parts.filter(|part| part.0 >= left && part.1 <= right).collect();
    inside.sort_unstable();
    let (mut widest, mut from) = (0, left);
    for (start, end) in inside.into_iter().chain([(right, right)]) {
        widest = widest.max(start - from);
        from = from.max(end);
    }
    widest
}

/// Gaps between the letters of a row that are wider than a space.
fn gaps(row: &Row, letter_height: f64) -> Vec<(i32, i32)> {
    let letters = letters(row);
    let mut gaps = Vec::new();
    let mut end = letters.first().map_or(0, |letter| letter.1);
    for (left, right) in letters {
        if f64::from(left - end) >= GAP_MIN_HEIGHTS * letter_height {
            gaps.push((end, left));
        }
        end = end.max(right);
    }
    gaps
}

/// The part of `left` to `right` that a row leaves free and that is widest.
fn free_around(row: &Row, left: i32, right: i32) -> (i32, i32) {
    let letters = letters(row);
    let (mut best, mut from) = ((left, left), left);
    for (start, end) in letters.into_iter().chain([(right, right)]) {
        let to = start.min(right);
        if to - from > best.1 - best.0 {
            best = (from, to);
        }
        from = from.max(end);
    }
    best
}
