//! Tab-separated words, with the columns and levels of Tesseract's own TSV, so that its readers read ours.

use std::io::Write;

use pagemill_domain::geometry::Rect;
use pagemill_domain::page_text::{Content, Line};

use crate::characters::shown_words;
use crate::document::{DocumentPage, DocumentWriter, WriteError};

const HEADER: &str =
    "level\tpage_num\tblock_num\tpar_num\tline_num\tword_num\tleft\ttop\twidth\theight\tconf\ttext\n";

/// Writes TSV. Unlike Tesseract's, a table's cell is a paragraph (`par_num`) of its block.
///
/// Text has no tab and no line end (see [`crate::characters`]). It is not quoted and nothing is put before a leading
/// `=`, `+`, `-` or `@`: readers of this format take fields literally, and a spreadsheet must be told to import the
/// column as text.
pub(crate) struct TsvWriter<W> {
    out: W,
}

impl<W: Write> TsvWriter<W> {
    pub(crate) fn new(mut out: W) -> Result<Self, WriteError> {
        out.write_all(HEADER.as_bytes())?;
        Ok(Self { out })
    }

    /// `numbers`: page, block, paragraph, line, word. The level is that of the last that is not 0.
    fn row(&mut self, numbers: [u32; 5], bounds: Rect, conf: &str, text: &str) -> Result<(), WriteError> {
        let level = numbers.iter().rposition(|&number| number > 0).unwrap_or_default() + 1;
        let [page, block, paragraph, line, word] = numbers;
        let Rect { left, top, .. } = bounds;
        let (width, height) = (bounds.width(), bounds.height());
        writeln!(
            self.out,
            "{level}\t{page}\t{block}\t{paragraph}\t{line}\t{word}\t{left}\t{top}\t{width}\t{height}\t{conf}\t{text}"
        )?;
        Ok(())
    }

    fn region(&mut self, numbers: [u32; 5], bounds: Rect) -> Result<(), WriteError> {
        self.row(numbers, bounds, "-1", "")
    }

    fn lines(&mut self, [page, block, paragraph]: [u32; 3], lines: &[Line]) -> Result<(), WriteError> {
        for (line, line_num) in lines.iter().zip(1..) {
            self.region([page, block, paragraph, line_num, 0], line.bounds)?;
            for ((text, word), word_num) in shown_words(line).zip(1..) {
                let conf = word.confidence.percent().to_string();
                self.row([page, block, paragraph, line_num, word_num], word.bounds, &conf, &text)?;
            }
        }
        Ok(())
    }
}

impl<W: Write> DocumentWriter for TsvWriter<W> {
    fn page(&mut self, page: &DocumentPage<'_>) -> Result<(), WriteError> {
        let number = page.number;
        self.region([number, 0, 0, 0, 0], Rect::new(0, 0, page.width, page.height))?;
        let blocks = page.text.map_or(&[][..], |text| &text.blocks);
        for (block, block_num) in blocks.iter().zip(1..) {
            self.region([number, block_num, 0, 0, 0], block.bounds)?;
            match &block.content {
                Content::Paragraphs(paragraphs) => {
                    for (paragraph, par_num) in paragraphs.iter().zip(1..) {
                        let bounds =
                            paragraph.lines.iter().fold(Rect::default(), |all, line| all.union(line.bounds));
                        self.region([number, block_num, par_num, 0, 0], bounds)?;
                        self.lines([number, block_num, par_num], &paragraph.lines)?;
                    }
                }
                Content::Table(table) => {
                    for (cell, par_num) in table.cells.iter().zip(1..) {
                        self.region([number, block_num, par_num, 0, 0], cell.bounds)?;
                        self.lines([number, block_num, par_num], &cell.lines)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<(), WriteError> {
        Ok(self.out.flush()?)
    }
}

#[cfg(test)]
mod tests {
    use pagemill_domain::recipe::Format;
    use proptest::prelude::*;

    use crate::fixtures::{self, written};

    #[test]
    fn rows_have_the_columns_of_tesseract() {
        insta::assert_snapshot!(String::from_utf8(written(Format::Tsv, &fixtures::pages())).unwrap());
    }

    proptest! {
        #[test]
        fn no_text_breaks_a_row(text in any::<String>()) {
            let tsv = String::from_utf8(written(Format::Tsv, &[fixtures::page_of_words(&[&text])])).unwrap();
            prop_assert!(tsv.lines().all(|row| row.split('\t').count() == 12));
        }
    }
}
