//! Roman numerals before a slash ("Quý III/2024"): networks read them as digits, for digits are what stands before a
//! slash nearly always. The picture decides: a Roman I is a bar, alike on both sides; a digit 1 has its flag on the
//! left.

use crate::engine::{LineImage, LineReading, Span, WordReading};
use crate::prepare::grey::Grey;

/// What bars are mistaken for.
const LOOKALIKES: &str = "1Il|!iH[]";

/// Roman numerals of bars alone end at III.
const BARS_MAX: usize = 3;

/// Ink of a line's picture, whose ground is [`crate::prepare::GROUND`], is darker than this.
const INK_BELOW: u8 = 150;

/// A bar covers this part of the letters' height, in percents; the stroke of a slash or a V stays far below.
const BAR_PERCENT: usize = 72;

/// Ink beside a bar's upper half may differ between left and right by this part of the half's height times the bar's
/// width, in percents; a flag has more.
const UNEVEN_PERCENT_MAX: usize = 15;

/// Sets bars before a slash right that were read as digits.
pub(super) fn set_right(image: &LineImage, reading: &mut LineReading) {
    for word in &mut reading.words {
        if let Some(end) = ambiguous(&word.text)
            && let Some(bars) = leading_bars(&image.grey, word.bounds)
        {
            replace(word, end, bars);
        }
    }
}

/// Bytes of the part before the slash, where all of it may be bars and digits follow.
fn ambiguous(text: &str) -> Option<usize> {
    let (before, after) = text.split_once('/')?;
    let digits = after.chars().filter(char::is_ascii_digit).count();
    let alike = !before.is_empty() && before.chars().all(|letter| LOOKALIKES.contains(letter));
    (alike && before.chars().count() <= BARS_MAX && digits >= 4).then_some(before.len())
}

fn replace(word: &mut WordReading, end: usize, bars: usize) {
    let numeral = "I".repeat(bars);
    if word.text[..end] != numeral {
        word.text.replace_range(..end, &numeral);
        // Their places are no longer known one by one.
        word.characters.clear();
    }
}

/// How many bars the word starts with; `None` where one of them has a flag or what follows is no slash.
fn leading_bars(grey: &Grey, word: Span) -> Option<usize> {
    let clip = |edge: i32, length: usize| edge.clamp(0, length as i32) as usize;
    let (left, right) = (clip(word.left - 2, grey.width), clip(word.right + 2, grey.width));
    let (top, bottom) =
        ink_rows(grey, left, right, clip(word.top, grey.height), clip(word.bottom, grey.height))?;
    let height = bottom - top;
    let ink = |x: usize, rows: std::ops::Range<usize>| rows.filter(|&y| grey.row(y)[x] < INK_BELOW).count();
    let is_bar = |x: usize| ink(x, top..bottom) * 100 >= height * BAR_PERCENT;
    let mut bars = 0;
    let mut x = left;
    let mut gap_from = left;
    while x < right {
        if !is_bar(x) {
            // A slash leans: it has ink over many columns and no bar in them.
            if bars > 0 && x - gap_from > height / 2 {
                return Some(bars);
            }
            x += 1;
            continue;
        }
        let start = x;
        while x < right && is_bar(x) {
            x += 1;
        }
        let upper = top..top + height / 2;
        let beside = |columns: std::ops::Range<usize>| columns.map(|x| ink(x, upper.clone())).sum::<usize>();
        let reach = (height / 5).max(2);
        let (before, after) = (beside(start.saturating_sub(reach)..start), beside(x..(x + reach).min(right)));
        let flag = before.saturating_sub(after) * 100 > height / 2 * (x - start) * UNEVEN_PERCENT_MAX;
        bars += 1;
        if flag || bars > BARS_MAX {
            return None;
        }
        gap_from = x;
    }
    None
}

/// First row with ink and the row after the last.
fn ink_rows(grey: &Grey, left: usize, right: usize, top: usize, bottom: usize) -> Option<(usize, usize)> {
    let inked = |y: &usize| grey.row(*y)[left..right].iter().any(|&sample| sample < INK_BELOW);
    let first = (top..bottom).find(inked)?;
    let last = (top..bottom).rev().find(inked)?;
    (left < right).then_some((first, last + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Glyphs of 20 rows: bars, a digit one, a slash.
    fn line(glyphs: &str) -> (LineImage, Span) {
        let mut grey = Grey::filled(200, 40, 230);
        let mut x = 10;
        for glyph in glyphs.chars() {
            for y in 0..20 {
                let row = grey.row_mut(10 + y);
                match glyph {
                    '/' => row[x + (19 - y) / 2..x + (19 - y) / 2 + 3].fill(20),
                    _ => row[x + 4..x + 7].fill(20),
                }
                if glyph == '1' && (2..6).contains(&y) {
                    row[x + 6 - y..x + 4].fill(20);
                }
                if glyph == 'I' && !(2..=17).contains(&y) {
                    row[x + 1..x + 10].fill(20);
                }
            }
            x += 13;
        }
        let image = LineImage { grey, baseline: 30.0, dpi: 170 };
        (image, Span { left: 10, top: 8, right: x as i32, bottom: 32 })
    }

    fn read(glyphs: &str, text: &str) -> String {
        let (image, bounds) = line(glyphs);
        let word = WordReading { text: text.into(), bounds, confidence: 90.0, characters: Vec::new() };
        let mut reading = LineReading { words: vec![word] };
        set_right(&image, &mut reading);
        reading.words[0].text.clone()
    }

    #[test]
    fn the_picture_tells_a_roman_one_from_a_digit() {
        assert_eq!(read("II/", "11/2024"), "II/2024");
        assert_eq!(read("III/", "IH/2024"), "III/2024");
        assert_eq!(read("I/", "1/2024"), "I/2024");
        assert_eq!(read("1/", "1/2024"), "1/2024");
        assert_eq!(read("11/", "11/2024"), "11/2024");
        assert_eq!(read("II/", "II/QD"), "II/QD");
    }
}
