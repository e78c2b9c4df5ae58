//! The native engine behind the seam that all engines share.

use super::super::{
    CharacterReading, Engine, EngineError, LineImage, LineReading as SeamReading, Span, WordReading,
};
use super::{GreyLine, LineReading, NativeEngine, ReadWord};

impl Engine for NativeEngine {
    fn read_lines(&mut self, lines: &[LineImage]) -> Result<Vec<SeamReading>, EngineError> {
        let crops = lines
            .iter()
            .map(|LineImage { grey, .. }| GreyLine::new(&grey.samples, grey.width, grey.height, grey.width))
            .collect::<Result<Vec<_>, _>>()?;
        let readings = self.read(&crops)?;
        Ok(readings.iter().zip(lines).map(|(reading, line)| seam_reading(reading, line)).collect())
    }
}

fn seam_reading(reading: &LineReading, line: &LineImage) -> SeamReading {
    SeamReading { words: reading.words.iter().map(|word| word_reading(word, line)).collect() }
}

/// The engine knows where characters stand along the line only: boxes are as high as the picture.
fn word_reading(word: &ReadWord, line: &LineImage) -> WordReading {
    let span = |(left, right): (u32, u32)| Span {
        left: left as i32,
        top: 0,
        right: right as i32,
        bottom: line.grey.height as i32,
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
