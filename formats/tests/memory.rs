//! Memory does not grow with pages, whatever is written.
//!
//! The only test of its process: it looks at the process as a whole.
#![allow(clippy::unwrap_used, reason = "a test that meets the unexpected fails")]
#![cfg(target_os = "linux")]

use pagemill_domain::geometry::{Orientation, Point, Rect, Turn};
use pagemill_domain::page::PageState;
use pagemill_domain::page_image::{Coding, ImageBytes, PageImage, PixelFormat};
use pagemill_domain::page_text::{
    Baseline, Block, BlockKind, Confidence, Content, Line, PageText, Paragraph, Word,
};
use pagemill_domain::recipe::{Format, Recipe};
use pagemill_domain::scan::Dpi;
use pagemill_formats::{DocumentInfo, DocumentPage, SourcedImage, writer};

const FORMATS: [Format; 8] = [
    Format::Pdf,
    Format::ImagePdf,
    Format::Tiff,
    Format::Txt,
    Format::Tsv,
    Format::Hocr,
    Format::Alto,
    Format::Json,
];

/// What a thousand pages may take more than fifty: the cross-reference table has 3 × 8 bytes a page.
const GROWTH_KIB_MAX: u64 = 512;

#[test]
fn a_thousand_pages_take_no_more_memory_than_fifty() {
    write_all(50);
    let before = peak_kib();
    write_all(1_000);
    let growth = peak_kib() - before;
    assert!(growth <= GROWTH_KIB_MAX, "{growth} KiB more");
}

/// The most memory that the process ever had, in KiB.
fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

fn write_all(pages: u32) {
    // A JPEG's start, frame and filling: enough for a TIFF to read its header.
    let frame = [0xFF, 0xC0, 0, 17, 8, 9, 35, 6, 118, 3, 1, 0x22, 0, 2, 0x11, 1, 3, 0x11, 1];
    let source = [&[0xFF, 0xD8], &frame[..], &[0xFF, 0xDA], &vec![7; 300_000]].concat();
    let image = PageImage {
        width: 1654,
        height: 2339,
        dpi: Dpi::square(200),
        orientation: Orientation::default(),
        pixels: PixelFormat::Rgb,
        coding: Coding::Jpeg,
        bytes: ImageBytes::Source { offset: 0, length: source.len() as u64 },
    };
    let text = page_text();
    for format in FORMATS {
        let info = DocumentInfo { title: "memory".into(), pages };
        let mut writer = writer(format, &info, &Recipe::default(), std::io::sink()).unwrap();
        for number in 1..=pages {
            let page = DocumentPage {
                number,
                width: 1654,
                height: 2339,
                dpi: Dpi::square(200),
                state: PageState::Recognised,
                text: Some(&text),
                image: Some(SourcedImage { image: &image, source: &source }),
            };
            writer.page(&page).unwrap();
        }
        writer.finish().unwrap();
    }
}

fn page_text() -> PageText {
    let line = |index: u32| {
        let top = 100 + index * 60;
        let word = |column: u32| Word {
            text: format!("chữ{column}"),
            bounds: Rect::new(100 + column * 120, top, 200 + column * 120, top + 40),
            confidence: Confidence::FULL,
            suspect: false,
        };
        let (start, end) = (Point { x: 100, y: top as i32 + 32 }, Point { x: 1300, y: top as i32 + 32 });
        Line {
            bounds: Rect::new(100, top, 1400, top + 40),
            baseline: Baseline { start, end },
            turn: Turn::None,
            words: (0..10).map(word).collect(),
        }
    };
    let paragraph = Paragraph { lines: (0..10).map(line).collect() };
    let block = Block {
        kind: BlockKind::Text,
        bounds: Rect::new(100, 100, 1400, 700),
        content: Content::Paragraphs(vec![paragraph]),
    };
    PageText { width: 1654, height: 2339, dpi: Dpi::square(200), blocks: vec![block], ..PageText::default() }
}
