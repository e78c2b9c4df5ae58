//! Guards quality: a change that raises the error on the samples fails here.

use pagemill_domain::page_text::{Content, Line, PageText};
use pagemill_domain::recipe::{EngineChoice, Recipe};
use pagemill_domain::scan::Dpi;
use unicode_normalization::UnicodeNormalization;

use super::{ModelDir, Reader, ReaderError};
use crate::pix::Pix;
use crate::scan::Scan;

mod worn;

/// Pages, and how many character errors they had when this was written (Tesseract 5.3.0, Debian's `vie` 4.1.0).
const GOLDEN: [(&str, usize); 6] =
    [("d00-1", 13), ("d00-2", 10), ("d02-1", 13), ("d03-1", 11), ("d05-1", 8), ("d07-1", 24)];

/// Other versions of the engine flip a few letters either way.
const ERRORS_ALLOWED_MORE: usize = 6;

/// Table cells of these pages that are found whole, in percents.
const CELLS_PERCENT_MIN: usize = 95;

fn scan(name: &str) -> Scan {
    let path = format!("{}/../samples/{name}.jpg", env!("CARGO_MANIFEST_DIR"));
    let decoded = image::ImageReader::open(path).unwrap().decode().unwrap().into_rgb8();
    let mut pix = Pix::new(decoded.width(), decoded.height(), 32).unwrap();
    for (word, pixel) in pix.words_mut().iter_mut().zip(decoded.pixels()) {
        *word = u32::from_be_bytes([pixel[0], pixel[1], pixel[2], 0]);
    }
    Scan { pix, dpi: Dpi::square(300) }
}

/// As the corpus is scored: NFC, white space collapsed, quotes and dashes folded.
fn folded(text: &str) -> String {
    let plain = text.nfc().map(|letter| match letter {
        '“' | '”' => '"',
        '‘' | '’' => '\'',
        '–' | '—' => '-',
        other => other,
    });
    plain.collect::<String>().split_whitespace().collect::<Vec<_>>().join(" ")
}

fn plain(text: &PageText) -> String {
    let mut lines: Vec<String> = Vec::new();
    for block in &text.blocks {
        match &block.content {
            Content::Paragraphs(_) => lines.extend(block.lines().map(Line::text)),
            Content::Table(table) => {
                lines.extend(table.cells.iter().flat_map(|cell| &cell.lines).map(Line::text));
            }
        }
    }
    folded(&lines.join(" "))
}

fn errors(truth: &str, text: &str) -> usize {
    distances(truth, text).last().copied().unwrap_or(0)
}

/// Levenshtein distance of a text from each start of the truth, the empty one first.
fn distances(truth: &str, text: &str) -> Vec<usize> {
    let text: Vec<char> = text.chars().collect();
    let mut row: Vec<usize> = (0..=text.len()).collect();
    let mut distances = vec![text.len()];
    for (at, wanted) in truth.chars().enumerate() {
        let mut corner = row[0];
        row[0] = at + 1;
        for (column, &got) in text.iter().enumerate() {
            let change = corner + usize::from(wanted != got);
            corner = row[column + 1];
            row[column + 1] = change.min(row[column] + 1).min(corner + 1);
        }
        distances.push(row[text.len()]);
    }
    distances
}

#[test]
fn the_samples_are_read_as_well_as_before() {
    let mut reader = Reader::load(&Recipe::default(), &ModelDir::find(None)).unwrap();
    let (mut cells, mut found) = (0, 0);
    let mut worse = Vec::new();
    for (name, golden) in GOLDEN {
        let file = |extension: &str| {
            let path = format!("{}/../samples/{name}.{extension}", env!("CARGO_MANIFEST_DIR"));
            std::fs::read_to_string(path).unwrap()
        };
        let text = plain(&reader.read(scan(name)).unwrap().text);
        let count = errors(&folded(&file("txt")), &text);
        println!("{name}: {count} errors, {golden} before");
        if count > golden + ERRORS_ALLOWED_MORE {
            worse.push((name, count, golden));
        }
        let truth: serde_json::Value = serde_json::from_str(&file("json")).unwrap();
        for block in truth["blocks"].as_array().unwrap().iter().filter(|block| block["type"] == "table") {
            for cell in block["rows"].as_array().unwrap().iter().flat_map(|row| row.as_array().unwrap()) {
                cells += 1;
                found += usize::from(text.contains(&folded(cell.as_str().unwrap())));
            }
        }
    }
    assert!(worse.is_empty(), "page, errors, errors before: {worse:?}");
    assert!(found * 100 >= cells * CELLS_PERCENT_MIN, "{found} of {cells} cells");
}

#[test]
fn the_native_engine_reads_a_sample_about_as_well() {
    let recipe = Recipe { engine: EngineChoice::Native, ..Recipe::default() };
    let mut reader = Reader::load(&recipe, &ModelDir::find(None)).unwrap();
    let (name, golden) = GOLDEN[4];
    let truth =
        std::fs::read_to_string(format!("{}/../samples/{name}.txt", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let reading = reader.read(scan(name)).unwrap();
    let found = errors(&folded(&truth), &plain(&reading.text));
    assert!(found <= golden + 2 * ERRORS_ALLOWED_MORE, "{name}: {found} errors, Tesseract made {golden}");

    let two = Recipe { languages: vec!["vie".into(), "eng".into()], ..recipe };
    assert!(matches!(Reader::load(&two, &ModelDir::find(None)), Err(ReaderError::OneLanguage(2))));
}
