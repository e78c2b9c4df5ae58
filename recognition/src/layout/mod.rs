//! What stands where on a prepared page: lines, columns, tables, in reading order. Engine-neutral: it hands pictures
//! of lines to whatever reads them.

mod borderless;
mod columns;
pub mod components;
pub mod crop;
pub mod grid;
mod head;
pub mod lines;
mod margin;
pub mod order;
pub mod rulings;
mod undrawn;

use crate::engine::Span;
use crate::prepare::grey::Grey;
use components::Components;
use grid::Grid;
use lines::TextLine;
use order::{Group, Zone};
use rulings::Rulings;

/// A page's layout.
#[derive(Debug, Clone, Default)]
pub struct Layout {
    /// What stands on the page, in reading order.
    pub regions: Vec<Region>,
    /// Pictures of all lines, in the order in which the regions name them.
    pub crops: Vec<crop::Crop>,
    /// Typical height of a letter in pixels; 0 where there are none.
    pub letter_height: i32,
}

/// A part of the page that is read as a whole.
#[derive(Debug, Clone)]
pub enum Region {
    /// Lines of text.
    Text {
        /// How they lie.
        zone: Zone,
        /// The lines.
        lines: Vec<LineSpan>,
    },
    /// A table.
    Table {
        /// Its rows, columns and cells.
        grid: Grid,
        /// The lines of each cell.
        cells: Vec<Vec<LineSpan>>,
    },
}

impl Layout {
    /// The lines of tables.
    #[must_use]
    pub fn table_crops(&self) -> Vec<usize> {
        let cells = self.regions.iter().filter_map(|region| match region {
            Region::Table { cells, .. } => Some(cells),
            Region::Text { .. } => None,
        });
        cells.flatten().flatten().map(|line| line.crop).collect()
    }
}

/// A line of a region: where it lies, and which picture shows it.
#[derive(Debug, Clone, Copy)]
pub struct LineSpan {
    /// Index into [`Layout::crops`].
    pub crop: usize,
    /// Box of its ink.
    pub bounds: Span,
    /// Row of the baseline at its left and right ends.
    pub baseline: (f64, f64),
}

/// Ink is darker than this on a page whose background was brought to [`crate::prepare::GROUND`].
const INK_BELOW: u8 = 175;

/// Rulings are fainter than letters where scaling thins them.
const RULING_BELOW: u8 = 185;

/// A ruling or a crease from this length on is no row of letters, in inches.
const LONG_RULING_INCHES: f64 = 1.5;

/// Ink around a ruling that goes with it, in pixels.
const RULING_EDGE: i32 = 2;

/// Most lines of a page: small print fills an A3 page with a thousand.
const LINES_MAX: usize = 5_000;

/// Finds what stands on a prepared page; ruled tables only where `tables` says so.
#[must_use]
pub fn analyse(grey: &Grey, dpi: u32, ground: u8, tables: bool) -> Layout {
    let rulings = Rulings::find(grey, RULING_BELOW, dpi);
    let mut grids = if tables { grid::find(&rulings, grey.width, dpi) } else { Vec::new() };
    let mut clean = grey.clone();
    erase(&mut clean, &rulings, &grids, ground, dpi);
    let components = Components::find(&clean, |_| INK_BELOW);
    let Some(letter_height) = lines::letter_height(&components, dpi) else { return Layout::default() };
    let (body, in_cells) = sort_out(&components, &grids, letter_height);
    let mut body = lines::find(&components, &body, letter_height);
    let mut cells: Vec<Vec<Vec<TextLine>>> = in_cells
        .iter()
        .map(|cells| cells.iter().map(|members| cell_lines(&components, members, letter_height)).collect())
        .collect();
    for (grid, cells) in grids.iter_mut().zip(&mut cells) {
        undrawn::split(grid, cells, letter_height);
    }
    if tables {
        body = take_borderless(body, &mut grids, &mut cells, letter_height);
    }
    let groups = around_tables(body, &grids, grey, letter_height);
    Assembly::new(&clean, &components, ground, dpi).layout(groups, grids, cells, letter_height)
}

/// Takes the tables without rulings out of the body and puts them among the ruled ones, from top to bottom.
fn take_borderless(
    body: Vec<TextLine>,
    grids: &mut Vec<Grid>,
    cells: &mut Vec<Vec<Vec<TextLine>>>,
    letter_height: i32,
) -> Vec<TextLine> {
    let (mut rest, mut parts) = (Vec::new(), between(body, grids));
    let mut tables: Vec<borderless::Table> = grids.drain(..).zip(cells.drain(..)).collect();
    for part in parts.drain(..) {
        let (lines, found) = borderless::find(part, letter_height);
        rest.extend(lines);
        tables.extend(found);
    }
    tables.sort_by_key(|(grid, _)| (grid.bounds.top, grid.bounds.left));
    (*grids, *cells) = tables.into_iter().unzip();
    rest
}

/// Paints the rulings of tables over, where the grid says that one lies, and long ones that no letters could form: they
/// would join letters that touch them. Others are left, for a row of capitals looks like one ("STTTT" became "SLLLI").
fn erase(grey: &mut Grey, rulings: &Rulings, grids: &[Grid], ground: u8, dpi: u32) {
    let of_table = |ruling: Span| {
        grids.iter().any(|grid| grid.cells.iter().any(|cell| touches_wall(cell.bounds, ruling)))
    };
    let long = (LONG_RULING_INCHES * f64::from(dpi)) as i32;
    for &ruling in rulings.across.iter().chain(&rulings.down) {
        let (width, height) = (ruling.width(), ruling.height());
        let keeps_strokes = !of_table(ruling) && width > height;
        if of_table(ruling) || width.max(height) >= long {
            paint_over(grey, ruling.grown(RULING_EDGE), ground, keeps_strokes);
        }
    }
}

/// Paints a ruling over; strokes of letters that cross it stay whole where `keeps_strokes`.
fn paint_over(grey: &mut Grey, ruling: Span, ground: u8, keeps_strokes: bool) {
    let (top, bottom) = (ruling.top.max(0) as usize, (ruling.bottom.max(0) as usize).min(grey.height));
    for x in ruling.left.max(0) as usize..(ruling.right.max(0) as usize).min(grey.width) {
        let is_stroke = keeps_strokes
            && top > 0
            && bottom < grey.height
            && [top - 1, bottom].iter().all(|&y| grey.row(y)[x] < INK_BELOW);
        if !is_stroke {
            for y in top..bottom {
                grey.row_mut(y)[x] = ground;
            }
        }
    }
}

/// Whether a ruling lies on one of the four walls of a cell.
fn touches_wall(cell: Span, ruling: Span) -> bool {
    let slack = 4;
    let on = |wall: i32, from: i32, to: i32| from - slack <= wall && wall <= to + slack;
    let meets = ruling.grown(slack).meets(cell);
    let across = ruling.width() > ruling.height();
    meets
        && if across {
            on(cell.top, ruling.top, ruling.bottom) || on(cell.bottom, ruling.top, ruling.bottom)
        } else {
            on(cell.left, ruling.left, ruling.right) || on(cell.right, ruling.left, ruling.right)
        }
}

/// Components that may be text: those of the body, and those of each table's cells.
fn sort_out(
    components: &Components,
    grids: &[Grid],
    letter_height: i32,
) -> (Vec<usize>, Vec<Vec<Vec<usize>>>) {
    let mut body = Vec::new();
    let mut in_cells: Vec<Vec<Vec<usize>>> =
        grids.iter().map(|grid| vec![Vec::new(); grid.cells.len()]).collect();
    for (at, component) in components.list.iter().enumerate() {
        let (width, height) = (component.bounds.width(), component.bounds.height());
        let big = height > letter_height * 4 || width > letter_height * 30;
        let rule = width > letter_height * 4 && height * 12 < width && height < letter_height / 2;
        if big || rule {
            continue;
        }
        let holder = grids.iter().position(|grid| grid.bounds.holds_middle_of(component.bounds));
        match holder {
            None => body.push(at),
            Some(table) => {
                let holds = |cell: &grid::GridCell| cell.bounds.holds_middle_of(component.bounds);
                if let Some(cell) = grids[table].cells.iter().position(holds) {
                    in_cells[table][cell].push(at);
                }
            }
        }
    }
    (body, in_cells)
}

/// A cell's lines: one column, rows from top to bottom.
fn cell_lines(components: &Components, members: &[usize], letter_height: i32) -> Vec<TextLine> {
    let lines = lines::find(components, members, letter_height);
    order::rows(lines).iter().map(|row| order::joined(row)).collect()
}

/// Lines above, between and below tables.
fn between(body: Vec<TextLine>, grids: &[Grid]) -> Vec<Vec<TextLine>> {
    let mut parts: Vec<Vec<TextLine>> = vec![Vec::new(); grids.len() + 1];
    for line in body {
        let middle = line.middle() as i32;
        let above = grids
            .iter()
            .take_while(|grid| i32::midpoint(grid.bounds.top, grid.bounds.bottom) < middle)
            .count();
        parts[above].push(line);
    }
    parts
}

/// Text above, between and below tables, each in its own reading order; a table stands as an empty entry.
fn around_tables(body: Vec<TextLine>, grids: &[Grid], grey: &Grey, letter_height: i32) -> Vec<Option<Group>> {
    let mut ordered = Vec::new();
    for (at, part) in between(body, grids).into_iter().enumerate() {
        ordered.extend(order::arrange(part, letter_height, grey.width, grey.height).into_iter().map(Some));
        if at < grids.len() {
            ordered.push(None);
        }
    }
    ordered
}

/// Cuts the lines out and numbers them.
struct Assembly<'a> {
    grey: &'a Grey,
    components: &'a Components,
    owners: Vec<Option<usize>>,
    lines: Vec<TextLine>,
    ground: u8,
    dpi: u32,
}

impl<'a> Assembly<'a> {
    fn new(grey: &'a Grey, components: &'a Components, ground: u8, dpi: u32) -> Self {
        Self { grey, components, owners: vec![None; components.list.len()], lines: Vec::new(), ground, dpi }
    }

    fn layout(
        mut self,
        groups: Vec<Option<Group>>,
        grids: Vec<Grid>,
        cells: Vec<Vec<Vec<TextLine>>>,
        letter_height: i32,
    ) -> Layout {
        let mut tables = grids.into_iter().zip(cells);
        let mut regions = Vec::new();
        for group in groups {
            regions.extend(match group {
                Some(Group { zone, lines }) => Some(Region::Text { zone, lines: self.take_all(lines) }),
                None => tables.next().map(|(grid, cells)| {
                    let cells = cells.into_iter().map(|lines| self.take_all(lines)).collect();
                    Region::Table { grid, cells }
                }),
            });
        }
        let cut = |line: (usize, &TextLine)| {
            crop::cut(self.grey, self.components, &self.owners, line, self.ground, self.dpi, letter_height)
        };
        let crops = self.lines.iter().enumerate().map(cut).collect();
        Layout { regions, crops, letter_height }
    }

    fn take_all(&mut self, lines: Vec<TextLine>) -> Vec<LineSpan> {
        lines.into_iter().filter_map(|line| self.take(line)).collect()
    }

    fn take(&mut self, line: TextLine) -> Option<LineSpan> {
        let crop = self.lines.len();
        if crop >= LINES_MAX {
            return None;
        }
        for part in &line.parts {
            self.owners[part.component] = Some(crop);
        }
        let ends = [line.bounds.left, line.bounds.right].map(|x| line.baseline_at(f64::from(x)));
        let span = LineSpan { crop, bounds: line.bounds, baseline: (ends[0], ends[1]) };
        self.lines.push(line);
        Some(span)
    }
}

#[cfg(test)]
mod tests;
