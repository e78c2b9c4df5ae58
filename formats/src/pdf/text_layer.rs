//! Invisible text that lies on its words.
//!
//! Viewers highlight a character from its font's descent to its ascent over its advance, so that cell is what must lie
//! on the word's box: the font is as high as the line, its glyphs are scaled across to the width of the word, and the
//! line's matrix follows the direction of its baseline. A space follows each word, so that copied text has its gaps
//! whatever a viewer makes of the distances.

use pagemill_domain::geometry::{Rect, Turn};
use pagemill_domain::page_text::{Line, PageText};
use pdf_writer::Name;

use super::font::{Font, SPACE};
use super::page::PageSize;
use super::syntax::{INTEGER_MAX, REAL_MAX, numbers, rounded, string};
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

/// A line in its own frame: along the direction of reading, and up from it.
struct PlacedLine {
    /// The direction of reading in page space (y downwards), of length 1.
    along: (f64, f64),
    /// Where the baseline's cells begin: below the first word's start.
    origin: (f64, f64),
    /// Height of the cells.
    height: f64,
    words: Vec<PlacedWord>,
}

struct PlacedWord {
    codes: Vec<u16>,
    /// Distance of its start from the line's origin.
    start: f64,
    width: f64,
}

/// A box of a word in the frame of its line.
struct Extent {
    start: f64,
    width: f64,
    bottom: f64,
    top: f64,
}

impl PlacedLine {
    fn new(line: &Line, text: &PageText, font: &mut Font) -> Option<Self> {
        let along = direction(line, text.skew_millidegrees);
        // Boxes end where the page ends, so that no number is larger than a page.
        let on_page = |bounds: Rect| Rect {
            left: bounds.left.min(text.width),
            top: bounds.top.min(text.height),
            right: bounds.right.min(text.width),
            bottom: bounds.bottom.min(text.height),
        };
        let anchor = centre(on_page(line.bounds));
        let words: Vec<_> = shown_words(line)
            .map(|(shown, word)| {
                let codes: Vec<u16> = shown.chars().map(|letter| font.code(letter)).collect();
                (codes, Extent::of(on_page(word.bounds), along, anchor, line.turn))
            })
            .collect();
        let (bottom, top) = vertical_extent(&words)?;
        let first = words.first()?.1.start;
        let height = top - bottom;
        let baseline = bottom + height * DESCENT_EMS;
        let words = words.into_iter().map(|(codes, extent)| PlacedWord {
            codes,
            start: extent.start - first,
            width: extent.width,
        });
        Some(Self {
            along,
            // Up is to the left of reading: (y, -x) in page space.
            origin: (
                anchor.0 + first * along.0 + baseline * along.1,
                anchor.1 + first * along.1 - baseline * along.0,
            ),
            height,
            words: words.collect(),
        })
    }

    /// Writes the line's matrix and its words. `stretch` is the scaling across (in percent) that is in force.
    fn write(&self, content: &mut Vec<u8>, page_height: u32, stretch: &mut f64) {
        let error_max = self.height * ERROR_HEIGHTS_MAX;
        let (x, y) = self.matrix();
        content.push(b'\n');
        numbers(content, &[x, y, -y, x]);
        content.push(b' ');
        let origin = (self.origin.0, f64::from(page_height) - self.origin.1);
        numbers(content, &[rounded(origin.0, error_max), rounded(origin.1, error_max)]);
        content.extend(b" Tm");
        let em = x.hypot(y);
        // Where the next glyph would stand, with every rounding so far: errors do not add up along a line.
        let mut pen = 0.0;
        for word in &self.words {
            let natural = word.codes.len() as f64 * ADVANCE_EMS * em;
            let percent = word.width / natural * 100.0;
            let percent = rounded(percent, error_max / natural * 100.0).clamp(STRETCH_PERCENT_MIN, REAL_MAX);
            if (*stretch - percent).abs() > 0.0 {
                *stretch = percent;
                content.push(b' ');
                numbers(content, &[percent]);
                content.extend(b" Tz");
            }
            let thousandth = em * percent / 100.0 / 1000.0;
            let back = rounded((pen - word.start) / thousandth, error_max / thousandth)
                .clamp(-INTEGER_MAX, INTEGER_MAX);
            pen += (word.codes.len() + 1) as f64 * ADVANCE_EMS * 1000.0 * thousandth - back * thousandth;
            content.push(b'[');
            if back != 0.0 {
                numbers(content, &[back]);
            }
            let spaced: Vec<u16> = word.codes.iter().copied().chain([SPACE]).collect();
            spaced.chunks(CODES_PER_STRING_MAX).for_each(|codes| string(content, codes));
            content.extend(b"]TJ");
        }
    }

    /// The direction of reading, as long as the line is high, in PDF's coordinates (y upwards). The smaller part is
    /// so exact that the line's end lies right.
    fn matrix(&self) -> (f64, f64) {
        let length = self.words.last().map_or(0.0, |word| word.start + word.width).max(self.height);
        let error_max = self.height * ERROR_HEIGHTS_MAX;
        let (x, y) = (self.along.0, -self.along.1);
        if x.abs() > y.abs() {
            let large = rounded(x * self.height, error_max);
            (large, rounded(large * y / x, error_max * self.height / length))
        } else {
            let large = rounded(y * self.height, error_max);
            (rounded(large * x / y, error_max * self.height / length), large)
        }
    }
}

/// How far a cell may lie from its place, in line heights: a pixel at 300 dpi, far less than boxes err. It buys round
/// numbers, and these make a page's text a quarter smaller.
const ERROR_HEIGHTS_MAX: f64 = 0.02;

/// Narrower glyphs serve no reader; the bound also keeps a word of a million letters from a division by nothing.
const STRETCH_PERCENT_MIN: f64 = 0.1;

/// Lines that deviate from their turn by more than this do not: their baseline is a mistake.
const SKEW_DEGREES_MAX: f64 = 10.0;

/// A baseline shorter than so many line heights says nothing of the direction.
const BASELINE_HEIGHTS_MIN: f64 = 3.0;

/// The direction of reading in page space: along the baseline where it is long enough to tell, else along the turn and
/// the page's skew.
fn direction(line: &Line, skew_millidegrees: i32) -> (f64, f64) {
    let (x, y) = match line.turn {
        Turn::None => (1.0, 0.0),
        Turn::Right => (0.0, 1.0),
        Turn::Half => (-1.0, 0.0),
        Turn::Left => (0.0, -1.0),
    };
    let (start, end) = (line.baseline.start, line.baseline.end);
    let (dx, dy) = (f64::from(end.x) - f64::from(start.x), f64::from(end.y) - f64::from(start.y));
    let (along, across) = (dx * x + dy * y, dy * x - dx * y);
    let height = line
        .words
        .iter()
        .map(|word| if line.turn.swaps_axes() { word.bounds.width() } else { word.bounds.height() });
    let height = f64::from(height.min().unwrap_or_default());
    let by_baseline = across.atan2(along);
    let limit = SKEW_DEGREES_MAX.to_radians();
    let angle = if along >= height * BASELINE_HEIGHTS_MIN && along > 0.0 && by_baseline.abs() <= limit {
        by_baseline
    } else {
        (f64::from(skew_millidegrees) / 1000.0).to_radians().clamp(-limit, limit)
    };
    let (sin, cos) = angle.sin_cos();
    (x * cos - y * sin, x * sin + y * cos)
}

impl Extent {
    /// The word itself lies along the line; its box in page space is upright and so holds more than the word. Of a
    /// rectangle of length L and height H at angle a the box is L cos a + H sin a wide and L sin a + H cos a high;
    /// solved for L and H.
    fn of(bounds: Rect, along: (f64, f64), anchor: (f64, f64), turn: Turn) -> Self {
        let (mut length, mut height) =
            (f64::from(bounds.width()).max(1.0), f64::from(bounds.height()).max(1.0));
        if turn.swaps_axes() {
            std::mem::swap(&mut length, &mut height);
        }
        let (near, far) = (along.0.abs().max(along.1.abs()), along.0.abs().min(along.1.abs()));
        let determinant = near * near - far * far;
        let true_length = ((length * near - height * far) / determinant).max(length * PART_MIN);
        let true_height = ((height * near - length * far) / determinant).max(height * PART_MIN);
        let (x, y) = centre(bounds);
        let (x, y) = (x - anchor.0, y - anchor.1);
        let (middle, level) = (x * along.0 + y * along.1, x * along.1 - y * along.0);
        Self {
            start: middle - true_length / 2.0,
            width: true_length,
            bottom: level - true_height / 2.0,
            top: level + true_height / 2.0,
        }
    }
}

/// However skewed, a word keeps this part of its box: boxes are whole pixels and not always tight.
const PART_MIN: f64 = 0.5;

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
            for token in content.split(|byte| b" \n[]()TJTmTz".contains(byte) || *byte < 0x20) {
                let token = std::str::from_utf8(token).unwrap();
                let Ok(number) = token.parse::<f64>() else {
                    prop_assert_eq!(token, "");
                    continue;
                };
                let bound = if token.contains('.') { REAL_MAX } else { INTEGER_MAX };
                prop_assert!(number.abs() <= bound, "{} in {:?}", number, String::from_utf8_lossy(&content));
            }
        }
    }
}
