//! Columns of running text: lines on both sides of a gap that runs down, whatever heights they stand at.

use super::lines::TextLine;

/// Narrowest gap between columns, in letter heights.
const GAP_MIN_HEIGHTS: f64 = 1.6;

/// A column has at least so many lines; heads and feet of letters have fewer.
const LINES_MIN: usize = 8;

/// It is at least so wide, as a part of the page's width.
const WIDTH_MIN_PART: f64 = 0.18;

/// Most of its lines have at least so many letters.
const LETTERS_MIN: usize = 12;

/// So many lines may pass before the gap shows.
const LINES_TO_START: usize = 3;

/// Lines of a region: in columns or not, from top to bottom.
pub(super) enum Part {
    /// One below the other or side by side in some other way.
    Mixed(Vec<TextLine>),
    /// Columns from left to right, each from top to bottom.
    Columns(Vec<Vec<TextLine>>),
}

/// Parts a region where columns of running text begin and end.
pub(super) fn part(mut lines: Vec<TextLine>, letter_height: f64, width: usize) -> Vec<Part> {
    lines.sort_by(|one, other| one.middle().total_cmp(&other.middle()));
    let (mut parts, mut mixed) = (Vec::new(), Vec::new());
    let mut at = 0;
    while at < lines.len() {
        if let Some((end, gaps)) = grow(&lines, at, letter_height)
            && let Some(columns) = columns(&lines[at..end], &gaps, width)
        {
            if !mixed.is_empty() {
                parts.push(Part::Mixed(std::mem::take(&mut mixed)));
            }
            parts.push(Part::Columns(columns));
            at = end;
        } else {
            mixed.push(lines[at].clone());
            at += 1;
        }
    }
    if !mixed.is_empty() {
        parts.push(Part::Mixed(mixed));
    }
    parts
}

/// The longest stretch of lines from `start` on that leaves a gap free, and its gaps.
fn grow(lines: &[TextLine], start: usize, letter_height: f64) -> Option<(usize, Vec<(i32, i32)>)> {
    let mut inked: Vec<(i32, i32)> = Vec::new();
    let mut best = None;
    for (at, line) in lines.iter().enumerate().skip(start) {
        inked.extend(line.letters().map(|letter| (letter.left, letter.right)));
        inked.sort_unstable();
        inked.dedup_by(|next, last| {
            let joins = f64::from(next.0 - last.1) < GAP_MIN_HEIGHTS * letter_height;
            if joins {
                last.1 = last.1.max(next.1);
            }
            joins
        });
        if inked.len() > 1 {
            best = Some((at + 1, inked.windows(2).map(|pair| (pair[0].1, pair[1].0)).collect()));
        } else if best.is_some() || at - start >= LINES_TO_START {
            break;
        }
    }
    best
}

/// The lines between gaps, where all of them are columns of running text.
fn columns(lines: &[TextLine], gaps: &[(i32, i32)], width: usize) -> Option<Vec<Vec<TextLine>>> {
    let mut columns: Vec<Vec<TextLine>> = vec![Vec::new(); gaps.len() + 1];
    for line in lines {
        let mut rest = Some(line.clone());
        for (column, gap) in columns.iter_mut().zip(gaps) {
            let Some(line) = rest else { break };
            let (left, right) = line.split_at(i32::midpoint(gap.0, gap.1));
            column.extend(left);
            rest = right;
        }
        columns[gaps.len()].extend(rest);
    }
    let is_running = |column: &Vec<TextLine>| {
        let left = column.iter().map(|line| line.bounds.left).min().unwrap_or(0);
        let right = column.iter().map(|line| line.bounds.right).max().unwrap_or(0);
        let long = column.iter().filter(|line| line.letters().count() >= LETTERS_MIN).count();
        column.len() >= LINES_MIN
            && f64::from(right - left) >= WIDTH_MIN_PART * width as f64
            && long * 10 >= column.len() * 6
    };
    columns.iter().all(is_running).then_some(columns)
}
