//! AVX-512 with VNNI: 64 products and their sums an instruction.
#![allow(
    unsafe_code,
    reason = "vector loads from checked slices, and calls of functions that need the instructions"
)]
#![allow(clippy::inline_always, reason = "compiled into the operations that use it")]

use std::arch::x86_64::{
    __m512i, _mm512_dpbusd_epi32, _mm512_loadu_si512, _mm512_set1_epi32, _mm512_setzero_si512,
    _mm512_storeu_si512,
};

use super::super::table::{Found, Numbers, Plain, Table};
use super::{Aligned, Kernel, LANES, Lanes, Operation, ROWS, Tile};

/// Proof that the processor has the instructions.
#[derive(Debug, Clone, Copy)]
pub(super) struct Vnni(());

impl Vnni {
    /// The kernel, where the processor has it.
    pub(super) fn detect() -> Option<Self> {
        let found = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vnni");
        found.then_some(Self(()))
    }
}

impl Numbers<LANES> for Vnni {
    #[inline(always)]
    fn truncate(self, values: &Lanes<f32>) -> Lanes<i32> {
        Plain.truncate(values)
    }

    #[inline(always)]
    fn look_up(self, table: &Table, places: &Lanes<f32>) -> Found<LANES> {
        Plain.look_up(table, places)
    }
}

impl Kernel for Vnni {
    type Input = u8;
    type Weight = i8;

    #[inline(always)]
    fn input(value: u8) -> u8 {
        value
    }

    #[inline(always)]
    fn ready(values: &[u8]) -> Option<&[u8]> {
        Some(values)
    }

    fn weight(value: i8) -> i8 {
        value
    }

    fn position(vectors: usize, _depth: usize, vector: usize, lane: usize, input: usize) -> usize {
        (((input / 4) * vectors + vector) * LANES + lane) * 4 + input % 4
    }

    #[inline(always)]
    fn multiply<const VECTORS: usize>(
        self,
        weights: &[i8],
        start: &[Lanes<i32>; VECTORS],
        inputs: &[u8],
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

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
fn run<O: Operation<Vnni>>(kernel: Vnni, operation: O) {
    operation.run(kernel);
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
fn multiply<const VECTORS: usize>(
    weights: &[i8],
    start: &[Lanes<i32>; VECTORS],
    inputs: &[u8],
    depth: usize,
) -> Tile<VECTORS> {
    let steps = depth / 4;
    let mut rows: [&[[u8; 4]]; ROWS] = [&[]; ROWS];
    for (row, inputs) in rows.iter_mut().zip(inputs.chunks_exact(depth)) {
        *row = &inputs.as_chunks::<4>().0[..steps];
    }
    let mut accumulators = [[_mm512_setzero_si512(); VECTORS]; ROWS];
    for accumulators in &mut accumulators {
        for (accumulator, start) in accumulators.iter_mut().zip(start) {
            *accumulator = load_i32(start);
        }
    }
    let vectors = &weights.as_chunks::<64>().0.as_chunks::<VECTORS>().0[..steps];
    for (step, vectors) in vectors.iter().enumerate() {
        let mut weights = [_mm512_setzero_si512(); VECTORS];
        for (weights, vector) in weights.iter_mut().zip(vectors) {
            *weights = load_i8(vector);
        }
        for (accumulators, row) in accumulators.iter_mut().zip(&rows) {
            let inputs = _mm512_set1_epi32(i32::from_le_bytes(row[step]));
            for (accumulator, weights) in accumulators.iter_mut().zip(weights) {
                *accumulator = _mm512_dpbusd_epi32(*accumulator, inputs, weights);
            }
        }
    }
    let mut sums: Tile<VECTORS> = Aligned([[[0; LANES]; VECTORS]; ROWS]);
    for (sums, accumulators) in sums.0.iter_mut().zip(accumulators) {
        for (sums, accumulator) in sums.iter_mut().zip(accumulators) {
            store_i32(sums, accumulator);
        }
    }
    sums
}

#[inline]
#[target_feature(enable = "avx512f")]
fn load_i8(weights: &[i8; 64]) -> __m512i {
    // SAFETY: 64 weights of a byte are the 64 bytes that are read.
    unsafe { _mm512_loadu_si512(weights.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn load_i32(values: &Lanes<i32>) -> __m512i {
    // SAFETY: 16 values of 4 bytes are the 64 bytes that are read.
    unsafe { _mm512_loadu_si512(values.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn store_i32(values: &mut Lanes<i32>, register: __m512i) {
    // SAFETY: 16 values of 4 bytes are the 64 bytes that are written.
    unsafe { _mm512_storeu_si512(values.as_mut_ptr().cast(), register) };
}
