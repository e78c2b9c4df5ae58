//! From probabilities to words: a beam search over codes with the model's dictionaries.

mod beam;
mod characters;
mod dictionary;

pub(super) use beam::BeamSearch;
#[cfg(test)]
use characters::Word;
pub(super) use characters::{Character, alternatives, words};
pub(super) use dictionary::Dictionary;

#[cfg(test)]
mod tests;
