//! Windows around the places of a line: what a convolution sees.

use std::ops::Range;

use super::kernel::ROWS;
use super::map::{Extent, Map, ZERO};
use super::noise::LineNoise;
use super::packed::INPUTS_STEP;

/// The sides of a window.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window {
    pub(super) half_width: usize,
    pub(super) half_height: usize,
}

impl Window {
    pub(super) fn columns(self) -> usize {
        2 * self.half_width + 1
    }

    fn rows(self) -> usize {
        2 * self.half_height + 1
    }

    /// Places in a window.
    pub(super) fn places(self) -> usize {
        self.columns() * self.rows()
    }

    /// Values that a column of the window takes where places are `stride` apart, in a kernel's steps: the values that follow
    /// are among them, with weights of 0.
    pub(super) fn column_depth(self, stride: usize) -> usize {
        (self.rows() * stride).next_multiple_of(INPUTS_STEP)
    }

    /// Values that the window takes, column after column.
    pub(super) fn depth(self, stride: usize) -> usize {
        self.columns() * self.column_depth(stride)
    }

    /// Where among them an input stands. Inputs are numbered from left to right, in each column from top to bottom, with `depth`
    /// values at each place.
    pub(super) fn position(self, input: usize, depth: usize, stride: usize) -> usize {
        let (place, value) = (input / depth, input % depth);
        let (column, row) = (place / self.rows(), place % self.rows());
        column * self.column_depth(stride) + row * stride + value
    }
}

/// The windows of a line that reach beyond its edges. What lies there is noise.
#[derive(Debug)]
pub(super) struct EdgeWindows {
    window: Window,
    extent: Extent,
    stride: usize,
    /// Window after window: column after column of the line, in each from top to bottom. With room for a tile.
    values: Vec<u8>,
}

impl EdgeWindows {
    /// Puts the windows of one of a map's lines together. Noise is taken in Tesseract's order: row by row.
    pub(super) fn new(window: Window, input: &Map, extent: Extent, noise: &mut LineNoise<'_>) -> Self {
        let mut edges = Self { window, extent, stride: input.stride(), values: Vec::new() };
        edges.values.resize((edges.first(extent.width) + ROWS) * edges.depth(), ZERO);
        let (columns, rows) = (edges.inner_columns(), edges.inner_rows());
        for y in 0..extent.height {
            (0..columns.start).for_each(|x| edges.fill(input, (x, y), noise));
            if !rows.contains(&y) {
                edges.fill_inner_columns(input, y, noise);
            }
            (columns.end..extent.width).for_each(|x| edges.fill(input, (x, y), noise));
        }
        edges
    }

    /// Window after window, with room for a tile that begins at the last one.
    pub(super) fn values(&self) -> &[u8] {
        &self.values
    }

    /// Values of a window.
    pub(super) fn depth(&self) -> usize {
        self.window.depth(self.stride)
    }

    /// The columns in which windows reach neither beyond the left edge nor beyond the right one.
    pub(super) fn inner_columns(&self) -> Range<usize> {
        inner(self.window.half_width, self.extent.width)
    }

    /// The rows in which windows reach neither beyond the top nor beyond the bottom.
    pub(super) fn inner_rows(&self) -> Range<usize> {
        inner(self.window.half_height, self.extent.height)
    }

    /// Windows here in columns to the left of `x`.
    pub(super) fn first(&self, x: usize) -> usize {
        let (columns, rows) = (self.inner_columns(), self.inner_rows());
        let columns_inside = x.clamp(columns.start, columns.end) - columns.start;
        x * self.extent.height - columns_inside * rows.len()
    }

    /// The rows of the windows in column `x`.
    pub(super) fn rows(&self, x: usize) -> impl Iterator<Item = usize> + use<> {
        let height = self.extent.height;
        let inner = if self.inner_columns().contains(&x) { self.inner_rows() } else { height..height };
        (0..inner.start).chain(inner.end..height)
    }

    /// Where the window around a place stands.
    fn position(&self, x: usize, y: usize) -> usize {
        let is_below = y >= self.inner_rows().end && self.inner_columns().contains(&x);
        let above = if is_below { y - self.inner_rows().len() } else { y };
        (self.first(x) + above) * self.depth()
    }

    /// Puts the window around a place together.
    fn fill(&mut self, input: &Map, (x, y): (usize, usize), noise: &mut LineNoise<'_>) {
        let Window { half_width, half_height } = self.window;
        let Extent { width, height, .. } = self.extent;
        let first = self.position(x, y);
        let columns = self.values[first..].chunks_exact_mut(self.window.column_depth(self.stride)).zip(x..);
        for (values, x) in columns.take(self.window.columns()) {
            let column = x.checked_sub(half_width).filter(|&x| x < width);
            for (values, y) in values.chunks_exact_mut(self.stride).zip(y..).take(self.window.rows()) {
                let values = &mut values[..input.depth];
                match column.zip(y.checked_sub(half_height).filter(|&y| y < height)) {
                    Some((x, y)) => values.copy_from_slice(input.row(self.extent.row(x, y))),
                    None => values.fill_with(|| noise.next_byte()),
                }
            }
        }
    }

    /// Puts the windows around the places of a row together that reach only beyond the top or the bottom: a value of all of them
    /// after the other.
    fn fill_inner_columns(&mut self, input: &Map, y: usize, noise: &mut LineNoise<'_>) {
        let Window { half_width, half_height } = self.window;
        let columns = self.inner_columns();
        if columns.is_empty() {
            return;
        }
        let rows: Vec<Option<usize>> = (y..y + self.window.rows())
            .map(|y| y.checked_sub(half_height).filter(|&y| y < self.extent.height))
            .collect();
        let noises = rows.iter().filter(|row| row.is_none()).count() * self.window.columns() * input.depth;
        let noise: Vec<u8> = (0..noises * columns.len()).map(|_| noise.next_byte()).collect();
        let first = self.position(columns.start, y);
        let step = (self.extent.height - self.inner_rows().len()) * self.depth();
        let mut taken = 0;
        for column in 0..self.window.columns() {
            for (row, y) in rows.iter().enumerate() {
                for value in 0..input.depth {
                    let position = column * self.window.column_depth(self.stride) + row * self.stride + value;
                    let targets = self.values[first + position..].iter_mut().step_by(step);
                    let targets = targets.take(columns.len());
                    if let Some(y) = *y {
                        let source = self.extent.row(columns.start + column - half_width, y);
                        let source = input.rows_from(source);
                        let source = source[value..].iter().step_by(self.extent.height * self.stride);
                        targets.zip(source).for_each(|(target, source)| *target = *source);
                    } else {
                        let noise = noise[taken..].iter().step_by(noises);
                        targets.zip(noise).for_each(|(target, noise)| *target = *noise);
                        taken += 1;
                    }
                }
            }
        }
    }
}

/// Those of a number of places that have `half` others on both sides; an empty range at the end where there are none.
fn inner(half: usize, count: usize) -> Range<usize> {
    if count > 2 * half { half..count - half } else { count..count }
}
