//! Connected ink: what letters, marks, stamps and specks are before anybody knows which is which.

use std::ops::Range;

use crate::engine::Span;
use crate::prepare::bits::{self, Bits, WORD_PIXELS};
use crate::prepare::grey::Grey;

/// A horizontal stretch of ink.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// Row.
    pub y: i32,
    /// First column.
    pub left: i32,
    /// First column right of it.
    pub right: i32,
}

/// Ink that hangs together, diagonals included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Component {
    /// The box around it.
    pub bounds: Span,
    /// Pixels.
    pub area: i32,
    first_run: u32,
    run_count: u32,
}

/// All components of a picture.
#[derive(Debug, Clone, Default)]
pub struct Components {
    /// The components, from top to bottom by their first rows.
    pub list: Vec<Component>,
    /// Runs, those of one component together.
    runs: Vec<Run>,
}

/// More runs than any readable page has: half of it in stripes one pixel wide would give as many at A3. A picture with
/// more is noise and counts as without text.
const RUNS_MAX: usize = 4_000_000;

impl Component {
    /// Mean length of its runs: about the width of its strokes.
    #[must_use]
    pub fn stroke(&self) -> f64 {
        f64::from(self.area) / f64::from(self.run_count.max(1))
    }
}

impl Components {
    /// Finds the ink that is darker than `ink_below(row)`.
    #[must_use]
    pub fn find(grey: &Grey, ink_below: impl Fn(usize) -> u8) -> Self {
        let mut words = vec![0; grey.width.div_ceil(WORD_PIXELS)];
        let mut search = Search::default();
        for y in 0..grey.height {
            bits::mark_darker(grey.row(y), ink_below(y), &mut words);
            search.row(&words, grey.width, y as i32);
        }
        search.components()
    }

    /// Finds what hangs together of the pixels that are set.
    #[must_use]
    pub fn of(bits: &Bits) -> Self {
        let mut search = Search::default();
        for y in 0..bits.height {
            search.row(bits.row(y), bits.width, y as i32);
        }
        search.components()
    }

    /// The runs of a component.
    #[must_use]
    pub fn runs(&self, component: &Component) -> &[Run] {
        &self.runs[component.first_run as usize..(component.first_run + component.run_count) as usize]
    }
}

/// Rows seen so far.
#[derive(Default)]
struct Search {
    runs: Vec<Run>,
    /// The tree that each run belongs to.
    trees: Vec<u32>,
    forest: Forest,
    /// The runs of the last row.
    above: Range<usize>,
    /// There are more than [`RUNS_MAX`].
    is_noise: bool,
}

impl Search {
    /// Takes the next row: its runs join those that they touch in the row above.
    fn row(&mut self, words: &[u64], width: usize, y: i32) {
        let start = self.runs.len();
        if self.is_noise {
            return;
        }
        push_runs(words, width, y, &mut self.runs);
        self.is_noise = self.runs.len() > RUNS_MAX;
        let mut first = self.above.start;
        for run in &self.runs[start..] {
            while first < self.above.end && self.runs[first].right < run.left {
                first += 1;
            }
            let touching = (first..self.above.end).take_while(|&near| self.runs[near].left <= run.right);
            let mut tree = None;
            for near in touching {
                let other = self.trees[near];
                match tree {
                    None => tree = Some(other),
                    Some(tree) if tree != other => self.forest.join(tree, other),
                    Some(_) => {}
                }
            }
            self.trees.push(tree.unwrap_or_else(|| self.forest.plant()));
        }
        self.above = start..self.runs.len();
    }

    fn components(mut self) -> Components {
        if self.is_noise {
            return Components::default();
        }
        let mut index_of_tree = vec![u32::MAX; self.forest.parents.len()];
        let mut list: Vec<Component> = Vec::new();
        for (run, tree) in self.runs.iter().zip(&mut self.trees) {
            let index = &mut index_of_tree[self.forest.root(*tree) as usize];
            if *index == u32::MAX {
                *index = list.len() as u32;
                let bounds = Span { left: run.left, top: run.y, right: run.right, bottom: run.y + 1 };
                list.push(Component { bounds, area: 0, first_run: 0, run_count: 0 });
            }
            *tree = *index;
            let component = &mut list[*index as usize];
            component.bounds.left = component.bounds.left.min(run.left);
            component.bounds.right = component.bounds.right.max(run.right);
            component.bounds.bottom = run.y + 1;
            component.area += run.right - run.left;
            component.run_count += 1;
        }
        let mut places: Vec<u32> = Vec::with_capacity(list.len());
        let mut next = 0;
        for component in &mut list {
            component.first_run = next;
            places.push(next);
            next += component.run_count;
        }
        let mut runs = vec![Run { y: 0, left: 0, right: 0 }; self.runs.len()];
        for (run, &owner) in self.runs.iter().zip(&self.trees) {
            let place = &mut places[owner as usize];
            runs[*place as usize] = *run;
            *place += 1;
        }
        Components { list, runs }
    }
}

/// Appends the runs of one row.
fn push_runs(words: &[u64], width: usize, y: i32, runs: &mut Vec<Run>) {
    let mut left = None;
    let mut before = 0;
    for (at, &word) in words.iter().enumerate() {
        // Bits at which ink starts or ends.
        let mut changes = word ^ (word << 1 | before);
        before = word >> (WORD_PIXELS - 1);
        while changes != 0 {
            let x = (at * WORD_PIXELS) as i32 + changes.trailing_zeros() as i32;
            changes &= changes - 1;
            match left.take() {
                None => left = Some(x),
                Some(left) => runs.push(Run { y, left, right: x }),
            }
        }
    }
    if let Some(left) = left {
        runs.push(Run { y, left, right: width as i32 });
    }
}

/// Disjoint sets.
#[derive(Debug, Default)]
pub(super) struct Forest {
    parents: Vec<u32>,
}

impl Forest {
    /// Adds single trees up to `length`.
    pub(super) fn grow(&mut self, length: usize) {
        self.parents.extend(self.parents.len() as u32..length as u32);
    }

    /// Adds a single tree and names it.
    fn plant(&mut self) -> u32 {
        let tree = self.parents.len() as u32;
        self.parents.push(tree);
        tree
    }

    /// The tree that `at` belongs to.
    pub(super) fn root(&mut self, mut at: u32) -> u32 {
        while self.parents[at as usize] != at {
            let up = self.parents[self.parents[at as usize] as usize];
            self.parents[at as usize] = up;
            at = up;
        }
        at
    }

    /// Makes one tree of two; the earlier root stays.
    pub(super) fn join(&mut self, one: u32, other: u32) {
        let (one, other) = (self.root(one), self.root(other));
        self.parents[one.max(other) as usize] = one.min(other);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn diagonals_hang_together_and_areas_add_up() {
        let art = ["#..#....", ".##.....", "......##", "......##"];
        let samples = art.concat().bytes().map(|byte| if byte == b'#' { 0 } else { 255 }).collect();
        let found = Components::find(&Grey { width: 8, height: 4, samples }, |_| 128);
        let boxes: Vec<(i32, i32, i32, i32, i32)> = found
            .list
            .iter()
            .map(|one| (one.bounds.left, one.bounds.top, one.bounds.right, one.bounds.bottom, one.area))
            .collect();
        assert_eq!(boxes, [(0, 0, 4, 2, 4), (6, 2, 8, 4, 4)]);
        assert_eq!(found.runs(&found.list[0]).len(), 3);
    }
}
