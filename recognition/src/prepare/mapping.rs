//! The way back from a prepared picture to page space.

use pagemill_domain::geometry::{Point, Rect, Turn};

/// An affine map of the plane: `x' = a·x + b·y + c`, `y' = d·x + e·y + f`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mapping {
    a: f64,
    b: f64,
    c: f64,
    d: f64,
    e: f64,
    f: f64,
}

impl Mapping {
    /// Leaves every point where it is.
    pub const IDENTITY: Self = Self { a: 1.0, b: 0.0, c: 0.0, d: 0.0, e: 1.0, f: 0.0 };

    /// Multiplies x and y.
    #[must_use]
    pub fn scaling(x: f64, y: f64) -> Self {
        Self { a: x, e: y, ..Self::IDENTITY }
    }

    /// From a picture that was turned clockwise by `turn` (and is now `width` × `height`) back to the unturned one.
    #[must_use]
    pub fn undoing_turn(turn: Turn, width: f64, height: f64) -> Self {
        match turn {
            Turn::None => Self::IDENTITY,
            Turn::Right => Self { a: 0.0, b: 1.0, c: 0.0, d: -1.0, e: 0.0, f: width },
            Turn::Half => Self { a: -1.0, b: 0.0, c: width, d: 0.0, e: -1.0, f: height },
            Turn::Left => Self { a: 0.0, b: -1.0, c: height, d: 1.0, e: 0.0, f: 0.0 },
        }
    }

    /// From a picture that was rotated clockwise by `radians` about (`x`, `y`) back to the unrotated one.
    #[must_use]
    pub fn undoing_rotation(radians: f64, x: f64, y: f64) -> Self {
        let (sin, cos) = radians.sin_cos();
        Self { a: cos, b: sin, c: x - x * cos - y * sin, d: -sin, e: cos, f: y - y * cos + x * sin }
    }

    /// First `self`, then `next`.
    #[must_use]
    pub fn then(self, next: Self) -> Self {
        Self {
            a: next.a * self.a + next.b * self.d,
            b: next.a * self.b + next.b * self.e,
            c: next.a * self.c + next.b * self.f + next.c,
            d: next.d * self.a + next.e * self.d,
            e: next.d * self.b + next.e * self.e,
            f: next.d * self.c + next.e * self.f + next.f,
        }
    }

    /// Where a point goes.
    #[must_use]
    pub fn apply(self, x: f64, y: f64) -> (f64, f64) {
        (self.a * x + self.b * y + self.c, self.d * x + self.e * y + self.f)
    }

    /// Where a point goes, in whole pixels.
    #[must_use]
    pub fn point(self, x: f64, y: f64) -> Point {
        let (x, y) = self.apply(x, y);
        Point { x: x.round() as i32, y: y.round() as i32 }
    }

    /// The smallest rectangle inside `width` × `height` that holds what the edges' midpoints and the corners of a
    /// rectangle become. Never empty: something that was read lies somewhere.
    #[must_use]
    pub fn rect(self, left: f64, top: f64, right: f64, bottom: f64, width: u32, height: u32) -> Rect {
        let corners =
            [(left, top), (right, top), (left, bottom), (right, bottom)].map(|(x, y)| self.apply(x, y));
        let (mut low, mut high) = (corners[0], corners[0]);
        for (x, y) in corners {
            low = (low.0.min(x), low.1.min(y));
            high = (high.0.max(x), high.1.max(y));
        }
        let (left, right) = clipped(low.0, high.0, width);
        let (top, bottom) = clipped(low.1, high.1, height);
        Rect::new(left, top, right, bottom)
    }
}

/// Whole pixels from `low` to `high` that lie on the page; at least one.
fn clipped(low: f64, high: f64, size: u32) -> (u32, u32) {
    let start = (low.floor().max(0.0) as u32).min(size.saturating_sub(1));
    let end = (high.ceil().max(0.0) as u32).clamp(start + 1, size.max(start + 1));
    (start, end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turned_and_scaled_corner_finds_its_way_back() {
        // A page of 100 × 60, halved to 50 × 30, turned right to 30 × 50: page point (20, 0) went to (10, 0), then to
        // (30, 10).
        let back = Mapping::undoing_turn(Turn::Right, 30.0, 50.0);
        let back = back.then(Mapping::scaling(2.0, 2.0));
        assert_eq!(back.point(30.0, 10.0), Point { x: 20, y: 0 });
        let half = Mapping::undoing_turn(Turn::Half, 50.0, 30.0).then(Mapping::scaling(2.0, 2.0));
        assert_eq!(half.point(40.0, 30.0), Point { x: 20, y: 0 });
    }

    #[test]
    fn rectangles_stay_on_the_page_and_are_never_empty() {
        let rect = Mapping::IDENTITY.rect(-5.0, 90.0, 3.2, 400.0, 50, 100);
        assert_eq!(rect, Rect::new(0, 90, 4, 100));
        assert!(!Mapping::IDENTITY.rect(70.0, 0.0, 80.0, 1.0, 50, 100).is_empty());
    }
}
