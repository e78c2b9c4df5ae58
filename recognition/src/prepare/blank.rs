//! Whether a page bears anything at all. Conservative: what might be content is content.

use super::grey::Grey;
use super::scale;

/// Resolution at which marks are looked for, in pixels per inch: specks are gone, a digit still has 15 rows.
const DPI: f64 = 150.0;

/// A mark counts where it is darker than this part of the paper around it, in percents. Show-through of the other side
/// stays above (paper of 60 g/m² lets about a tenth through); a faint stamp of half strength goes below.
const MARK_PERCENT: u32 = 82;

/// Marks that are smaller both ways are dust, in millimetres: the dot of an i has 0.5, the digit 1 is 2.5 high.
const SPECK_MILLIMETRES: f64 = 1.1;

/// Filled discs near an edge are punch holes: 5 to 8 mm (ISO 838: 6 ± 0.5).
const HOLE_MILLIMETRES: std::ops::RangeInclusive<f64> = 4.0..=9.0;

/// How far from an edge holes and shadows of the lid lie, in millimetres.
const EDGE_MILLIMETRES: f64 = 16.0;

/// Whether the page is blank. `darkest` is its darkest channel at full resolution.
#[must_use]
pub fn is_blank(darkest: &Grey, dpi_x: f64, dpi_y: f64) -> bool {
    let size = |length: usize, dpi: f64| ((length as f64 * (DPI / dpi.max(1.0)).min(1.0)) as usize).max(1);
    let grey = scale::to_size(darkest, size(darkest.width, dpi_x), size(darkest.height, dpi_y));
    let paper = paper_around(&grey);
    let is_mark =
        |index: usize| u32::from(grey.samples[index]) * 100 < u32::from(paper.samples[index]) * MARK_PERCENT;
    let mut seen = vec![false; grey.samples.len()];
    for start in 0..grey.samples.len() {
        if seen[start] || !is_mark(start) {
            continue;
        }
        let mark = Mark::flood(start, &grey, &is_mark, &mut seen);
        if !mark.is_dust() && !mark.is_hole(&grey) && !mark.is_edge(&grey) {
            return false;
        }
    }
    true
}

/// The paper's shade around each pixel: the brightest of a coarse neighbourhood, smoothed.
fn paper_around(grey: &Grey) -> Grey {
    const CELL: usize = 32;
    let (columns, rows) = (grey.width.div_ceil(CELL), grey.height.div_ceil(CELL));
    let mut coarse = scale::to_size(grey, columns, rows);
    let means = coarse.clone();
    for y in 0..rows {
        for x in 0..columns {
            let mut brightest = 0;
            for near_y in y.saturating_sub(2)..(y + 3).min(rows) {
                let near = &means.row(near_y)[x.saturating_sub(2)..(x + 3).min(columns)];
                brightest = near.iter().copied().fold(brightest, u8::max);
            }
            coarse.row_mut(y)[x] = brightest;
        }
    }
    scale::to_size(&coarse, grey.width, grey.height)
}

/// A connected dark region.
struct Mark {
    left: usize,
    top: usize,
    right: usize,
    bottom: usize,
    area: usize,
}

impl Mark {
    fn flood(start: usize, grey: &Grey, is_mark: &impl Fn(usize) -> bool, seen: &mut [bool]) -> Self {
        let width = grey.width;
        let mut mark = Self { left: usize::MAX, top: usize::MAX, right: 0, bottom: 0, area: 0 };
        let mut open = vec![start];
        seen[start] = true;
        while let Some(at) = open.pop() {
            let (x, y) = (at % width, at / width);
            mark.left = mark.left.min(x);
            mark.top = mark.top.min(y);
            mark.right = mark.right.max(x + 1);
            mark.bottom = mark.bottom.max(y + 1);
            mark.area += 1;
            for near_y in y.saturating_sub(1)..(y + 2).min(grey.height) {
                for near_x in x.saturating_sub(1)..(x + 2).min(width) {
                    let near = near_y * width + near_x;
                    if !seen[near] && is_mark(near) {
                        seen[near] = true;
                        open.push(near);
                    }
                }
            }
        }
        mark
    }

    fn size_millimetres(&self) -> (f64, f64) {
        let millimetres = |pixels: usize| pixels as f64 * 25.4 / DPI;
        (millimetres(self.right - self.left), millimetres(self.bottom - self.top))
    }

    fn is_dust(&self) -> bool {
        let (width, height) = self.size_millimetres();
        width < SPECK_MILLIMETRES && height < SPECK_MILLIMETRES
    }

    /// How near the page's nearest edge the mark's farther side is, in millimetres.
    fn reach_millimetres(&self, grey: &Grey) -> f64 {
        let pixels = self.right.min(self.bottom).min(grey.width - self.left).min(grey.height - self.top);
        pixels as f64 * 25.4 / DPI
    }

    /// A filled disc (π/4 of its box) of a punch hole's size, close to an edge.
    fn is_hole(&self, grey: &Grey) -> bool {
        let (width, height) = self.size_millimetres();
        let filled = self.area as f64 / ((self.right - self.left) * (self.bottom - self.top)) as f64;
        HOLE_MILLIMETRES.contains(&width)
            && HOLE_MILLIMETRES.contains(&height)
            && (0.68..=0.9).contains(&filled)
            && self.reach_millimetres(grey) <= EDGE_MILLIMETRES
    }

    /// The shadow of the lid or of a torn edge: it touches the edge and stays close to it.
    fn is_edge(&self, grey: &Grey) -> bool {
        let touches =
            self.left == 0 || self.top == 0 || self.right == grey.width || self.bottom == grey.height;
        touches && self.reach_millimetres(grey) <= EDGE_MILLIMETRES / 2.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DPI: f64 = 150.0;

    fn paper() -> Grey {
        let mut grey = Grey::filled(1240, 1754, 0);
        for y in 0..grey.height {
            // Light falls off by an eighth from top to bottom.
            let shade = (230 - y * 30 / 1754) as u8;
            grey.row_mut(y).fill(shade);
        }
        grey
    }

    fn fill(grey: &mut Grey, left: usize, top: usize, width: usize, height: usize, percent: u32) {
        for y in top..top + height {
            for sample in &mut grey.row_mut(y)[left..left + width] {
                *sample = (u32::from(*sample) * percent / 100) as u8;
            }
        }
    }

    #[test]
    fn backs_with_dust_holes_show_through_and_shadows_are_blank() {
        let mut grey = paper();
        for speck in 0..60 {
            fill(&mut grey, 17 + speck * 20, (speck * 389) % 1700, 3, 4, 20);
        }
        for y in 0..40 {
            for x in 0..40_usize {
                let (dx, dy) = (x as f64 - 19.5, y as f64 - 19.5);
                if dx.hypot(dy) < 18.0 {
                    grey.row_mut(400 + y)[40 + x] = 30;
                }
            }
        }
        for line in 0..40 {
            fill(&mut grey, 200, 200 + line * 35, 800, 14, 90);
        }
        fill(&mut grey, 0, 0, 1240, 9, 30);
        assert!(is_blank(&grey, DPI, DPI));
    }

    #[test]
    fn a_page_number_and_a_faint_stamp_are_content() {
        let mut grey = paper();
        fill(&mut grey, 620, 90, 4, 16, 25);
        assert!(!is_blank(&grey, DPI, DPI), "the digit 1");
        let mut grey = paper();
        for angle in 0..720 {
            let (sin, cos) = (f64::from(angle) / 2.0).to_radians().sin_cos();
            fill(&mut grey, (600.0 + 100.0 * cos) as usize, (900.0 + 100.0 * sin) as usize, 3, 3, 93);
        }
        assert!(!is_blank(&grey, DPI, DPI), "a stamp");
    }
}
