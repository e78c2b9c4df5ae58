//! From the network's outputs to characters: a character is one code, or for large scripts a sequence of codes.

use std::collections::BTreeMap;

use super::ModelError;
use super::bytes::Bytes;

/// Longest sequence of codes that stands for one character.
pub(in super::super) const CODE_LENGTH_MAX: usize = 9;
/// Most entries of a recoder.
const ENTRIES_MAX: usize = 1 << 17;

/// A sequence of codes that more codes may follow; the empty one is [`Prefix::EMPTY`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in super::super) struct Prefix(u32);

impl Prefix {
    /// Nothing read yet.
    pub(in super::super) const EMPTY: Self = Self(0);
}

/// Maps sequences of codes to characters.
#[derive(Debug)]
pub(in super::super) struct Recoder {
    /// What a code does after a prefix.
    steps: BTreeMap<(Prefix, u16), Step>,
    /// Steps after the empty prefix, by code: nearly all there is in most models.
    first_steps: Vec<Step>,
    /// Rank of each code by the first character that starts with it. Equal scores are decided by it.
    ranks: Vec<u32>,
    prefixes: u32,
    longest: usize,
}

/// What a code does after a prefix: it may complete a character, or lead to a longer prefix, or both.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in super::super) struct Step {
    /// The character that is complete.
    pub(in super::super) character: Option<u32>,
    /// The prefix that is now longer.
    pub(in super::super) longer: Option<Prefix>,
}

impl Recoder {
    /// Reads the component: a count, and for each character a flag, a length and so many codes.
    pub(super) fn read(component: &[u8], characters: usize, null_code: u16) -> Result<Self, ModelError> {
        let mut bytes = Bytes::new(component, "recoder");
        let count = bytes.count("recoded characters", ENTRIES_MAX)?;
        let mut recoder = Self::empty();
        for id in 0..count {
            let _normalised = bytes.u8()?;
            let length = bytes.count("codes of a character", CODE_LENGTH_MAX)?;
            let codes = (0..length)
                .map(|_| u16::try_from(bytes.i32()?).map_err(|_| ModelError::Malformed("code")))
                .collect::<Result<Vec<_>, _>>()?;
            // The null is no character, though two placeholders of the character set map to it.
            if id < characters && codes != [null_code] {
                recoder.insert(id as u32, &codes)?;
            }
        }
        recoder.finish(null_code)
    }

    /// Codes that are the ids of the characters themselves.
    pub(super) fn identity(characters: usize, null_code: u16) -> Result<Self, ModelError> {
        let mut recoder = Self::empty();
        for id in 0..characters {
            let code = u16::try_from(id).map_err(|_| ModelError::Malformed("code"))?;
            if code != null_code {
                recoder.insert(u32::from(code), &[code])?;
            }
        }
        recoder.finish(null_code)
    }

    fn empty() -> Self {
        Self { steps: BTreeMap::new(), first_steps: Vec::new(), ranks: Vec::new(), prefixes: 1, longest: 1 }
    }

    /// Codes of the character that has most.
    pub(in super::super) const fn longest(&self) -> usize {
        self.longest
    }

    fn insert(&mut self, id: u32, codes: &[u16]) -> Result<(), ModelError> {
        self.longest = self.longest.max(codes.len());
        let Some((&last, leading)) = codes.split_last() else {
            return Err(ModelError::Malformed("character without codes"));
        };
        let mut prefix = Prefix::EMPTY;
        for &code in leading {
            let step = self.steps.entry((prefix, code)).or_default();
            prefix = *step.longer.get_or_insert_with(|| {
                self.prefixes += 1;
                Prefix(self.prefixes - 1)
            });
        }
        self.steps.entry((prefix, last)).or_default().character = Some(id);
        self.rank(codes[0], id);
        Ok(())
    }

    fn rank(&mut self, code: u16, rank: u32) {
        let index = usize::from(code);
        if self.ranks.len() <= index {
            self.ranks.resize(index + 1, u32::MAX);
        }
        self.ranks[index] = self.ranks[index].min(rank);
    }

    /// Splits off the steps after the empty prefix. The null ranks right after the space, as in Tesseract.
    fn finish(mut self, null_code: u16) -> Result<Self, ModelError> {
        self.rank(null_code, 1);
        let longest = self.steps.keys().map(|&(_, code)| usize::from(code) + 1).max();
        let mut first_steps = vec![Step::default(); longest.ok_or(ModelError::Malformed("empty recoder"))?];
        self.steps.retain(|&(prefix, code), step| {
            if prefix == Prefix::EMPTY {
                first_steps[usize::from(code)] = *step;
            }
            prefix != Prefix::EMPTY
        });
        self.first_steps = first_steps;
        Ok(self)
    }

    /// What `code` does after `prefix`.
    pub(in super::super) fn step(&self, prefix: Prefix, code: u16) -> Step {
        if prefix == Prefix::EMPTY {
            self.first_steps.get(usize::from(code)).copied().unwrap_or_default()
        } else {
            self.steps.get(&(prefix, code)).copied().unwrap_or_default()
        }
    }

    /// Where a code stands among codes of equal score.
    pub(in super::super) fn rank_of(&self, code: u16) -> u32 {
        self.ranks.get(usize::from(code)).copied().unwrap_or(u32::MAX)
    }

    /// One more than the largest code; a network needs as many outputs.
    pub(in super::super) fn code_count(&self) -> usize {
        self.ranks.len().max(self.first_steps.len())
    }
}
