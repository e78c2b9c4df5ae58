//! Lines enlarged: Tesseract's second look at them.

use super::super::{LineImage, LineReading, Span};
use crate::prepare::{grey::Grey, scale};

/// Enlargement of the second picture.
const ENLARGEMENT: f64 = 1.4;

/// The picture for a second look.
pub(super) fn enlarged(image: &LineImage) -> LineImage {
    let size = |length: usize| (length as f64 * ENLARGEMENT).round() as usize;
    let grey: Grey = scale::to_size(&image.grey, size(image.grey.width), size(image.grey.height));
    LineImage {
        grey,
        baseline: (f64::from(image.baseline) * ENLARGEMENT) as f32,
        dpi: (f64::from(image.dpi) * ENLARGEMENT).round() as u32,
    }
}

/// A reading of the enlarged picture, in the places of the picture that it was made from.
pub(super) fn reduced(mut reading: LineReading) -> LineReading {
    let back = |span: &mut Span| {
        for edge in [&mut span.left, &mut span.top, &mut span.right, &mut span.bottom] {
            *edge = (f64::from(*edge) / ENLARGEMENT).round() as i32;
        }
    };
    for word in &mut reading.words {
        back(&mut word.bounds);
        word.characters.iter_mut().for_each(|character| back(&mut character.bounds));
    }
    reading
}
