//! Layout and readings as page text, in page space.

use pagemill_domain::geometry::Rect;
use pagemill_domain::page_text::{
    Baseline, Block, BlockKind, Cell, Confidence, Content, Line, Paragraph, Table, Word,
};
use unicode_normalization::UnicodeNormalization;

use crate::engine::{LineReading, Span, WordReading};
use crate::layout::grid::Grid;
use crate::layout::order::Zone;
use crate::layout::{Layout, LineSpan, Region};
use crate::prepare::Prepared;

/// Puts a page's text together.
pub(super) struct PageWriter<'a> {
    pub(super) prepared: &'a Prepared,
    pub(super) layout: &'a Layout,
    /// One for each of the layout's crops.
    pub(super) readings: &'a [LineReading],
    pub(super) width: u32,
    pub(super) height: u32,
}

impl PageWriter<'_> {
    /// The blocks in reading order; regions in which nothing was read are left out, empty cells are not.
    pub(super) fn blocks(&self) -> Vec<Block> {
        self.layout
            .regions
            .iter()
            .filter_map(|region| match region {
                Region::Text { zone, lines } => self.text(*zone, lines),
                Region::Table { grid, cells } => Some(self.table(grid, cells)),
            })
            .collect()
    }

    fn text(&self, zone: Zone, lines: &[LineSpan]) -> Option<Block> {
        let lines: Vec<Line> = lines.iter().filter_map(|line| self.line(line)).collect();
        if lines.is_empty() {
            return None;
        }
        let bounds = lines.iter().fold(Rect::default(), |bounds, line| bounds.union(line.bounds));
        let kind = match zone {
            Zone::Right => BlockKind::Signature,
            Zone::Head => BlockKind::Heading,
            Zone::Body | Zone::Left | Zone::Rows => BlockKind::Text,
        };
        Some(Block { kind, bounds, content: Content::Paragraphs(vec![Paragraph { lines }]) })
    }

    fn table(&self, grid: &Grid, cells: &[Vec<LineSpan>]) -> Block {
        let cells = grid.cells.iter().zip(cells).map(|(cell, lines)| Cell {
            row: cell.row as u32,
            column: cell.column as u32,
            row_span: cell.row_span as u32,
            column_span: cell.column_span as u32,
            header: cell.row == 0,
            bounds: self.rect(cell.bounds),
            lines: lines.iter().filter_map(|line| self.line(line)).collect(),
        });
        let table = Table { rows: grid.rows as u32, columns: grid.columns as u32, cells: cells.collect() };
        Block { kind: BlockKind::Table, bounds: self.rect(grid.bounds), content: Content::Table(table) }
    }

    fn line(&self, line: &LineSpan) -> Option<Line> {
        let crop = &self.layout.crops[line.crop];
        let words: Vec<Word> = self.readings[line.crop]
            .words
            .iter()
            .filter_map(|word| self.word(word, crop.left, crop.top))
            .collect();
        let bounds = words.iter().map(|word| word.bounds).reduce(Rect::union)?;
        let point = |x: i32, y: f64| self.prepared.to_page.point(f64::from(x), y);
        let baseline = Baseline {
            start: point(line.bounds.left, line.baseline.0),
            end: point(line.bounds.right, line.baseline.1),
        };
        Some(Line { bounds, baseline, turn: self.prepared.turn, words })
    }

    fn word(&self, word: &WordReading, left: i32, top: i32) -> Option<Word> {
        let text: String = word.text.nfc().filter(|letter| !letter.is_whitespace()).collect();
        let bounds = Span {
            left: word.bounds.left + left,
            top: word.bounds.top + top,
            right: word.bounds.right + left,
            bottom: word.bounds.bottom + top,
        };
        (!text.is_empty()).then(|| Word {
            text,
            bounds: self.rect(bounds),
            confidence: Confidence::from_percent(f64::from(word.confidence)),
            suspect: false,
        })
    }

    fn rect(&self, span: Span) -> Rect {
        let [left, top, right, bottom] = [span.left, span.top, span.right, span.bottom].map(f64::from);
        self.prepared.to_page.rect(left, top, right, bottom, self.width, self.height)
    }
}
