//! The native engine: Tesseract's LSTM models, read by our own code.
//!
//! The way of a line, a module each:
//! 1. [`line`]: a grey crop, scaled to the model's height and sharpened, its contrast stretched.
//! 2. [`network`]: the model's layers over it, all lines of a page at once: probabilities of codes at each step.
//! 3. [`decode`]: the most certain text, with the model's dictionaries; words, places, confidences, alternatives.
//!
//! [`model`] reads the model files; [`engine`] ties it together; [`adapter`] puts it behind the seam of all engines. How it works, with formats and arithmetic, is
//! described in `docs/engine.md`.
//!
//! Architecture invariant: nothing here knows Leptonica or Tesseract's library, and no result depends on the machine:
//! every kernel gives the same numbers.

mod adapter;
mod decode;
mod engine;
#[cfg(test)]
mod fixture;
#[cfg(test)]
mod fuzz;
mod line;
mod model;
mod network;
mod snap;

pub use engine::{LineReading, NativeEngine, ReadAlternative, ReadCharacter, ReadWord};
pub use line::{CROP_SIDE_MAX, GreyLine, LINE_WIDTH_MAX, LineError};
pub use model::{MODEL_BYTES_MAX, ModelError, is_whole};
