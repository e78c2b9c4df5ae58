//! Ruled tables: rulings that cross become a grid, walls that are missing merge its cells.

use super::components::Forest;
use super::rulings::Rulings;
use crate::engine::Span;

/// Narrowest table, as a part of the page's width: smaller frames are stamps and boxes.
const WIDTH_MIN_PART: f64 = 0.2;

/// Rulings whose ends miss each other by up to so many inches still meet.
const REACH_INCHES: f64 = 0.035;

/// Rulings nearer to each other than this are one (double rules), in inches.
const JOINED_INCHES: f64 = 0.05;

/// A row or column line counts where rulings cover this part of the table's width or height: shorter ones divide
/// merged cells only.
const LINE_PART_MIN: f64 = 0.12;

/// A wall stands where rulings cover this part of it.
const WALL_PART_MIN: f64 = 0.5;

/// Most rows or columns of one table; a page of graph paper is none.
const LINES_MAX: usize = 200;

/// A ruled table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grid {
    /// The box of its outer rulings.
    pub bounds: Span,
    /// Number of rows.
    pub rows: usize,
    /// Number of columns.
    pub columns: usize,
    /// Its cells, row by row; merged ones once.
    pub cells: Vec<GridCell>,
}

/// A cell between rulings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GridCell {
    /// First row.
    pub row: usize,
    /// First column.
    pub column: usize,
    /// Rows spanned.
    pub row_span: usize,
    /// Columns spanned.
    pub column_span: usize,
    /// From ruling to ruling.
    pub bounds: Span,
}

/// The ruled tables of a page, from top to bottom.
#[must_use]
pub fn find(rulings: &Rulings, page_width: usize, dpi: u32) -> Vec<Grid> {
    let reach = (REACH_INCHES * f64::from(dpi)).round() as i32;
    let all: Vec<Span> = rulings.across.iter().chain(&rulings.down).copied().collect();
    let mut forest = Forest::default();
    forest.grow(all.len());
    for (across, one) in rulings.across.iter().enumerate() {
        for (down, other) in rulings.down.iter().enumerate() {
            if meets(*one, *other, reach) {
                forest.join(across as u32, (rulings.across.len() + down) as u32);
            }
        }
    }
    let mut grids = Vec::new();
    for root in 0..all.len() as u32 {
        let members: Vec<usize> = (0..all.len()).filter(|&at| forest.root(at as u32) == root).collect();
        if members.len() < 4 {
            continue;
        }
        let (across, down): (Vec<usize>, Vec<usize>) =
            members.iter().partition(|&&at| at < rulings.across.len());
        let pick = |some: &[usize]| some.iter().map(|&at| all[at]).collect::<Vec<Span>>();
        grids.extend(build(&pick(&across), &pick(&down), page_width, dpi));
    }
    grids.sort_by_key(|grid| (grid.bounds.top, grid.bounds.left));
    // A frame around a table, or a table inside a cell: the larger one is read.
    let mut kept: Vec<Grid> = Vec::new();
    for grid in grids {
        if !kept.iter().any(|other| inside(grid.bounds, other.bounds)) {
            kept.push(grid);
        }
    }
    kept
}

fn meets(one: Span, other: Span, reach: i32) -> bool {
    one.left - reach < other.right
        && other.left < one.right + reach
        && one.top - reach < other.bottom
        && other.top < one.bottom + reach
}

fn inside(one: Span, other: Span) -> bool {
    one.left >= other.left && one.right <= other.right && one.top >= other.top && one.bottom <= other.bottom
}

fn build(across: &[Span], down: &[Span], page_width: usize, dpi: u32) -> Option<Grid> {
    let all = across.iter().chain(down);
    let bounds = all.copied().reduce(|one, other| Span {
        left: one.left.min(other.left),
        top: one.top.min(other.top),
        right: one.right.max(other.right),
        bottom: one.bottom.max(other.bottom),
    })?;
    let (width, height) = (bounds.right - bounds.left, bounds.bottom - bounds.top);
    if f64::from(width) < WIDTH_MIN_PART * page_width as f64 {
        return None;
    }
    let joined = (JOINED_INCHES * f64::from(dpi)).round() as i32;
    let rows: Vec<(i32, i32)> =
        across.iter().map(|one| (i32::midpoint(one.top, one.bottom), one.right - one.left)).collect();
    let columns: Vec<(i32, i32)> =
        down.iter().map(|one| (i32::midpoint(one.left, one.right), one.bottom - one.top)).collect();
    let ys = with_ends(lines(rows, joined, width), bounds.top, bounds.bottom, 3 * joined);
    let xs = with_ends(lines(columns, joined, height), bounds.left, bounds.right, 3 * joined);
    let sensible = |lines: &[i32]| (2..=LINES_MAX).contains(&lines.len());
    if !sensible(&xs) || !sensible(&ys) || xs.len() + ys.len() < 5 {
        return None;
    }
    let walls = Walls { xs: &xs, ys: &ys, across, down, slack: joined };
    let cells = cells(&walls);
    Some(Grid { bounds, rows: ys.len() - 1, columns: xs.len() - 1, cells })
}

/// Positions of lines: near rulings are one, at their mean weighted by length; too short ones are none.
fn lines(mut rulings: Vec<(i32, i32)>, joined: i32, length: i32) -> Vec<i32> {
    rulings.sort_unstable();
    let near = |one: &(i32, i32), other: &(i32, i32)| other.0 - one.0 <= joined;
    rulings
        .chunk_by(near)
        .filter_map(|group| {
            let total: i32 = group.iter().map(|ruling| ruling.1).sum();
            let sum: i64 = group.iter().map(|ruling| i64::from(ruling.0) * i64::from(ruling.1)).sum();
            let long = f64::from(total) >= LINE_PART_MIN * f64::from(length);
            long.then(|| (sum / i64::from(total.max(1))) as i32)
        })
        .collect()
}

/// Tables may be open at their sides: where rulings reach beyond the last line, the table does too.
fn with_ends(mut lines: Vec<i32>, low: i32, high: i32, slack: i32) -> Vec<i32> {
    if lines.first().is_none_or(|&first| first - low > slack) {
        lines.insert(0, low);
    }
    if lines.last().is_none_or(|&last| high - last > slack) {
        lines.push(high);
    }
    lines
}

struct Walls<'a> {
    xs: &'a [i32],
    ys: &'a [i32],
    across: &'a [Span],
    down: &'a [Span],
    slack: i32,
}

impl Walls<'_> {
    /// Whether a ruling divides cell (`row`, `column`) from the one to its right.
    fn right_of(&self, row: usize, column: usize) -> bool {
        let (x, from, to) = (self.xs[column + 1], self.ys[row], self.ys[row + 1]);
        let near = self.down.iter().filter(|one| one.left - self.slack <= x && x <= one.right + self.slack);
        let covered: i32 = near.map(|one| (one.bottom.min(to) - one.top.max(from)).max(0)).sum();
        f64::from(covered) >= WALL_PART_MIN * f64::from(to - from)
    }

    /// Whether a ruling divides cell (`row`, `column`) from the one below.
    fn below(&self, row: usize, column: usize) -> bool {
        let (y, from, to) = (self.ys[row + 1], self.xs[column], self.xs[column + 1]);
        let near = self.across.iter().filter(|one| one.top - self.slack <= y && y <= one.bottom + self.slack);
        let covered: i32 = near.map(|one| (one.right.min(to) - one.left.max(from)).max(0)).sum();
        f64::from(covered) >= WALL_PART_MIN * f64::from(to - from)
    }
}

/// Cells between walls. Where missing walls don't leave a rectangle, the part of it that is one is merged.
fn cells(walls: &Walls<'_>) -> Vec<GridCell> {
    let (rows, columns) = (walls.ys.len() - 1, walls.xs.len() - 1);
    let mut taken = vec![false; rows * columns];
    let mut cells = Vec::new();
    for row in 0..rows {
        for column in 0..columns {
            if taken[row * columns + column] {
                continue;
            }
            let mut column_span = 1;
            while column + column_span < columns
                && !taken[row * columns + column + column_span]
                && !walls.right_of(row, column + column_span - 1)
            {
                column_span += 1;
            }
            let mut row_span = 1;
            let open_below = |row: usize| {
                (column..column + column_span).all(|column| !walls.below(row, column))
                    && (column..column + column_span - 1).all(|column| !walls.right_of(row + 1, column))
            };
            while row + row_span < rows && open_below(row + row_span - 1) {
                row_span += 1;
            }
            for row in row..row + row_span {
                taken[row * columns + column..row * columns + column + column_span].fill(true);
            }
            let bounds = Span {
                left: walls.xs[column],
                top: walls.ys[row],
                right: walls.xs[column + column_span],
                bottom: walls.ys[row + row_span],
            };
            cells.push(GridCell { row, column, row_span, column_span, bounds });
        }
    }
    cells
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn across(y: i32, left: i32, right: i32) -> Span {
        Span { left, top: y - 1, right, bottom: y + 1 }
    }

    const fn down(x: i32, top: i32, bottom: i32) -> Span {
        Span { left: x - 1, top, right: x + 1, bottom }
    }

    #[test]
    fn missing_walls_merge_cells() {
        // Three columns, three rows; the head spans columns 1 and 2, the first column spans rows 0 and 1.
        let rulings = Rulings {
            across: vec![
                across(100, 100, 700),
                across(150, 300, 700),
                across(200, 100, 700),
                across(300, 100, 700),
            ],
            down: vec![down(100, 100, 300), down(300, 100, 300), down(500, 150, 300), down(700, 100, 300)],
        };
        let grids = find(&rulings, 1400, 170);
        assert_eq!(grids.len(), 1);
        assert_eq!((grids[0].rows, grids[0].columns), (3, 3));
        let spans: Vec<_> = grids[0]
            .cells
            .iter()
            .map(|cell| (cell.row, cell.column, cell.row_span, cell.column_span))
            .collect();
        assert_eq!(
            spans,
            [
                (0, 0, 2, 1),
                (0, 1, 1, 2),
                (1, 1, 1, 1),
                (1, 2, 1, 1),
                (2, 0, 1, 1),
                (2, 1, 1, 1),
                (2, 2, 1, 1)
            ]
        );
    }

    #[test]
    fn an_underline_and_a_lone_frame_are_no_tables() {
        let underline = Rulings { across: vec![across(100, 100, 400)], down: vec![] };
        assert!(find(&underline, 1400, 170).is_empty());
        let frame = Rulings {
            across: vec![across(100, 100, 700), across(300, 100, 700)],
            down: vec![down(100, 100, 300), down(700, 100, 300)],
        };
        assert!(find(&frame, 1400, 170).is_empty());
    }
}
