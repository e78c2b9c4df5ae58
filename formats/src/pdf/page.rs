//! A page's size and what is drawn on it.

use pagemill_domain::geometry::{Orientation, Turn};
use pagemill_domain::scan::{DPI_ASSUMED, Dpi};
use pdf_writer::Name;

use super::content;
use crate::document::DocumentPage;

/// The name of a page's image in its resources.
pub(super) const IMAGE: Name<'static> = Name(b"I");

/// A page's size in units of 1/72 inch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct PageSize {
    pub(super) width: f64,
    pub(super) height: f64,
}

/// Longest side that readers of PDF 1.4 accept (PDF Reference 1.4, table C.1): 200 inches.
const SIDE_UNITS_MAX: f64 = 14_400.0;

/// Shortest side that they accept.
const SIDE_UNITS_MIN: f64 = 3.0;

impl PageSize {
    /// True to scale. A page beyond 200 inches is made smaller as a whole (PDF 1.4 has no larger unit); a side below
    /// 3 units becomes 3.
    pub(super) fn of(page: &DocumentPage<'_>) -> Self {
        let dpi =
            if page.dpi.x_milli == 0 || page.dpi.y_milli == 0 { Dpi::square(DPI_ASSUMED) } else { page.dpi };
        let (width, height) =
            (f64::from(page.width) * 72.0 / dpi.x(), f64::from(page.height) * 72.0 / dpi.y());
        let scale = (SIDE_UNITS_MAX / width.max(height)).min(1.0);
        let side = |units: f64| ((units * scale).max(SIDE_UNITS_MIN) * 100.0).round() / 100.0;
        Self { width: side(width), height: side(height) }
    }
}

/// Draws the image over the whole page, turned as its orientation asks.
pub(super) fn draw_image(orientation: Orientation, size: PageSize) -> Vec<u8> {
    // Where three corners of the stored image (lower left, lower right, upper left) come to lie fixes the matrix.
    let [origin, right, up] = [(0.0, 1.0), (1.0, 1.0), (0.0, 0.0)].map(|(u, v)| {
        let (x, y) = displayed(orientation, u, v);
        (x * size.width, (1.0 - y) * size.height)
    });
    let matrix =
        [right.0 - origin.0, right.1 - origin.1, up.0 - origin.0, up.1 - origin.1, origin.0, origin.1];
    let mut content = content();
    content.save_state().transform(matrix.map(|value| value as f32)).x_object(IMAGE).restore_state();
    content.finish().into_vec()
}

/// Where a point of the stored image (both from 0 to 1, v downwards) is displayed.
fn displayed(orientation: Orientation, u: f64, v: f64) -> (f64, f64) {
    let u = if orientation.mirrored { 1.0 - u } else { u };
    match orientation.turn {
        Turn::None => (u, v),
        Turn::Right => (1.0 - v, u),
        Turn::Half => (1.0 - u, 1.0 - v),
        Turn::Left => (v, 1.0 - u),
    }
}

/// Draws a crossed frame: a page is missing here, it is not blank.
pub(super) fn draw_placeholder(size: PageSize) -> Vec<u8> {
    let (width, height) = (size.width as f32, size.height as f32);
    let inset = width.min(height) * 0.05;
    let mut content = content();
    content.save_state().set_stroke_gray(0.5).set_line_width(inset * 0.05);
    content.rect(inset, inset, width - 2.0 * inset, height - 2.0 * inset);
    content.move_to(inset, inset).line_to(width - inset, height - inset);
    content.move_to(inset, height - inset).line_to(width - inset, inset);
    content.stroke().restore_state();
    content.finish().into_vec()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;

    fn size(width: u32, height: u32, dpi: Dpi) -> PageSize {
        let page = fixtures::Page { width, height, dpi, ..fixtures::page_of_words(&[]) };
        PageSize::of(&page.as_document_page(1))
    }

    #[test]
    fn pages_are_true_to_scale_within_the_limits_of_the_format() {
        assert_eq!(size(2480, 3508, Dpi::square(300)), PageSize { width: 595.2, height: 841.92 });
        let fax = Dpi { x_milli: 204_000, y_milli: 98_000 };
        assert_eq!(size(1728, 1146, fax), PageSize { width: 609.88, height: 841.96 });
        assert_eq!(size(1, 100_000, Dpi::square(300)), PageSize { width: 3.0, height: 14_400.0 });
        assert_eq!(size(200_000, 100_000, Dpi::square(300)), PageSize { width: 14_400.0, height: 7_200.0 });
        assert_eq!(size(300, 300, Dpi::default()), PageSize { width: 72.0, height: 72.0 });
    }

    #[test]
    fn every_orientation_turns_the_image_as_the_tiff_table_says() {
        // Where the stored top left corner is displayed (TIFF 6.0, page 36), and the next corner along the stored row.
        let expected = [
            (1, (0.0, 0.0), (1.0, 0.0)),
            (2, (1.0, 0.0), (0.0, 0.0)),
            (3, (1.0, 1.0), (0.0, 1.0)),
            (4, (0.0, 1.0), (1.0, 1.0)),
            (5, (0.0, 0.0), (0.0, 1.0)),
            (6, (1.0, 0.0), (1.0, 1.0)),
            (7, (1.0, 1.0), (1.0, 0.0)),
            (8, (0.0, 1.0), (0.0, 0.0)),
        ];
        for (tag, first, next) in expected {
            let orientation = Orientation::from_tag(tag);
            assert_eq!(displayed(orientation, 0.0, 0.0), first, "orientation {tag}");
            assert_eq!(displayed(orientation, 1.0, 0.0), next, "orientation {tag}");
        }
    }
}
