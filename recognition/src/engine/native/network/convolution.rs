//! A convolution with what follows it: a dense layer, its activation function, and pooling.
//!
//! The columns of a window lie in the map as they are, so nothing is copied: a tile's rows are six windows one below the other.
//! Only windows that reach beyond an edge are put together.
#![allow(clippy::inline_always, reason = "compiled into each kernel's functions for its own instruction set")]

use std::ops::Range;

use super::super::model::{DenseKind, Matrix};
use super::activation::Activations;
use super::dense::{scale, write};
use super::kernel::{Aligned, Inputs, Kernel, LANES, Lanes, Operation, ROWS, no_sums};
use super::map::{Extent, Map, ROOM, stride};
use super::noise::LineNoise;
use super::packed::{Group, Packed};
use super::pooling::Pooling;
use super::recurrent::ready;
use super::window::{EdgeWindows, Window};

/// A convolution made ready for a kernel.
#[derive(Debug)]
pub(super) struct Convolution<K: Kernel> {
    window: Window,
    weights: Packed<K, 1>,
    outputs: usize,
    kind: DenseKind,
    pooling: Pooling,
}

/// The sums of a vector of outputs at one place.
type Sums = Aligned<[Lanes<i32>; 1]>;

impl<K: Kernel> Convolution<K> {
    /// Makes a layer ready whose windows see `matrix.inputs` values.
    pub(super) fn new(window: Window, matrix: &Matrix, kind: DenseKind, pooling: Pooling) -> Self {
        let depth = matrix.inputs / window.places();
        let stride = stride(depth);
        let weights = Packed::spread(matrix, 0..matrix.outputs, window.depth(stride), |input| {
            window.position(input, depth, stride)
        });
        Self { window, weights, outputs: matrix.outputs, kind, pooling }
    }

    /// The activations at every place after pooling.
    pub(super) fn apply(&self, kernel: K, input: &Map, noise: &mut [LineNoise<'_>]) -> Map {
        let mut output = self.pooling.room(input, self.outputs);
        for (index, noise) in noise.iter_mut().enumerate() {
            let edges = EdgeWindows::new(self.window, input, input.extents[index], noise);
            kernel.run(Pass { layer: self, input, edges, output: &mut output, index });
        }
        output
    }
}

/// One line.
struct Pass<'a, K: Kernel> {
    layer: &'a Convolution<K>,
    input: &'a Map,
    edges: EdgeWindows,
    output: &'a mut Map,
    index: usize,
}

impl<K: Kernel> Operation<K> for Pass<'_, K> {
    #[inline(always)]
    fn run(self, kernel: K) {
        let Self { layer, input, edges, output, index } = self;
        let (source, target) = (input.extents[index], output.extents[index]);
        let (mut line_buffer, mut edge_buffer) = (Vec::new(), Vec::new());
        let tiles = Tiles {
            kernel,
            window: layer.window,
            height: source.height,
            stride: input.stride(),
            line: ready::<K>(input.rows(source.first, source.len() + ROOM), &mut line_buffer),
            edge_windows: ready::<K>(edges.values(), &mut edge_buffer),
            edges: &edges,
        };
        let width = layer.pooling.width;
        let activations = Activations::new(kernel);
        // The sums under one column of the output, and room for a tile that begins at the last one.
        let mut sums = vec![no_sums(); width * source.height + ROWS];
        for x in 0..target.width {
            for (vector, group) in layer.weights.groups().iter().enumerate() {
                tiles.multiply(group, x * width..(x + 1) * width, &mut sums);
                for y in 0..target.height {
                    let largest = largest(&sums, source, layer.pooling, y);
                    let mut values = [[0.0; LANES]];
                    scale(kernel, &largest, &group.scales, &mut values);
                    let row = output.row_mut(target.row(x, y));
                    for row in row.chunks_mut(LANES).skip(vector).take(1) {
                        write(activations, row, &values[0], layer.kind);
                    }
                }
            }
        }
    }
}

/// The largest sums of a rectangle in row `y` of the output. All activation functions keep the order of their arguments, and so
/// do the scales, which are not negative: the largest sum is pooled, and only that one is activated.
#[inline(always)]
fn largest(sums: &[Sums], source: Extent, pooling: Pooling, y: usize) -> [Lanes<i32>; 1] {
    let mut largest = [i32::MIN; LANES];
    for column in 0..pooling.width {
        let first = column * source.height + y * pooling.height;
        for sums in &sums[first..first + pooling.height] {
            for (largest, &sum) in largest.iter_mut().zip(&sums.0[0]) {
                *largest = if sum > *largest { sum } else { *largest };
            }
        }
    }
    [largest]
}

/// A line and its windows beyond the edges, as a kernel takes them.
struct Tiles<'a, K: Kernel> {
    kernel: K,
    window: Window,
    height: usize,
    stride: usize,
    line: &'a [K::Input],
    edge_windows: &'a [K::Input],
    edges: &'a EdgeWindows,
}

impl<K: Kernel> Tiles<'_, K> {
    /// The sums at all places of some columns, in the order of the places; `sums` has room for a tile after them.
    #[inline(always)]
    fn multiply(&self, group: &Group<K, 1>, columns: Range<usize>, sums: &mut [Sums]) {
        let inner_columns = self.edges.inner_columns();
        for (x, first_sum) in columns.clone().zip((0..).step_by(self.height)) {
            if inner_columns.contains(&x) {
                self.multiply_inside(group, x, &mut sums[first_sum..]);
            }
        }
        // What a last tile inside wrote too much is written over here, or by the next column's.
        self.multiply_edges(group, columns, sums);
    }

    /// The sums at the places of a column whose windows lie inside the line.
    #[inline(always)]
    fn multiply_inside(&self, group: &Group<K, 1>, x: usize, sums: &mut [Sums]) {
        let (rows, line_stride) = (self.edges.inner_rows(), self.height * self.stride);
        let windows = &self.line[(x - self.window.half_width) * line_stride..];
        for first in rows.clone().step_by(ROWS) {
            let tile = Inputs {
                values: &windows[(first - rows.start) * self.stride..],
                strips: self.window.columns(),
                strip_stride: line_stride,
                depth: self.window.column_depth(self.stride),
                row_stride: self.stride,
                rows: rows.end - first,
            };
            self.multiply_tile(group, tile, &mut sums[first..]);
        }
    }

    /// The sums at the places of some columns whose windows reach beyond an edge.
    #[inline(always)]
    fn multiply_edges(&self, group: &Group<K, 1>, columns: Range<usize>, sums: &mut [Sums]) {
        let windows = self.edges.first(columns.start)..self.edges.first(columns.end);
        let columns = columns.zip((0..).step_by(self.height));
        let mut places = columns.flat_map(|(x, first)| self.edges.rows(x).map(move |y| first + y));
        let depth = self.edges.depth();
        let mut found = [no_sums(); ROWS];
        for first in windows.clone().step_by(ROWS) {
            let values = &self.edge_windows[first * depth..];
            let tile = Inputs::dense(values, depth, windows.end - first);
            self.multiply_tile(group, tile, &mut found);
            for (found, place) in found.iter().zip(places.by_ref()) {
                sums[place] = *found;
            }
        }
    }

    #[inline(always)]
    fn multiply_tile(&self, group: &Group<K, 1>, tile: Inputs<'_, K::Input>, sums: &mut [Sums]) {
        if let Some(sums) = sums.first_chunk_mut() {
            self.kernel.multiply(group.weights(), &group.start, tile, sums);
        }
    }
}
