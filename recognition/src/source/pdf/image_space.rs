//! How an image lies on its page.

use hayro_interpret::kurbo::{Affine, Rect};
use pagemill_domain::geometry::{Orientation, Turn};

/// How far an image's edges may be from the page's for it to fill the page: producers round the page's size, and crop
/// or pad by a hair. 1 % of A4 is 2 to 3 mm.
const EDGE_TOLERANCE: f64 = 0.01;

/// Points by which an image may be out of the straight over its whole width.
const SLANT_TOLERANCE_POINTS: f64 = 1.0;

/// Whether an image with these bounds fills the page.
pub(super) fn fills(bounds: Rect, page: Rect) -> bool {
    let near = |one: f64, other: f64, size: f64| (one - other).abs() <= size * EDGE_TOLERANCE;
    near(bounds.x0, page.x0, page.width())
        && near(bounds.x1, page.x1, page.width())
        && near(bounds.y0, page.y0, page.height())
        && near(bounds.y1, page.y1, page.height())
}

/// How an image's samples (x to the right, y downwards) are turned on the page; `None` if they are slanted.
pub(super) fn orientation(transform: Affine, page: Rect) -> Option<Orientation> {
    let [a, b, c, d, _, _] = transform.as_coeffs();
    let slant = |small: f64, large: f64| {
        (small / large).abs() * page.width().max(page.height()) <= SLANT_TOLERANCE_POINTS
    };
    let (mirrored, turn) = if slant(b, a) && slant(c, d) {
        match (a > 0.0, d > 0.0) {
            (true, true) => (false, Turn::None),
            (false, false) => (false, Turn::Half),
            (false, true) => (true, Turn::None),
            (true, false) => (true, Turn::Half),
        }
    } else if slant(a, b) && slant(d, c) {
        match (b > 0.0, c > 0.0) {
            (true, false) => (false, Turn::Right),
            (false, true) => (false, Turn::Left),
            (false, false) => (true, Turn::Right),
            (true, true) => (true, Turn::Left),
        }
    } else {
        return None;
    };
    Some(Orientation { mirrored, turn })
}

#[cfg(test)]
mod tests {
    use super::*;
    use hayro_interpret::kurbo::Point;

    /// The orientation, applied to the corners of an image as `Orientation` defines it, goes where the matrix goes.
    #[test]
    fn eight_matrices_are_eight_orientations() {
        let page = Rect::new(0.0, 0.0, 100.0, 100.0);
        let mut seen = Vec::new();
        for [a, b, c, d] in [
            [1, 0, 0, 1],
            [-1, 0, 0, 1],
            [1, 0, 0, -1],
            [-1, 0, 0, -1],
            [0, 1, 1, 0],
            [0, -1, 1, 0],
            [0, 1, -1, 0],
            [0, -1, -1, 0],
        ] {
            let matrix = Affine::new([a, b, c, d, 0, 0].map(f64::from));
            let found = orientation(matrix, page).unwrap();
            for corner in [Point::new(1.0, 0.0), Point::new(0.0, 1.0)] {
                let mut turned = corner;
                if found.mirrored {
                    turned.x = -turned.x;
                }
                for _ in 0..found.turn.quarters() {
                    turned = Point::new(-turned.y, turned.x);
                }
                assert_eq!(turned, matrix * corner, "{found:?}");
            }
            assert!(!seen.contains(&found));
            seen.push(found);
        }
        assert_eq!(orientation(Affine::rotate(0.1), page), None);
    }
}
