//! Positions on a page.
//!
//! **Page space**: pixels of the image *as displayed* (after the file's own orientation tag is obeyed) at its full
//! resolution; the origin is the top left corner, y grows downwards. Everything that leaves `recognition` is in page
//! space, whatever was scaled, turned or straightened on the way.

use serde::{Deserialize, Serialize};

/// A rectangle in page space; `right` and `bottom` are exclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Rect {
    /// Left edge in pixels.
    pub left: u32,
    /// Top edge in pixels.
    pub top: u32,
    /// First column right of the rectangle.
    pub right: u32,
    /// First row below the rectangle.
    pub bottom: u32,
}

impl Rect {
    /// A rectangle from its edges; edges given the wrong way round are swapped.
    #[must_use]
    pub fn new(left: u32, top: u32, right: u32, bottom: u32) -> Self {
        Self { left: left.min(right), top: top.min(bottom), right: left.max(right), bottom: top.max(bottom) }
    }

    /// Width in pixels.
    #[must_use]
    pub const fn width(self) -> u32 {
        self.right.saturating_sub(self.left)
    }

    /// Height in pixels.
    #[must_use]
    pub const fn height(self) -> u32 {
        self.bottom.saturating_sub(self.top)
    }

    /// Whether no pixel lies inside.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.width() == 0 || self.height() == 0
    }

    /// Area in pixels.
    #[must_use]
    pub const fn area(self) -> u64 {
        self.width() as u64 * self.height() as u64
    }

    /// The smallest rectangle that holds both; an empty one adds nothing.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        if self.is_empty() {
            return other;
        }
        if other.is_empty() {
            return self;
        }
        Self {
            left: self.left.min(other.left),
            top: self.top.min(other.top),
            right: self.right.max(other.right),
            bottom: self.bottom.max(other.bottom),
        }
    }

    /// The part that both share; empty where they do not meet.
    #[must_use]
    pub fn intersection(self, other: Self) -> Self {
        let (left, top) = (self.left.max(other.left), self.top.max(other.top));
        let (right, bottom) = (self.right.min(other.right), self.bottom.min(other.bottom));
        if left >= right || top >= bottom { Self::default() } else { Self { left, top, right, bottom } }
    }

    /// Whether `other` lies wholly inside.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.left <= other.left
            && self.top <= other.top
            && self.right >= other.right
            && self.bottom >= other.bottom
    }
}

/// A point in page space; it may lie outside the page (a baseline that is extrapolated).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Point {
    /// Pixels from the left edge.
    pub x: i32,
    /// Pixels from the top edge.
    pub y: i32,
}

/// A clockwise turn by quarters.
///
/// As the turn *of a text*: how the upright text would have to be turned to lie as it does on the displayed page, so
/// text on a page that was scanned upside down has [`Turn::Half`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Turn {
    /// Upright.
    #[default]
    None,
    /// 90° clockwise: the text runs from top to bottom.
    Right,
    /// 180°.
    Half,
    /// 270° clockwise: the text runs from bottom to top.
    Left,
}

impl Turn {
    /// Clockwise degrees: 0, 90, 180 or 270.
    #[must_use]
    pub const fn degrees(self) -> u32 {
        match self {
            Self::None => 0,
            Self::Right => 90,
            Self::Half => 180,
            Self::Left => 270,
        }
    }

    /// The turn of so many clockwise quarters (taken modulo four).
    #[must_use]
    pub const fn from_quarters(quarters: u32) -> Self {
        match quarters % 4 {
            0 => Self::None,
            1 => Self::Right,
            2 => Self::Half,
            _ => Self::Left,
        }
    }

    /// Clockwise quarters, 0 to 3.
    #[must_use]
    pub const fn quarters(self) -> u32 {
        self.degrees() / 90
    }

    /// The turn that undoes this one.
    #[must_use]
    pub const fn inverse(self) -> Self {
        Self::from_quarters(4 - self.quarters())
    }

    /// Whether width and height change places.
    #[must_use]
    pub const fn swaps_axes(self) -> bool {
        matches!(self, Self::Right | Self::Left)
    }
}

/// How the stored samples of an image are to be displayed: the TIFF 6.0 and EXIF `Orientation` tag, values 1 to 8.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Orientation {
    /// Mirror the stored image left to right first.
    pub mirrored: bool,
    /// Then turn it clockwise.
    pub turn: Turn,
}

impl Orientation {
    /// From the tag's value; a value that the standards do not know counts as upright, as both ask readers to do.
    #[must_use]
    pub const fn from_tag(tag: u16) -> Self {
        let (mirrored, turn) = match tag {
            2 => (true, Turn::None),
            3 => (false, Turn::Half),
            4 => (true, Turn::Half),
            5 => (true, Turn::Left),
            6 => (false, Turn::Right),
            7 => (true, Turn::Right),
            8 => (false, Turn::Left),
            _ => (false, Turn::None),
        };
        Self { mirrored, turn }
    }

    /// The tag's value, 1 to 8.
    #[must_use]
    pub const fn tag(self) -> u16 {
        match (self.mirrored, self.turn) {
            (false, Turn::None) => 1,
            (true, Turn::None) => 2,
            (false, Turn::Half) => 3,
            (true, Turn::Half) => 4,
            (true, Turn::Left) => 5,
            (false, Turn::Right) => 6,
            (true, Turn::Right) => 7,
            (false, Turn::Left) => 8,
        }
    }

    /// Size as displayed of an image stored as `width` × `height`.
    #[must_use]
    pub const fn displayed(self, width: u32, height: u32) -> (u32, u32) {
        if self.turn.swaps_axes() { (height, width) } else { (width, height) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rectangles_meet_and_join() {
        let (a, b) = (Rect::new(0, 0, 10, 10), Rect::new(5, 5, 20, 8));
        assert_eq!(a.union(b), Rect::new(0, 0, 20, 10));
        assert_eq!(a.intersection(b), Rect::new(5, 5, 10, 8));
        assert!(a.intersection(Rect::new(10, 0, 12, 4)).is_empty());
        assert_eq!(Rect::default().union(b), b);
    }

    #[test]
    fn a_turn_and_its_inverse_cancel() {
        for quarters in 0..4 {
            let turn = Turn::from_quarters(quarters);
            assert_eq!(Turn::from_quarters(turn.quarters() + turn.inverse().quarters()), Turn::None);
        }
    }

    #[test]
    fn orientation_tags_follow_the_tiff_table() {
        assert_eq!(Orientation::from_tag(6).displayed(300, 200), (200, 300));
        assert_eq!(Orientation::from_tag(1), Orientation::default());
        assert_eq!(Orientation::from_tag(99), Orientation::default());
        assert!(Orientation::from_tag(5).mirrored);
        assert!((1..=8).all(|tag| Orientation::from_tag(tag).tag() == tag));
    }
}
