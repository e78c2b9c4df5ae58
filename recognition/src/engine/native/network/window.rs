//! Windows around every place: what a convolution sees, and pooling on its own.

use super::map::{Extent, Map, ZERO};
use super::noise::Noise;

/// The sides of a window.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window {
    pub(super) half_width: usize,
    pub(super) half_height: usize,
}

impl Window {
    fn columns(self) -> usize {
        2 * self.half_width + 1
    }

    fn rows(self) -> usize {
        2 * self.half_height + 1
    }

    /// The values around each place beside each other: columns from left to right, in each from top to bottom. Beyond
    /// the edges there is noise; each line has its own generator.
    pub(super) fn apply(self, input: &Map, noise: &mut [Noise]) -> Map {
        let depth = input.depth * self.columns() * self.rows();
        let mut output = Map::new(depth, input.extents.iter().map(|extent| (extent.width, extent.height)));
        for (extent, noise) in input.extents.iter().zip(noise) {
            self.copy_inside(input, *extent, &mut output);
            self.fill_outside(*extent, input.depth, noise, &mut output);
        }
        output
    }

    /// Copies what lies inside the image.
    fn copy_inside(self, input: &Map, extent: Extent, output: &mut Map) {
        let depth = input.depth;
        let column_length = self.rows() * depth;
        for x in 0..extent.width {
            for (column, source) in (x..x + self.columns()).enumerate() {
                let Some(source) = source.checked_sub(self.half_width).filter(|&x| x < extent.width) else {
                    continue;
                };
                for y in 0..extent.height {
                    let top = y.saturating_sub(self.half_height);
                    let bottom = (y + self.half_height + 1).min(extent.height);
                    let skipped = (top + self.half_height - y) * depth;
                    let from = &input.values
                        [extent.row(source, top) * depth..extent.row(source, bottom - 1) * depth + depth];
                    let to = output.row_mut(extent.row(x, y));
                    let to = &mut to[column * column_length + skipped..];
                    for (to, from) in to.iter_mut().zip(from) {
                        *to = *from;
                    }
                }
            }
        }
    }

    /// Fills what lies outside with noise, in Tesseract's order: row by row.
    fn fill_outside(self, extent: Extent, depth: usize, noise: &mut Noise, output: &mut Map) {
        for y in 0..extent.height {
            let inner_row = y >= self.half_height && y + self.half_height < extent.height;
            let mut x = 0;
            while x < extent.width {
                if inner_row && x >= self.half_width && x + self.half_width < extent.width {
                    x = extent.width - self.half_width;
                    continue;
                }
                self.fill_place(extent, (x, y), depth, noise, output.row_mut(extent.row(x, y)));
                x += 1;
            }
        }
    }

    fn fill_place(
        self,
        extent: Extent,
        (x, y): (usize, usize),
        depth: usize,
        noise: &mut Noise,
        row: &mut [u8],
    ) {
        let inside = |place: usize, half: usize, offset: usize, side: usize| {
            (place + offset).checked_sub(half).is_some_and(|place| place < side)
        };
        for (index, values) in row.chunks_exact_mut(depth).enumerate() {
            let (column, line) = (index / self.rows(), index % self.rows());
            let known = inside(x, self.half_width, column, extent.width)
                && inside(y, self.half_height, line, extent.height);
            if !known {
                values.fill_with(|| ((127.0 * noise.value()).round() as i8).cast_unsigned() ^ ZERO);
            }
        }
    }
}

/// The maximum of each rectangle; what does not fill one is dropped.
pub(super) fn pool(input: &Map, width: usize, height: usize) -> Map {
    let sizes = input.extents.iter().map(|extent| (extent.width / width, extent.height / height));
    let mut output = Map::new(input.depth, sizes);
    output.values.fill(0);
    for (source, target) in input.extents.iter().zip(output.extents.clone()) {
        for x in 0..target.width * width {
            for y in 0..target.height * height {
                let values = input.row(source.row(x, y));
                for (largest, &value) in
                    output.row_mut(target.row(x / width, y / height)).iter_mut().zip(values)
                {
                    *largest = value.max(*largest);
                }
            }
        }
    }
    output
}
