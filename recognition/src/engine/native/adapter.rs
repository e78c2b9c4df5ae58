//! The native engine behind the seam that all engines share.

use super::super::{
    CharacterReading, Engine, EngineError, LineImage, LineReading as SeamReading, SecondLook, Span,
    WordReading,
};
use super::{GreyLine, LineError, LineReading, NativeEngine, ReadWord, snap};
use crate::prepare::grey::Grey;

/// Ink is darker than this: half-way between print and [`crate::prepare::GROUND`], where Tesseract's own threshold lies.
const INK_BELOW: u8 = 140;

/// How much of a line's picture is kept around its ink, in pixels. The models are sensitive to it: letter size in the
/// network's input follows from the height. Measured on 32 scans and 31 made pages (`docs/engine.md`).
#[derive(Debug, Clone, Copy)]
struct Framing {
    beside: usize,
    above: usize,
    below: usize,
}

/// What reads best.
const FIRST: Framing = Framing { beside: 3, above: 4, below: 4 };

/// Smaller letters for the second look.
const SECOND: Framing = Framing { beside: 3, above: 9, below: 6 };

impl Engine for NativeEngine {
    fn read_lines(&mut self, lines: &[LineImage]) -> Result<Vec<SeamReading>, EngineError> {
        Ok(self.read_framed(lines, FIRST)?)
    }

    /// Lines of every kind get better (`docs/engine.md`), and a line costs little.
    fn second_look(&self) -> SecondLook {
        SecondLook { doubtful_below: 90.0, long_lines: true }
    }

    fn look_again(&mut self, lines: &[LineImage]) -> Result<Vec<SeamReading>, EngineError> {
        Ok(self.read_framed(lines, SECOND)?)
    }
}

impl NativeEngine {
    fn read_framed(&self, lines: &[LineImage], framing: Framing) -> Result<Vec<SeamReading>, LineError> {
        let frames: Vec<Span> = lines.iter().map(|line| framing.around_ink(&line.grey)).collect();
        let crops = lines.iter().zip(&frames).map(|(line, frame)| cut(&line.grey, *frame));
        let readings = self.read(&crops.collect::<Result<Vec<_>, _>>()?)?;
        let placed = readings.iter().zip(lines.iter().zip(frames));
        Ok(placed.map(|(reading, (line, frame))| seam_reading(reading, &line.grey, frame)).collect())
    }
}

impl Framing {
    /// The part of a picture to be read: all of it where there is no ink.
    fn around_ink(self, grey: &Grey) -> Span {
        let (width, height) = (grey.width, grey.height);
        let inked = |row: &[u8]| row.iter().any(|&sample| sample < INK_BELOW);
        let rows: Vec<usize> = (0..height).filter(|&y| inked(grey.row(y))).collect();
        let (Some(&top), Some(&bottom)) = (rows.first(), rows.last()) else {
            return Span { left: 0, top: 0, right: width as i32, bottom: height as i32 };
        };
        let is_ink = |&sample: &u8| sample < INK_BELOW;
        let first = rows.iter().filter_map(|&y| grey.row(y).iter().position(is_ink)).min();
        let last = rows.iter().filter_map(|&y| grey.row(y).iter().rposition(is_ink)).max();
        Span {
            left: first.unwrap_or(0).saturating_sub(self.beside) as i32,
            top: top.saturating_sub(self.above) as i32,
            right: (last.unwrap_or(width) + 1 + self.beside).min(width) as i32,
            bottom: (bottom + 1 + self.below).min(height) as i32,
        }
    }
}

/// A part of a picture, without a copy.
fn cut(grey: &Grey, frame: Span) -> Result<GreyLine<'_>, LineError> {
    let start = frame.top as usize * grey.width + frame.left as usize;
    GreyLine::new(&grey.samples[start..], frame.width() as usize, frame.height() as usize, grey.width)
}

fn seam_reading(reading: &LineReading, grey: &Grey, frame: Span) -> SeamReading {
    let mut words: Vec<WordReading> = reading.words.iter().map(|word| word_reading(word, frame)).collect();
    // Letters of a line that is light on dark are where the ink is not.
    snap::to_ink(&mut words, grey, frame, |sample| (sample < INK_BELOW) != reading.inverted);
    SeamReading { words }
}

/// A word where the network saw it, as high as the frame.
fn word_reading(word: &ReadWord, frame: Span) -> WordReading {
    let span = |(left, right): (u32, u32)| Span {
        left: frame.left + left as i32,
        top: frame.top,
        right: frame.left + right as i32,
        bottom: frame.bottom,
    };
    WordReading {
        text: word.text(),
        bounds: span(word.extent()),
        confidence: f32::from(word.confidence.percent()),
        characters: word
            .characters
            .iter()
            .map(|character| CharacterReading {
                text: character.text.clone(),
                bounds: span((character.left, character.right)),
                confidence: f32::from(character.confidence.percent()),
            })
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_leaves_its_margins_around_the_ink_and_stays_in_the_picture() {
        let mut grey = Grey::filled(100, 60, 230);
        grey.row_mut(20)[30] = 139;
        grey.row_mut(40)[70] = 0;
        grey.row_mut(2)[1] = 140;
        assert_eq!(FIRST.around_ink(&grey), Span { left: 27, top: 16, right: 74, bottom: 45 });
        grey.row_mut(58)[99] = 50;
        assert_eq!(SECOND.around_ink(&grey), Span { left: 27, top: 11, right: 100, bottom: 60 });
    }

    #[test]
    fn a_picture_without_ink_is_read_as_a_whole() {
        let whole = Span { left: 0, top: 0, right: 9, bottom: 7 };
        assert_eq!(FIRST.around_ink(&Grey::filled(9, 7, 200)), whole);
    }
}
