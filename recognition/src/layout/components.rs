//! Connected ink: what letters, marks, stamps and specks are before anybody knows which is which.

use crate::engine::Span;
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
    /// Finds the ink that is darker than `ink_below(row, cell of 64 columns)`.
    #[must_use]
    pub fn find(grey: &Grey, ink_below: impl Fn(usize) -> u8) -> Self {
        let mut runs: Vec<Run> = Vec::new();
        let mut forest = Forest::default();
        let mut above = 0..0;
        for y in 0..grey.height {
            let start = runs.len();
            row_runs(grey.row(y), ink_below(y), y as i32, &mut runs);
            if runs.len() > RUNS_MAX {
                return Self::default();
            }
            forest.grow(runs.len());
            connect(&runs, above, start..runs.len(), &mut forest);
            above = start..runs.len();
        }
        Self::gather(&runs, &mut forest)
    }

    /// The runs of a component.
    #[must_use]
    pub fn runs(&self, component: &Component) -> &[Run] {
        &self.runs[component.first_run as usize..(component.first_run + component.run_count) as usize]
    }

    fn gather(runs: &[Run], forest: &mut Forest) -> Self {
        let mut index_of_root = vec![u32::MAX; runs.len()];
        let mut list: Vec<Component> = Vec::new();
        let mut owner = vec![0_u32; runs.len()];
        for (at, run) in runs.iter().enumerate() {
            let root = forest.root(at as u32) as usize;
            if index_of_root[root] == u32::MAX {
                index_of_root[root] = list.len() as u32;
                let bounds = Span { left: run.left, top: run.y, right: run.right, bottom: run.y + 1 };
                list.push(Component { bounds, area: 0, first_run: 0, run_count: 0 });
            }
            owner[at] = index_of_root[root];
            let component = &mut list[owner[at] as usize];
            component.bounds.left = component.bounds.left.min(run.left);
            component.bounds.right = component.bounds.right.max(run.right);
            component.bounds.bottom = run.y + 1;
            component.area += run.right - run.left;
            component.run_count += 1;
        }
        let mut next = 0;
        let mut place: Vec<u32> = Vec::with_capacity(list.len());
        for component in &mut list {
            component.first_run = next;
            place.push(next);
            next += component.run_count;
        }
        let mut grouped = vec![Run { y: 0, left: 0, right: 0 }; runs.len()];
        for (run, &owner) in runs.iter().zip(&owner) {
            grouped[place[owner as usize] as usize] = *run;
            place[owner as usize] += 1;
        }
        Self { list, runs: grouped }
    }
}

/// Appends the runs of one row.
fn row_runs(row: &[u8], ink_below: u8, y: i32, runs: &mut Vec<Run>) {
    let mut x = 0;
    while x < row.len() {
        // Most of a page is paper: skip it in strides that compile to vector code.
        if let Some(stride) = row.get(x..x + 32)
            && stride.iter().fold(255, |least, &sample| sample.min(least)) >= ink_below
        {
            x += 32;
            continue;
        }
        let end = (x + 32).min(row.len());
        while x < end {
            if row[x] >= ink_below {
                x += 1;
                continue;
            }
            let left = x;
            while x < row.len() && row[x] < ink_below {
                x += 1;
            }
            runs.push(Run { y, left: left as i32, right: x as i32 });
        }
    }
}

/// Joins the runs of a row with those that they touch in the row above.
fn connect(runs: &[Run], above: std::ops::Range<usize>, row: std::ops::Range<usize>, forest: &mut Forest) {
    let mut first = above.start;
    for at in row {
        while first < above.end && runs[first].right < runs[at].left {
            first += 1;
        }
        let mut near = first;
        while near < above.end && runs[near].left <= runs[at].right {
            forest.join(near as u32, at as u32);
            near += 1;
        }
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
