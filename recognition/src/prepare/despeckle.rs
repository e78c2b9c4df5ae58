//! Dust and scanner noise: small dark specks are painted over before scaling turns them into grey blots that look like
//! dots and accents.

use super::background;
use super::grey::Grey;
use crate::layout::components::Components;

/// A speck is darker than this part of the paper around it, in percents. At 62 accents broke into specks and were
/// eaten (error on plain pages 4.6 %, measured on 32 scans).
const SPECK_PERCENT: u32 = 80;

/// Largest speck at 300 dpi, in pixels: at 24 marks were eaten, at 13 specks were left (measured likewise).
const AREA_MAX_AT_300_DPI: f64 = 16.0;

/// All marks of a page: print and specks.
#[must_use]
pub fn marks(grey: &Grey, dpi: u32) -> Components {
    let paper = background::paper(grey, dpi);
    let cell_height = grey.height.div_ceil(paper.height);
    // One threshold a row of squares: the darkest paper that is still common there, so that shadows don't fill.
    let thresholds: Vec<u8> = (0..paper.height)
        .map(|y| {
            let mut shades = paper.row(y).to_vec();
            shades.sort_unstable();
            (u32::from(shades[shades.len() / 4]) * SPECK_PERCENT / 100) as u8
        })
        .collect();
    Components::find(grey, |y| thresholds[(y / cell_height).min(thresholds.len() - 1)])
}

/// Paints those of the marks over that are specks.
pub fn paint_over(grey: &mut Grey, marks: &Components, dpi: u32) {
    let area_max = (AREA_MAX_AT_300_DPI * (f64::from(dpi) / 300.0).powi(2)).round() as i32;
    for speck in marks.list.iter().filter(|one| one.area <= area_max) {
        let bounds = speck.bounds.grown(2);
        let (left, right) = (bounds.left.max(0) as usize, bounds.right.min(grey.width as i32) as usize);
        let (top, bottom) = (bounds.top.max(0) as usize, bounds.bottom.min(grey.height as i32) as usize);
        // The brightest corner is paper even where a letter is near.
        let corners = [(left, top), (right - 1, top), (left, bottom - 1), (right - 1, bottom - 1)];
        let shade = corners.iter().map(|&(x, y)| grey.row(y)[x]).max().unwrap_or(255);
        for run in marks.runs(speck) {
            for y in (run.y - 1).max(0)..(run.y + 2).min(grey.height as i32) {
                let (left, right) =
                    ((run.left - 1).max(0) as usize, (run.right + 1).min(grey.width as i32) as usize);
                for sample in &mut grey.row_mut(y as usize)[left..right] {
                    *sample = (*sample).max(shade);
                }
            }
        }
    }
}
