//! Pages of harder kinds, worn from the samples by simulation, the same every time.

use std::ops::Range;

use pagemill_domain::geometry::Turn;
use pagemill_domain::page_text::{Cell, Content, Line, PageText, Table};
use pagemill_domain::recipe::{CleanUp, Recipe};
use pagemill_domain::scan::Dpi;

use super::{ERRORS_ALLOWED_MORE, distances, folded, plain};
use crate::layout::rulings::Rulings;
use crate::prepare::grey::Grey;
use crate::prepare::{self, GROUND, channel, scale, skew, turn};
use crate::reader::{ModelDir, Reader};
use crate::scan::Scan;

/// Rows of a page that are read: its head and a paragraph.
const ROWS: usize = 1_085;

/// What was done to a page's head, and how many character errors its text had when this was written.
const GOLDEN: [(&str, Wear, usize); 4] = [
    ("bitonal, 200 dpi", bitonal, 24),
    ("reversed title", reversed_title, 8),
    ("dark edge, punch holes and a crease", bordered, 8),
    ("upside down, of a wrong resolution", upside_down, 5),
];

/// Of a table's 35 cells so many are found whole.
const CELLS_MIN: usize = 26;

type Wear = fn(&Grey) -> Scan;

/// Some rows of a sample.
fn rows_of(name: &str, rows: Range<usize>) -> Grey {
    let page = channel::brightest(&super::scan(name).pix);
    let samples = page.samples[rows.start * page.width..rows.end * page.width].to_vec();
    Grey { width: page.width, height: rows.len(), samples }
}

fn scan(grey: &Grey, dpi: u32) -> Scan {
    Scan { pix: grey.to_pix().unwrap(), dpi: Dpi::square(dpi) }
}

fn bitonal(page: &Grey) -> Scan {
    let coarse = scale::to_size(page, page.width * 2 / 3, page.height * 2 / 3);
    Scan { pix: skew::to_bits(&coarse, 140).unwrap(), dpi: Dpi::square(200) }
}

fn reversed_title(page: &Grey) -> Scan {
    let mut page = page.clone();
    for y in 545..622 {
        for sample in &mut page.row_mut(y)[380..2_300] {
            *sample = 250 - (*sample).min(200);
        }
    }
    scan(&page, 300)
}

fn bordered(page: &Grey) -> Scan {
    let mut page = page.clone();
    let width = page.width;
    for y in 0..page.height {
        page.row_mut(y)[width - 50..].fill(25);
        for x in 60..130_usize {
            if (x as f64 - 95.0).hypot((y % 800) as f64 - 400.0) < 33.0 {
                page.row_mut(y)[x] = 30;
            }
        }
    }
    for y in 748..752 {
        page.row_mut(y).iter_mut().for_each(|sample| *sample = (*sample).min(110));
    }
    scan(&page, 300)
}

fn upside_down(page: &Grey) -> Scan {
    scan(&turn::by_quarters(page, Turn::Half), 96)
}

fn read(scan: Scan) -> PageText {
    let mut reader = Reader::load(&Recipe::default(), &ModelDir::find(None)).unwrap();
    reader.read(scan).unwrap().text
}

fn sample_file(file: &str) -> String {
    std::fs::read_to_string(format!("{}/../samples/{file}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

#[test]
fn worn_heads_are_read_as_well_as_before() {
    let truth = folded(&sample_file("d05-1.txt"));
    let page = rows_of("d05-1", 0..ROWS);
    let mut worse = Vec::new();
    for (name, wear, golden) in GOLDEN {
        let text = plain(&read(wear(&page)));
        // The page ends somewhere in the truth.
        let count = distances(&truth, &text).into_iter().min().unwrap();
        println!("{name}: {count} errors, {golden} before, of {} letters", text.chars().count());
        if count > golden + ERRORS_ALLOWED_MORE || text.chars().count() < 400 {
            worse.push((name, count, golden));
        }
    }
    assert!(worse.is_empty(), "page, errors, errors before: {worse:?}");
}

#[test]
fn a_table_whose_rulings_are_gone_is_read_cell_by_cell() {
    let clean_up = CleanUp::default();
    let ruled = scan(&rows_of("d07-1", 1_412..2_600), 300);
    let mut page = prepare::reduce(channel::brightest(&ruled.pix), ruled.dpi, &clean_up).finished(&clean_up);
    let rulings = Rulings::find(&page.grey, 185, page.dpi);
    for ruling in rulings.across.iter().chain(&rulings.down).map(|ruling| ruling.grown(2)) {
        let clip = |edge: i32, length: usize| edge.clamp(0, length as i32) as usize;
        let (left, right) = (clip(ruling.left, page.grey.width), clip(ruling.right, page.grey.width));
        for y in clip(ruling.top, page.grey.height)..clip(ruling.bottom, page.grey.height) {
            page.grey.row_mut(y)[left..right].fill(GROUND);
        }
    }
    let text = read(scan(&page.grey, page.dpi));
    let tables: Vec<&Table> = text
        .blocks
        .iter()
        .filter_map(|block| match &block.content {
            Content::Table(table) => Some(table),
            Content::Paragraphs(_) => None,
        })
        .collect();
    let [table] = tables[..] else { panic!("{} tables", tables.len()) };
    assert_eq!(table.columns, 5);
    let text = format!("|{}|", folded(&table.cells.iter().map(cell_text).collect::<Vec<_>>().join("|")));
    let truth: serde_json::Value = serde_json::from_str(&sample_file("d07-1.json")).unwrap();
    let rows = truth["blocks"].as_array().unwrap().iter().filter_map(|block| block["rows"].as_array());
    let cells: Vec<String> = rows
        .flatten()
        .flat_map(|row| row.as_array().unwrap())
        .map(|cell| folded(cell.as_str().unwrap()))
        .collect();
    let found = cells.iter().filter(|cell| text.contains(&format!("|{cell}|"))).count();
    println!("{found} of {} cells: {text}", cells.len());
    assert!(found >= CELLS_MIN, "{found} cells: {text}");
}

fn cell_text(cell: &Cell) -> String {
    cell.lines.iter().map(Line::text).collect::<Vec<_>>().join(" ")
}
