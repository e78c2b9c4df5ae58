//! Weights in the order in which a kernel reads them.

use std::ops::Range;

use super::super::model::{Matrix, Weights};
use super::kernel::{Kernel, LANES, Lanes};

/// Rows of inputs are padded to a multiple of this, which all kernels' steps divide.
pub(super) const INPUTS_STEP: usize = 4;

/// Bytes of a line of the cache, and more weights than it takes to reach the next one.
const CACHE_LINE: usize = 64;

/// Weights of `VECTORS` × [`LANES`] outputs at a time.
#[derive(Debug)]
pub(super) struct Packed<K: Kernel, const VECTORS: usize> {
    /// Inputs of a row, padded for the kernel.
    pub(super) depth: usize,
    groups: Vec<Group<K, VECTORS>>,
}

/// The weights of one group of outputs.
#[derive(Debug)]
pub(super) struct Group<K: Kernel, const VECTORS: usize> {
    /// The weights, with room to begin at a line of the cache.
    storage: Vec<K::Weight>,
    first: usize,
    /// What each sum starts with: the bias, and what the 128 in every input adds too much.
    pub(super) start: [Lanes<i32>; VECTORS],
    /// What turns sums into values.
    pub(super) scales: [Lanes<f32>; VECTORS],
}

impl<K: Kernel, const VECTORS: usize> Packed<K, VECTORS> {
    /// Some outputs of a dense layer, one after the other.
    pub(super) fn dense(matrix: &Matrix, outputs: Range<usize>) -> Self {
        Self::spread(matrix, outputs, matrix.inputs.next_multiple_of(INPUTS_STEP), |input| input)
    }

    /// Some outputs of a dense layer whose inputs stand at `place`s of their own among `depth`, a multiple of 4.
    pub(super) fn spread(
        matrix: &Matrix,
        outputs: Range<usize>,
        depth: usize,
        place: impl Fn(usize) -> usize,
    ) -> Self {
        let width = VECTORS * LANES;
        let source = |group, vector, lane| (matrix, outputs.start + group * width + vector * LANES + lane);
        Self::new(depth, outputs.len().div_ceil(width), source, place)
    }

    fn new<'a>(
        depth: usize,
        groups: usize,
        source: impl Fn(usize, usize, usize) -> (&'a Matrix, usize),
        place: impl Fn(usize) -> usize,
    ) -> Self {
        let group = |group| Group::new(depth, |vector, lane| source(group, vector, lane), &place);
        Self { depth, groups: (0..groups).map(group).collect() }
    }

    pub(super) fn groups(&self) -> &[Group<K, VECTORS>] {
        &self.groups
    }
}

impl<K: Kernel> Packed<K, 4> {
    /// The four gates of a recurrent layer, their values times `factor`: a group holds the gates of [`LANES`] units.
    pub(super) fn gates(gates: &[Matrix], units: usize, factor: f32) -> Option<Self> {
        let gates: &[Matrix; 4] = gates.try_into().ok()?;
        let depth = gates[0].inputs.next_multiple_of(INPUTS_STEP);
        let source = |group: usize, vector: usize, lane: usize| (&gates[vector], group * LANES + lane);
        let mut packed = Self::new(depth, units.div_ceil(LANES), source, |input| input);
        for scales in packed.groups.iter_mut().flat_map(|group| group.scales.as_flattened_mut()) {
            *scales *= factor;
        }
        Some(packed)
    }
}

impl<K: Kernel, const VECTORS: usize> Group<K, VECTORS> {
    fn new<'a>(
        depth: usize,
        source: impl Fn(usize, usize) -> (&'a Matrix, usize),
        place: &impl Fn(usize) -> usize,
    ) -> Self {
        let mut group = Self {
            storage: vec![K::Weight::default(); depth * VECTORS * LANES + CACHE_LINE],
            first: 0,
            start: [[0; LANES]; VECTORS],
            scales: [[0.0; LANES]; VECTORS],
        };
        group.first = group.storage.as_ptr().align_offset(CACHE_LINE).min(CACHE_LINE);
        for vector in 0..VECTORS {
            for lane in 0..LANES {
                let (matrix, output) = source(vector, lane);
                let Weights::Int8 { weights, scales } = &matrix.weights else { continue };
                let Some(row) = weights.chunks_exact(matrix.inputs + 1).nth(output) else { continue };
                let (bias, row) = (row[matrix.inputs], &row[..matrix.inputs]);
                for (input, &weight) in row.iter().enumerate() {
                    let position = group.first + K::position(VECTORS, depth, vector, lane, place(input));
                    group.storage[position] = K::weight(weight);
                }
                let offset: i32 = row.iter().map(|&weight| 128 * i32::from(weight)).sum();
                group.start[vector][lane] = i32::from(bias) * 127 - offset;
                group.scales[vector][lane] = scales[output];
            }
        }
        group
    }

    /// The weights in the kernel's order.
    pub(super) fn weights(&self) -> &[K::Weight] {
        &self.storage[self.first..]
    }
}
