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
        let sizes = input.extents.iter().map(|extent| (extent.width, extent.height));
        let mut output = Map::new(self.depth(input), sizes);
        for (index, noise) in noise.iter_mut().enumerate() {
            self.apply_to_line(input, index, noise, &mut output, index);
        }
        output
    }

    /// As [`Window::apply`], for one line at a time, into `output`.
    pub(super) fn apply_to(self, input: &Map, index: usize, noise: &mut Noise, output: &mut Map) {
        let extent = input.extents[index];
        output.hold(extent.width, extent.height);
        self.apply_to_line(input, index, noise, output, 0);
    }

    /// Values around a place.
    pub(super) fn depth(self, input: &Map) -> usize {
        input.depth * self.columns() * self.rows()
    }

    fn apply_to_line(self, input: &Map, index: usize, noise: &mut Noise, output: &mut Map, target: usize) {
        let (source, target) = (input.extents[index], output.extents[target]);
        for x in 0..source.width {
            for column in 0..self.columns() {
                let seen = (x + column).checked_sub(self.half_width).filter(|&x| x < source.width);
                if let Some(seen) = seen {
                    let from = input.rows(source.row(seen, 0), source.height);
                    self.copy_column(from, input, source.height, column, output, target.row(x, 0));
                }
            }
        }
        self.fill_outside(target, input.depth, noise, output);
    }

    /// Copies what lies inside the image from one column to the windows around the places of a column whose first row
    /// in the output is `target`.
    fn copy_column(
        self,
        source: &[u8],
        input: &Map,
        height: usize,
        column: usize,
        output: &mut Map,
        target: usize,
    ) {
        let place = column * self.rows() * input.depth;
        let stride = output.stride();
        let targets = output.rows_mut(target, height);
        if self.half_height == 1 && input.depth == 1 && height > 2 {
            // The window of all of Tesseract's models: three bytes at a time.
            copy_threes(source, &mut targets[place..], stride);
            return;
        }
        for (y, target) in targets.chunks_exact_mut(stride).enumerate() {
            let top = y.saturating_sub(self.half_height);
            let bottom = (y + self.half_height + 1).min(height);
            let skipped = (top + self.half_height - y) * input.depth;
            for (index, y) in (top..bottom).enumerate() {
                let from = &source[y * input.stride()..][..input.depth];
                target[place + skipped + index * input.depth..][..input.depth].copy_from_slice(from);
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
            place + offset >= half && place + offset < side + half
        };
        for (column, values) in row.chunks_exact_mut(self.rows() * depth).enumerate() {
            let known_column = inside(x, self.half_width, column, extent.width);
            for (line, values) in values.chunks_exact_mut(depth).enumerate() {
                if !known_column || !inside(y, self.half_height, line, extent.height) {
                    values.fill_with(|| noise.whole().cast_unsigned() ^ ZERO);
                }
            }
        }
    }
}

/// Three values around each place of a column; the first and the last place have but two. Four are copied where there are: the
/// next column goes over the fourth, or it lies between the rows.
fn copy_threes(source: &[u8], targets: &mut [u8], stride: usize) {
    let height = source.len();
    for (window, target) in source.windows(4).zip(targets[stride..].chunks_mut(stride)) {
        if let (Some(window), Some(target)) = (window.first_chunk::<4>(), target.first_chunk_mut::<4>()) {
            *target = *window;
        }
    }
    targets[(height - 2) * stride..][..3].copy_from_slice(&source[height - 3..]);
    targets[1..3].copy_from_slice(&source[..2]);
    targets[(height - 1) * stride..][..2].copy_from_slice(&source[height - 2..]);
}

/// The maximum of each rectangle; what does not fill one is dropped.
pub(super) fn pool(input: &Map, width: usize, height: usize) -> Map {
    let sizes = input.extents.iter().map(|extent| (extent.width / width, extent.height / height));
    let mut output = Map::new(input.depth, sizes);
    for (source, target) in input.extents.iter().zip(output.extents.clone()) {
        for x in 0..target.width * width {
            for y in 0..target.height * height {
                let first = x % width == 0 && y % height == 0;
                let values = input.row(source.row(x, y));
                for (largest, &value) in
                    output.row_mut(target.row(x / width, y / height)).iter_mut().zip(values)
                {
                    *largest = if first { value } else { value.max(*largest) };
                }
            }
        }
    }
    output
}
