//! From the best path to characters and words with their places and confidences.

use pagemill_domain::page_text::Confidence;

use super::super::model::{Prefix, Recoder, SPACE_ID, Unicharset};
use super::super::network::Probabilities;
use super::beam::{PathStep, certainty};
use super::dictionary::Permuter;

/// Percents that one unit of certainty takes from a confidence: Tesseract's 5 times its 7.
const CONFIDENCE_SLOPE: f32 = 35.0;
/// Most alternatives of a character.
const ALTERNATIVES_MAX: usize = 4;
/// Less likely codes are no alternatives.
const ALTERNATIVE_PROBABILITY_MIN: f32 = 0.01;

/// A character of the best path.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in super::super) struct Character {
    pub(in super::super) id: u32,
    pub(in super::super) certainty: f32,
    /// The first step of it; the middle of the gap to the character before.
    pub(in super::super) start: usize,
    /// The step after it.
    pub(in super::super) end: usize,
    starts_word: bool,
    permuter: Permuter,
}

impl Character {
    pub(in super::super) fn confidence(&self) -> Confidence {
        confidence(self.certainty)
    }
}

/// A word: some of the characters.
#[derive(Debug, Clone, PartialEq)]
pub(in super::super) struct Word {
    pub(in super::super) characters: Vec<Character>,
    pub(in super::super) confidence: Confidence,
    /// Whether the dictionary knows it.
    pub(in super::super) in_dictionary: bool,
    /// Whether a space stands before it.
    pub(in super::super) after_space: bool,
}

/// Another reading of a character.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in super::super) struct Alternative {
    pub(in super::super) id: u32,
    pub(in super::super) confidence: Confidence,
}

fn confidence(certainty: f32) -> Confidence {
    Confidence::from_percent(f64::from(100.0 + CONFIDENCE_SLOPE * certainty))
}

/// The path's characters, spaces included. A character is as certain as its least certain step, the nulls before it
/// included; the nulls before a space count for the character before it.
fn characters(path: &[PathStep]) -> Vec<Character> {
    let mut characters: Vec<Character> = Vec::new();
    let mut step = 0;
    while step < path.len() {
        let nulls = path[step..].iter().take_while(|entry| entry.character.is_none());
        let (null_count, mut certainty) =
            nulls.fold((0, 0.0_f32), |(count, least), entry| (count + 1, least.min(entry.certainty)));
        step += null_count;
        let Some((entry, id)) = path.get(step).and_then(|entry| Some((entry, entry.character?))) else {
            if let Some(last) = characters.last_mut() {
                last.certainty = last.certainty.min(certainty);
            }
            break;
        };
        if id == SPACE_ID
            && entry.permuter != Permuter::None
            && let Some(last) = characters.last_mut()
        {
            last.certainty = last.certainty.min(certainty);
            certainty = 0.0;
        }
        let repeats = 1 + path[step + 1..].iter().take_while(|entry| entry.repeated).count();
        for entry in &path[step..step + repeats] {
            // A space that starts a dictionary word forgets the nulls before it: they were weighted.
            if entry.certainty < certainty || (id == SPACE_ID && entry.permuter == Permuter::None) {
                certainty = entry.certainty;
            }
        }
        let (starts_word, permuter) = (entry.starts_word, entry.permuter);
        characters.push(Character { id, certainty, start: step, end: step + repeats, starts_word, permuter });
        step += repeats;
    }
    meet_in_the_middle(&mut characters, path.len());
    characters
}

/// Lets each character begin in the middle of the gap to the one before, and end where the next one begins.
fn meet_in_the_middle(characters: &mut [Character], steps: usize) {
    for index in 1..characters.len() {
        let gap = characters[index].start - characters[index - 1].end;
        let middle = characters[index - 1].end + gap / 2;
        characters[index - 1].end = middle;
        characters[index].start = middle;
    }
    if let Some(first) = characters.first_mut() {
        first.start = 0;
    }
    if let Some(last) = characters.last_mut() {
        last.end = steps;
    }
}

/// The words of a path. A word is as certain as its least certain character, or a space beside it.
pub(in super::super) fn words(path: &[PathStep], unicharset: &Unicharset) -> Vec<Word> {
    let characters = characters(path);
    let is_space = |character: &Character| character.id == SPACE_ID;
    let mut words = Vec::new();
    let mut space_before = 0.0_f32;
    let mut start = 0;
    while start < characters.len() {
        let length = 1 + characters[start + 1..]
            .iter()
            .zip(&characters[start..])
            .take_while(|(character, before)| !begins_word(character, before, unicharset))
            .count();
        let end = start + length;
        let space_after = characters.get(end).filter(|character| is_space(character));
        let space_certainty = space_after.map_or(0.0, |space| space.certainty);
        let word = &characters[start..end];
        if !word.iter().all(is_space) {
            let certainty = word.iter().map(|character| character.certainty).fold(0.0, f32::min);
            words.push(Word {
                characters: word.iter().filter(|character| !is_space(character)).copied().collect(),
                confidence: confidence(certainty.min(space_certainty).min(space_before)),
                in_dictionary: word.last().is_some_and(|last| last.permuter >= Permuter::Number),
                after_space: start > 0 && (is_space(&characters[start]) || is_space(&characters[start - 1])),
            });
        }
        space_before = space_certainty;
        start = end + usize::from(space_after.is_some());
    }
    words
}

/// Whether a new word begins with `character`: at a space, where the dictionary says so, and outside the dictionary
/// at every character of a script without spaces.
fn begins_word(character: &Character, before: &Character, unicharset: &Unicharset) -> bool {
    let unspaced = |character: &Character| !unicharset.is_spaced(character.id);
    character.id == SPACE_ID
        || character.starts_word
        || (character.permuter == Permuter::TopChoice && (unspaced(character) || unspaced(before)))
}

/// What else a character may be: the codes that are likely at one of its steps, most likely first. Characters of
/// several codes have no alternatives.
pub(in super::super) fn alternatives(
    character: &Character,
    probabilities: &Probabilities,
    recoder: &Recoder,
) -> Vec<Alternative> {
    // Where every step is surer than this no other code can be likely enough.
    if character.certainty > certainty(1.0 - ALTERNATIVE_PROBABILITY_MIN) {
        return Vec::new();
    }
    let mut likeliest = vec![0.0_f32; probabilities.classes];
    for step in probabilities.steps().skip(character.start).take(character.end - character.start) {
        for (most, &probability) in likeliest.iter_mut().zip(step) {
            *most = most.max(probability);
        }
    }
    let mut found: Vec<(f32, u32)> = likeliest
        .iter()
        .enumerate()
        .filter(|&(_, &probability)| probability >= ALTERNATIVE_PROBABILITY_MIN)
        .filter_map(|(code, &probability)| {
            Some((probability, recoder.step(Prefix::EMPTY, code as u16).character?))
        })
        .filter(|&(_, id)| id != character.id && id != SPACE_ID)
        .collect();
    found.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    found.truncate(ALTERNATIVES_MAX);
    found
        .into_iter()
        .map(|(probability, id)| Alternative { id, confidence: confidence(certainty(probability)) })
        .collect()
}
