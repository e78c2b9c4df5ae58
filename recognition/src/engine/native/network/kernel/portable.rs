//! For every processor: in vectors of 16 bytes, which nearly all have, and which `wide` writes as plain code for the others.
#![allow(clippy::inline_always, reason = "compiled into the operations that use it")]

use wide::{f32x4, i16x8, i32x4};

use super::super::table::{Found, Numbers, Plain, Table, found_at, within};
use super::{Inputs, Kernel, LANES, Lanes, Operation, Tile};

/// Weights of a register: pairs that belong to the same lane.
const WIDTH: usize = 8;
/// Registers that a vector's lanes take.
const REGISTERS: usize = LANES / (WIDTH / 2);
/// Rows whose sums stay in registers together, of sixteen.
const ROWS_AT_ONCE: usize = 2;

/// The kernel of every processor.
#[derive(Debug, Clone, Copy)]
pub(super) struct Portable;

impl Numbers<LANES> for Portable {
    #[inline(always)]
    fn truncate(self, values: &Lanes<f32>) -> Lanes<i8> {
        whole(values).map(|value| value as i8)
    }

    #[inline(always)]
    fn scale(self, sums: &Lanes<i32>, scales: &Lanes<f32>) -> Lanes<f32> {
        Plain.scale(sums, scales)
    }

    #[inline(always)]
    fn look_up(self, table: &Table, places: &Lanes<f32>) -> Found<LANES> {
        let places = within(places);
        found_at(table, &places, &whole(&places))
    }
}

impl Kernel for Portable {
    type Input = i16;
    type Weight = i16;

    #[inline(always)]
    fn input(value: u8) -> i16 {
        i16::from(value)
    }

    fn weight(value: i8) -> i16 {
        i16::from(value)
    }

    fn position(vectors: usize, _depth: usize, vector: usize, lane: usize, input: usize) -> usize {
        (((input / 2) * vectors + vector) * LANES + lane) * 2 + input % 2
    }

    #[inline(always)]
    fn multiply<const VECTORS: usize>(
        self,
        weights: &[i16],
        start: &[Lanes<i32>; VECTORS],
        inputs: Inputs<'_, i16>,
        sums: &mut Tile<VECTORS>,
    ) {
        assert!(inputs.are_whole(), "a tile of inputs");
        let Inputs { values, strips, strip_stride, depth, row_stride, rows } = inputs;
        let strip_weights = depth * VECTORS * LANES;
        let pairs = sums.chunks_exact_mut(ROWS_AT_ONCE).zip((0..rows).step_by(ROWS_AT_ONCE));
        for (sums, first) in pairs {
            for sums in sums.iter_mut() {
                sums.0 = *start;
            }
            for strip in 0..strips {
                let rows: [&[i16]; ROWS_AT_ONCE] = std::array::from_fn(|row| {
                    &values[strip * strip_stride + (first + row) * row_stride..][..depth]
                });
                let weights = &weights[strip * strip_weights..][..strip_weights];
                for vector in 0..VECTORS {
                    let found = multiply_vector::<VECTORS>(weights, vector, rows);
                    for (sums, found) in sums.iter_mut().zip(found) {
                        add(&mut sums.0[vector], found);
                    }
                }
            }
        }
    }

    fn run<O: Operation<Self>>(self, operation: O) {
        operation.run(self);
    }
}

/// Whole numbers, rounded towards zero; all values are smaller than 2^31.
#[inline(always)]
fn whole(values: &Lanes<f32>) -> Lanes<i32> {
    let mut whole = [0; LANES];
    for (whole, values) in whole.as_chunks_mut().0.iter_mut().zip(values.as_chunks().0) {
        *whole = f32x4::from(*values).fast_trunc_int().to_array();
    }
    whole
}

/// One vector of sums over some rows.
#[inline(always)]
fn multiply_vector<const VECTORS: usize>(
    weights: &[i16],
    vector: usize,
    rows: [&[i16]; ROWS_AT_ONCE],
) -> [[i32x4; REGISTERS]; ROWS_AT_ONCE] {
    let mut accumulators = [[i32x4::ZERO; REGISTERS]; ROWS_AT_ONCE];
    let steps = weights.as_chunks::<WIDTH>().0.chunks_exact(VECTORS * REGISTERS);
    for (step, weights) in steps.enumerate() {
        let weights: [i16x8; REGISTERS] =
            std::array::from_fn(|register| weights[vector * REGISTERS + register].into());
        for (row, accumulators) in rows.iter().zip(&mut accumulators) {
            let (first, second) = (row[2 * step], row[2 * step + 1]);
            let pairs = i16x8::from([first, second, first, second, first, second, first, second]);
            for (accumulator, weights) in accumulators.iter_mut().zip(weights) {
                *accumulator += weights.dot(pairs);
            }
        }
    }
    accumulators
}

#[inline(always)]
fn add(sums: &mut Lanes<i32>, accumulators: [i32x4; REGISTERS]) {
    for (sums, accumulator) in sums.as_chunks_mut::<{ WIDTH / 2 }>().0.iter_mut().zip(accumulators) {
        *sums = (i32x4::from(*sums) + accumulator).to_array();
    }
}
