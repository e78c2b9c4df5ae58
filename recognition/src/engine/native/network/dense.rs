//! Dense layers over many places at once, and the final softmax.
#![allow(clippy::inline_always, reason = "compiled into each kernel's functions for its own instruction set")]

use std::ops::Range;

use super::super::model::{DenseKind, Matrix};
use super::activation::{Activations, softmax};
use super::kernel::{Aligned, Inputs, Kernel, LANES, Lanes, Operation, ROWS, no_sums};
use super::map::{Extent, Map, ZERO};
use super::packed::Packed;
use super::recurrent::{ready, stage};

/// A dense layer made ready for a kernel.
#[derive(Debug)]
pub(super) struct Dense<K: Kernel> {
    /// Four vectors of outputs at a time, as far as they go.
    wide: Packed<K, WIDE>,
    /// The other outputs, vector by vector.
    rest: Packed<K, 1>,
    outputs: usize,
    kind: DenseKind,
}

/// Vectors of outputs at a time.
const WIDE: usize = 4;

impl<K: Kernel> Dense<K> {
    pub(super) fn new(matrix: &Matrix, kind: DenseKind) -> Self {
        let in_wide = matrix.outputs - matrix.outputs % (WIDE * LANES);
        let wide = Packed::dense(matrix, 0..in_wide);
        let rest = Packed::dense(matrix, in_wide..matrix.outputs);
        Self { wide, rest, outputs: matrix.outputs, kind }
    }

    /// The activations at every place.
    pub(super) fn apply(&self, kernel: K, input: &Map) -> Map {
        let sizes = input.extents.iter().map(|extent| (extent.width, extent.height));
        let mut output = Map::new(self.outputs, sizes);
        let finish = Activate { activations: Activations::new(kernel), kind: self.kind, output: &mut output };
        self.multiply(kernel, input, 0..input.len(), finish);
        output
    }

    /// The probabilities at every place of a line, as the last layer.
    pub(super) fn probabilities(&self, kernel: K, input: &Map, line: Extent) -> Vec<f32> {
        let mut values = Vec::with_capacity(line.len() * self.outputs);
        let finish = Probable { outputs: self.outputs, values: &mut values };
        self.multiply(kernel, input, line.first..line.first + line.len(), finish);
        values
    }

    fn multiply<F: Finish>(&self, kernel: K, input: &Map, rows: Range<usize>, finish: F) {
        kernel.run(Multiply { layer: self, input, rows, finish });
    }

    /// Vectors that the outputs take.
    fn vectors(&self) -> usize {
        WIDE * self.wide.groups().len() + self.rest.groups().len()
    }
}

/// What becomes of a row's values.
trait Finish {
    /// Takes the values of one row, in lanes: of the `row`th of those that are multiplied, one after the other.
    fn finish(&mut self, row: usize, values: &mut [Lanes<f32>]);
}

struct Activate<'a, K> {
    activations: Activations<K>,
    kind: DenseKind,
    output: &'a mut Map,
}

impl<K: Kernel> Finish for Activate<'_, K> {
    #[inline(always)]
    fn finish(&mut self, row: usize, values: &mut [Lanes<f32>]) {
        for (target, values) in self.output.row_mut(row).chunks_mut(LANES).zip(values) {
            write(self.activations, target, values, self.kind);
        }
    }
}

struct Probable<'a> {
    outputs: usize,
    /// Of the rows so far.
    values: &'a mut Vec<f32>,
}

impl Finish for Probable<'_> {
    #[inline(always)]
    fn finish(&mut self, _row: usize, values: &mut [Lanes<f32>]) {
        let values = values.as_flattened_mut();
        softmax(values, self.outputs);
        self.values.extend_from_slice(&values[..self.outputs]);
    }
}

/// Some rows of a map times the weights.
struct Multiply<'a, K: Kernel, F> {
    layer: &'a Dense<K>,
    input: &'a Map,
    rows: Range<usize>,
    finish: F,
}

impl<K: Kernel, F: Finish> Operation<K> for Multiply<'_, K, F> {
    #[inline(always)]
    fn run(mut self, kernel: K) {
        let Dense { wide, rest, .. } = self.layer;
        let vectors = self.layer.vectors();
        let mut buffer = Vec::new();
        let mut values = vec![[0.0_f32; LANES]; ROWS * vectors];
        for first in self.rows.clone().step_by(ROWS) {
            let count = (self.rows.end - first).min(ROWS);
            let inputs = tile::<K>(self.input, first, wide.depth, &mut buffer);
            let tile = Inputs::dense(inputs, wide.depth, count);
            multiply_groups(kernel, wide, tile, &mut values, vectors);
            multiply_groups(kernel, rest, tile, &mut values[WIDE * wide.groups().len()..], vectors);
            for (row, values) in values.chunks_exact_mut(vectors).take(count).enumerate() {
                self.finish.finish(first - self.rows.start + row, values);
            }
        }
    }
}

/// The values of some outputs over a tile: row by row, each `vectors` after the one before.
#[inline(always)]
fn multiply_groups<K: Kernel, const VECTORS: usize>(
    kernel: K,
    weights: &Packed<K, VECTORS>,
    tile: Inputs<'_, K::Input>,
    values: &mut [Lanes<f32>],
    vectors: usize,
) {
    let mut sums = [no_sums(); ROWS];
    for (index, group) in weights.groups().iter().enumerate() {
        kernel.multiply(group.weights(), &group.start, tile, &mut sums);
        for (row, Aligned(sums)) in sums.iter().enumerate().take(tile.rows) {
            let values = &mut values[row * vectors + index * VECTORS..];
            if let Some(values) = values.first_chunk_mut() {
                scale(kernel, sums, &group.scales, values);
            }
        }
    }
}

/// A tile of a map's rows as a kernel takes them, `depth` inputs each.
#[inline(always)]
fn tile<'a, K: Kernel>(
    input: &'a Map,
    first: usize,
    depth: usize,
    buffer: &'a mut Vec<K::Input>,
) -> &'a [K::Input] {
    let rows = input.rows(first, ROWS);
    if input.stride() == depth {
        return ready::<K>(rows, buffer);
    }
    // Rows of an image are single bytes.
    buffer.resize(ROWS * depth, K::input(ZERO));
    for (row, buffer) in rows.chunks_exact(input.stride()).zip(buffer.chunks_exact_mut(depth)) {
        stage::<K>(row, buffer);
    }
    buffer
}

/// Sums times scales: the values that an activation function is of.
#[inline(always)]
pub(super) fn scale<K: Kernel, const VECTORS: usize>(
    kernel: K,
    sums: &[Lanes<i32>; VECTORS],
    scales: &[Lanes<f32>; VECTORS],
    values: &mut [Lanes<f32>; VECTORS],
) {
    for (values, (sums, scales)) in values.iter_mut().zip(sums.iter().zip(scales)) {
        *values = kernel.scale(sums, scales);
    }
}

/// Writes the activations of one vector of values, or of as many as there are outputs left.
#[inline(always)]
pub(super) fn write<K: Kernel>(
    activations: Activations<K>,
    output: &mut [u8],
    values: &Lanes<f32>,
    kind: DenseKind,
) {
    let lanes = activations.quantise(&activations.activate(values, kind));
    let lanes = lanes.map(|lane| lane.cast_unsigned() ^ ZERO);
    // A whole vector is one store.
    match output.as_chunks_mut::<LANES>() {
        ([whole], []) => *whole = lanes,
        (_, rest) => rest.copy_from_slice(&lanes[..rest.len()]),
    }
}
