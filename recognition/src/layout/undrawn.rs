//! Cells of a ruled table's first row between which no wall is drawn: heads on a dark ground have none, mostly.

use super::grid::{Grid, GridCell};
use super::lines::TextLine;
use crate::engine::Span;

/// Letters keep away from a wall that is only meant by this part of their height: from one that is not, too, only where
/// a gap lies there by chance.
const CLEARANCE_HEIGHTS: f64 = 0.6;

/// Splits the first row's cells at column edges that all letters keep clear of, where each part has text.
pub(super) fn split(grid: &mut Grid, cells: &mut Vec<Vec<TextLine>>, letter_height: i32) {
    let clearance = (CLEARANCE_HEIGHTS * f64::from(letter_height)) as i32;
    let edges = column_edges(grid);
    for at in (0..grid.cells.len()).rev() {
        let cell = grid.cells[at];
        let walls: Option<Vec<i32>> =
            (cell.column + 1..cell.column + cell.column_span).map(|column| edges[column]).collect();
        let Some(walls) = walls.filter(|walls| cell.row == 0 && !walls.is_empty()) else { continue };
        let is_clear = |wall: &i32| {
            let keeps_away =
                |letter: Span| letter.right + clearance <= *wall || letter.left - clearance >= *wall;
            cells[at].iter().flat_map(TextLine::letters).all(keeps_away)
        };
        if !walls.iter().all(is_clear) {
            continue;
        }
        let parts = split_lines(&cells[at], &walls);
        if parts.iter().all(|part| !part.is_empty()) {
            grid.cells.splice(at..=at, columns_of(cell, &walls));
            cells.splice(at..=at, parts);
        }
    }
}

/// Where each column starts, as far as a cell starts or ends there.
fn column_edges(grid: &Grid) -> Vec<Option<i32>> {
    let mut edges = vec![None; grid.columns + 1];
    for cell in &grid.cells {
        edges[cell.column] = Some(cell.bounds.left);
        edges[cell.column + cell.column_span] = Some(cell.bounds.right);
    }
    edges
}

fn split_lines(lines: &[TextLine], walls: &[i32]) -> Vec<Vec<TextLine>> {
    let mut parts: Vec<Vec<TextLine>> = vec![Vec::new(); walls.len() + 1];
    for line in lines {
        let mut rest = Some(line.clone());
        for (part, &wall) in parts.iter_mut().zip(walls) {
            let Some(line) = rest else { break };
            let (left, right) = line.split_at(wall);
            part.extend(left);
            rest = right;
        }
        parts[walls.len()].extend(rest);
    }
    parts
}

fn columns_of(cell: GridCell, walls: &[i32]) -> Vec<GridCell> {
    let mut left = cell.bounds.left;
    let ends = walls.iter().copied().chain([cell.bounds.right]);
    ends.enumerate()
        .map(|(at, right)| {
            let bounds = Span { left, right, ..cell.bounds };
            left = right;
            GridCell { column: cell.column + at, column_span: 1, bounds, ..cell }
        })
        .collect()
}
