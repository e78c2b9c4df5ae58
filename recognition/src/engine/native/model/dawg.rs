//! Dictionaries as word graphs: nodes of edges that carry a character each and lead to further nodes.

use super::ModelError;
use super::bytes::Bytes;

/// The character id that stands for "a word" among punctuation and "a digit" in numbers.
pub(in super::super) const PATTERN_ID: u32 = 0;

/// Marks a word graph, and its byte order.
const MAGIC: i16 = 42;
/// Most edges of a graph: the largest dictionaries have some 3 million.
const EDGES_MAX: usize = 1 << 24;
/// Most characters a graph may be made for.
const CHARACTERS_MAX: usize = 1 << 17;

/// An edge of a graph.
pub(in super::super) type EdgeIndex = u32;
/// A node: the index of its first edge. The root is 0.
pub(in super::super) type NodeIndex = u32;

/// A word graph.
#[derive(Debug)]
pub(in super::super) struct Dawg {
    edges: Vec<Edge>,
    /// The root's edge for each character: the root has hundreds, and every word starts there.
    root: Vec<Option<EdgeIndex>>,
}

#[derive(Debug, Clone, Copy)]
struct Edge {
    character: u32,
    next: NodeIndex,
    last_of_node: bool,
    ends_word: bool,
}

impl Dawg {
    /// Reads the component: a mark, the size of the character set, the number of edges, and eight bytes for each:
    /// the character (in as many bits as the set's size has), three flags (last of its node, direction, end of word)
    /// and the next node.
    pub(super) fn read(component: &[u8]) -> Result<Self, ModelError> {
        let mut bytes = Bytes::new(component, "dictionary");
        if bytes.i16()? != MAGIC {
            return Err(ModelError::Malformed("dictionary mark"));
        }
        let characters = bytes.count("characters of a dictionary", CHARACTERS_MAX)?;
        let count = bytes.count("edges of a dictionary", EDGES_MAX)?;
        let character_bits = usize::BITS - characters.leading_zeros();
        let edges = bytes.chunks(count)?.iter().map(|&edge| {
            let record = u64::from_le_bytes(edge);
            let flags = record >> character_bits;
            let next = NodeIndex::try_from(flags >> 3).ok().filter(|&next| (next as usize) < count);
            Some(Edge {
                character: (record & ((1 << character_bits) - 1)) as u32,
                next: next?,
                last_of_node: flags & 1 != 0,
                ends_word: flags & 4 != 0,
            })
        });
        Self::new(edges.collect::<Option<_>>().ok_or(ModelError::Malformed("dictionary edge"))?)
    }

    /// A graph of the given words, each a sequence of characters.
    pub(in super::super) fn from_words(words: &[Vec<u32>]) -> Result<Self, ModelError> {
        let mut edges: Vec<Edge> = Vec::new();
        let mut sorted: Vec<&[u32]> =
            words.iter().map(Vec::as_slice).filter(|word| !word.is_empty()).collect();
        sorted.sort_unstable();
        sorted.dedup();
        // Breadth first: each node is the words that share a prefix of `depth` characters; `parent` leads to it.
        let mut nodes = vec![(None::<usize>, 0, sorted)];
        let mut next_node = 0;
        while let Some((parent, depth, words)) = nodes.get(next_node).cloned() {
            next_node += 1;
            let first_edge = edges.len();
            if let Some(parent) = parent {
                edges[parent].next = first_edge as NodeIndex;
            }
            for group in words.chunk_by(|a, b| a[depth] == b[depth]) {
                if edges.len() >= EDGES_MAX {
                    let found = edges.len() + 1;
                    return Err(ModelError::TooMany { what: "edges of a dictionary", found, max: EDGES_MAX });
                }
                let (ended, longer) = group.iter().partition::<Vec<_>, _>(|word| word.len() == depth + 1);
                edges.push(Edge {
                    character: group[0][depth],
                    next: 0,
                    last_of_node: false,
                    ends_word: !ended.is_empty(),
                });
                if !longer.is_empty() {
                    nodes.push((Some(edges.len() - 1), depth + 1, longer));
                }
            }
            if let Some(last) = edges.last_mut() {
                last.last_of_node = true;
            }
        }
        Self::new(edges)
    }

    fn new(edges: Vec<Edge>) -> Result<Self, ModelError> {
        let mut root = Vec::new();
        for (index, edge) in edges.iter().enumerate() {
            let character = edge.character as usize;
            if root.len() <= character {
                root.resize(character + 1, None);
            }
            root[character].get_or_insert(index as EdgeIndex);
            if edge.last_of_node {
                break;
            }
        }
        if edges.is_empty() {
            Err(ModelError::Malformed("empty dictionary"))
        } else {
            Ok(Self { edges, root })
        }
    }

    /// The edge that carries `character` away from `node`.
    pub(in super::super) fn edge(&self, node: NodeIndex, character: u32) -> Option<EdgeIndex> {
        if node == 0 {
            return self.root.get(character as usize).copied().flatten();
        }
        for (offset, edge) in self.edges.get(node as usize..)?.iter().take(CHARACTERS_MAX).enumerate() {
            if edge.character == character {
                return Some(node + offset as EdgeIndex);
            }
            if edge.last_of_node {
                break;
            }
        }
        None
    }

    /// Whether a word may end with this edge.
    pub(in super::super) fn ends_word(&self, edge: EdgeIndex) -> bool {
        self.edges.get(edge as usize).is_some_and(|edge| edge.ends_word)
    }

    /// The node behind an edge, where there is one: no edge leads back to the root.
    pub(in super::super) fn node_after(&self, edge: EdgeIndex) -> Option<NodeIndex> {
        self.edges.get(edge as usize).map(|edge| edge.next).filter(|&next| next != 0)
    }
}
