//! Plain text: UTF-8, a line for a line, an empty line between paragraphs, a form feed after each page.

use std::io::Write;

use pagemill_domain::page_text::{Content, PageText, Table};

use crate::characters::shown_line;
use crate::document::{DocumentPage, DocumentWriter, WriteError};

/// Writes plain text.
pub(crate) struct TextWriter<W> {
    out: W,
}

impl<W: Write> TextWriter<W> {
    pub(crate) fn new(out: W) -> Self {
        Self { out }
    }
}

impl<W: Write> DocumentWriter for TextWriter<W> {
    fn page(&mut self, page: &DocumentPage<'_>) -> Result<(), WriteError> {
        if let Some(text) = page.text {
            self.out.write_all(page_text(text).as_bytes())?;
        }
        self.out.write_all(b"\x0c")?;
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<(), WriteError> {
        Ok(self.out.flush()?)
    }
}

fn page_text(text: &PageText) -> String {
    let mut paragraphs = Vec::new();
    for block in &text.blocks {
        match &block.content {
            Content::Paragraphs(read) => {
                paragraphs.extend(read.iter().map(|paragraph| {
                    let lines = paragraph.lines.iter().map(|line| shown_line(line) + "\n");
                    lines.collect::<String>()
                }));
            }
            Content::Table(table) => paragraphs.push(table_text(table)),
        }
    }
    paragraphs.retain(|paragraph| !paragraph.is_empty());
    paragraphs.join("\n")
}

/// More empty cells than this before a cell are not written out: a table of ten thousand columns is no table.
const EMPTY_CELLS_MAX: u32 = 256;

/// A row is a line, its cells are separated by a tab, the lines of a cell by a space: it pastes into a spreadsheet, and
/// a search finds a phrase that was wrapped within its cell. Columns that a cell spans or that hold none stay empty.
fn table_text(table: &Table) -> String {
    let mut text = String::new();
    for row in table.cells.chunk_by(|cell, next| cell.row == next.row) {
        let (mut line, mut column) = (String::new(), 0);
        for cell in row {
            let tabs = cell.column.saturating_sub(column).min(EMPTY_CELLS_MAX);
            line.extend(std::iter::repeat_n('\t', tabs as usize));
            column = cell.column.max(column);
            let lines: Vec<_> = cell.lines.iter().map(shown_line).collect();
            line.push_str(&lines.join(" "));
        }
        if !line.trim_end().is_empty() {
            text.push_str(line.trim_end());
            text.push('\n');
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use crate::fixtures::{self, written};
    use pagemill_domain::recipe::Format;

    #[test]
    fn pages_end_with_a_form_feed_and_tables_are_rows_of_cells() {
        let text = written(Format::Txt, &fixtures::pages());
        insta::assert_snapshot!(String::from_utf8(text).unwrap().replace('\x0c', "<FF>"));
    }
}
