//! Tables without rulings: rows whose words leave the same gaps free, one under the other.
//!
//! Two such gaps make a table, for a single one may as well lie between two columns of text. Lines of a cell are closer
//! to each other than rows are; where all are equally close, a row starts where the first column has text.

use std::ops::Range;

use super::grid::{Grid, GridCell};
use super::lines::TextLine;
use super::order::{self, Row};
use crate::engine::Span;

/// Narrowest gap between columns, in letter heights: spaces of justified text may be as wide, but seldom lie one under the
/// other.
const GAP_MIN_HEIGHTS: f64 = 0.85;

/// Gaps that are wider than any space, in letter heights.
const WIDE_GAP_HEIGHTS: f64 = 1.3;

/// Rows further apart than this belong to different things, in letter heights.
const APART_MAX_HEIGHTS: f64 = 5.0;

/// A table has at least so many rows with text in at least so many columns; more where a gap is no wider than spaces are.
const FULL_ROWS_MIN: usize = 3;
const FULL_ROWS_MIN_OF_NARROW: usize = 5;
const COLUMNS_MIN: usize = 3;

/// Lines of a cell are not closer than this, from middle to middle in letter heights: what is closer is a cell beside it
/// that was not told apart.
const LEADING_MIN_HEIGHTS: f64 = 1.5;

/// Lines of one cell are at most this much further apart than the closest lines of the table.
const SAME_CELL_RATIO: f64 = 1.22;

/// A gap stays once so many lines respect it on either side: text that runs across it comes after the table.
const SUPPORT_MIN: usize = 3;

/// So many rows may pass before the second gap shows.
const ROWS_TO_START: usize = 3;

/// A line fills its column from this part of its width on; columns of which most lines do are running text.
const FILLED_PART: f64 = 0.85;

/// A table and the lines of each of its cells.
pub(super) type Table = (Grid, Vec<Vec<TextLine>>);

/// Takes the tables out of `lines`; the rest is returned first.
pub(super) fn find(lines: Vec<TextLine>, letter_height: i32) -> (Vec<TextLine>, Vec<Table>) {
    let rows = order::rows(lines);
    let letter_height = f64::from(letter_height);
    let (mut rest, mut tables) = (Vec::new(), Vec::new());
    let mut at = 0;
    while at < rows.len() {
        // A line above the table may spoil its gaps: a later start with more columns is the better one.
        let starts = (at..rows.len().min(at + ROWS_TO_START))
            .filter_map(|start| Stretch::grow(&rows, start, letter_height).map(|stretch| (start, stretch)));
        let best = starts.max_by_key(|(start, stretch)| (stretch.gaps.len(), usize::MAX - start));
        let table = best.and_then(|(start, stretch)| Some((start, stretch.table(&rows, letter_height)?)));
        if let Some((start, (table, taken))) = table {
            rest.extend(rows[at..start + taken.start].iter().flatten().cloned());
            tables.push(table);
            at = start + taken.end;
        } else {
            rest.extend(rows[at].iter().cloned());
            at += 1;
        }
    }
    (rest, tables)
}

/// Rows that leave the same gaps free.
struct Stretch {
    start: usize,
    /// Row after the last.
    end: usize,
    gaps: Vec<(i32, i32)>,
}

impl Stretch {
    /// The longest stretch from row `start` on with gaps enough.
    fn grow(rows: &[Row], start: usize, letter_height: f64) -> Option<Self> {
        let mut inked: Vec<(i32, i32)> = Vec::new();
        let mut best: Option<Self> = None;
        for at in start..rows.len() {
            if at > start && distance(&rows[at - 1], &rows[at]) > APART_MAX_HEIGHTS * letter_height {
                break;
            }
            inked = merged(&inked, &order::letters(&rows[at]));
            let gaps = gaps(&inked, letter_height);
            if gaps.len() + 1 < COLUMNS_MIN {
                if best.is_some() || at - start >= ROWS_TO_START {
                    break;
                }
                continue;
            }
            if best.as_ref().is_some_and(|best| best.is_crossed(rows, &gaps)) {
                break;
            }
            best = Some(Self { start, end: at + 1, gaps });
        }
        best
    }

    /// Whether a gap that rows respect is no longer there.
    fn is_crossed(&self, rows: &[Row], gaps: &[(i32, i32)]) -> bool {
        let rows = &rows[self.start..self.end];
        self.gaps.iter().enumerate().any(|(at, gap)| {
            let gone = !gaps.iter().any(|other| other.0 >= gap.0 && other.1 <= gap.1);
            let beside = |column: usize| {
                let (from, to) = self.column(column);
                rows.iter()
                    .filter(|row| order::letters(row).iter().any(|one| one.0 >= from && one.1 <= to))
                    .count()
            };
            gone && beside(at) >= SUPPORT_MIN && beside(at + 1) >= SUPPORT_MIN
        })
    }

    /// From where to where a column may reach.
    fn column(&self, at: usize) -> (i32, i32) {
        let from = at.checked_sub(1).map_or(i32::MIN, |before| self.gaps[before].0);
        (from, self.gaps.get(at).map_or(i32::MAX, |gap| gap.1))
    }

    /// The table, and which of the stretch's rows are its.
    fn table(&self, rows: &[Row], letter_height: f64) -> Option<(Table, Range<usize>)> {
        let walls: Vec<i32> = self.gaps.iter().map(|gap| i32::midpoint(gap.0, gap.1)).collect();
        let mut pieces: Vec<Vec<Option<TextLine>>> =
            rows[self.start..self.end].iter().map(|row| split(row, &walls)).collect();
        // A line below that stands in one column alone is a heading or the end of a paragraph, unless it goes on.
        let filled = |row: &Vec<Option<TextLine>>| row.iter().flatten().count();
        while pieces.last().is_some_and(|row| filled(row) < 2 && !goes_on(&pieces, letter_height)) {
            pieces.pop();
        }
        // One above, the end of a paragraph.
        let dropped =
            pieces.windows(2).take_while(|pair| filled(&pair[0]) < 2 && !follows(&pair[1], &pair[0])).count();
        pieces.drain(..dropped);
        if is_running_text(&pieces) {
            return None;
        }
        let starts = row_starts(&pieces, letter_height);
        let table_rows: Vec<Vec<Vec<TextLine>>> =
            starts.iter().map(|members| cells_of(&pieces, members, walls.len() + 1)).collect();
        let full =
            |row: &&Vec<Vec<TextLine>>| row.iter().filter(|cell| !cell.is_empty()).count() >= COLUMNS_MIN;
        let narrow = self.gaps.iter().any(|gap| f64::from(gap.1 - gap.0) < WIDE_GAP_HEIGHTS * letter_height);
        let full_min = if narrow { FULL_ROWS_MIN_OF_NARROW } else { FULL_ROWS_MIN };
        let taken = dropped..dropped + pieces.len();
        (table_rows.iter().filter(full).count() >= full_min).then(|| (build(&walls, table_rows), taken))
    }
}

fn distance(above: &Row, below: &Row) -> f64 {
    let bottom = above.iter().map(|line| line.bounds.bottom).max().unwrap_or(0);
    let top = below.iter().map(|line| line.bounds.top).min().unwrap_or(0);
    f64::from(top - bottom)
}

/// Union of stretches, both sorted.
fn merged(one: &[(i32, i32)], other: &[(i32, i32)]) -> Vec<(i32, i32)> {
    let mut all: Vec<(i32, i32)> = one.iter().chain(other).copied().collect();
    all.sort_unstable();
    let mut union: Vec<(i32, i32)> = Vec::new();
    for (left, right) in all {
        match union.last_mut() {
            Some(last) if left <= last.1 => last.1 = last.1.max(right),
            _ => union.push((left, right)),
        }
    }
    union
}

/// Wide gaps between inked stretches.
fn gaps(inked: &[(i32, i32)], letter_height: f64) -> Vec<(i32, i32)> {
    let between = inked.windows(2).map(|pair| (pair[0].1, pair[1].0));
    between.filter(|gap| f64::from(gap.1 - gap.0) >= GAP_MIN_HEIGHTS * letter_height).collect()
}

/// A row's parts between walls.
fn split(row: &Row, walls: &[i32]) -> Vec<Option<TextLine>> {
    let mut rest: Row = row.clone();
    let mut parts = Vec::new();
    for &wall in walls {
        let halves: Vec<_> = rest.iter().map(|line| line.split_at(wall)).collect();
        let left: Row = halves.iter().filter_map(|half| half.0.clone()).collect();
        rest = halves.into_iter().filter_map(|half| half.1).collect();
        parts.push((!left.is_empty()).then(|| order::joined(&left)));
    }
    parts.push((!rest.is_empty()).then(|| order::joined(&rest)));
    parts
}

/// Whether the last row is the next line of a cell above: it starts where that one does and is as close as lines get.
fn goes_on(pieces: &[Vec<Option<TextLine>>], letter_height: f64) -> bool {
    let Some((last, above)) = pieces.split_last() else { return false };
    let Some((column, line)) =
        last.iter().enumerate().find_map(|(column, line)| line.as_ref().map(|line| (column, line)))
    else {
        return false;
    };
    let tight = tightest(above, letter_height).unwrap_or(f64::MAX);
    above.iter().rev().find_map(|row| row[column].as_ref()).is_some_and(|before| {
        f64::from((line.bounds.left - before.bounds.left).abs()) < letter_height
            && line.middle() - before.middle() <= tight * SAME_CELL_RATIO
    })
}

/// Whether a row stands where it would as the second line of the one above: at most a line's height below.
fn follows(row: &[Option<TextLine>], above: &[Option<TextLine>]) -> bool {
    let lowest = above.iter().flatten().map(|line| line.bounds.bottom).max().unwrap_or(0);
    let highest = row.iter().flatten().map(|line| line.bounds.top).min().unwrap_or(0);
    highest < lowest
}

/// Columns whose lines mostly reach from side to side hold running text.
fn is_running_text(pieces: &[Vec<Option<TextLine>>]) -> bool {
    let columns = pieces.first().map_or(0, Vec::len);
    let running = (0..columns).filter(|&column| {
        let widths: Vec<i32> =
            pieces.iter().filter_map(|row| row[column].as_ref()).map(|line| line.bounds.width()).collect();
        let widest = widths.iter().copied().max().unwrap_or(0);
        let filled =
            widths.iter().filter(|&&width| f64::from(width) >= FILLED_PART * f64::from(widest)).count();
        // Short words of one width, as numbers are, say nothing.
        let long =
            pieces.iter().filter_map(|row| row[column].as_ref()).filter(|line| line.letters().count() >= 12);
        widths.len() >= 6 && filled * 10 >= widths.len() * 7 && long.count() * 10 >= widths.len() * 7
    });
    running.count() >= 2
}

/// The smallest distance of lines in any column; one of many may be an outlier.
fn tightest(pieces: &[Vec<Option<TextLine>>], letter_height: f64) -> Option<f64> {
    let mut pitches = pitches(pieces);
    pitches.retain(|pitch| *pitch >= LEADING_MIN_HEIGHTS * letter_height);
    pitches.sort_by(f64::total_cmp);
    pitches.get(usize::from(pitches.len() > 20)).copied()
}

/// Distances between lines that follow each other in a column.
fn pitches(pieces: &[Vec<Option<TextLine>>]) -> Vec<f64> {
    let columns = pieces.first().map_or(0, Vec::len);
    (0..columns)
        .flat_map(|column| {
            let middles: Vec<f64> =
                pieces.iter().filter_map(|row| row[column].as_ref()).map(TextLine::middle).collect();
            middles.windows(2).map(|pair| pair[1] - pair[0]).collect::<Vec<f64>>()
        })
        .collect()
}

/// The lines of each row of the table: indices into `pieces`, with the columns that they have there.
fn row_starts(pieces: &[Vec<Option<TextLine>>], letter_height: f64) -> Vec<Vec<(usize, usize)>> {
    let tight = tightest(pieces, letter_height).unwrap_or(0.0);
    let loose = pitches(pieces).into_iter().filter(|pitch| *pitch > tight * SAME_CELL_RATIO).count();
    let columns = pieces.first().map_or(0, Vec::len);
    let mut cells: Vec<Vec<(usize, usize)>> = Vec::new();
    if loose == 0 {
        // Nothing but the first column tells rows apart.
        for (at, row) in pieces.iter().enumerate() {
            let members = (0..columns).filter(|&column| row[column].is_some()).map(|column| (at, column));
            match cells.last_mut() {
                Some(last) if row[0].is_none() => last.extend(members),
                _ => cells.push(members.collect()),
            }
        }
        return cells;
    }
    for column in 0..columns {
        let mut before = f64::MIN;
        for (at, line) in pieces.iter().enumerate().filter_map(|(at, row)| Some((at, row[column].as_ref()?)))
        {
            let near = line.middle() - before <= tight * SAME_CELL_RATIO;
            before = line.middle();
            match cells.last_mut().filter(|_| near) {
                Some(cell) => cell.push((at, column)),
                None => cells.push(vec![(at, column)]),
            }
        }
    }
    beside_each_other(cells, pieces)
}

/// Cells that stand beside each other, as rows from top to bottom.
fn beside_each_other(
    mut cells: Vec<Vec<(usize, usize)>>,
    pieces: &[Vec<Option<TextLine>>],
) -> Vec<Vec<(usize, usize)>> {
    let extent = |cell: &[(usize, usize)]| {
        let middles =
            cell.iter().filter_map(|&(at, column)| pieces[at][column].as_ref()).map(TextLine::middle);
        middles.fold((f64::MAX, f64::MIN), |(low, high), middle| (low.min(middle), high.max(middle)))
    };
    cells.sort_by(|one, other| extent(one).0.total_cmp(&extent(other).0));
    let mut rows: Vec<Vec<(usize, usize)>> = Vec::new();
    let mut lowest = f64::MIN;
    for cell in cells {
        let (low, high) = extent(&cell);
        let line = cell.first().and_then(|&(at, column)| pieces[at][column].as_ref());
        let height = line.map_or(0.0, |line| line.letter_height);
        match rows.last_mut().filter(|_| low - lowest < height) {
            Some(row) => row.extend(cell),
            None => rows.push(cell),
        }
        lowest = lowest.max(high);
    }
    rows
}

/// The lines of a row's cells.
fn cells_of(
    pieces: &[Vec<Option<TextLine>>],
    members: &[(usize, usize)],
    columns: usize,
) -> Vec<Vec<TextLine>> {
    let mut cells: Vec<Vec<TextLine>> = vec![Vec::new(); columns];
    let mut members = members.to_vec();
    members.sort_unstable();
    for (at, column) in members {
        cells[column].extend(pieces[at][column].clone());
    }
    cells
}

/// The grid around the cells: walls lie midway.
fn build(walls: &[i32], rows: Vec<Vec<Vec<TextLine>>>) -> Table {
    let boxes = |row: &Vec<Vec<TextLine>>| row.iter().flatten().map(|line| line.bounds).reduce(Span::union);
    let extents: Vec<Span> = rows.iter().filter_map(boxes).collect();
    let bounds = extents.iter().copied().reduce(Span::union).unwrap_or_default().grown(2);
    let mut xs = vec![bounds.left];
    xs.extend(walls);
    xs.push(bounds.right);
    let mut ys = vec![bounds.top];
    ys.extend(extents.windows(2).map(|pair| i32::midpoint(pair[0].bottom, pair[1].top)));
    ys.push(bounds.bottom);
    let mut cells = Vec::new();
    let mut lines = Vec::new();
    for (row, texts) in rows.into_iter().enumerate() {
        for (column, text) in texts.into_iter().enumerate() {
            let bounds = Span { left: xs[column], top: ys[row], right: xs[column + 1], bottom: ys[row + 1] };
            cells.push(GridCell { row, column, row_span: 1, column_span: 1, bounds });
            lines.push(text);
        }
    }
    (Grid { bounds, rows: ys.len() - 1, columns: xs.len() - 1, cells }, lines)
}
