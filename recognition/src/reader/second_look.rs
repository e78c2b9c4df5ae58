//! Lines that were read with little confidence are read again in another way. The surer reading stays.

use std::collections::HashSet;

use crate::engine::{Engine, EngineError, LineImage, LineReading};
use crate::layout::Layout;

/// Lines narrower than so many letter heights are short: a page number.
const SHORT_HEIGHTS: usize = 4;

/// Another reading must be surer by so many percents.
const GAIN_MIN: f32 = 1.0;

/// Reads doubtful lines again, where that pays: in tables, where a line is short, and elsewhere if the engine says so.
pub(super) fn look_again(
    engine: &mut dyn Engine,
    layout: &Layout,
    readings: &mut [LineReading],
) -> Result<(), EngineError> {
    let policy = engine.second_look();
    let in_tables: HashSet<usize> = layout.table_crops().into_iter().collect();
    let short =
        |crop: usize| layout.crops[crop].image.grey.width < SHORT_HEIGHTS * layout.letter_height as usize;
    let pays = |crop: usize| policy.long_lines || short(crop) || in_tables.contains(&crop);
    let doubtful: Vec<usize> = (0..layout.crops.len())
        .filter(|&crop| worst(&readings[crop]) < policy.doubtful_below && pays(crop))
        .collect();
    let images: Vec<LineImage> = doubtful.iter().map(|&crop| layout.crops[crop].image.clone()).collect();
    for (&crop, reading) in doubtful.iter().zip(engine.look_again(&images)?) {
        if mean(&reading) > mean(&readings[crop]) + GAIN_MIN {
            readings[crop] = reading;
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
