//! Paper: how bright it is where, and bringing it to one shade.

use super::grey::Grey;
use super::scale;

/// Side of the squares in which the paper's shade is taken, in inches: larger than letters, smaller than shadows.
const CELL_INCHES: f64 = 0.1;

/// The paper's shade in squares: the brighter ones of a neighbourhood, smoothed. Wherever text is set, the gaps between
/// lines show paper within a square or two.
#[must_use]
pub fn paper(grey: &Grey, dpi: u32) -> Grey {
    let cell = ((f64::from(dpi) * CELL_INCHES).round() as usize).max(4);
    let (columns, rows) = (grey.width.div_ceil(cell).max(1), grey.height.div_ceil(cell).max(1));
    // Quarter squares see the paper between letters; the brightest quarter of a neighbourhood is paper for sure.
    let fine = scale::to_size(grey, columns * 4, rows * 4);
    let mut coarse = Grey::filled(columns, rows, 0);
    for y in 0..rows {
        for x in 0..columns {
            let mut brightest = 0;
            for near_y in (y * 4).saturating_sub(4)..(y * 4 + 8).min(fine.height) {
                let near = &fine.row(near_y)[(x * 4).saturating_sub(4)..(x * 4 + 8).min(fine.width)];
                brightest = near.iter().copied().fold(brightest, u8::max);
            }
            coarse.row_mut(y)[x] = brightest;
        }
    }
    smoothed(&coarse)
}

/// Mean over 5 × 5.
fn smoothed(grey: &Grey) -> Grey {
    let mut result = grey.clone();
    for y in 0..grey.height {
        for x in 0..grey.width {
            let (mut sum, mut count) = (0_u32, 0_u32);
            for near_y in y.saturating_sub(2)..(y + 3).min(grey.height) {
                for &sample in &grey.row(near_y)[x.saturating_sub(2)..(x + 3).min(grey.width)] {
                    sum += u32::from(sample);
                    count += 1;
                }
            }
            result.row_mut(y)[x] = (sum / count.max(1)) as u8;
        }
    }
    result
}

/// The picture with its paper brought to `ground` everywhere.
#[must_use]
pub fn levelled(grey: &Grey, dpi: u32, ground: u8) -> Grey {
    let paper = paper(grey, dpi);
    let widened = scale::to_size(&paper, grey.width, paper.height);
    let mut result = grey.clone();
    for y in 0..grey.height {
        // Between the middles of two squares the shade changes evenly.
        let at = ((y as f64 + 0.5) * paper.height as f64 / grey.height as f64 - 0.5).max(0.0);
        let (above, below) = (at as usize, (at as usize + 1).min(paper.height - 1));
        let part = ((at - above as f64) * 256.0) as u32;
        let shades = (widened.row(above.min(paper.height - 1)), widened.row(below));
        level(result.row_mut(y), shades, part, ground);
    }
    result
}

/// Brings a row's paper to `ground`: `above` and `below` are its shades in the squares there, of which the latter counts
/// `part` 256ths. Neighbours have the same ones mostly, so that the division is made once for many.
fn level(row: &mut [u8], (above, below): (&[u8], &[u8]), part: u32, ground: u8) {
    let mut start = 0;
    while start < row.len() {
        let paper = (above[start], below[start]);
        let shades = above[start..].iter().zip(&below[start..]);
        let end = start + shades.take_while(|&(&above, &below)| (above, below) == paper).count();
        let shade = (u32::from(paper.0) * (256 - part) + u32::from(paper.1) * part).max(256);
        let factor = (u32::from(ground) << 24) / shade;
        for sample in &mut row[start..end] {
            *sample = ((u32::from(*sample) * factor) >> 16).min(255) as u8;
        }
        start = end;
    }
}
