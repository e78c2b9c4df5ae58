//! The search for the most certain text: a beam over codes, with and without the dictionaries.
//!
//! The rules are Tesseract's, so that texts and certainties are too. At each step only the two most likely codes and
//! the null are taken further. A path lives in one of several beams, by three properties: whether it is made of
//! dictionary words, how it may go on, and how many codes of an unfinished character it ends with.

use super::super::model::{CODE_LENGTH_MAX, Prefix, Recoder, SPACE_ID, Unicharset};
use super::super::network::Probabilities;
use super::dictionary::{Dictionary, Permuter, Position};
use heap::Heap;
use node::{Node, NodeIndex, Nodes};
pub(super) use scores::certainty;
use scores::{Scored, Scores};

mod heap;
mod node;
mod scores;

/// Certainties outside the dictionary count so much more.
const OUTSIDE_DICTIONARY: f32 = 2.25;
/// A step that is less certain is no part of a dictionary word: -25 on Tesseract's outer scale, which is 7 times ours.
const DICTIONARY_CERTAINTY_MIN: f32 = -25.0 / 7.0;
/// The certainty of impossible codes.
pub(super) const CERTAINTY_MIN: f32 = -20.0;

/// Paths kept in a beam, by the number of codes of an unfinished character.
const BEAM_WIDTHS: [usize; CODE_LENGTH_MAX + 1] = [5, 10, 16, 16, 16, 16, 16, 16, 16, 16];

/// How a path may go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Continuation {
    /// Anyhow.
    Any = 0,
    /// With its last code again: the step before counted code and null together.
    SameCode = 1,
    /// Not with its last code again.
    OtherCode = 2,
}

const CONTINUATIONS: [Continuation; 3] = [Continuation::Any, Continuation::SameCode, Continuation::OtherCode];

/// Which beam a path lives in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Beam {
    dictionary: bool,
    continuation: Continuation,
    /// Codes of an unfinished character.
    length: usize,
}

impl Beam {
    const COUNT: usize = 6 * (CODE_LENGTH_MAX + 1);

    const fn index(self) -> usize {
        (self.dictionary as usize * 3 + self.continuation as usize) * (CODE_LENGTH_MAX + 1) + self.length
    }

    /// All beams for characters of at most `longest` codes, in the order in which they are taken further.
    fn all(longest: usize) -> impl Iterator<Item = Self> {
        [false, true].into_iter().flat_map(move |dictionary| {
            CONTINUATIONS.into_iter().flat_map(move |continuation| {
                (0..longest).map(move |length| Self { dictionary, continuation, length })
            })
        })
    }
}

/// What a search needs to know of a model.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct BeamSearch<'a> {
    pub(in super::super) unicharset: &'a Unicharset,
    pub(in super::super) recoder: &'a Recoder,
    pub(in super::super) dictionary: Option<&'a Dictionary>,
    pub(in super::super) null_code: u16,
}

/// One step of the best path.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in super::super) struct PathStep {
    /// The character that is complete here.
    pub(super) character: Option<u32>,
    pub(super) certainty: f32,
    /// Whether it repeats the step before.
    pub(super) repeated: bool,
    pub(super) starts_word: bool,
    pub(super) permuter: Permuter,
}

impl BeamSearch<'_> {
    /// The most certain path, one entry a step.
    pub(in super::super) fn best_path(&self, probabilities: &Probabilities) -> Vec<PathStep> {
        let mut search = Search::new(*self, probabilities.classes);
        for (index, step) in probabilities.steps().enumerate() {
            let scores = Scores::new(step, self.null_code, self.recoder);
            search.advance(&scores, index == 0);
        }
        search.best().map_or_else(Vec::new, |last| search.nodes.path_to(last))
    }
}

/// A search under way.
struct Search<'a> {
    model: BeamSearch<'a>,
    nodes: Nodes,
    /// Places in the dictionaries that nodes refer to; the initial ones come first.
    positions: Vec<Position>,
    /// The next step's beams, by [`Beam::index`].
    heaps: Vec<Heap>,
    /// The last step's nodes of each beam.
    ends: Vec<std::ops::Range<NodeIndex>>,
    /// The best paths that start a dictionary word anew, by continuation.
    word_starts: [Option<Node>; 3],
    classes: u64,
}

impl<'a> Search<'a> {
    fn new(model: BeamSearch<'a>, classes: usize) -> Self {
        let mut heaps: Vec<Heap> = (0..Beam::COUNT).map(|_| Heap::new(0)).collect();
        for beam in Beam::all(model.recoder.longest()) {
            heaps[beam.index()] = Heap::new(BEAM_WIDTHS[beam.length]);
        }
        Self {
            model,
            nodes: Nodes::default(),
            positions: model.dictionary.map_or_else(Vec::new, |dictionary| dictionary.initial().to_vec()),
            heaps,
            ends: vec![0..0; Beam::COUNT],
            word_starts: [None; 3],
            classes: classes as u64,
        }
    }

    /// Takes every path one step further.
    fn advance(&mut self, scores: &Scores, first: bool) {
        self.word_starts = [None; 3];
        let longest = self.model.recoder.longest();
        for beam in Beam::all(longest) {
            if first {
                if beam.length == 0 && beam.continuation == Continuation::Any {
                    self.continue_path(None, beam, scores);
                }
                continue;
            }
            // The best paths stand near the end of a heap: they fill the next one sooner.
            for previous in self.ends[beam.index()].clone().rev() {
                self.continue_path(Some(previous), beam, scores);
            }
        }
        if !first {
            for continuation in CONTINUATIONS {
                if let Some(start) = self.word_starts[continuation as usize] {
                    self.heaps[Beam { dictionary: true, continuation, length: 0 }.index()].push(start);
                }
            }
        }
        for beam in Beam::all(longest) {
            self.ends[beam.index()] = self.nodes.store(&mut self.heaps[beam.index()]);
        }
    }

    /// Takes one path further with each code that is likely enough.
    fn continue_path(&mut self, previous: Option<NodeIndex>, beam: Beam, scores: &Scores) {
        let before = previous.map(|index| *self.nodes.get(index));
        let prefix = before.map_or(Prefix::EMPTY, |node| node.prefix);
        if let (Some(index), Some(node)) = (previous, before) {
            self.repeat(index, &node, beam, scores);
            if beam.continuation == Continuation::SameCode {
                return;
            }
            if node.code != self.model.null_code && beam.length > 0 {
                // A null inside a character of several codes is not one of its codes.
                let null = Emission { code: self.model.null_code, prefix: node.prefix, character: None };
                self.push_plain(null, Continuation::Any, scores.null_certainty(), beam, Some((index, &node)));
            }
        }
        for scored in scores.codes() {
            if before.is_some_and(|node| node.code == scored.code) {
                continue;
            }
            let pair = before.is_some_and(|node| {
                beam.continuation == Continuation::Any
                    && node.code != self.model.null_code
                    && scores.is_best_pair(node.code, scored.code)
            });
            let with_null = if pair { scores.pair_certainty() } else { scored.certainty_with_null };
            self.continue_code(prefix, *scored, with_null, beam, previous);
        }
    }

    /// The last code once more, which adds nothing to the text.
    fn repeat(&mut self, index: NodeIndex, node: &Node, beam: Beam, scores: &Scores) {
        let Some(again) = scores.code(node.code) else { return };
        let same = Emission { code: node.code, prefix: node.prefix, character: node.character };
        if beam.continuation != Continuation::OtherCode {
            self.push_repeat(same, Continuation::Any, again.certainty, beam, index, node);
        }
        if beam.continuation == Continuation::Any && node.code != self.model.null_code {
            self.push_repeat(same, Continuation::OtherCode, again.certainty_with_null, beam, index, node);
        }
    }

    /// One code after a path: it may complete a character, begin or go on with one of several codes, or be the null.
    fn continue_code(
        &mut self,
        prefix: Prefix,
        scored: Scored,
        certainty_with_null: f32,
        beam: Beam,
        previous: Option<NodeIndex>,
    ) {
        let code = scored.code;
        if code == self.model.null_code {
            if prefix == Prefix::EMPTY {
                let null = Emission { code, prefix, character: None };
                self.continue_character(null, scored.certainty, beam, Continuation::Any, previous);
            }
            return;
        }
        let step = self.model.recoder.step(prefix, code);
        if step.character.is_some() && scored.certainty >= CERTAINTY_MIN {
            let whole = Emission { code, prefix: Prefix::EMPTY, character: step.character };
            self.continue_character(whole, scored.certainty, beam, Continuation::Any, previous);
            self.continue_character(whole, certainty_with_null, beam, Continuation::SameCode, previous);
        }
        if let Some(longer) = step.longer {
            let part = Emission { code, prefix: longer, character: None };
            let node = previous.map(|index| *self.nodes.get(index));
            let before = previous.zip(node.as_ref());
            let longer = Beam { length: beam.length + 1, ..beam };
            self.push_plain(part, Continuation::Any, scored.certainty, longer, before);
            self.push_plain(part, Continuation::SameCode, certainty_with_null, longer, before);
        }
    }

    /// A whole character, or the null, inside or outside the dictionary.
    fn continue_character(
        &mut self,
        code: Emission,
        certainty: f32,
        beam: Beam,
        continuation: Continuation,
        previous: Option<NodeIndex>,
    ) {
        if beam.dictionary {
            if certainty > DICTIONARY_CERTAINTY_MIN {
                self.continue_word(code, certainty, continuation, previous);
            }
            return;
        }
        let outside = self.node(code, certainty * OUTSIDE_DICTIONARY, previous, Permuter::TopChoice);
        self.push(Beam { dictionary: false, continuation, length: 0 }, outside);
        let Some(character) = code.character.filter(|_| self.model.dictionary.is_some()) else { return };
        // A dictionary word may start after a space, and after any character that needs none. The space's certainty
        // counts for the word too: it is neither weighted nor burdened with the nulls before it, which were.
        if character == SPACE_ID && certainty > DICTIONARY_CERTAINTY_MIN {
            let start = self.node(code, certainty, previous, Permuter::None);
            self.start_word(start, continuation);
        } else if !self.model.unicharset.is_spaced(character) {
            let start = self.node(code, certainty * OUTSIDE_DICTIONARY, previous, Permuter::TopChoice);
            self.start_word(start, continuation);
        }
    }

    /// A whole character, or the null, that must go on with a dictionary word or end one.
    fn continue_word(
        &mut self,
        code: Emission,
        certainty: f32,
        continuation: Continuation,
        previous: Option<NodeIndex>,
    ) {
        let inside = Beam { dictionary: true, continuation, length: 0 };
        let outside = Beam { dictionary: false, continuation, length: 0 };
        let node = self.node(code, certainty, previous, Permuter::None);
        let Some(character) = code.character else {
            return self.push(inside, node);
        };
        let full = |beam: Beam| self.heaps[beam.index()].is_full_above(node.score);
        if full(inside) && full(outside) {
            return;
        }
        let last = previous.and_then(|index| self.nodes.last_character(index));
        if character == SPACE_ID {
            if let Some(last) = last.filter(|last| last.ends_word) {
                let space = Node { permuter: last.permuter, ..node };
                self.start_word(space, continuation);
                self.push(outside, space);
            }
            return;
        }
        let spaced = |id| self.model.unicharset.is_spaced(id);
        let (active, starts_word) = match last {
            None => (0..self.initial_positions(), true),
            Some(last) if last.starts_dictionary => {
                let glued = last.character.is_some_and(|id| id != SPACE_ID && spaced(id));
                if glued && spaced(character) {
                    return;
                }
                (last.positions(), true)
            }
            Some(last) => (last.positions(), false),
        };
        self.advance_word(Node { starts_word, ..node }, character, active, continuation);
    }

    /// Takes a word's places in the dictionaries one character further.
    fn advance_word(
        &mut self,
        node: Node,
        character: u32,
        active: std::ops::Range<usize>,
        continuation: Continuation,
    ) {
        let Some(dictionary) = self.model.dictionary else { return };
        let active = self.positions[active].to_vec();
        let first = self.positions.len();
        let reached = dictionary.advance(self.model.unicharset, &active, character, &mut self.positions);
        let Some(advance) = reached else { return };
        let node = Node { permuter: advance.permuter, ends_word: advance.ends_word, ..node };
        self.push(
            Beam { dictionary: true, continuation, length: 0 },
            node.with_positions(first..self.positions.len()),
        );
        if advance.ends_word && !self.model.unicharset.is_spaced_language() {
            // The next word may start right away, in the dictionary or not.
            self.start_word(node, continuation);
            self.push(Beam { dictionary: false, continuation, length: 0 }, node);
        }
    }

    /// Keeps the best path that starts a dictionary word with its next character.
    fn start_word(&mut self, node: Node, continuation: Continuation) {
        let best = &mut self.word_starts[continuation as usize];
        if best.is_none_or(|best| node.score > best.score) {
            let initial = 0..self.model.dictionary.map_or(0, |dictionary| dictionary.initial().len());
            *best = Some(Node { starts_dictionary: true, ..node }.with_positions(initial));
        }
    }

    fn initial_positions(&self) -> usize {
        self.model.dictionary.map_or(0, |dictionary| dictionary.initial().len())
    }
}

/// What a step adds to a path: a code, and what it completes.
#[derive(Debug, Clone, Copy)]
struct Emission {
    code: u16,
    /// The unfinished character that the path ends with.
    prefix: Prefix,
    character: Option<u32>,
}

impl Search<'_> {
    /// A node after `previous`, of no word yet.
    fn node(&self, code: Emission, certainty: f32, previous: Option<NodeIndex>, permuter: Permuter) -> Node {
        let before = previous.map(|index| self.nodes.get(index));
        Node::new(code, certainty, previous, before, permuter).with_hash(self.code_hash(before, code.code))
    }

    /// Identifies the codes of a path, nulls and repeats left out.
    fn code_hash(&self, before: Option<&Node>, code: u16) -> u64 {
        let hash = before.map_or(0, |node| node.code_hash);
        if code == self.model.null_code {
            return hash;
        }
        let carry = (hash >> 32).wrapping_mul(self.classes) >> 32;
        hash.wrapping_mul(self.classes).wrapping_add(carry).wrapping_add(u64::from(code))
    }

    fn push(&mut self, beam: Beam, node: Node) {
        self.heaps[beam.index()].push(node);
    }

    /// A part of a character, or a null within it.
    fn push_plain(
        &mut self,
        code: Emission,
        continuation: Continuation,
        certainty: f32,
        beam: Beam,
        before: Option<(NodeIndex, &Node)>,
    ) {
        let outside = if beam.dictionary { Permuter::None } else { Permuter::TopChoice };
        let permuter = before.map_or(outside, |(_, node)| node.permuter);
        let (beam, index) = (Beam { continuation, ..beam }, before.map(|(index, _)| index));
        if let Some(certainty) = self.weighted(certainty, code.code, beam) {
            let node = self.node(code, certainty, index, permuter);
            self.push(beam, node);
        }
    }

    fn push_repeat(
        &mut self,
        code: Emission,
        continuation: Continuation,
        certainty: f32,
        beam: Beam,
        index: NodeIndex,
        before: &Node,
    ) {
        let beam = Beam { continuation, ..beam };
        if let Some(certainty) = self.weighted(certainty, code.code, beam) {
            let node = Node::new(code, certainty, Some(index), Some(before), before.permuter);
            self.push(beam, Node { repeated: true, ..node.with_hash(before.code_hash) });
        }
    }

    /// The certainty as it counts in a beam; `None` where it is too low for it.
    fn weighted(&self, certainty: f32, code: u16, beam: Beam) -> Option<f32> {
        if beam.dictionary {
            return Some(certainty).filter(|&certainty| certainty > DICTIONARY_CERTAINTY_MIN);
        }
        let weighted = certainty * OUTSIDE_DICTIONARY;
        Some(weighted).filter(|&weighted| weighted >= CERTAINTY_MIN || code == self.model.null_code)
    }

    /// The best path that may end here: not within a character, and not within a dictionary word.
    fn best(&self) -> Option<NodeIndex> {
        let mut best: Option<(f32, NodeIndex)> = None;
        for continuation in [Continuation::Any, Continuation::OtherCode] {
            for dictionary in [false, true] {
                let beam = Beam { dictionary, continuation, length: 0 };
                for index in self.ends[beam.index()].clone() {
                    let score = self.nodes.get(index).score;
                    if (!dictionary || self.ends_word(index)) && best.is_none_or(|(best, _)| score > best) {
                        best = Some((score, index));
                    }
                }
            }
        }
        best.map(|(_, index)| index)
    }

    fn ends_word(&self, index: NodeIndex) -> bool {
        self.nodes
            .last_character(index)
            .is_some_and(|node| node.ends_word || node.character == Some(SPACE_ID))
    }
}
