//! NEON, on every 64-bit ARM: 4 products and sums an instruction, on 16-bit numbers.
#![allow(
    unsafe_code,
    reason = "vector loads from checked slices, and calls of functions that need the instructions"
)]
#![allow(clippy::inline_always, reason = "compiled into the operations that use it")]

use std::arch::aarch64::{
    int16x8_t, int32x4_t, vget_low_s16, vld1q_s16, vld1q_s32, vmlal_high_n_s16, vmlal_n_s16, vst1q_s32,
};

use super::super::table::{Found, Numbers, Plain, Table};
use super::{Inputs, Kernel, LANES, Lanes, Operation, Tile};

/// Registers of four 32-bit sums in a vector.
const QUARTERS: usize = LANES / 4;

/// Proof that the processor has the instructions.
#[derive(Debug, Clone, Copy)]
pub(super) struct Neon(());

impl Neon {
    /// The kernel, where the processor has it.
    pub(super) fn detect() -> Option<Self> {
        std::arch::is_aarch64_feature_detected!("neon").then_some(Self(()))
    }
}

impl Numbers<LANES> for Neon {
    #[inline(always)]
    fn truncate(self, values: &Lanes<f32>) -> Lanes<i8> {
        Plain.truncate(values)
    }

    #[inline(always)]
    fn scale(self, sums: &Lanes<i32>, scales: &Lanes<f32>) -> Lanes<f32> {
        Plain.scale(sums, scales)
    }

    #[inline(always)]
    fn look_up(self, table: &Table, places: &Lanes<f32>) -> Found<LANES> {
        Plain.look_up(table, places)
    }
}

impl Kernel for Neon {
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
        (input * vectors + vector) * LANES + lane
    }

    #[inline(always)]
    fn multiply<const VECTORS: usize>(
        self,
        weights: &[i16],
        start: &[Lanes<i32>; VECTORS],
        inputs: Inputs<'_, i16>,
        sums: &mut Tile<VECTORS>,
    ) {
        // SAFETY: `self` proves that the processor has the instructions.
        unsafe { multiply(weights, start, inputs, sums) }
    }

    fn run<O: Operation<Self>>(self, operation: O) {
        // SAFETY: `self` proves that the processor has the instructions.
        unsafe { run(self, operation) }
    }
}

#[target_feature(enable = "neon")]
fn run<O: Operation<Neon>>(kernel: Neon, operation: O) {
    operation.run(kernel);
}

#[inline]
#[target_feature(enable = "neon")]
fn multiply<const VECTORS: usize>(
    weights: &[i16],
    start: &[Lanes<i32>; VECTORS],
    inputs: Inputs<'_, i16>,
    sums: &mut Tile<VECTORS>,
) {
    assert!(inputs.are_whole(), "a tile of inputs");
    let Inputs { values, strips, strip_stride, depth, row_stride, rows } = inputs;
    for (row, sums) in sums.iter_mut().enumerate().take(rows) {
        let mut accumulators = start.each_ref().map(|lanes| load_i32(lanes));
        let mut vectors = weights.as_chunks::<LANES>().0.as_chunks::<VECTORS>().0.iter();
        for strip in 0..strips {
            for (&input, vectors) in
                values[strip * strip_stride + row * row_stride..][..depth].iter().zip(vectors.by_ref())
            {
                for (accumulators, weights) in accumulators.iter_mut().zip(vectors) {
                    let [low, high] = load_i16(weights);
                    accumulators[0] = vmlal_n_s16(accumulators[0], vget_low_s16(low), input);
                    accumulators[1] = vmlal_high_n_s16(accumulators[1], low, input);
                    accumulators[2] = vmlal_n_s16(accumulators[2], vget_low_s16(high), input);
                    accumulators[3] = vmlal_high_n_s16(accumulators[3], high, input);
                }
            }
        }
        for (sums, accumulators) in sums.0.iter_mut().zip(accumulators) {
            for (sums, accumulator) in sums.as_chunks_mut::<4>().0.iter_mut().zip(accumulators) {
                // SAFETY: four sums of 4 bytes are the 16 bytes that are written.
                unsafe { vst1q_s32(sums.as_mut_ptr(), accumulator) };
            }
        }
    }
}

#[inline]
#[target_feature(enable = "neon")]
fn load_i16(weights: &[i16; LANES]) -> [int16x8_t; 2] {
    // SAFETY: each half of the 16 weights of 2 bytes is the 16 bytes that are read.
    unsafe { [vld1q_s16(weights.as_ptr()), vld1q_s16(weights[8..].as_ptr())] }
}

#[inline]
#[target_feature(enable = "neon")]
fn load_i32(values: &Lanes<i32>) -> [int32x4_t; QUARTERS] {
    // SAFETY: each quarter of the 16 values of 4 bytes is the 16 bytes that are read.
    unsafe {
        [
            vld1q_s32(values.as_ptr()),
            vld1q_s32(values[4..].as_ptr()),
            vld1q_s32(values[8..].as_ptr()),
            vld1q_s32(values[12..].as_ptr()),
        ]
    }
}
