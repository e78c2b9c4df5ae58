//! The paths of a search as a tree: each node is one step and knows the one before it.

use std::ops::Range;

use super::super::super::model::Prefix;
use super::super::dictionary::Permuter;
use super::heap::Heap;
use super::{Emission, PathStep};

/// A node's place in [`Nodes`].
pub(super) type NodeIndex = u32;

/// The last step of a path.
#[allow(clippy::struct_excessive_bools, reason = "each marks the step for a rule of its own")]
#[derive(Debug, Clone, Copy)]
pub(super) struct Node {
    /// The sum of all certainties of the path.
    pub(super) score: f32,
    /// This step's natural logarithm of probability, with an offset; weighted outside the dictionary.
    pub(super) certainty: f32,
    /// Stands for the codes of the whole path.
    pub(super) code_hash: u64,
    pub(super) previous: Option<NodeIndex>,
    /// The last whole character before this step.
    pub(super) last: Option<NodeIndex>,
    /// The word's places in the dictionaries.
    pub(super) positions: (u32, u32),
    pub(super) prefix: Prefix,
    pub(super) code: u16,
    /// The character that is complete here.
    pub(super) character: Option<u32>,
    pub(super) permuter: Permuter,
    /// Whether a dictionary word starts with the next character.
    pub(super) starts_dictionary: bool,
    /// Whether a dictionary word starts with this character.
    pub(super) starts_word: bool,
    /// Whether a dictionary word may end with this character.
    pub(super) ends_word: bool,
    /// Whether this step repeats the one before.
    pub(super) repeated: bool,
}

impl Node {
    pub(super) fn new(
        emission: Emission,
        certainty: f32,
        previous: Option<NodeIndex>,
        before: Option<&Self>,
        permuter: Permuter,
    ) -> Self {
        Self {
            score: certainty + before.map_or(0.0, |node| node.score),
            certainty,
            code_hash: 0,
            previous,
            last: before.and_then(|node| if node.is_character() { previous } else { node.last }),
            positions: (0, 0),
            prefix: emission.prefix,
            code: emission.code,
            character: emission.character,
            permuter,
            starts_dictionary: false,
            starts_word: false,
            ends_word: false,
            repeated: false,
        }
    }

    /// Whether a whole character ends here that did not end before.
    fn is_character(&self) -> bool {
        self.character.is_some() && !self.repeated
    }

    pub(super) fn with_hash(self, code_hash: u64) -> Self {
        Self { code_hash, ..self }
    }

    pub(super) fn with_positions(self, positions: Range<usize>) -> Self {
        Self { positions: (positions.start as u32, positions.end as u32), ..self }
    }

    /// The word's places in the dictionaries, in the search's list.
    pub(super) fn positions(&self) -> Range<usize> {
        self.positions.0 as usize..self.positions.1 as usize
    }

    /// Whether both are the same text with the same way to go on.
    pub(super) fn is_same_text(&self, other: &Self) -> bool {
        self.code_hash == other.code_hash
            && self.code == other.code
            && self.permuter == other.permuter
            && self.starts_dictionary == other.starts_dictionary
    }
}

/// All nodes of a search.
#[derive(Debug, Default)]
pub(super) struct Nodes(Vec<Node>);

impl Nodes {
    pub(super) fn get(&self, index: NodeIndex) -> &Node {
        &self.0[index as usize]
    }

    /// Moves a heap's nodes here; returns where they are.
    pub(super) fn store(&mut self, heap: &mut Heap) -> Range<NodeIndex> {
        let first = self.0.len() as NodeIndex;
        self.0.extend(heap.drain());
        first..self.0.len() as NodeIndex
    }

    /// The last whole character at or before a node.
    pub(super) fn last_character(&self, index: NodeIndex) -> Option<&Node> {
        let node = self.get(index);
        if node.is_character() { Some(node) } else { node.last.map(|last| self.get(last)) }
    }

    /// The steps from the first to the given one.
    pub(super) fn path_to(&self, last: NodeIndex) -> Vec<PathStep> {
        let mut path = Vec::new();
        let mut next = Some(last);
        while let Some(index) = next {
            let node = self.get(index);
            path.push(PathStep {
                character: node.character,
                certainty: node.certainty,
                repeated: node.repeated,
                starts_word: node.starts_word,
                permuter: node.permuter,
            });
            next = node.previous;
        }
        path.reverse();
        path
    }
}
