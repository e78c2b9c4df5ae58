//! Lines of tables and short lines that were read with little confidence are read again, enlarged. The surest reading stays.

use crate::engine::{Engine, EngineError, LineImage, LineReading, Span};
use crate::layout::Layout;
use crate::prepare::{grey::Grey, scale};

/// Below this confidence of its worst word in percents a line is looked at again.
const DOUBTFUL: f32 = 80.0;

/// Lines narrower than so many letter heights are short: a page number.
const SHORT_HEIGHTS: usize = 4;

/// Another reading must be surer by so many percents.
const GAIN_MIN: f32 = 1.0;

/// Enlargement of the second picture.
const ENLARGEMENT: f64 = 1.4;

/// Reads doubtful lines again, where that pays: in tables, and where a line is short. Longer lines seldom get better
/// (measured on 32 scans).
pub(super) fn look_again(
    engine: &mut dyn Engine,
    layout: &Layout,
    readings: &mut [LineReading],
) -> Result<(), EngineError> {
    let short =
        |crop: &usize| layout.crops[*crop].image.grey.width < SHORT_HEIGHTS * layout.letter_height as usize;
    let mut doubtful = layout.table_crops();
    doubtful.extend((0..layout.crops.len()).filter(short));
    doubtful.sort_unstable();
    doubtful.dedup();
    doubtful.retain(|&crop| worst(&readings[crop]) < DOUBTFUL);
    let images: Vec<LineImage> =
        doubtful.iter().map(|&crop| enlarged(&layout.crops[crop].image, ENLARGEMENT)).collect();
    for (&crop, reading) in doubtful.iter().zip(engine.read_lines(&images)?) {
        if mean(&reading) > mean(&readings[crop]) + GAIN_MIN {
            readings[crop] = reduced(reading, ENLARGEMENT);
        }
    }
    Ok(())
}

/// Confidence of the worst word; 0 where nothing was read.
fn worst(reading: &LineReading) -> f32 {
    reading.words.iter().map(|word| word.confidence).reduce(f32::min).unwrap_or(0.0)
}

/// Mean confidence over letters; 0 where nothing was read.
fn mean(reading: &LineReading) -> f32 {
    let letters = |text: &str| text.chars().count() as f32;
    let total: f32 = reading.words.iter().map(|word| letters(&word.text)).sum();
    let sum: f32 = reading.words.iter().map(|word| word.confidence * letters(&word.text)).sum();
    if total > 0.0 { sum / total } else { 0.0 }
}

fn enlarged(image: &LineImage, factor: f64) -> LineImage {
    let size = |length: usize| (length as f64 * factor).round() as usize;
    let grey: Grey = scale::to_size(&image.grey, size(image.grey.width), size(image.grey.height));
    LineImage {
        grey,
        baseline: (f64::from(image.baseline) * factor) as f32,
        dpi: (f64::from(image.dpi) * factor).round() as u32,
    }
}

fn reduced(mut reading: LineReading, factor: f64) -> LineReading {
    let back = |span: &mut Span| {
        for edge in [&mut span.left, &mut span.top, &mut span.right, &mut span.bottom] {
            *edge = (f64::from(*edge) / factor).round() as i32;
        }
    };
    for word in &mut reading.words {
        back(&mut word.bounds);
        word.characters.iter_mut().for_each(|character| back(&mut character.bounds));
    }
    reading
}
