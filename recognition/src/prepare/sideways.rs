//! A first look at how text runs: cheap enough for every page, so that orientation detection runs only where it pays.

use super::grey::Grey;
use super::scale;

/// Pixels along the longer side of the picture that is looked at: lines of text are 3 to 6 pixels apart.
const LONG_SIDE: usize = 500;

/// Whether lines seem to run from top to bottom: sums over columns swing more than sums over rows. Upright pages with
/// large tables may look so too; they are only looked at more closely.
#[must_use]
pub fn seems_sideways(grey: &Grey) -> bool {
    let longer = grey.width.max(grey.height).max(1);
    let side = |length: usize| (length * LONG_SIDE / longer).clamp(1, length);
    let small = scale::to_size(grey, side(grey.width), side(grey.height));
    let mut rows = vec![0_i64; small.height];
    let mut columns = vec![0_i64; small.width];
    for (y, row) in rows.iter_mut().enumerate() {
        for (column, &sample) in columns.iter_mut().zip(small.row(y)) {
            let ink = 255 - i64::from(sample);
            *row += ink;
            *column += ink;
        }
    }
    swing(&columns, small.height) > swing(&rows, small.width)
}

/// Mean square of the difference of neighbours, each a mean over `across` pixels.
fn swing(sums: &[i64], across: usize) -> f64 {
    let inner = &sums[sums.len() / 20..sums.len() - sums.len() / 20];
    let total: f64 =
        inner.windows(2).map(|pair| ((pair[1] - pair[0]) as f64 / across.max(1) as f64).powi(2)).sum();
    total / inner.len().max(1) as f64
}
