//! AVX2: 16 products and their sums by pairs an instruction, on 16-bit numbers. (The instruction for 8-bit numbers cuts
//! its sums off.)
#![allow(
    unsafe_code,
    reason = "vector loads from checked slices, and calls of functions that need the instructions"
)]
#![allow(clippy::inline_always, reason = "compiled into the operations that use it")]

use std::arch::x86_64::{
    __m256i, _mm256_add_epi32, _mm256_loadu_si256, _mm256_madd_epi16, _mm256_set1_epi32,
    _mm256_setzero_si256, _mm256_storeu_si256,
};

use super::super::table::{Found, Numbers, Plain, Table};
use super::{Aligned, Kernel, LANES, Lanes, Operation, ROWS, Tile};

/// Lanes of a register of 32-bit sums: a vector of weights is two registers, one after the other.
const HALF: usize = LANES / 2;
/// Rows that fit the registers with four vectors of half the lanes.
const ROWS_AT_ONCE: usize = ROWS / 2;

/// Proof that the processor has the instructions.
#[derive(Debug, Clone, Copy)]
pub(super) struct Avx2(());

impl Avx2 {
    /// The kernel, where the processor has it.
    pub(super) fn detect() -> Option<Self> {
        is_x86_feature_detected!("avx2").then_some(Self(()))
    }
}

impl Numbers<LANES> for Avx2 {
    #[inline(always)]
    fn truncate(self, values: &Lanes<f32>) -> Lanes<i32> {
        Plain.truncate(values)
    }

    #[inline(always)]
    fn look_up(self, table: &Table, places: &Lanes<f32>) -> Found<LANES> {
        Plain.look_up(table, places)
    }
}

impl Kernel for Avx2 {
    type Input = i16;
    type Weight = i16;

    #[inline(always)]
    fn input(value: u8) -> i16 {
        i16::from(value)
    }

    fn weight(value: i8) -> i16 {
        i16::from(value)
    }

    fn position(vectors: usize, depth: usize, vector: usize, lane: usize, input: usize) -> usize {
        let (half, lane) = (lane / HALF, lane % HALF);
        (((half * (depth / 2) + input / 2) * vectors + vector) * HALF + lane) * 2 + input % 2
    }

    #[inline(always)]
    fn multiply<const VECTORS: usize>(
        self,
        weights: &[i16],
        start: &[Lanes<i32>; VECTORS],
        inputs: &[i16],
        depth: usize,
    ) -> Tile<VECTORS> {
        // SAFETY: `self` proves that the processor has the instructions.
        unsafe { multiply(weights, start, inputs, depth) }
    }

    fn run<O: Operation<Self>>(self, operation: O) {
        // SAFETY: `self` proves that the processor has the instructions.
        unsafe { run(self, operation) }
    }
}

#[target_feature(enable = "avx2")]
fn run<O: Operation<Avx2>>(kernel: Avx2, operation: O) {
    operation.run(kernel);
}

#[inline]
#[target_feature(enable = "avx2")]
fn multiply<const VECTORS: usize>(
    weights: &[i16],
    start: &[Lanes<i32>; VECTORS],
    inputs: &[i16],
    depth: usize,
) -> Tile<VECTORS> {
    let mut sums: Tile<VECTORS> = Aligned([[[0; LANES]; VECTORS]; ROWS]);
    let steps = depth / 2;
    let registers = weights.as_chunks::<16>().0.as_chunks::<VECTORS>().0;
    for half in 0..2 {
        let registers = &registers[half * steps..(half + 1) * steps];
        for first in (0..ROWS).step_by(ROWS_AT_ONCE) {
            let mut rows: [&[[i16; 2]]; ROWS_AT_ONCE] = [&[]; ROWS_AT_ONCE];
            for (row, inputs) in rows.iter_mut().zip(inputs[first * depth..].chunks_exact(depth)) {
                *row = &inputs.as_chunks::<2>().0[..steps];
            }
            let mut accumulators = [[_mm256_setzero_si256(); VECTORS]; ROWS_AT_ONCE];
            for accumulators in &mut accumulators {
                for (accumulator, start) in accumulators.iter_mut().zip(start) {
                    *accumulator = load_i32(&start.as_chunks::<HALF>().0[half]);
                }
            }
            for (step, weights) in registers.iter().enumerate() {
                let mut inputs = [_mm256_setzero_si256(); ROWS_AT_ONCE];
                for (inputs, row) in inputs.iter_mut().zip(&rows) {
                    *inputs = broadcast(row[step]);
                }
                for (vector, weights) in weights.iter().enumerate() {
                    let weights = load_i16(weights);
                    for (accumulators, inputs) in accumulators.iter_mut().zip(inputs) {
                        let products = _mm256_madd_epi16(weights, inputs);
                        accumulators[vector] = _mm256_add_epi32(accumulators[vector], products);
                    }
                }
            }
            for (sums, accumulators) in sums.0[first..].iter_mut().zip(accumulators) {
                for (sums, accumulator) in sums.iter_mut().zip(accumulators) {
                    store_i32(&mut sums.as_chunks_mut::<HALF>().0[half], accumulator);
                }
            }
        }
    }
    sums
}

/// A pair of inputs in every lane.
#[inline]
#[target_feature(enable = "avx2")]
fn broadcast([first, second]: [i16; 2]) -> __m256i {
    let [a, b] = first.to_le_bytes();
    let [c, d] = second.to_le_bytes();
    _mm256_set1_epi32(i32::from_le_bytes([a, b, c, d]))
}

#[inline]
#[target_feature(enable = "avx2")]
fn load_i16(weights: &[i16; 16]) -> __m256i {
    // SAFETY: 16 weights of 2 bytes are the 32 bytes that are read.
    unsafe { _mm256_loadu_si256(weights.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx2")]
fn load_i32(values: &[i32; HALF]) -> __m256i {
    // SAFETY: 8 values of 4 bytes are the 32 bytes that are read.
    unsafe { _mm256_loadu_si256(values.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx2")]
fn store_i32(values: &mut [i32; HALF], register: __m256i) {
    // SAFETY: 8 values of 4 bytes are the 32 bytes that are written.
    unsafe { _mm256_storeu_si256(values.as_mut_ptr().cast(), register) }
}
