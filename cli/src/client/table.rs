//! Tables for people: columns that align, however many rows there are.

use pagemill_domain::naming::{escape, unescape};

use crate::progress::print_result;

/// Letters of a cell that is not the last; longer ones are cut.
const CELL_LETTERS_MAX: usize = 40;

/// How a column's cells stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Align {
    /// Text.
    Left,
    /// Numbers.
    Right,
}

/// A table that is printed batch by batch. The last column is as wide as it likes.
pub(crate) struct Table {
    columns: Vec<(&'static str, Align)>,
    widths: Vec<usize>,
    begun: bool,
}

impl Table {
    /// A table with these columns.
    pub(crate) fn new(columns: &[(&'static str, Align)]) -> Self {
        let widths = columns.iter().map(|(name, _)| name.chars().count()).collect();
        Self { columns: columns.to_vec(), widths, begun: false }
    }

    /// Prints rows, after the names of the columns where they are the first.
    pub(crate) fn print(&mut self, rows: &[Vec<String>]) {
        self.lines(rows).iter().for_each(|line| print_result(line));
    }

    fn lines(&mut self, rows: &[Vec<String>]) -> Vec<String> {
        for row in rows {
            for (width, cell) in self.widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count().min(CELL_LETTERS_MAX));
            }
        }
        let names: Vec<String> = self.columns.iter().map(|(name, _)| (*name).to_owned()).collect();
        let head = (!std::mem::replace(&mut self.begun, true)).then_some(names);
        head.iter().chain(rows).map(|row| self.line(row)).collect()
    }

    fn line(&self, row: &[String]) -> String {
        let last = self.columns.len().saturating_sub(1);
        let cells = row.iter().zip(&self.columns).zip(&self.widths).enumerate();
        let cells = cells.map(|(number, ((cell, (_, align)), &width))| match align {
            Align::Left if number == last => cell.clone(),
            Align::Left => format!("{:<width$}", cut(cell)),
            Align::Right => format!("{:>width$}", cut(cell)),
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    }
}

fn cut(cell: &str) -> String {
    if cell.chars().count() <= CELL_LETTERS_MAX {
        return cell.to_owned();
    }
    cell.chars().take(CELL_LETTERS_MAX - 1).chain(['…']).collect()
}

/// Text from elsewhere as it may be shown: what controls the terminal or the eye is written out. Names that were
/// written out by whoever submitted them stay as they are.
pub(crate) fn shown(text: &str) -> String {
    let written_out = escape(&unescape(text));
    if written_out == text { written_out } else { escape(text.as_bytes()) }
}

/// How far something is: `7/12`.
pub(crate) fn part(done: u64, all: u64) -> String {
    format!("{done}/{all}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_align_over_all_batches() {
        let mut table = Table::new(&[("JOB", Align::Right), ("STATE", Align::Left), ("KEY", Align::Left)]);
        let row = |cells: [&str; 3]| cells.map(str::to_owned).to_vec();
        assert_eq!(
            table.lines(&[row(["7", "closed", "báo cáo"])]),
            ["JOB  STATE   KEY", "  7  closed  báo cáo"]
        );
        assert_eq!(table.lines(&[row(["1234", "draft", ""])]), ["1234  draft"]);
        assert_eq!(table.lines(&[row(["7", "closed", "x"])]), ["   7  closed  x"]);
    }

    #[test]
    fn a_long_cell_is_cut_unless_it_is_the_last() {
        let mut table = Table::new(&[("A", Align::Left), ("B", Align::Left)]);
        let long = "x".repeat(60);
        let lines = table.lines(&[vec![long.clone(), long.clone()]]);
        assert_eq!(lines[1], format!("{}…  {long}", "x".repeat(39)));
    }

    #[test]
    fn what_deceives_is_written_out_once() {
        for (text, expected) in [
            ("báo cáo.pdf", "báo cáo.pdf"),
            ("caf%E9 100%25.jpg", "caf%E9 100%25.jpg"),
            ("a\u{1b}[2J", "a%1B[2J"),
            ("100%", "100%25"),
        ] {
            assert_eq!(shown(text), expected);
        }
    }
}
