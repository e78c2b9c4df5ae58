//! Text in PDFs: where it lies, how it copies, what it costs.

use pagemill_domain::geometry::{Point, Rect, Turn};
use pagemill_domain::page_text::{Baseline, Block, BlockKind, Content, Line, PageText, Paragraph, Word};
use pagemill_domain::recipe::Format;

use crate::fixtures::{self, Page, written};
use crate::tools::Workplace;

/// A word as a reader of the PDF finds it, in pixels of page space.
#[derive(Debug)]
struct Found {
    text: String,
    left: f64,
    top: f64,
    right: f64,
    bottom: f64,
}

/// The words of a PDF of one page of 1654 × 2339 pixels at 200 dpi.
fn found(page: &Page) -> Vec<Found> {
    let workplace = Workplace::new();
    workplace.put("page.pdf", &written(Format::Pdf, std::slice::from_ref(page)));
    let html = workplace.printed("pdftotext", &["-bbox", "page.pdf", "-"]);
    let word = |element: &str| {
        let (attributes, text) = element.split_once('>').unwrap();
        let values: Vec<f64> = attributes
            .split('"')
            .skip(1)
            .step_by(2)
            .map(|value| value.parse::<f64>().unwrap() * 200.0 / 72.0)
            .collect();
        let text = text.split("</word>").next().unwrap().to_owned();
        Found { text, left: values[0], top: values[1], right: values[2], bottom: values[3] }
    };
    html.split("<word ").skip(1).map(word).collect()
}

/// The box of a rectangle of `length` × `height` that lies at an angle, from its lower left corner on the baseline.
fn tilted(origin: (f64, f64), degrees: f64, start: f64, length: f64, height: f64) -> Rect {
    let (sin, cos) = degrees.to_radians().sin_cos();
    let corners = [(start, 0.0), (start + length, 0.0), (start, -height), (start + length, -height)]
        .map(|(along, down)| (origin.0 + along * cos - down * sin, origin.1 + along * sin + down * cos));
    let low = |pick: fn(&(f64, f64)) -> f64| corners.iter().map(pick).fold(f64::MAX, f64::min).round() as u32;
    let high = |pick: fn(&(f64, f64)) -> f64| corners.iter().map(pick).fold(0.0, f64::max).round() as u32;
    Rect::new(
        low(|corner| corner.0),
        low(|corner| corner.1),
        high(|corner| corner.0),
        high(|corner| corner.1),
    )
}

const WORDS: [&str; 6] = ["Nguyễn", "được", "quyết", "định", "64/2007/NĐ-CP", "quyền"];

/// A line of [`WORDS`] at an angle (clockwise), 30 pixels high, 15 a letter.
fn tilted_line(turn: Turn, degrees: f64, origin: (f64, f64)) -> Line {
    let mut start = 0.0;
    let angle = f64::from(turn.degrees()) + degrees;
    let mut words: Vec<Word> = Vec::new();
    for text in WORDS {
        let length = text.chars().count() as f64 * 15.0;
        let bounds = tilted(origin, angle, start, length, 30.0);
        words.push(Word { text: text.into(), bounds, ..fixtures::word("", 0, 0) });
        start += length + 12.0;
    }
    let (sin, cos) = angle.to_radians().sin_cos();
    let at = |along: f64| Point {
        x: (origin.0 + along * cos).round() as i32,
        y: (origin.1 + along * sin).round() as i32,
    };
    let bounds = words.iter().fold(Rect::default(), |all, word| all.union(word.bounds));
    Line { bounds, baseline: Baseline { start: at(0.0), end: at(start) }, turn, words }
}

fn page_of(lines: Vec<Line>) -> Page {
    let bounds = Rect::new(0, 0, 1654, 2339);
    let content = Content::Paragraphs(vec![Paragraph { lines }]);
    let text =
        PageText { blocks: vec![Block { kind: BlockKind::Text, bounds, content }], ..fixtures::page_text() };
    Page { text: Some(text), ..fixtures::page_of_words(&[]) }
}

/// Pixels by which the cell of a word may miss its box; boxes are whole pixels themselves.
const MISS_MAX: f64 = 3.0;

#[test]
fn words_lie_on_their_boxes_however_the_line_lies() {
    for (turn, origin) in [
        (Turn::None, (300.0, 500.0)),
        (Turn::Right, (800.0, 300.0)),
        (Turn::Half, (1200.0, 900.0)),
        (Turn::Left, (700.0, 1500.0)),
    ] {
        // Tilted as a whole, poppler would break the long word apart at 6°.
        for degrees in [0.0, 1.5, -3.0, 6.0] {
            let line = tilted_line(turn, degrees, origin);
            let found = found(&page_of(vec![line.clone()]));
            assert_eq!(found.len(), WORDS.len(), "{turn:?} {degrees}: {found:?}");
            for word in &line.words {
                let cell = found.iter().find(|found| found.text == word.text).unwrap();
                let misses = [
                    f64::midpoint(cell.left, cell.right)
                        - f64::midpoint(word.bounds.left.into(), word.bounds.right.into()),
                    f64::midpoint(cell.top, cell.bottom)
                        - f64::midpoint(word.bounds.top.into(), word.bounds.bottom.into()),
                ];
                assert!(
                    misses.iter().all(|miss| miss.abs() <= MISS_MAX),
                    "{turn:?} {degrees}: {word:?} is at {cell:?}"
                );
            }
        }
    }
}

#[test]
fn an_upright_word_is_covered_exactly() {
    let line = tilted_line(Turn::None, 0.0, (300.0, 500.0));
    for (cell, word) in found(&page_of(vec![line.clone()])).iter().zip(&line.words) {
        assert_eq!(cell.text, word.text);
        for (is, should) in [
            (cell.left, word.bounds.left),
            (cell.top, word.bounds.top),
            (cell.right, word.bounds.right),
            (cell.bottom, word.bounds.bottom),
        ] {
            assert!((is - f64::from(should)).abs() <= 1.5, "{word:?} is at {cell:?}");
        }
    }
}

#[test]
fn a_short_line_follows_the_skew_of_its_page() {
    // A baseline of one narrow word tells nothing; here it would say 45°.
    let mut line = tilted_line(Turn::None, 0.0, (300.0, 500.0));
    line.words.truncate(1);
    line.baseline = Baseline { start: Point { x: 300, y: 500 }, end: Point { x: 330, y: 530 } };
    let found = found(&page_of(vec![line.clone()]));
    assert!((found[0].top - f64::from(line.words[0].bounds.top)).abs() <= 1.5, "{found:?}");
}

#[test]
fn copied_text_is_the_text_in_reading_order() {
    let page = Page { text: Some(fixtures::page_text()), ..fixtures::page_of_words(&[]) };
    let workplace = Workplace::new();
    workplace.put("page.pdf", &written(Format::Pdf, std::slice::from_ref(&page)));
    let copied = workplace.printed("pdftotext", &["-raw", "page.pdf", "-"]);
    let copied: Vec<&str> = copied.split_whitespace().collect();
    let words: Vec<&str> = page.text.as_ref().unwrap().words().map(|word| word.text.as_str()).collect();
    assert_eq!(copied, words);
}

#[test]
fn absurd_words_do_no_harm() {
    let long = "ữ".repeat(100_000);
    let mut page = fixtures::page_of_words(&["a", &long, "\u{0}\u{feff}", "b"]);
    if let Some(Content::Paragraphs(paragraphs)) =
        page.text.as_mut().and_then(|text| text.blocks.first_mut()).map(|block| &mut block.content)
    {
        paragraphs[0].lines[0].words[0].bounds = Rect::default();
        paragraphs[0].lines[0].words[1].bounds = Rect::new(10, 10, 11, 12);
        paragraphs[0].lines[0].words[3].bounds = Rect::new(0, 0, u32::MAX, u32::MAX);
    }
    let workplace = Workplace::new();
    workplace.put("page.pdf", &written(Format::Pdf, &[page]));
    workplace.printed("qpdf", &["--check", "page.pdf"]);
}

/// A page of prose with boxes as uneven as real ones (a linear congruence gives the unevenness).
fn dense_page(words: usize) -> Page {
    let sample = include_str!("../../../../samples/d00-1.txt");
    let mut texts = sample.split_whitespace().cycle();
    let mut seed = 12_345_u32;
    let mut uneven = |range: u32| {
        seed = seed.wrapping_mul(1_103_515_245).wrapping_add(12_345);
        (seed >> 16) % range
    };
    let mut lines = Vec::new();
    let mut count = 0;
    while count < words {
        let mut line = fixtures::line(&[], 0, 0);
        let (mut left, top) = (180 + uneven(4), 150 + lines.len() as u32 * 44);
        while left < 1450 && count < words {
            let text = texts.next().unwrap();
            let width = text.chars().count() as u32 * 13 + uneven(9);
            let top = top + uneven(3);
            let bounds = Rect::new(left, top, left + width, top + 28 + uneven(8));
            line.words.push(Word { text: text.into(), bounds, ..fixtures::word("", 0, 0) });
            left += width + 6 + uneven(8);
            count += 1;
        }
        line.bounds = line.words.iter().fold(Rect::default(), |all, word| all.union(word.bounds));
        let y = line.bounds.bottom as i32 - 8;
        line.baseline = Baseline {
            start: Point { x: line.bounds.left as i32, y },
            end: Point { x: left as i32, y: y + 9 },
        };
        lines.push(line);
    }
    page_of(lines)
}

/// What a page may cost beyond its image, and what a file may cost once.
const PAGE_BYTES_MAX: usize = 8 << 10;
const FILE_BYTES_MAX: usize = 8 << 10;

#[test]
fn text_costs_at_most_eight_kib_a_page() {
    // The densest of our sample scans has 719 words.
    for (pages, words) in [(1, 900), (20, 900)] {
        let bytes = written(Format::Pdf, &vec![dense_page(words); pages]).len();
        assert!(
            bytes <= pages * PAGE_BYTES_MAX + FILE_BYTES_MAX,
            "{bytes} bytes for {pages} pages of {words} words"
        );
    }
}
