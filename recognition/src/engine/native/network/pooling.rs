//! Pooling.

use super::map::Map;

/// Rectangles of which the maximum is kept; what does not fill one is dropped.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pooling {
    pub(super) width: usize,
    pub(super) height: usize,
}

impl Pooling {
    /// Every place on its own.
    pub(super) const NONE: Self = Self { width: 1, height: 1 };

    /// Room for what is kept of `input`, with `depth` activations at each place.
    pub(super) fn room(self, input: &Map, depth: usize) -> Map {
        let sizes = input.extents.iter().map(|e| (e.width / self.width, e.height / self.height));
        Map::new(depth, sizes)
    }

    /// Pools on its own, where no convolution comes before.
    pub(super) fn apply(self, input: &Map) -> Map {
        let mut output = self.room(input, input.depth);
        for (source, target) in input.extents.iter().zip(output.extents.clone()) {
            for x in 0..target.width * self.width {
                for y in 0..target.height * self.height {
                    let first = x % self.width == 0 && y % self.height == 0;
                    let values = input.row(source.row(x, y));
                    let largest = output.row_mut(target.row(x / self.width, y / self.height));
                    for (largest, &value) in largest.iter_mut().zip(values) {
                        *largest = if first { value } else { value.max(*largest) };
                    }
                }
            }
        }
        output
    }
}
