//! Documents for tests, built in code.

pub(crate) mod images;

use pagemill_domain::geometry::{Orientation, Point, Rect, Turn};
use pagemill_domain::page::PageState;
use pagemill_domain::page_image::{Coding, ImageBytes, PageImage, PixelFormat};
use pagemill_domain::page_text::{
    Baseline, Block, BlockKind, Cell, Confidence, Content, Line, PageText, Paragraph, Table, Word,
};
use pagemill_domain::recipe::{Format, Recipe};
use pagemill_domain::scan::Dpi;

use crate::document::{DocumentInfo, DocumentPage, SourcedImage};

/// A page and what it borrows.
#[derive(Debug, Clone)]
pub(crate) struct Page {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) dpi: Dpi,
    pub(crate) state: PageState,
    pub(crate) text: Option<PageText>,
    pub(crate) image: Option<PageImage>,
    pub(crate) source: Vec<u8>,
}

/// The bytes of an artifact of `pages`.
pub(crate) fn written(format: Format, pages: &[Page]) -> Vec<u8> {
    written_by(format, &Recipe::default(), pages)
}

/// The bytes of an artifact of `pages` by a recipe.
pub(crate) fn written_by(format: Format, recipe: &Recipe, pages: &[Page]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = crate::writer(format, &info(pages.len() as u32), recipe, &mut bytes).unwrap();
    for (page, number) in pages.iter().zip(1..) {
        writer.page(&page.as_document_page(number)).unwrap();
    }
    writer.finish().unwrap();
    bytes
}

/// A document with a title that needs escaping.
pub(crate) fn info(pages: u32) -> DocumentInfo {
    DocumentInfo { title: "Quyết định <số 1> & \"phụ lục\"".into(), pages }
}

/// A page whose image is a range of its source, and the JPEG stream of that range.
pub(crate) fn jpeg_page() -> (Page, Vec<u8>) {
    let mut jpeg = Vec::new();
    let samples: Vec<u8> = (0..165 * 233 * 3).map(|n| (n % 251) as u8).collect();
    image::codecs::jpeg::JpegEncoder::new(&mut jpeg)
        .encode(&samples, 165, 233, image::ExtendedColorType::Rgb8)
        .unwrap();
    let source = [b"before".as_slice(), &jpeg, b"after"].concat();
    let image = PageImage {
        width: 165,
        height: 233,
        dpi: Dpi::square(20),
        orientation: Orientation::default(),
        pixels: PixelFormat::Rgb,
        coding: Coding::Jpeg,
        bytes: ImageBytes::Source { offset: 6, length: jpeg.len() as u64 },
    };
    let page = Page { image: Some(image), source, ..page(PageState::Recognised, Some(page_text())) };
    (page, jpeg)
}

impl Page {
    pub(crate) fn as_document_page(&self, number: u32) -> DocumentPage<'_> {
        DocumentPage {
            number,
            width: self.width,
            height: self.height,
            dpi: self.dpi,
            state: self.state,
            text: self.text.as_ref(),
            image: self.image.as_ref().map(|image| SourcedImage { image, source: &self.source }),
        }
    }
}

/// A word of `letters` at a place, 20 pixels a letter.
pub(crate) fn word(text: &str, left: u32, top: u32) -> Word {
    let width = text.chars().count().max(1) as u32 * 20;
    Word {
        text: text.into(),
        bounds: Rect::new(left, top, left + width, top + 40),
        confidence: Confidence::from_percent(93.0),
        suspect: false,
    }
}

/// An upright line of words, 20 pixels apart.
pub(crate) fn line(texts: &[&str], left: u32, top: u32) -> Line {
    let mut words = Vec::new();
    let mut x = left;
    for text in texts {
        let word = word(text, x, top);
        x = word.bounds.right + 20;
        words.push(word);
    }
    let bounds = words.iter().fold(Rect::default(), |all, word| all.union(word.bounds));
    let y = top as i32 + 31;
    let baseline =
        Baseline { start: Point { x: bounds.left as i32, y }, end: Point { x: bounds.right as i32, y } };
    Line { bounds, baseline, turn: Turn::None, words }
}

fn block(kind: BlockKind, lines: Vec<Line>) -> Block {
    let bounds = lines.iter().fold(Rect::default(), |all, line| all.union(line.bounds));
    Block { kind, bounds, content: Content::Paragraphs(vec![Paragraph { lines }]) }
}

fn cell(row: u32, column: u32, spans: (u32, u32), header: bool, lines: Vec<Line>) -> Cell {
    let (left, top) = (100 + column * 400, 500 + row * 100);
    Cell {
        row,
        column,
        row_span: spans.0,
        column_span: spans.1,
        header,
        bounds: Rect::new(left, top, left + 400 * spans.1, top + 100 * spans.0),
        lines,
    }
}

fn table() -> Block {
    let cells = vec![
        cell(0, 0, (2, 1), true, vec![line(&["TT"], 110, 510)]),
        cell(0, 1, (1, 2), true, vec![line(&["Diện", "tích"], 510, 510), line(&["(ha)"], 510, 555)]),
        cell(1, 1, (1, 1), false, vec![]),
        cell(1, 2, (1, 1), false, vec![line(&["1.234,5"], 910, 610)]),
    ];
    let content = Content::Table(Table { rows: 2, columns: 3, cells });
    Block { kind: BlockKind::Table, bounds: Rect::new(100, 500, 1300, 700), content }
}

/// A line turned by 270°: it runs from bottom to top.
fn sideways_line() -> Line {
    let mut word = word("Lề", 1400, 900);
    word.bounds = Rect::new(1400, 900, 1440, 980);
    let baseline = Baseline { start: Point { x: 1431, y: 980 }, end: Point { x: 1431, y: 900 } };
    Line { bounds: word.bounds, baseline, turn: Turn::Left, words: vec![word] }
}

/// A page text with every kind of content.
pub(crate) fn page_text() -> PageText {
    let mut body = block(
        BlockKind::Text,
        vec![line(&["Căn", "cứ", "Luật", "<A&B>"], 100, 300), line(&["=SUM(A1)", "nghị"], 100, 350)],
    );
    if let Content::Paragraphs(paragraphs) = &mut body.content {
        paragraphs.push(Paragraph { lines: vec![line(&["Điều", "1."], 100, 420)] });
        body.bounds = Rect::new(100, 300, 600, 460);
        paragraphs[0].lines[0].words[3].suspect = true;
        paragraphs[0].lines[0].baseline.end.y += 5;
    }
    PageText {
        width: 1654,
        height: 2339,
        dpi: Dpi::square(200),
        language: "vie".into(),
        blocks: vec![
            block(BlockKind::Heading, vec![line(&["QUYẾT", "ĐỊNH"], 100, 200)]),
            body,
            table(),
            block(BlockKind::Marginal, vec![sideways_line()]),
            block(BlockKind::PageNumber, vec![line(&["2"], 800, 2200)]),
        ],
        ..PageText::default()
    }
}

fn page(state: PageState, text: Option<PageText>) -> Page {
    Page { width: 1654, height: 2339, dpi: Dpi::square(200), state, text, image: None, source: Vec::new() }
}

/// A page with every kind of content, a blank one and a dead one.
pub(crate) fn pages() -> Vec<Page> {
    vec![
        page(PageState::Recognised, Some(page_text())),
        page(PageState::Blank, Some(PageText { blocks: vec![], ..page_text() })),
        page(PageState::Dead, None),
    ]
}

/// A page of one line.
pub(crate) fn page_of_words(texts: &[&str]) -> Page {
    let text = PageText { blocks: vec![block(BlockKind::Text, vec![line(texts, 100, 100)])], ..page_text() };
    page(PageState::Recognised, Some(text))
}
