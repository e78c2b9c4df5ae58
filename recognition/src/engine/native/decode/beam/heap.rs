//! The best few paths of one beam.

use super::node::Node;

/// A binary heap whose first node has the lowest score. It holds at most `width` nodes, and of several paths with the
/// same codes only the best.
#[derive(Debug)]
pub(super) struct Heap {
    nodes: Vec<Node>,
    width: usize,
}

impl Heap {
    pub(super) fn new(width: usize) -> Self {
        Self { nodes: Vec::with_capacity(width + 1), width }
    }

    /// Takes all nodes out, in the heap's order.
    pub(super) fn drain(&mut self) -> std::vec::Drain<'_, Node> {
        self.nodes.drain(..)
    }

    /// Whether a node of this score would not be kept.
    pub(super) fn is_full_above(&self, score: f32) -> bool {
        self.nodes.len() >= self.width && self.nodes.first().is_some_and(|lowest| score <= lowest.score)
    }

    /// Adds a node if it is good enough.
    pub(super) fn push(&mut self, node: Node) {
        if self.is_full_above(node.score) {
            return;
        }
        if let Some(index) = self.nodes.iter().position(|other| other.is_same_text(&node)) {
            if node.score > self.nodes[index].score {
                self.nodes[index] = node;
                let index = self.sift_down(index);
                self.sift_up(index);
            }
            return;
        }
        self.nodes.push(node);
        self.sift_up(self.nodes.len() - 1);
        if self.nodes.len() > self.width {
            self.nodes.swap_remove(0);
            self.sift_down(0);
        }
    }

    fn sift_up(&mut self, mut index: usize) {
        while index > 0 {
            let parent = (index - 1) / 2;
            if self.nodes[index].score >= self.nodes[parent].score {
                break;
            }
            self.nodes.swap(index, parent);
            index = parent;
        }
    }

    fn sift_down(&mut self, mut index: usize) -> usize {
        loop {
            let left = 2 * index + 1;
            let children = left..(left + 2).min(self.nodes.len());
            let Some(child) =
                children.reduce(|a, b| if self.nodes[b].score < self.nodes[a].score { b } else { a })
            else {
                return index;
            };
            if self.nodes[child].score >= self.nodes[index].score {
                return index;
            }
            self.nodes.swap(index, child);
            index = child;
        }
    }
}
