//! What an answer of a child must be before anybody relies on it.
//!
//! The child read a stranger's bytes: it may have been taken over, and what it says is a stranger's word. An answer
//! that no page can have is a fault of the page ([`Fault::Rubbish`](pagemill_domain::outcome::Fault::Rubbish)).

use pagemill_domain::geometry::Rect;
use pagemill_domain::limits::Limits;
use pagemill_domain::page_image::{Coding, ImageBytes, PageImage, PixelFormat};
use pagemill_domain::page_text::{Cell, Content, Line, PageText, Table, Word};
use pagemill_domain::scan::{PageDefect, Rejection, SourceFacts};
use pagemill_domain::source_map::{self, ByteRange};
use unicode_normalization::is_nfc;

use super::protocol::Failure;

/// What is wrong with an answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Rubbish(pub String);

fn expect(holds: bool, what: impl FnOnce() -> String) -> Result<(), Rubbish> {
    if holds { Ok(()) } else { Err(Rubbish(what())) }
}

/// A page text keeps the promises of [`pagemill_domain::page_text`]: boxes lie inside the page, lines have words,
/// words are NFC without white space, cells lie inside their table. (Confidences can't even be decoded outside 0 to
/// 100; baselines may lie outside the page.)
pub fn page_text(text: &PageText) -> Result<(), Rubbish> {
    let page = Rect { left: 0, top: 0, right: text.width, bottom: text.height };
    expect(!page.is_empty(), || "a page without pixels".into())?;
    for block in &text.blocks {
        inside(page, block.bounds, "block")?;
        if let Content::Table(table) = &block.content {
            table.cells.iter().try_for_each(|cell| within_table(page, table, cell))?;
        }
        block.lines().try_for_each(|line| whole_line(page, line))?;
    }
    Ok(())
}

fn inside(page: Rect, bounds: Rect, what: &str) -> Result<(), Rubbish> {
    let ordered = bounds.left <= bounds.right && bounds.top <= bounds.bottom;
    expect(ordered && page.contains(bounds), || format!("a {what} at {bounds:?} of a page of {page:?}"))
}

fn within_table(page: Rect, table: &Table, cell: &Cell) -> Result<(), Rubbish> {
    inside(page, cell.bounds, "cell")?;
    let fits = |first: u32, span: u32, count: u32| {
        span >= 1 && first.checked_add(span).is_some_and(|end| end <= count)
    };
    expect(
        fits(cell.row, cell.row_span, table.rows) && fits(cell.column, cell.column_span, table.columns),
        || {
            let Cell { row, column, row_span, column_span, .. } = cell;
            format!(
                "a cell at {row}, {column} of {row_span} × {column_span} in {} × {}",
                table.rows, table.columns
            )
        },
    )
}

fn whole_line(page: Rect, line: &Line) -> Result<(), Rubbish> {
    inside(page, line.bounds, "line")?;
    expect(!line.words.is_empty(), || "a line without words".into())?;
    line.words.iter().try_for_each(|word| whole_word(page, word))
}

fn whole_word(page: Rect, word: &Word) -> Result<(), Rubbish> {
    inside(page, word.bounds, "word")?;
    expect(!word.text.is_empty(), || "an empty word".into())?;
    expect(!word.text.contains(char::is_whitespace), || "a word with white space".into())?;
    expect(is_nfc(&word.text), || "a word that is not NFC".into())
}

/// Longest explanation that a child may give: it goes into reports and the store.
pub const EXPLANATION_BYTES_MAX: usize = 1024;

/// A failure is explained in a few words.
pub fn failure(failure: &Failure) -> Result<(), Rubbish> {
    match failure {
        Failure::Rejected(
            Rejection::Damaged(what) | Rejection::Unreadable(what) | Rejection::Poison(what),
        )
        | Failure::Engine(what)
        | Failure::Misused(what) => short(what),
        Failure::Defect(defect) => short_defect(defect),
        Failure::Rejected(_) => Ok(()),
    }
}

fn short_defect(defect: &PageDefect) -> Result<(), Rubbish> {
    match defect {
        PageDefect::Unsupported(what) | PageDefect::Damaged(what) | PageDefect::Gone(what) => short(what),
        PageDefect::Missing | PageDefect::Changed | PageDefect::TooManyPixels { .. } => Ok(()),
    }
}

fn short(what: &str) -> Result<(), Rubbish> {
    expect(what.len() <= EXPLANATION_BYTES_MAX, || format!("an explanation of {} bytes", what.len()))
}

/// A source has pages, and not more than the limit; each has pixels, or a defect explained in a few words.
pub fn source_facts(facts: &SourceFacts, limits: &Limits) -> Result<(), Rubbish> {
    let pages = facts.pages.len();
    expect(pages > 0, || "a source without pages".into())?;
    expect(pages as u64 <= u64::from(limits.pages_per_source_max), || format!("a source of {pages} pages"))?;
    facts.pages.iter().try_for_each(|page| match &page.defect {
        Some(defect) => short_defect(defect),
        None => expect(page.width.min(page.height) > 0, || "a page without pixels".into()),
    })
}

/// The bulk of a source's pages lies inside of it.
pub fn page_ranges(ranges: Option<&[Vec<ByteRange>]>, source_bytes: u64) -> Result<(), Rubbish> {
    expect(ranges.is_none_or(|ranges| source_map::are_sound(ranges, source_bytes)), || {
        "a map of a source that can't be".into()
    })
}

/// An image has pixels, its bytes lie inside its source of `source_bytes` bytes, and its palette fits its bits.
pub fn page_image(image: &PageImage, source_bytes: u64) -> Result<(), Rubbish> {
    expect(image.width.min(image.height) > 0, || "an image without pixels".into())?;
    if let ImageBytes::Source { offset, length } = image.bytes {
        let end = offset.checked_add(length);
        expect(length > 0 && end.is_some_and(|end| end <= source_bytes), || {
            format!("{length} bytes at {offset} of a source of {source_bytes}")
        })?;
    }
    if image.coding == Coding::G4 {
        expect(matches!(image.pixels, PixelFormat::Bitonal { .. }), || {
            "a G4 image that is not bitonal".into()
        })?;
    }
    match &image.pixels {
        PixelFormat::Grey { bits } => {
            expect(matches!(bits, 1 | 2 | 4 | 8), || format!("grey of {bits} bits"))
        }
        PixelFormat::Palette { bits, entries } => {
            let fits = matches!(bits, 1 | 2 | 4 | 8)
                && entries.len() % 3 == 0
                && !entries.is_empty()
                && entries.len() / 3 <= 1 << bits;
            expect(fits, || format!("a palette of {} bytes for {bits} bits", entries.len()))
        }
        PixelFormat::Bitonal { .. } | PixelFormat::Rgb => Ok(()),
    }
}

#[cfg(test)]
mod tests;
