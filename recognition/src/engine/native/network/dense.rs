//! Dense layers over many places at once, with what may follow them: pooling, or the final softmax.
#![allow(clippy::inline_always, reason = "compiled into each kernel's functions for its own instruction set")]

use std::ops::Range;

use super::super::model::{DenseKind, Matrix};
use super::activation::{Activations, softmax};
use super::kernel::{Kernel, LANES, Lanes, Operation, ROWS};
use super::map::{Extent, Map, ZERO};
use super::packed::Packed;
use super::recurrent::stage;

/// A dense layer made ready for a kernel.
#[derive(Debug)]
pub(super) struct Dense<K: Kernel> {
    weights: DenseWeights<K>,
    outputs: usize,
    kind: DenseKind,
}

/// Narrow layers would waste most of four vectors.
#[derive(Debug)]
enum DenseWeights<K: Kernel> {
    Narrow(Packed<K, 1>),
    Wide(Packed<K, 4>),
}

/// Rectangles of which the maximum is kept.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pooling {
    pub(super) width: usize,
    pub(super) height: usize,
}

impl<K: Kernel> Dense<K> {
    pub(super) fn new(matrix: &Matrix, kind: DenseKind) -> Self {
        let weights = if matrix.outputs <= 2 * LANES {
            DenseWeights::Narrow(Packed::dense(matrix))
        } else {
            DenseWeights::Wide(Packed::dense(matrix))
        };
        Self { weights, outputs: matrix.outputs, kind }
    }

    /// The activations at every place.
    pub(super) fn apply(&self, kernel: K, input: &Map) -> Map {
        let sizes = input.extents.iter().map(|extent| (extent.width, extent.height));
        let mut output = Map::new(self.outputs, sizes);
        let finish = Activate { activations: Activations::new(kernel), kind: self.kind, output: &mut output };
        self.multiply(kernel, input, 0..input.len(), finish);
        output
    }

    /// Room for the activations at every place after pooling.
    pub(super) fn pooled_map(&self, input: &Map, pooling: Pooling) -> Map {
        let sizes = input.extents.iter().map(|e| (e.width / pooling.width, e.height / pooling.height));
        Map::new(self.outputs, sizes)
    }

    /// The activations of one line after pooling, written to the line `index` of `output`. All activation functions keep the order of their arguments, and so do the
    /// scales, which are not negative: the largest sum is pooled, and only that one is activated.
    pub(super) fn apply_pooled(
        &self,
        kernel: K,
        line: &Map,
        pooling: Pooling,
        output: &mut Map,
        index: usize,
    ) {
        kernel.run(Pooled { layer: self, input: line, output, index, pooling });
    }

    /// The probabilities at every place of a line, as the last layer.
    pub(super) fn probabilities(&self, kernel: K, input: &Map, line: Extent) -> Vec<f32> {
        let mut values = Vec::with_capacity(line.len() * self.outputs);
        let finish = Probable { outputs: self.outputs, values: &mut values };
        self.multiply(kernel, input, line.first..line.first + line.len(), finish);
        values
    }

    fn multiply<F: Finish>(&self, kernel: K, input: &Map, rows: Range<usize>, finish: F) {
        match &self.weights {
            DenseWeights::Narrow(weights) => kernel.run(Multiply { weights, input, rows, finish }),
            DenseWeights::Wide(weights) => kernel.run(Multiply { weights, input, rows, finish }),
        }
    }
}

/// What becomes of a row's values.
trait Finish {
    /// Takes the values of one row, in lanes: of the `row`th of those that are multiplied, one after the other.
    fn finish(&mut self, row: usize, values: &[Lanes<f32>]);
}

struct Activate<'a, K> {
    activations: Activations<K>,
    kind: DenseKind,
    output: &'a mut Map,
}

impl<K: Kernel> Finish for Activate<'_, K> {
    #[inline(always)]
    fn finish(&mut self, row: usize, values: &[Lanes<f32>]) {
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
    fn finish(&mut self, _row: usize, values: &[Lanes<f32>]) {
        let start = self.values.len();
        self.values.extend_from_slice(&values.as_flattened()[..self.outputs]);
        softmax(&mut self.values[start..]);
    }
}

/// Some rows of a map times the weights.
struct Multiply<'a, K: Kernel, F, const VECTORS: usize> {
    weights: &'a Packed<K, VECTORS>,
    input: &'a Map,
    rows: Range<usize>,
    finish: F,
}

impl<K: Kernel, F: Finish, const VECTORS: usize> Operation<K> for Multiply<'_, K, F, VECTORS> {
    #[inline(always)]
    fn run(mut self, kernel: K) {
        let (depth, groups) = (self.weights.depth, self.weights.groups());
        let mut inputs = vec![K::input(ZERO); ROWS * depth];
        let mut values = vec![[[0.0_f32; LANES]; VECTORS]; ROWS * groups.len()];
        for first in self.rows.clone().step_by(ROWS) {
            let count = (self.rows.end - first).min(ROWS);
            let inputs = ready::<K>(self.input, first, ROWS, depth, &mut inputs);
            for (index, group) in groups.iter().enumerate() {
                let sums = kernel.multiply(group.weights(), &group.start, inputs, depth);
                for (row, sums) in sums.0.iter().enumerate() {
                    scale(kernel, sums, &group.scales, &mut values[row * groups.len() + index]);
                }
            }
            for (row, values) in values.chunks_exact(groups.len()).take(count).enumerate() {
                self.finish.finish(first - self.rows.start + row, values.as_flattened());
            }
        }
    }
}

/// Some rows of a map as a kernel takes them, `depth` inputs each: as they are, or made ready in `buffer`.
#[inline(always)]
fn ready<'a, K: Kernel>(
    input: &'a Map,
    first: usize,
    count: usize,
    depth: usize,
    buffer: &'a mut [K::Input],
) -> &'a [K::Input] {
    let rows = input.rows(first, count);
    if input.stride() != depth {
        // Rows of an image are single bytes.
        for (row, buffer) in rows.chunks_exact(input.stride()).zip(buffer.chunks_exact_mut(depth)) {
            stage::<K>(row, buffer);
        }
        return buffer;
    }
    if let Some(rows) = K::ready(rows) {
        return rows;
    }
    stage::<K>(rows, buffer);
    buffer
}

#[inline(always)]
fn scale<K: Kernel, const VECTORS: usize>(
    kernel: K,
    sums: &[Lanes<i32>; VECTORS],
    scales: &[Lanes<f32>; VECTORS],
    values: &mut [Lanes<f32>; VECTORS],
) {
    for (values, (sums, scales)) in values.iter_mut().zip(sums.iter().zip(scales)) {
        *values = kernel.scale(sums, scales);
    }
}

/// One line's rows times the weights, pooled.
struct Pooled<'a, K: Kernel> {
    layer: &'a Dense<K>,
    input: &'a Map,
    output: &'a mut Map,
    index: usize,
    pooling: Pooling,
}

impl<K: Kernel> Operation<K> for Pooled<'_, K> {
    #[inline(always)]
    fn run(self, kernel: K) {
        match &self.layer.weights {
            DenseWeights::Narrow(weights) => self.pool(kernel, weights),
            DenseWeights::Wide(weights) => self.pool(kernel, weights),
        }
    }
}

impl<K: Kernel> Pooled<'_, K> {
    #[inline(always)]
    fn pool<const VECTORS: usize>(self, kernel: K, weights: &Packed<K, VECTORS>) {
        let (source, target) = (self.input.extents[0], self.output.extents[self.index]);
        let (activations, depth) = (Activations::new(kernel), weights.depth);
        // The columns under one column of the output.
        let tiled_rows = (self.pooling.width * source.height).next_multiple_of(ROWS);
        let mut inputs = vec![K::input(ZERO); tiled_rows * depth];
        let mut sums = vec![[[0; LANES]; VECTORS]; tiled_rows];
        for x in 0..target.width {
            let first = source.row(x * self.pooling.width, 0);
            let inputs = ready::<K>(self.input, first, tiled_rows, depth, &mut inputs);
            for (index, group) in weights.groups().iter().enumerate() {
                for (inputs, sums) in inputs.chunks_exact(ROWS * depth).zip(sums.as_chunks_mut::<ROWS>().0) {
                    *sums = kernel.multiply(group.weights(), &group.start, inputs, depth).0;
                }
                for y in 0..target.height {
                    let mut largest = [[i32::MIN; LANES]; VECTORS];
                    for column in 0..self.pooling.width {
                        let first = column * source.height + y * self.pooling.height;
                        for sums in &sums[first..first + self.pooling.height] {
                            keep_largest(&mut largest, sums);
                        }
                    }
                    let mut values = [[0.0; LANES]; VECTORS];
                    scale(kernel, &largest, &group.scales, &mut values);
                    let output = self.output.row_mut(target.row(x, y));
                    let output = output.chunks_mut(LANES).skip(index * VECTORS);
                    for (output, values) in output.zip(&values) {
                        write(activations, output, values, self.layer.kind);
                    }
                }
            }
        }
    }
}

#[inline(always)]
fn keep_largest<const VECTORS: usize>(largest: &mut [Lanes<i32>; VECTORS], sums: &[Lanes<i32>; VECTORS]) {
    for (largest, &sum) in largest.as_flattened_mut().iter_mut().zip(sums.as_flattened()) {
        *largest = if sum > *largest { sum } else { *largest };
    }
}

/// Writes the activations of one vector of values, or of as many as there are outputs left.
#[inline(always)]
fn write<K: Kernel>(activations: Activations<K>, output: &mut [u8], values: &Lanes<f32>, kind: DenseKind) {
    let lanes = activations.quantise(&activations.activate(values, kind));
    for (output, lane) in output.iter_mut().zip(lanes) {
        *output = lane.cast_unsigned() ^ ZERO;
    }
}
