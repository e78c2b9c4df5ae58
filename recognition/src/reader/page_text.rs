//! Layout and readings as page text, in page space.

use pagemill_domain::geometry::{Rect, Turn};
use pagemill_domain::page_text::{Baseline, Block, BlockKind, Cell, Content, Line, Table, Word};
use unicode_normalization::UnicodeNormalization;

use super::running::Margins;
use super::{calibration, continuation, paragraphs, vietnamese};
use crate::engine::{LineReading, Span, WordReading};
use crate::layout::grid::Grid;
use crate::layout::order::Zone;
use crate::layout::{Layout, LineSpan, Region};
use crate::prepare::Prepared;

/// A line lies in a stamp or signature from this part of its width on.
const OVERLAID_PERCENT: i32 = 60;

/// There it is nonsense below this mean confidence; print under a stamp stays above.
const SCRAWL_PERCENT_IN_OVERLAY: u32 = 40;

/// Anywhere else below this one.
const SCRAWL_PERCENT: u32 = 25;

/// So few letters are what pen strokes and the rays of a seal's star read like; below this mean confidence in percents
/// they are taken for that.
const SCRAP_LETTERS_MAX: u32 = 6;
const SCRAP_PERCENT: u32 = 50;

/// "TM. ỦY BAN NHÂN DÂN", "KT. CHỦ TỊCH", "PHÓ CHỦ TỊCH", a name, and each may take two lines.
const SIGNATURE_LINES_MAX: usize = 8;

/// Puts a page's text together.
pub(super) struct PageWriter<'a> {
    pub(super) prepared: &'a Prepared,
    pub(super) layout: &'a Layout,
    /// One for each of the layout's crops.
    pub(super) readings: &'a [LineReading],
    pub(super) width: u32,
    pub(super) height: u32,
    /// Whether the rules of Vietnamese hold for the page's words.
    pub(super) vietnamese: bool,
}

impl PageWriter<'_> {
    /// The blocks in reading order; regions in which nothing was read are left out, empty cells are not.
    pub(super) fn blocks(&self) -> Vec<Block> {
        let margins = Margins::of(self.layout, self.prepared.grey.height as i32);
        let mut blocks: Vec<Block> = Vec::new();
        for region in &self.layout.regions {
            match region {
                Region::Text { zone, lines } => blocks.extend(self.text(*zone, lines, &margins)),
                Region::Table { grid, cells } => {
                    let mut table = self.table(grid, cells);
                    // A running head and a number may stand above.
                    let is_first = blocks
                        .iter()
                        .all(|block| matches!(block.kind, BlockKind::Header | BlockKind::PageNumber));
                    if is_first && continuation::starts_with_values(&table.cells) {
                        table.cells.iter_mut().for_each(|cell| cell.header = false);
                    }
                    let content = Content::Table(table);
                    blocks.push(Block { kind: BlockKind::Table, bounds: self.rect(grid.bounds), content });
                }
            }
        }
        blocks
    }

    /// The blocks that a region becomes: what stands in the page's margins is apart.
    fn text(&self, zone: Zone, lines: &[LineSpan], margins: &Margins) -> Vec<Block> {
        let read = |line: &LineSpan| Some((line.bounds, self.line(line, zone != Zone::Head)?));
        let (spans, lines): (Vec<Span>, Vec<Line>) = lines.iter().filter_map(read).unzip();
        let kind = match zone {
            Zone::Right if self.is_signature(&lines) => BlockKind::Signature,
            Zone::Head => BlockKind::Heading,
            Zone::Margin => BlockKind::Marginal,
            Zone::Body | Zone::Left | Zone::Right => BlockKind::Text,
        };
        let in_margin = |(span, line): (Span, &Line)| {
            let stands_there = zone == Zone::Body;
            stands_there.then(|| margins.kind(span, &line.text())).flatten().unwrap_or(kind)
        };
        let kinds: Vec<BlockKind> = spans.into_iter().zip(&lines).map(in_margin).collect();
        let mut rest = lines.as_slice();
        kinds
            .chunk_by(|one, other| one == other)
            .map(|kinds| {
                let (lines, others) = rest.split_at(kinds.len());
                rest = others;
                let bounds = lines.iter().fold(Rect::default(), |bounds, line| bounds.union(line.bounds));
                let upright = !self.prepared.turn.swaps_axes();
                let content = Content::Paragraphs(paragraphs::of(lines, upright));
                Block { kind: kinds[0], bounds, content }
            })
            .collect()
    }

    /// Position and name: a few lines on the right, in the lower part of the page's text.
    fn is_signature(&self, lines: &[Line]) -> bool {
        lines.len() <= SIGNATURE_LINES_MAX
            && self.prepared.turn == Turn::None
            && lines.iter().all(|line| line.bounds.top > self.height / 4)
    }

    fn table(&self, grid: &Grid, cells: &[Vec<LineSpan>]) -> Table {
        let cells = grid.cells.iter().zip(cells).map(|(cell, lines)| Cell {
            row: cell.row as u32,
            column: cell.column as u32,
            row_span: cell.row_span as u32,
            column_span: cell.column_span as u32,
            header: cell.row == 0,
            bounds: self.rect(cell.bounds),
            lines: lines.iter().filter_map(|line| self.line(line, false)).collect(),
        });
        let (rows, columns) = (grid.rows as u32, grid.columns as u32);
        Table { rows, columns, cells: cells.collect() }
    }

    /// A line of words; none where it is scrawl. In a head and in a cell it is never taken for that: seals lie on
    /// heads, and what is left of a number is better than none.
    fn line(&self, line: &LineSpan, may_be_scrawl: bool) -> Option<Line> {
        let crop = &self.layout.crops[line.crop];
        let words: Vec<Word> = self.readings[line.crop]
            .words
            .iter()
            .filter_map(|word| self.word(word, crop.left, crop.top))
            .collect();
        if may_be_scrawl && self.is_scrawl(line, &words) {
            return None;
        }
        let bounds = words.iter().map(|word| word.bounds).reduce(Rect::union)?;
        let point = |x: i32, y: f64| self.prepared.to_page.point(f64::from(x), y);
        let baseline = Baseline {
            start: point(line.bounds.left, line.baseline.0),
            end: point(line.bounds.right, line.baseline.1),
        };
        Some(Line { bounds, baseline, turn: self.prepared.turn, words })
    }

    /// What remains of a stamp or a signature reads like a line of nonsense.
    fn is_scrawl(&self, line: &LineSpan, words: &[Word]) -> bool {
        let letters: u32 = words.iter().map(|word| word.text.chars().count() as u32).sum();
        let sum: u32 = words
            .iter()
            .map(|word| u32::from(word.confidence.percent()) * word.text.chars().count() as u32)
            .sum();
        let covered = self.prepared.overlays.iter().filter(|overlay| overlay.meets(line.bounds));
        let covered: i32 = covered
            .map(|overlay| overlay.right.min(line.bounds.right) - overlay.left.max(line.bounds.left))
            .max()
            .unwrap_or(0);
        let overlaid = covered * 100 >= line.bounds.width() * OVERLAID_PERCENT;
        let limit = if letters <= SCRAP_LETTERS_MAX {
            SCRAP_PERCENT
        } else if overlaid {
            SCRAWL_PERCENT_IN_OVERLAY
        } else {
            SCRAWL_PERCENT
        };
        sum < letters * limit
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
            confidence: calibration::calibrated(word.confidence),
            suspect: self.vietnamese && vietnamese::is_suspect(&word.text),
        })
    }

    fn rect(&self, span: Span) -> Rect {
        let [left, top, right, bottom] = [span.left, span.top, span.right, span.bottom].map(f64::from);
        self.prepared.to_page.rect(left, top, right, bottom, self.width, self.height)
    }
}
