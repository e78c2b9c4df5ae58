//! Activations of a batch of lines between two layers.

use super::kernel::ROWS;
use super::packed::INPUTS_STEP;

/// The byte that stands for an activation of zero: activations are kept with 128 added.
pub(super) const ZERO: u8 = 128;

/// Rows start at multiples of this many bytes, so that kernels may read them as they are; images of one value a place
/// have no gaps.
const ALIGNMENT: usize = 4;

/// Rows after the last one, for a tile that begins at it, and for the steps in which kernels read single bytes.
pub(super) const ROOM: usize = ROWS + INPUTS_STEP;

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

    /// Number of places.
    pub(super) fn len(&self) -> usize {
        self.width * self.height
    }
}

/// Rows of `depth` activations each, one row a place.
#[derive(Debug, Clone)]
pub(super) struct Map {
    pub(super) depth: usize,
    pub(super) extents: Vec<Extent>,
    /// With [`ROOM`] after the last row.
    values: Vec<u8>,
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
        Self { depth, extents, values: vec![ZERO; (first + ROOM) * stride(depth)] }
    }

    /// Bytes from row to row.
    pub(super) fn stride(&self) -> usize {
        stride(self.depth)
    }

    /// Number of rows.
    pub(super) fn len(&self) -> usize {
        self.extents.last().map_or(0, |extent| extent.first + extent.len())
    }

    /// The activations at one place.
    pub(super) fn row(&self, row: usize) -> &[u8] {
        &self.values[row * self.stride()..][..self.depth]
    }

    /// The activations at one place, to be written.
    pub(super) fn row_mut(&mut self, row: usize) -> &mut [u8] {
        let start = row * self.stride();
        &mut self.values[start..][..self.depth]
    }

    /// Some rows with the gaps between them; up to [`ROOM`] more may be asked for beyond the last one.
    pub(super) fn rows(&self, first: usize, count: usize) -> &[u8] {
        &self.values[first * self.stride()..][..count * self.stride()]
    }

    /// The rows from one on with the gaps between them, [`ROOM`] included.
    pub(super) fn rows_from(&self, first: usize) -> &[u8] {
        &self.values[first * self.stride()..]
    }

    /// Some rows with the gaps between them, to be written.
    pub(super) fn rows_mut(&mut self, first: usize, count: usize) -> &mut [u8] {
        let stride = self.stride();
        &mut self.values[first * stride..][..count * stride]
    }

    /// Equally large maps with their activations beside each other.
    pub(super) fn beside(maps: &[Self]) -> Self {
        let extents = maps.first().map_or(&[][..], |map| &map.extents);
        let depth = maps.iter().map(|map| map.depth).sum();
        let mut output = Self::new(depth, extents.iter().map(|extent| (extent.width, extent.height)));
        for row in 0..output.len() {
            let mut rest = output.row_mut(row);
            for map in maps {
                let (values, after) = rest.split_at_mut(map.depth);
                values.copy_from_slice(map.row(row));
                rest = after;
            }
        }
        output
    }
}

/// Bytes from row to row where there are `depth` activations in each.
pub(super) fn stride(depth: usize) -> usize {
    if depth == 1 { 1 } else { depth.next_multiple_of(ALIGNMENT) }
}
