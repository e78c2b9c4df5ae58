//! Weights in the order in which a kernel reads them.

use super::super::model::{Matrix, Weights};
use super::kernel::{Kernel, LANES, Lanes};

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
    pub(super) weights: Vec<K::Weight>,
    /// What each sum starts with: the bias, and what the 128 in every input adds too much.
    pub(super) start: [Lanes<i32>; VECTORS],
    /// What turns sums into values.
    pub(super) scales: [Lanes<f32>; VECTORS],
}

impl<K: Kernel, const VECTORS: usize> Packed<K, VECTORS> {
    /// A dense layer: outputs one after the other.
    pub(super) fn dense(matrix: &Matrix) -> Self {
        let width = VECTORS * LANES;
        Self::new(matrix.inputs, matrix.outputs.div_ceil(width), |group, vector, lane| {
            (matrix, group * width + vector * LANES + lane)
        })
    }

    fn new<'a>(
        inputs: usize,
        groups: usize,
        source: impl Fn(usize, usize, usize) -> (&'a Matrix, usize),
    ) -> Self {
        let depth = inputs.next_multiple_of(K::INPUT_STEP);
        let groups = (0..groups).map(|group| Group::new(depth, |vector, lane| source(group, vector, lane)));
        Self { depth, groups: groups.collect() }
    }

    pub(super) fn groups(&self) -> &[Group<K, VECTORS>] {
        &self.groups
    }
}

impl<K: Kernel> Packed<K, 4> {
    /// The four gates of a recurrent layer: a group holds the gates of [`LANES`] units.
    pub(super) fn gates(gates: &[Matrix], units: usize) -> Option<Self> {
        let gates: &[Matrix; 4] = gates.try_into().ok()?;
        let pack = |group: usize, vector: usize, lane: usize| (&gates[vector], group * LANES + lane);
        Some(Self::new(gates[0].inputs, units.div_ceil(LANES), pack))
    }
}

impl<K: Kernel, const VECTORS: usize> Group<K, VECTORS> {
    fn new<'a>(depth: usize, source: impl Fn(usize, usize) -> (&'a Matrix, usize)) -> Self {
        let mut group = Self {
            weights: vec![K::Weight::default(); depth * VECTORS * LANES],
            start: [[0; LANES]; VECTORS],
            scales: [[0.0; LANES]; VECTORS],
        };
        for vector in 0..VECTORS {
            for lane in 0..LANES {
                let (matrix, output) = source(vector, lane);
                let Weights::Int8 { weights, scales } = &matrix.weights else { continue };
                let Some(row) = weights.chunks_exact(matrix.inputs + 1).nth(output) else { continue };
                let (bias, row) = (row[matrix.inputs], &row[..matrix.inputs]);
                for (input, &weight) in row.iter().enumerate() {
                    group.weights[K::position(VECTORS, depth, vector, lane, input)] = K::weight(weight);
                }
                let offset: i32 = row.iter().map(|&weight| 128 * i32::from(weight)).sum();
                group.start[vector][lane] = i32::from(bias) * 127 - offset;
                group.scales[vector][lane] = scales[output];
            }
        }
        group
    }
}
