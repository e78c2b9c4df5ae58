//! Invisible text that lies on its words.
//!
//! Viewers highlight a character from its font's descent to its ascent over its advance, so that cell is what must lie
//! on the word's box: the font is as high as the line, its glyphs are scaled across to the width of the word. On a page
//! that lies askew each word is level, and the words of a line go up or down with its baseline: of slightly tilted text,
//! poppler takes each half point of rise for a new word, and others highlight it badly. A space follows each word, so
//! that copied text has its gaps whatever a viewer makes of the distances.

use pagemill_domain::geometry::{Point, Rect, Turn};
use pagemill_domain::page_text::{Line, PageText};
use pdf_writer::Name;

use super::font::{Font, SPACE};
use super::page::PageSize;
use super::syntax::{REAL_MAX, numbers, rounded, string};
use super::truetype::{ADVANCE, DESCENT, UNITS_PER_EM};
use crate::characters::shown_words;

/// The name of the font in the resources of a page.
pub(super) const FONT: Name<'static> = Name(b"F");

/// Codes of one string: far below the 65,535 bytes that ISO 19005-1 § 6.1.12 allows.
const CODES_PER_STRING_MAX: usize = 1_000;

/// A glyph's advance in ems.
const ADVANCE_EMS: f64 = ADVANCE as f64 / UNITS_PER_EM as f64;

/// A glyph's depth below the baseline in ems.
const DESCENT_EMS: f64 = -DESCENT as f64 / UNITS_PER_EM as f64;

/// Appends a page's text to its content. Positions are in pixels of page space, upwards: the first matrix maps the
/// pixels onto the page, so that most numbers are short integers.
pub(super) fn write(content: &mut Vec<u8>, text: &PageText, size: PageSize, font: &mut Font) {
    if text.width == 0 || text.height == 0 {
        return;
    }
    let start = content.len();
    let (x_scale, y_scale) = (size.width / f64::from(text.width), size.height / f64::from(text.height));
    content.extend(b"\nq ");
    numbers(content, &[x_scale, 0.0, 0.0, y_scale, 0.0, 0.0]);
    content.extend(b" cm BT/F 1 Tf 3 Tr");
    let empty = content.len();
    let mut stretch = 100.0;
    for line in text.lines() {
        if let Some(placed) = PlacedLine::new(line, text, font) {
            placed.write(content, text.height, &mut stretch);
        }
    }
    if content.len() == empty {
        content.truncate(start);
        return;
    }
    content.extend(b"\nET Q");
}

/// The axes of a line: along its reading and up from it, as its turn lays them. All lengths are pixels.
#[derive(Debug, Clone, Copy)]
struct Frame(Turn);

impl Frame {
    /// A point of page space, along and up.
    fn enter(self, (x, y): (f64, f64)) -> (f64, f64) {
        match self.0 {
            Turn::None => (x, -y),
            Turn::Right => (y, x),
            Turn::Half => (-x, y),
            Turn::Left => (-y, -x),
        }
    }

    /// Back to page space.
    fn leave(self, (along, up): (f64, f64)) -> (f64, f64) {
        match self.0 {
            Turn::None => (along, -up),
            Turn::Right => (up, along),
            Turn::Half => (-along, up),
            Turn::Left => (-up, -along),
        }
    }

    /// A text matrix of this height, without its place (y upwards).
    fn matrix(self, height: f64) -> [f64; 4] {
        match self.0 {
            Turn::None => [height, 0.0, 0.0, height],
            Turn::Right => [0.0, -height, height, 0.0],
            Turn::Half => [-height, 0.0, 0.0, -height],
            Turn::Left => [0.0, height, -height, 0.0],
        }
    }
}

/// A line as it is written.
struct PlacedLine {
    frame: Frame,
    /// Height of the cells.
    height: f64,
    words: Vec<PlacedWord>,
}

struct PlacedWord {
    codes: Vec<u16>,
    /// Where its cells' baseline begins, along and up.
    start: (f64, f64),
    width: f64,
}

impl PlacedLine {
    fn new(line: &Line, text: &PageText, font: &mut Font) -> Option<Self> {
        let frame = Frame(line.turn);
        let slope = Slope::of(line, text, frame);
        let words: Vec<_> = shown_words(line)
            .map(|(shown, word)| {
                let codes: Vec<u16> = shown.chars().map(|letter| font.code(letter)).collect();
                (codes, Extent::of(on_page(word.bounds, text), frame, slope))
            })
            .collect();
        let (bottom, top) = vertical_extent(&words)?;
        let height = top - bottom;
        let words = words.into_iter().map(|(codes, extent)| PlacedWord {
            codes,
            start: (
                extent.middle - extent.width / 2.0,
                slope.level(extent.middle) + bottom + height * DESCENT_EMS,
            ),
            width: extent.width,
        });
        Some(Self { frame, height, words: words.collect() })
    }

    /// Writes the line's matrix and its words. `stretch` is the scaling across (in percent) that is in force.
    fn write(&self, content: &mut Vec<u8>, page_height: u32, stretch: &mut f64) {
        let Some(first) = self.words.first() else { return };
        let error_max = self.height * ERROR_HEIGHTS_MAX;
        let em = rounded(self.height, error_max);
        let (x, y) = self.frame.leave(first.start);
        content.push(b'\n');
        numbers(content, &self.frame.matrix(em));
        content.push(b' ');
        numbers(content, &[rounded(x, error_max), rounded(f64::from(page_height) - y, error_max)]);
        content.extend(b" Tm");
        // Where the last word begins, with every rounding so far: errors do not add up along a line.
        let mut place = first.start;
        for (index, word) in self.words.iter().enumerate() {
            if index > 0 {
                let step = |to: f64, from: f64| rounded((to - from) / em, ERROR_HEIGHTS_MAX);
                let (along, up) = (step(word.start.0, place.0), step(word.start.1, place.1));
                place = (place.0 + along * em, place.1 + up * em);
                content.push(b' ');
                numbers(content, &[along, up]);
                content.extend(b" Td");
            }
            let natural = word.codes.len() as f64 * ADVANCE_EMS * em;
            let percent = rounded(word.width / natural * 100.0, error_max / natural * 100.0);
            let percent = percent.clamp(STRETCH_PERCENT_MIN, REAL_MAX);
            if (*stretch - percent).abs() > 0.0 {
                *stretch = percent;
                content.push(b' ');
                numbers(content, &[percent]);
                content.extend(b" Tz");
            }
            let spaced: Vec<u16> = word.codes.iter().copied().chain([SPACE]).collect();
            for codes in spaced.chunks(CODES_PER_STRING_MAX) {
                string(content, codes);
                content.extend(b"Tj");
            }
        }
    }
}

/// How far a cell may lie from its place, in line heights: a pixel at 300 dpi, far less than boxes err. It buys round
/// numbers, and these make a page's text a quarter smaller.
const ERROR_HEIGHTS_MAX: f64 = 0.02;

/// Narrower glyphs serve no reader; the bound also keeps a word of a million letters from a division by nothing.
const STRETCH_PERCENT_MIN: f64 = 0.1;

/// Boxes end where the page ends, so that no number is larger than a page.
fn on_page(bounds: Rect, text: &PageText) -> Rect {
    Rect {
        left: bounds.left.min(text.width),
        top: bounds.top.min(text.height),
        right: bounds.right.min(text.width),
        bottom: bounds.bottom.min(text.height),
    }
}

/// The line on which a line's letters stand, in the line's frame.
#[derive(Debug, Clone, Copy)]
struct Slope {
    /// A point on it.
    anchor: (f64, f64),
    /// How it rises.
    radians: f64,
}

/// Lines that deviate from their turn by more than this do not: their baseline is a mistake.
const SKEW_DEGREES_MAX: f64 = 10.0;

/// A baseline shorter than so many line heights says nothing of the direction.
const BASELINE_HEIGHTS_MIN: f64 = 3.0;

impl Slope {
    /// Along the baseline where it is long enough to tell, else along the page's skew.
    fn of(line: &Line, text: &PageText, frame: Frame) -> Self {
        let point = |point: Point| frame.enter((f64::from(point.x), f64::from(point.y)));
        let (start, end) = (point(line.baseline.start), point(line.baseline.end));
        let (run, rise) = (end.0 - start.0, end.1 - start.1);
        let heights = line.words.iter().map(|word| sides(word.bounds, frame).1);
        let height = heights.fold(f64::MAX, f64::min);
        let limit = SKEW_DEGREES_MAX.to_radians();
        let by_baseline = rise.atan2(run);
        let is_long = run >= height * BASELINE_HEIGHTS_MIN && run > 0.0;
        let radians = if is_long && by_baseline.abs() <= limit {
            by_baseline
        } else {
            // Clockwise goes down.
            -(f64::from(text.skew_millidegrees) / 1000.0).to_radians().clamp(-limit, limit)
        };
        Self { anchor: frame.enter(centre(on_page(line.bounds, text))), radians }
    }

    /// How high it is at a place along.
    fn level(self, along: f64) -> f64 {
        self.anchor.1 + (along - self.anchor.0) * self.radians.tan()
    }
}

/// A word in the frame of its line.
struct Extent {
    /// Its middle along.
    middle: f64,
    width: f64,
    /// Its ends above the slope.
    bottom: f64,
    top: f64,
}

impl Extent {
    /// The word itself lies along the slope; its box is upright and so holds more than the word. Of a rectangle of
    /// length L and height H at angle a the box is L cos a + H sin a wide and L sin a + H cos a high; solved for L
    /// and H.
    fn of(bounds: Rect, frame: Frame, slope: Slope) -> Self {
        let (length, height) = sides(bounds, frame);
        let (sin, cos) = slope.radians.abs().sin_cos();
        let determinant = cos * cos - sin * sin;
        let true_length = ((length * cos - height * sin) / determinant).max(length * PART_MIN);
        let true_height = ((height * cos - length * sin) / determinant).max(height * PART_MIN);
        let (middle, up) = frame.enter(centre(bounds));
        let above = up - slope.level(middle);
        Self { middle, width: true_length, bottom: above - true_height / 2.0, top: above + true_height / 2.0 }
    }
}

/// However skewed, a word keeps this part of its box: boxes are whole pixels and not always tight.
const PART_MIN: f64 = 0.5;

/// Sides of a box along and up, at least a pixel.
fn sides(bounds: Rect, frame: Frame) -> (f64, f64) {
    let (width, height) = (f64::from(bounds.width()).max(1.0), f64::from(bounds.height()).max(1.0));
    if frame.0.swaps_axes() { (height, width) } else { (width, height) }
}

/// Words that are higher than so many times the line's median (a stroke taken for a letter) do not stretch the line.
const HEIGHT_MEDIANS_MAX: f64 = 2.0;

/// The lowest bottom and the highest top of a line's words.
fn vertical_extent(words: &[(Vec<u16>, Extent)]) -> Option<(f64, f64)> {
    let mut heights: Vec<f64> = words.iter().map(|(_, extent)| extent.top - extent.bottom).collect();
    heights.sort_by(f64::total_cmp);
    let height_max = heights.get(heights.len() / 2)? * HEIGHT_MEDIANS_MAX;
    let usual =
        words.iter().map(|(_, extent)| extent).filter(|extent| extent.top - extent.bottom <= height_max);
    usual.fold(None, |all: Option<(f64, f64)>, extent| {
        let (bottom, top) = all.unwrap_or((extent.bottom, extent.top));
        Some((bottom.min(extent.bottom), top.max(extent.top)))
    })
}

fn centre(bounds: Rect) -> (f64, f64) {
    (
        f64::midpoint(f64::from(bounds.left), f64::from(bounds.right)),
        f64::midpoint(f64::from(bounds.top), f64::from(bounds.bottom)),
    )
}

#[cfg(test)]
mod tests {
    use pagemill_domain::geometry::Point;
    use pagemill_domain::page_text::Baseline;
    use pdf_writer::Ref;
    use proptest::prelude::*;

    use super::*;
    use crate::fixtures;

    fn rect() -> impl Strategy<Value = Rect> {
        let edge = prop_oneof![0_u32..4_000, any::<u32>()];
        [edge.clone(), edge.clone(), edge.clone(), edge].prop_map(|[a, b, c, d]| Rect {
            left: a,
            top: b,
            right: c,
            bottom: d,
        })
    }

    fn point() -> impl Strategy<Value = Point> {
        let place = prop_oneof![-100_i32..4_000, any::<i32>()];
        (place.clone(), place).prop_map(|(x, y)| Point { x, y })
    }

    proptest! {
        #[test]
        fn whatever_the_boxes_the_numbers_are_those_of_pdf_a(
            boxes in prop::collection::vec(rect(), 1..6),
            bounds in rect(),
            (start, end) in (point(), point()),
            quarters in 0_u32..4,
            skew_millidegrees in any::<i32>(),
            (width, height) in (1_u32..200_000_000, 1_u32..3_000),
        ) {
            let mut line = fixtures::line(&["a"; 5][..boxes.len()], 0, 0);
            line.words.iter_mut().zip(boxes).for_each(|(word, bounds)| word.bounds = bounds);
            line.bounds = bounds;
            line.baseline = Baseline { start, end };
            line.turn = Turn::from_quarters(quarters);
            let text = PageText { width, height, skew_millidegrees, ..fixtures::page_text() };
            let mut font = Font::new(Ref::new(1));
            let mut content = Vec::new();
            PlacedLine::new(&line, &text, &mut font).unwrap().write(&mut content, height, &mut 100.0);
            for token in content.split(|byte| b" \n()TdTjTmTz".contains(byte) || *byte < 0x20) {
                let token = std::str::from_utf8(token).unwrap();
                let Ok(number) = token.parse::<f64>() else {
                    prop_assert_eq!(token, "");
                    continue;
                };
                let bound = if token.contains('.') { REAL_MAX } else { f64::from(i32::MAX) };
                prop_assert!(number.abs() <= bound, "{} in {:?}", number, String::from_utf8_lossy(&content));
            }
        }
    }
}
