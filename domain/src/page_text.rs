//! Page text: what was read on a page, whichever engine read it. All text formats are written from it.
//!
//! Order is reading order at every level. Text is Unicode NFC. Confidences are whole percents, so that the same page
//! gives the same bytes on every machine.

use serde::{Deserialize, Serialize};

use crate::geometry::{Point, Rect, Turn};
use crate::scan::Dpi;

/// The text of one page, in page space (see [`crate::geometry`]).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PageText {
    /// Width of the page in pixels, as displayed.
    pub width: u32,
    /// Height of the page in pixels, as displayed.
    pub height: u32,
    /// Pixels per inch, as displayed.
    pub dpi: Dpi,
    /// How the page's content lies on the displayed page: [`Turn::Half`] for a page scanned upside down.
    pub turn: Turn,
    /// Skew of the upright content in thousandths of a degree, clockwise positive; 0 for pages that were left alone.
    pub skew_millidegrees: i32,
    /// The recipe's language, in Tesseract's notation (`vie`, `vie+eng`).
    pub language: String,
    /// What stands on the page, in reading order.
    pub blocks: Vec<Block>,
}

/// A region of the page that is read as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Block {
    /// What the region is.
    pub kind: BlockKind,
    /// Where it lies.
    pub bounds: Rect,
    /// Its paragraphs or its cells.
    pub content: Content,
}

/// What a region is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BlockKind {
    /// Running text.
    Text,
    /// A title or heading.
    Heading,
    /// Repeats at the top of pages.
    Header,
    /// Repeats at the foot of pages.
    Footer,
    /// The page's number.
    PageNumber,
    /// A note in the margin.
    Marginal,
    /// A table.
    Table,
    /// A stamp or seal.
    Stamp,
    /// A signature with its name and position.
    Signature,
}

/// What a block holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Content {
    /// Paragraphs of lines.
    Paragraphs(Vec<Paragraph>),
    /// A table's cells.
    Table(Table),
}

/// Lines that belong together.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Paragraph {
    /// The lines, top to bottom.
    pub lines: Vec<Line>,
}

/// A table as rows and columns.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Table {
    /// Number of rows.
    pub rows: u32,
    /// Number of columns.
    pub columns: u32,
    /// The cells, row by row, each once however many rows and columns it spans; empty cells included.
    pub cells: Vec<Cell>,
}

/// One cell of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cell {
    /// First row, from 0.
    pub row: u32,
    /// First column, from 0.
    pub column: u32,
    /// Rows spanned, at least 1.
    pub row_span: u32,
    /// Columns spanned, at least 1.
    pub column_span: u32,
    /// Whether it heads its column or row.
    pub header: bool,
    /// Where it lies.
    pub bounds: Rect,
    /// Its lines, top to bottom.
    pub lines: Vec<Line>,
}

/// One line of text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// Where it lies.
    pub bounds: Rect,
    /// Where its letters stand.
    pub baseline: Baseline,
    /// How the line lies on the displayed page.
    pub turn: Turn,
    /// Its words in reading order; never empty.
    pub words: Vec<Word>,
}

/// The segment on which a line's letters stand, from the start of reading to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Baseline {
    /// Where reading starts.
    pub start: Point,
    /// Where reading ends.
    pub end: Point,
}

/// One word.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Word {
    /// Its text in NFC; never empty, without white space.
    pub text: String,
    /// Where it lies.
    pub bounds: Rect,
    /// How sure the engine is.
    pub confidence: Confidence,
    /// Whether the text breaks a rule of its language (a tone that the vowel cannot carry); it is never "corrected".
    pub suspect: bool,
}

/// How sure the engine is, in whole percents from 0 to 100.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct Confidence(u8);

impl Confidence {
    /// Certain.
    pub const FULL: Self = Self(100);

    /// From percents; what lies outside 0 to 100 is cut off, a value that is not a number counts as 0.
    #[must_use]
    pub fn from_percent(percent: f64) -> Self {
        Self(percent.round().clamp(0.0, 100.0) as u8)
    }

    /// Whole percents.
    #[must_use]
    pub const fn percent(self) -> u8 {
        self.0
    }
}

impl TryFrom<u8> for Confidence {
    type Error = String;

    fn try_from(percent: u8) -> Result<Self, Self::Error> {
        if percent <= 100 { Ok(Self(percent)) } else { Err(format!("confidence {percent} is above 100")) }
    }
}

impl From<Confidence> for u8 {
    fn from(confidence: Confidence) -> Self {
        confidence.0
    }
}

impl Block {
    /// The block's lines in reading order; a table's cell by cell, row by row.
    pub fn lines(&self) -> impl Iterator<Item = &Line> {
        let (paragraphs, cells) = match &self.content {
            Content::Paragraphs(paragraphs) => (paragraphs.as_slice(), &[][..]),
            Content::Table(table) => (&[][..], table.cells.as_slice()),
        };
        paragraphs
            .iter()
            .flat_map(|paragraph| &paragraph.lines)
            .chain(cells.iter().flat_map(|cell| &cell.lines))
    }
}

impl Line {
    /// The words with a space between them.
    #[must_use]
    pub fn text(&self) -> String {
        let words: Vec<&str> = self.words.iter().map(|word| word.text.as_str()).collect();
        words.join(" ")
    }
}

impl PageText {
    /// All lines in reading order.
    pub fn lines(&self) -> impl Iterator<Item = &Line> {
        self.blocks.iter().flat_map(Block::lines)
    }

    /// All words in reading order.
    pub fn words(&self) -> impl Iterator<Item = &Word> {
        self.lines().flat_map(|line| &line.words)
    }

    /// Mean confidence of the page's words, weighted by their letters; `None` where there are none.
    #[must_use]
    pub fn mean_confidence(&self) -> Option<Confidence> {
        mean(self.words())
    }

    /// Mean confidence of the region that is worst: a page's mean hides a block that nobody can use. A table's
    /// regions are its cells. Regions of fewer than [`WORST_REGION_LETTERS_MIN`] letters do not count.
    #[must_use]
    pub fn worst_region_confidence(&self) -> Option<Confidence> {
        let regions = self.blocks.iter().flat_map(|block| -> Vec<Vec<&Word>> {
            match &block.content {
                Content::Paragraphs(_) => vec![block.lines().flat_map(|line| &line.words).collect()],
                Content::Table(table) => table
                    .cells
                    .iter()
                    .map(|cell| cell.lines.iter().flat_map(|line| &line.words).collect())
                    .collect(),
            }
        });
        regions
            .filter(|words| letters(words.iter().copied()) >= WORST_REGION_LETTERS_MIN)
            .filter_map(|words| mean(words.into_iter()))
            .min()
    }
}

/// Smaller regions (a page number, a stray mark) say nothing about how readable a page is.
pub const WORST_REGION_LETTERS_MIN: u64 = 8;

fn letters<'a>(words: impl Iterator<Item = &'a Word>) -> u64 {
    words.map(|word| word.text.chars().count() as u64).sum()
}

fn mean<'a>(words: impl Iterator<Item = &'a Word>) -> Option<Confidence> {
    let (sum, count) = words.fold((0_u64, 0_u64), |(sum, count), word| {
        let letters = word.text.chars().count() as u64;
        (sum + u64::from(word.confidence.percent()) * letters, count + letters)
    });
    (count > 0).then(|| Confidence(((sum + count / 2) / count) as u8))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(words: &[(&str, u8)]) -> Block {
        let words = words.iter().map(|&(text, percent)| Word {
            text: text.into(),
            bounds: Rect::default(),
            confidence: Confidence(percent),
            suspect: false,
        });
        let line = Line {
            bounds: Rect::default(),
            baseline: Baseline::default(),
            turn: Turn::None,
            words: words.collect(),
        };
        let content = Content::Paragraphs(vec![Paragraph { lines: vec![line] }]);
        Block { kind: BlockKind::Text, bounds: Rect::default(), content }
    }

    #[test]
    fn a_bad_region_shows_beside_a_good_mean() {
        let good = block(&[("quyết", 96), ("định", 96), ("ban", 96), ("hành", 96)]);
        let bad = block(&[("xxxxx", 20), ("yyyyy", 30)]);
        let page = PageText { blocks: vec![good, bad], ..PageText::default() };
        assert_eq!(page.mean_confidence().map(Confidence::percent), Some(69));
        assert_eq!(page.worst_region_confidence().map(Confidence::percent), Some(25));
    }

    #[test]
    fn a_page_without_words_has_no_confidence() {
        assert_eq!(PageText::default().mean_confidence(), None);
    }

    #[test]
    fn confidence_stays_in_its_range() {
        assert_eq!(Confidence::from_percent(f64::NAN).percent(), 0);
        assert_eq!(Confidence::from_percent(104.2).percent(), 100);
        assert!(Confidence::try_from(101).is_err());
    }
}
