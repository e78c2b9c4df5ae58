//! Activations of a batch of lines between two layers.

use std::ops::Range;

/// The byte that stands for an activation of zero: activations are kept with 128 added.
pub(super) const ZERO: u8 = 128;

/// The places of one line in a [`Map`]: column after column, in each from top to bottom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Extent {
    /// Its first row in the map.
    pub(super) first: usize,
    /// Columns.
    pub(super) width: usize,
    /// Places in a column.
    pub(super) height: usize,
}

impl Extent {
    /// The row of the place (`x`, `y`).
    pub(super) fn row(&self, x: usize, y: usize) -> usize {
        self.first + x * self.height + y
    }

    /// All rows of the line.
    pub(super) fn rows(&self) -> Range<usize> {
        self.first..self.first + self.width * self.height
    }
}

/// Rows of `depth` activations each, one row a place.
#[derive(Debug, Clone)]
pub(super) struct Map {
    pub(super) depth: usize,
    pub(super) extents: Vec<Extent>,
    pub(super) values: Vec<u8>,
}

impl Map {
    /// Zeroes for lines of the given widths and heights.
    pub(super) fn new(depth: usize, sizes: impl Iterator<Item = (usize, usize)>) -> Self {
        let mut first = 0;
        let extents: Vec<Extent> = sizes
            .map(|(width, height)| {
                let extent = Extent { first, width, height };
                first += width * height;
                extent
            })
            .collect();
        Self { depth, extents, values: vec![ZERO; first * depth] }
    }

    /// Number of rows.
    pub(super) fn len(&self) -> usize {
        self.values.len() / self.depth
    }

    /// The activations at one place.
    pub(super) fn row(&self, row: usize) -> &[u8] {
        &self.values[row * self.depth..][..self.depth]
    }

    /// The activations at one place, to be written.
    pub(super) fn row_mut(&mut self, row: usize) -> &mut [u8] {
        &mut self.values[row * self.depth..][..self.depth]
    }

    /// Equally large maps with their activations beside each other.
    pub(super) fn beside(maps: &[Self]) -> Self {
        let extents = maps.first().map_or_else(Vec::new, |map| map.extents.clone());
        let mut output = Self { depth: maps.iter().map(|map| map.depth).sum(), extents, values: Vec::new() };
        for row in 0..maps.first().map_or(0, Self::len) {
            for map in maps {
                output.values.extend_from_slice(map.row(row));
            }
        }
        output
    }
}
