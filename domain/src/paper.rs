//! Paper sizes and A4 equivalents, by which digitisation is paid.

use serde::{Deserialize, Serialize};

use crate::scan::Dpi;

/// An ISO 216 size, A4 the smallest that counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum PaperSize {
    /// Up to 210 × 297 mm.
    A4,
    /// Up to 297 × 420 mm.
    A3,
    /// Up to 420 × 594 mm.
    A2,
    /// Up to 594 × 841 mm.
    A1,
    /// Larger.
    A0,
}

/// A page whose area exceeds a size by more than this moves up one (practice of the provincial plans).
const EXCESS_ALLOWED_PERCENT: u64 = 10;

/// Area of A4 in square millimetres.
const A4_AREA_MM2: u64 = 210 * 297;

impl PaperSize {
    /// The size that a page of `width` × `height` pixels counts as.
    #[must_use]
    pub fn of_page(width: u32, height: u32, dpi: Dpi) -> Self {
        let area_mm2 = millimetres(width, dpi.x_milli) * millimetres(height, dpi.y_milli);
        [Self::A4, Self::A3, Self::A2, Self::A1]
            .into_iter()
            .find(|size| {
                area_mm2 * 100.0
                    <= (A4_AREA_MM2 * size.a4_equivalents() * (100 + EXCESS_ALLOWED_PERCENT)) as f64
            })
            .unwrap_or(Self::A0)
    }

    /// How many A4 pages it is counted as.
    #[must_use]
    pub const fn a4_equivalents(self) -> u64 {
        match self {
            Self::A4 => 1,
            Self::A3 => 2,
            Self::A2 => 4,
            Self::A1 => 8,
            Self::A0 => 16,
        }
    }
}

fn millimetres(pixels: u32, dpi_milli: u32) -> f64 {
    f64::from(pixels) * 25_400.0 / f64::from(dpi_milli.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_move_up_beyond_ten_percent() {
        let dpi = Dpi::square(300);
        assert_eq!(PaperSize::of_page(2480, 3508, dpi), PaperSize::A4);
        assert_eq!(PaperSize::of_page(2480, 3508 * 109 / 100, dpi), PaperSize::A4);
        assert_eq!(PaperSize::of_page(2480, 3508 * 112 / 100, dpi), PaperSize::A3);
        assert_eq!(PaperSize::of_page(4960, 3508, dpi), PaperSize::A3);
        assert_eq!(PaperSize::of_page(9933, 14043, dpi), PaperSize::A0);
        assert_eq!(PaperSize::of_page(100, 100, dpi), PaperSize::A4);
    }
}
