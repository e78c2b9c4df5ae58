//! Where the time of clean-up and layout goes: each step by itself, on the page as the step before left it.

use std::error::Error;
use std::fmt::Write;

use pagemill_recognition::layout;
use pagemill_recognition::prepare::{
    GROUND, INK_BELOW, PREPARED_DPI, SKEW_GATE_DEGREES, background, channel, despeckle, edges, inverted,
    scale, sharpen, show_through, sideways, skew, stamps, text_height, turn,
};
use pagemill_recognition::scan::Scan;

use crate::corpus::{self, Page};

/// Every page is taken so often; the least time counts, for other programs only ever add to it.
const REPEATS: usize = 3;

/// CPU milliseconds of each step, mean over the pages, as a table.
pub(crate) fn table(pages: &[Page]) -> Result<String, Box<dyn Error>> {
    let mut sums: Vec<(&str, f64)> = Vec::new();
    for page in pages {
        let scan = corpus::decode(page)?;
        let mut least = laps(&scan, page.dpi);
        for _ in 1..REPEATS {
            for (least, (_, again)) in least.iter_mut().zip(laps(&scan, page.dpi)) {
                least.1 = least.1.min(again);
            }
        }
        if sums.is_empty() {
            sums = least.iter().map(|lap| (lap.0, 0.0)).collect();
        }
        for (sum, lap) in sums.iter_mut().zip(least) {
            sum.1 += lap.1;
        }
        eprint!(".");
    }
    let mut table = String::from("| step | CPU ms/page |\n| --- | --- |\n");
    let mut total = 0.0;
    for (step, seconds) in sums {
        let milliseconds = 1000.0 * seconds / pages.len().max(1) as f64;
        total += milliseconds;
        let _ = writeln!(table, "| {step} | {milliseconds:.1} |");
    }
    let _ = writeln!(table, "| all | {total:.1} |");
    Ok(table)
}

/// CPU seconds of each step on one page, in the order in which a reader takes them.
fn laps(scan: &Scan, dpi: u32) -> Vec<(&'static str, f64)> {
    let mut laps = Laps { last: corpus::cpu_seconds(), list: Vec::new() };
    let mut full = channel::brightest(&scan.pix);
    laps.end("channel");
    let marks = despeckle::marks(&full, dpi);
    laps.end("marks");
    let _ = text_height::of(&marks);
    laps.end("text_height");
    despeckle::paint_over(&mut full, &marks, dpi);
    laps.end("despeckle");
    drop(marks);
    let size = |length: usize| length * PREPARED_DPI as usize / dpi as usize;
    let mut grey = scale::to_size(&full, size(full.width), size(full.height));
    laps.end("scaling");
    edges::clear(&mut grey, PREPARED_DPI);
    laps.end("edges");
    inverted::turn_dark_on_light(&mut grey, PREPARED_DPI);
    laps.end("inverted");
    grey = background::levelled(&grey, PREPARED_DPI, GROUND);
    laps.end("background");
    show_through::remove(&mut grey);
    laps.end("show_through");
    let _ = sideways::seems_sideways(&grey);
    laps.end("sideways");
    let degrees = skew::straightening_degrees(&grey, INK_BELOW).unwrap_or(0.0);
    laps.end("skew");
    if degrees.abs() >= SKEW_GATE_DEGREES {
        grey = turn::by_angle(&grey, degrees.to_radians(), GROUND);
    }
    laps.end("straightening");
    stamps::clean(&mut grey, PREPARED_DPI);
    laps.end("stamps");
    grey = sharpen::sharpened(&grey);
    laps.end("sharpen");
    let _ = layout::analyse(&grey, PREPARED_DPI, GROUND, true);
    laps.end("layout");
    laps.list
}

/// CPU time between steps.
struct Laps {
    last: f64,
    list: Vec<(&'static str, f64)>,
}

impl Laps {
    fn end(&mut self, step: &'static str) {
        let now = corpus::cpu_seconds();
        self.list.push((step, now - self.last));
        self.last = now;
    }
}
