//! Which characters may follow in a dictionary word: punctuation around a word or a number.
//!
//! The rules are Tesseract's: a graph of punctuation patterns in which one slot stands for the word itself, and
//! graphs of words and of numbers that may fill it.

use super::super::model::{Dawg, EdgeIndex, Model, ModelError, NodeIndex, PATTERN_ID, Unicharset};

/// How a node of the search came to its text. The order is Tesseract's: of several graphs the highest names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in super::super) enum Permuter {
    /// Not known yet.
    None,
    /// Punctuation alone.
    Punctuation,
    /// The network's best codes, without a dictionary.
    TopChoice,
    /// A number.
    Number,
    /// A word of the model.
    Word,
    /// A word of the user.
    UserWord,
}

/// The dictionaries of a model, and the user's words.
#[derive(Debug)]
pub(in super::super) struct Dictionary {
    punctuation: Option<Dawg>,
    graphs: Vec<Graph>,
    initial: Vec<Position>,
}

#[derive(Debug)]
struct Graph {
    dawg: Dawg,
    permuter: Permuter,
}

/// A place in the dictionaries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct Position {
    /// The graph that fills the pattern's slot, once it is chosen.
    graph: Option<usize>,
    /// The last edge in that graph.
    graph_edge: Option<EdgeIndex>,
    /// Whether a pattern of punctuation surrounds the word.
    patterned: bool,
    /// The last edge in the pattern.
    pattern_edge: Option<EdgeIndex>,
    /// Whether the word is over and punctuation follows.
    after_word: bool,
}

/// What a character does to a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct Advance {
    pub(in super::super) permuter: Permuter,
    /// Whether the word may end here.
    pub(in super::super) ends_word: bool,
}

impl Dictionary {
    /// The dictionaries of `model`, which gives them away, and the user's words; `None` where there are none.
    pub(in super::super) fn new(
        model: &mut Model,
        user_words: &[String],
    ) -> Result<Option<Self>, ModelError> {
        let punctuation = model.punctuation.take();
        let user_words: Vec<_> = user_words
            .iter()
            .filter_map(|word| model.unicharset.encode(word))
            .filter(|ids| !ids.is_empty())
            .collect();
        let user = if user_words.is_empty() { None } else { Some(Dawg::from_words(&user_words)?) };
        let graphs: Vec<Graph> = [
            (model.words.take(), Permuter::Word),
            (model.numbers.take(), Permuter::Number),
            (user, Permuter::UserWord),
        ]
        .into_iter()
        .filter_map(|(dawg, permuter)| Some(Graph { dawg: dawg?, permuter }))
        .collect();
        if punctuation.is_none() && graphs.is_empty() {
            return Ok(None);
        }
        let initial = initial_positions(punctuation.as_ref(), graphs.len());
        Ok(Some(Self { punctuation, graphs, initial }))
    }

    /// The places before the first character of a word.
    pub(in super::super) fn initial(&self) -> &[Position] {
        &self.initial
    }

    /// Takes `character` from each of the `active` places and adds the places reached to `reached`; `None` where no
    /// word goes on so.
    pub(in super::super) fn advance(
        &self,
        unicharset: &Unicharset,
        active: &[Position],
        character: u32,
        reached: &mut Vec<Position>,
    ) -> Option<Advance> {
        if character == PATTERN_ID {
            return None;
        }
        let mut walk =
            Walk { dictionary: self, unicharset, character, first: reached.len(), reached, advance: None };
        for position in active {
            match position.graph.and_then(|index| Some((index, self.graphs.get(index)?))) {
                None => walk.before_word(*position),
                Some((_, graph)) => walk.in_word(*position, graph),
            }
        }
        walk.advance
    }
}

/// Words begin in the pattern where a lone word is a pattern; else also without one.
fn initial_positions(punctuation: Option<&Dawg>, graphs: usize) -> Vec<Position> {
    let unstarted =
        Position { graph: None, graph_edge: None, patterned: false, pattern_edge: None, after_word: false };
    let mut initial = Vec::new();
    if punctuation.is_some() {
        initial.push(Position { patterned: true, ..unstarted });
    }
    let lone_word_is_pattern =
        punctuation.is_some_and(|dawg| dawg.edge(0, PATTERN_ID).is_some_and(|edge| dawg.ends_word(edge)));
    if !lone_word_is_pattern {
        initial.extend((0..graphs).map(|graph| Position { graph: Some(graph), ..unstarted }));
    }
    initial
}

/// One character's way through all active places.
struct Walk<'a> {
    dictionary: &'a Dictionary,
    unicharset: &'a Unicharset,
    character: u32,
    /// Where this character's places begin in `reached`.
    first: usize,
    reached: &'a mut Vec<Position>,
    advance: Option<Advance>,
}

impl Walk<'_> {
    fn reach(&mut self, position: Position, permuter: Permuter, ends_word: bool) {
        if !self.reached[self.first..].contains(&position) {
            self.reached.push(position);
        }
        let advance = self.advance.get_or_insert(Advance { permuter, ends_word });
        advance.permuter = advance.permuter.max(permuter);
        advance.ends_word |= ends_word;
    }

    /// In the pattern, before its slot: the character begins the word, or is one more punctuation mark.
    fn before_word(&mut self, position: Position) {
        let Some(pattern) = &self.dictionary.punctuation else { return };
        let Some(node) = node_at(pattern, position.pattern_edge) else { return };
        if let Some(slot) = pattern.edge(node, PATTERN_ID) {
            for (index, graph) in self.dictionary.graphs.iter().enumerate() {
                if let Some(edge) = graph.dawg.edge(0, self.character_for(graph)) {
                    let ends_word = graph.dawg.ends_word(edge) && pattern.ends_word(slot);
                    let begun = Position {
                        graph: Some(index),
                        graph_edge: Some(edge),
                        pattern_edge: Some(slot),
                        ..position
                    };
                    self.reach(begun, graph.permuter, ends_word);
                }
            }
        }
        if let Some(edge) = pattern.edge(node, self.character) {
            let longer = Position { pattern_edge: Some(edge), ..position };
            self.reach(longer, Permuter::Punctuation, pattern.ends_word(edge));
        }
    }

    /// In or after the word: the character is punctuation after it, or its next letter.
    fn in_word(&mut self, position: Position, graph: &Graph) {
        let pattern = self.dictionary.punctuation.as_ref().filter(|_| position.patterned);
        if let (Some(pattern), Some(edge)) = (pattern, position.graph_edge)
            && graph.dawg.ends_word(edge)
            && let Some(next) =
                node_at(pattern, position.pattern_edge).and_then(|node| pattern.edge(node, self.character))
        {
            let after = Position { pattern_edge: Some(next), after_word: true, ..position };
            self.reach(after, graph.permuter, pattern.ends_word(next));
        }
        if position.after_word {
            return;
        }
        if let Some(edge) = node_at(&graph.dawg, position.graph_edge)
            .and_then(|node| graph.dawg.edge(node, self.character_for(graph)))
        {
            let pattern_may_end = pattern
                .is_none_or(|pattern| position.pattern_edge.is_some_and(|edge| pattern.ends_word(edge)));
            let ends_word = graph.dawg.ends_word(edge) && pattern_may_end;
            self.reach(Position { graph_edge: Some(edge), ..position }, graph.permuter, ends_word);
        }
    }

    /// Numbers are patterns in which one mark stands for any digit.
    fn character_for(&self, graph: &Graph) -> u32 {
        let digit = graph.permuter == Permuter::Number && self.unicharset.is_digit(self.character);
        if digit { PATTERN_ID } else { self.character }
    }
}

/// The node to go on from: the root at the start, else the one behind the last edge.
fn node_at(dawg: &Dawg, edge: Option<EdgeIndex>) -> Option<NodeIndex> {
    match edge {
        None => Some(0),
        Some(edge) => dawg.node_after(edge),
    }
}
