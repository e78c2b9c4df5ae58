use pagemill_domain::geometry::{Orientation, Turn};
use pagemill_domain::page_text::{Baseline, Block, BlockKind, Confidence, Paragraph};
use pagemill_domain::scan::{Dpi, SourceKind};

use super::*;

fn word(text: &str) -> Word {
    Word {
        text: text.into(),
        bounds: Rect::new(10, 10, 20, 20),
        confidence: Confidence::FULL,
        suspect: false,
    }
}

fn line(words: Vec<Word>) -> Line {
    Line { bounds: Rect::new(10, 10, 20, 20), baseline: Baseline::default(), turn: Turn::None, words }
}

fn page(content: Content) -> PageText {
    let block = Block { kind: BlockKind::Text, bounds: Rect::new(0, 0, 100, 100), content };
    PageText { width: 100, height: 100, blocks: vec![block], ..PageText::default() }
}

fn page_of(words: Vec<Word>) -> PageText {
    page(Content::Paragraphs(vec![Paragraph { lines: vec![line(words)] }]))
}

fn cell(row: u32, row_span: u32) -> Cell {
    Cell {
        row,
        column: 0,
        row_span,
        column_span: 1,
        header: false,
        bounds: Rect::new(0, 0, 1, 1),
        lines: Vec::new(),
    }
}

#[test]
fn a_page_that_keeps_its_promises_passes() {
    assert_eq!(page_text(&page_of(vec![word("Quyết"), word("định")])), Ok(()));
    let table = Table { rows: 2, columns: 1, cells: vec![cell(0, 2)] };
    assert_eq!(page_text(&page(Content::Table(table))), Ok(()));
    assert_eq!(page_text(&PageText { width: 1, height: 1, ..PageText::default() }), Ok(()));
}

#[test]
fn a_page_that_breaks_one_is_rubbish() {
    let outside = Word { bounds: Rect::new(90, 10, 101, 20), ..word("x") };
    let inverted = Word { bounds: Rect { left: 9, top: 0, right: 3, bottom: 4 }, ..word("x") };
    for (what, broken) in [
        ("no pixels", PageText::default()),
        ("a word outside", page_of(vec![outside])),
        ("an inverted box", page_of(vec![inverted])),
        ("a line without words", page_of(Vec::new())),
        ("an empty word", page_of(vec![word("")])),
        ("white space", page_of(vec![word("a\u{a0}b")])),
        ("decomposed text", page_of(vec![word("e\u{302}\u{301}")])),
        ("no span", page(Content::Table(Table { rows: 2, columns: 1, cells: vec![cell(0, 0)] }))),
        ("a span too far", page(Content::Table(Table { rows: 2, columns: 1, cells: vec![cell(1, 2)] }))),
        (
            "a span beyond numbers",
            page(Content::Table(Table { rows: 2, columns: 1, cells: vec![cell(1, u32::MAX)] })),
        ),
    ] {
        assert!(page_text(&broken).is_err(), "{what} passed");
    }
}

#[test]
fn facts_without_pages_are_rubbish() {
    let facts = SourceFacts { kind: SourceKind::Pdf, pages: Vec::new(), signed: false };
    assert!(source_facts(&facts, &Limits::default()).is_err());
}

#[test]
fn an_image_must_lie_in_its_source() {
    let image = |offset, length| PageImage {
        width: 8,
        height: 8,
        dpi: Dpi::square(300),
        orientation: Orientation::default(),
        pixels: PixelFormat::Rgb,
        coding: Coding::Jpeg,
        bytes: ImageBytes::Source { offset, length },
    };
    assert_eq!(page_image(&image(10, 90), 100), Ok(()));
    for (offset, length) in [(10, 91), (0, 0), (u64::MAX, 2)] {
        assert!(page_image(&image(offset, length), 100).is_err(), "{length} bytes at {offset}");
    }
}

#[test]
fn a_palette_must_fit_its_bits() {
    let image = |bits, entries: usize| PageImage {
        width: 8,
        height: 8,
        dpi: Dpi::square(300),
        orientation: Orientation::default(),
        pixels: PixelFormat::Palette { bits, entries: vec![0; entries] },
        coding: Coding::FlatePng,
        bytes: ImageBytes::Owned(vec![1]),
    };
    assert_eq!(page_image(&image(1, 6), 0), Ok(()));
    for (bits, entries) in [(1, 9), (3, 6), (8, 7), (8, 0)] {
        assert!(page_image(&image(bits, entries), 0).is_err(), "{entries} bytes for {bits} bits");
    }
}

#[test]
fn an_explanation_is_short() {
    let explained = |bytes| Failure::Defect(PageDefect::Damaged("x".repeat(bytes)));
    assert_eq!(failure(&explained(EXPLANATION_BYTES_MAX)), Ok(()));
    assert!(failure(&explained(EXPLANATION_BYTES_MAX + 1)).is_err());
}
