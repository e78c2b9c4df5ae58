//! The engine itself: a model made ready, and lines read with it.

use std::cmp::Reverse;

use pagemill_domain::page_text::Confidence;

use super::decode::{BeamSearch, Character, Dictionary, alternatives, words};
use super::line::{GreyLine, LineError, ScaledLine};
use super::model::{Model, ModelError};
use super::network::{self, Network, Probabilities, Shape};

/// Lines that the network is less sure of are tried again with black and white changed over: Tesseract's
/// `invert_threshold`.
const INVERT_BELOW: f32 = 0.7;

/// Lines that are read together. Their probabilities take most of the memory: 1 KiB a step with 269 codes, so 12 MiB for
/// lines as long as those of a page of text.
const LINES_AT_ONCE: usize = 48;

/// A model made ready to read lines. It is immutable and may be shared between threads.
#[derive(Debug)]
pub struct NativeEngine {
    model: Model,
    dictionary: Option<Dictionary>,
    shape: Shape,
    network: Box<dyn Network>,
}

/// What was read on a line.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LineReading {
    /// The words from left to right; none where nothing was found.
    pub words: Vec<ReadWord>,
    /// Whether the line is light on dark.
    pub inverted: bool,
}

/// A word that was read.
#[derive(Debug, Clone, PartialEq)]
pub struct ReadWord {
    /// Its characters; never empty.
    pub characters: Vec<ReadCharacter>,
    /// On Tesseract's scale: that of the least certain character, or of a space beside the word.
    pub confidence: Confidence,
    /// Whether a dictionary of the model knows it.
    pub in_dictionary: bool,
    /// Whether a space stands before it; words of scripts without spaces follow each other without.
    pub after_space: bool,
}

/// A character that was read.
#[derive(Debug, Clone, PartialEq)]
pub struct ReadCharacter {
    /// Its text, as the model writes it: one or several code points.
    pub text: String,
    /// Where it begins, in pixels from the crop's left edge.
    pub left: u32,
    /// Where it ends, in pixels from the crop's left edge.
    pub right: u32,
    /// On the scale of the words.
    pub confidence: Confidence,
    /// What else it may be, most likely first; empty where the network is sure.
    pub alternatives: Vec<ReadAlternative>,
}

/// Another reading of a character.
#[derive(Debug, Clone, PartialEq)]
pub struct ReadAlternative {
    /// Its text.
    pub text: String,
    /// On the scale of the words.
    pub confidence: Confidence,
}

impl NativeEngine {
    /// Makes the model in a `.traineddata` file ready. The user's words count as words of its dictionary; those with
    /// characters that the model does not know are passed over.
    pub fn new(model_file: &[u8], user_words: &[String]) -> Result<Self, ModelError> {
        let mut model = Model::read(model_file)?;
        let (shape, network) = network::prepare(&model)?;
        if model.recoder.code_count() > shape.classes || usize::from(model.null_code) >= shape.classes {
            return Err(ModelError::Malformed("code: the network has no such output"));
        }
        let dictionary = Dictionary::new(&mut model, user_words)?;
        Ok(Self { model, dictionary, shape, network })
    }

    /// Whether the model runs in the kernels. Models of single precision, and layers that are recurrent in two
    /// dimensions, run in the reference implementation, which is slower than Tesseract.
    #[must_use]
    pub fn is_fast(&self) -> bool {
        self.network.is_batched()
    }

    /// Reads lines, each on its own: a line's reading does not depend on the others. More lines at once cost less each.
    pub fn read(&self, lines: &[GreyLine<'_>]) -> Result<Vec<LineReading>, LineError> {
        let scaled: Vec<ScaledLine> = lines
            .iter()
            .map(|line| ScaledLine::new(line, self.shape.line_height))
            .collect::<Result<_, _>>()?;
        let mut readings = vec![LineReading::default(); lines.len()];
        let mut order: Vec<usize> =
            (0..lines.len()).filter(|&index| scaled[index].width >= self.shape.step_width).collect();
        // Lines of like length together waste least.
        order.sort_by_key(|&index| Reverse(scaled[index].width));
        for group in order.chunks(LINES_AT_ONCE) {
            let upright: Vec<&ScaledLine> = group.iter().map(|&index| &scaled[index]).collect();
            let mut probabilities = self.network.run(&upright);
            let inverted = self.retry_inverted(&upright, &mut probabilities);
            for ((&index, probabilities), inverted) in group.iter().zip(&probabilities).zip(inverted) {
                let line = &lines[index];
                let pixels_per_step =
                    self.shape.step_width as f32 * line.height() as f32 / self.shape.line_height as f32;
                let words = self.decode(probabilities, pixels_per_step, line.width());
                readings[index] = LineReading { words, inverted };
            }
        }
        Ok(readings)
    }

    /// Runs unsure lines again inverted and keeps what the network is surer of. Returns which lines were inverted.
    fn retry_inverted(&self, lines: &[&ScaledLine], probabilities: &mut [Probabilities]) -> Vec<bool> {
        let mut inverted = vec![false; lines.len()];
        let unsure: Vec<usize> =
            (0..lines.len()).filter(|&index| self.sureness(&probabilities[index]) < INVERT_BELOW).collect();
        let negatives: Vec<ScaledLine> = unsure.iter().map(|&index| lines[index].inverted()).collect();
        let retried = self.network.run(&negatives.iter().collect::<Vec<_>>());
        for (index, retried) in unsure.into_iter().zip(retried) {
            if self.sureness(&retried) > self.sureness(&probabilities[index]) {
                probabilities[index] = retried;
                inverted[index] = true;
            }
        }
        inverted
    }

    /// Mean probability of the best code over all steps where it is a character; 0 where there is none. Counted in
    /// steps of 1/127, as in Tesseract.
    fn sureness(&self, probabilities: &Probabilities) -> f32 {
        let null = usize::from(self.model.null_code);
        let (mut sum, mut count) = (0_u32, 0_u32);
        for step in probabilities.steps() {
            let best = step.iter().enumerate().fold((0, -1.0_f32), |best, (code, &probability)| {
                if probability > best.1 { (code, probability) } else { best }
            });
            if best.0 != null {
                sum += (best.1 * 127.0) as u32;
                count += 1;
            }
        }
        if count == 0 { 0.0 } else { sum as f32 / count as f32 / 127.0 }
    }

    fn decode(&self, probabilities: &Probabilities, pixels_per_step: f32, width: usize) -> Vec<ReadWord> {
        let search = BeamSearch {
            unicharset: &self.model.unicharset,
            recoder: &self.model.recoder,
            dictionary: self.dictionary.as_ref(),
            null_code: self.model.null_code,
        };
        let path = search.best_path(probabilities);
        let place = |step: usize, round: fn(f32) -> f32| {
            (round(step as f32 * pixels_per_step) as u32).min(width as u32)
        };
        let character = |character: &Character| ReadCharacter {
            text: self.model.unicharset.text(character.id).to_owned(),
            left: place(character.start, f32::floor),
            right: place(character.end, f32::ceil),
            confidence: character.confidence(),
            alternatives: alternatives(character, probabilities, &self.model.recoder)
                .into_iter()
                .map(|other| ReadAlternative {
                    text: self.model.unicharset.text(other.id).to_owned(),
                    confidence: other.confidence,
                })
                .collect(),
        };
        words(&path, &self.model.unicharset)
            .iter()
            .map(|word| ReadWord {
                characters: word.characters.iter().map(character).collect(),
                confidence: word.confidence,
                in_dictionary: word.in_dictionary,
                after_space: word.after_space,
            })
            .collect()
    }
}

impl ReadWord {
    /// The word's text.
    #[must_use]
    pub fn text(&self) -> String {
        self.characters.iter().map(|character| character.text.as_str()).collect()
    }

    /// Where it begins and ends, in pixels from the crop's left edge.
    #[must_use]
    pub fn extent(&self) -> (u32, u32) {
        let left = self.characters.first().map_or(0, |character| character.left);
        (left, self.characters.last().map_or(left, |character| character.right))
    }
}

impl LineReading {
    /// The line's text.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        for word in &self.words {
            if word.after_space && !text.is_empty() {
                text.push(' ');
            }
            text.push_str(&word.text());
        }
        text
    }
}
