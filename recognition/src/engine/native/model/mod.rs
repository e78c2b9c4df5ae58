//! Tesseract's model files (`.traineddata`, LSTM kind) as typed parts.
//!
//! A model file is hostile input: every length is checked before memory is taken, every index before it is used, and
//! what the engine does not know is refused with its name. The formats are described in `docs/engine.md`.

mod bytes;
mod container;
mod dawg;
mod layers;
mod matrix;
mod recoder;
mod unicharset;

use container::Component;
pub use container::ModelError;
pub(super) use dawg::{Dawg, EdgeIndex, NodeIndex, PATTERN_ID};
use layers::parse_network;
pub(super) use layers::{DenseKind, Layer};
pub(super) use matrix::{Matrix, Weights};
pub(super) use recoder::{CODE_LENGTH_MAX, Prefix, Recoder};
pub(super) use unicharset::{SPACE_ID, Unicharset};

use bytes::Bytes;
use container::Container;

/// Largest model file that is read: `best` models of large scripts have 50 MB.
pub const MODEL_BYTES_MAX: usize = 256 << 20;

/// Whether a file is cut into components as a model is, up to its end.
#[must_use]
pub fn is_whole(file: &[u8]) -> bool {
    Container::read(file).is_ok_and(|container| container.has_any())
}

/// What a model file holds for reading lines.
#[derive(Debug)]
pub(super) struct Model {
    /// The network's layers as the file nests them.
    pub(super) network: Layer,
    /// Seeds the noise beyond the image's edge (see `network::noise`).
    pub(super) sample_iteration: i32,
    /// The network's output that stands for "no character".
    pub(super) null_code: u16,
    /// The characters.
    pub(super) unicharset: Unicharset,
    /// From the network's outputs to characters.
    pub(super) recoder: Recoder,
    /// The punctuation patterns of words, if the model has them.
    pub(super) punctuation: Option<Dawg>,
    /// The words, if the model has them.
    pub(super) words: Option<Dawg>,
    /// The number patterns, if the model has them.
    pub(super) numbers: Option<Dawg>,
}

/// The flag of the network's trailer that says the recoder is used.
const RECODED: i32 = 64;

impl Model {
    /// Reads a model file.
    pub(super) fn read(file: &[u8]) -> Result<Self, ModelError> {
        let container = Container::read(file)?;
        let mut bytes = Bytes::new(container.require(Component::Lstm)?, "network");
        let network = parse_network(&mut bytes)?;
        let trailer = Trailer::read(&mut bytes)?;
        let unicharset = Unicharset::read(container.require(Component::Unicharset)?)?;
        let null_code = u16::try_from(trailer.null_code).map_err(|_| ModelError::Malformed("null code"))?;
        let recoder = if trailer.flags & RECODED == 0 {
            Recoder::identity(unicharset.len(), null_code)?
        } else {
            Recoder::read(container.require(Component::Recoder)?, unicharset.len(), null_code)?
        };
        let dawg = |component| container.get(component).map(Dawg::read).transpose();
        Ok(Self {
            network,
            sample_iteration: trailer.sample_iteration,
            null_code,
            punctuation: dawg(Component::PunctuationDawg)?,
            words: dawg(Component::WordDawg)?,
            numbers: dawg(Component::NumberDawg)?,
            unicharset,
            recoder,
        })
    }
}

/// What follows the layers in the network's component; the three training rates at its end are not read.
struct Trailer {
    flags: i32,
    sample_iteration: i32,
    null_code: i32,
}

impl Trailer {
    fn read(bytes: &mut Bytes<'_>) -> Result<Self, ModelError> {
        let _specification = bytes.text()?;
        let flags = bytes.i32()?;
        let _iteration = bytes.i32()?;
        Ok(Self { flags, sample_iteration: bytes.i32()?, null_code: bytes.i32()? })
    }
}

#[cfg(test)]
mod tests;
