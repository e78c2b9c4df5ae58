//! AVX2: 16 products and their sums by pairs an instruction, on 16-bit numbers. (The instruction for 8-bit numbers cuts
//! its sums off.)
#![allow(
    unsafe_code,
    reason = "vector loads from checked slices, and calls of functions that need the instructions"
)]
#![allow(clippy::inline_always, reason = "compiled into the operations that use it")]

use std::arch::x86_64::{
    __m256, __m256i, _mm_packs_epi16, _mm_storeu_si128, _mm256_add_epi32, _mm256_and_ps, _mm256_castpd_ps,
    _mm256_castsi256_ps, _mm256_castsi256_si128, _mm256_cvtepi32_ps, _mm256_cvttps_epi32,
    _mm256_extracti128_si256, _mm256_i32gather_pd, _mm256_loadu_ps, _mm256_loadu_si256, _mm256_madd_epi16,
    _mm256_min_ps, _mm256_mul_ps, _mm256_packs_epi32, _mm256_permute4x64_epi64, _mm256_set1_epi32,
    _mm256_set1_ps, _mm256_setzero_si256, _mm256_shuffle_ps, _mm256_storeu_ps, _mm256_storeu_si256,
    _mm256_sub_ps,
};

use super::super::table::{Found, LAST_PLACE, Numbers, Table};
use super::{Inputs, Kernel, LANES, Lanes, Operation, ROWS, Tile};

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
    fn truncate(self, values: &Lanes<f32>) -> Lanes<i8> {
        // SAFETY: `self` proves that the processor has the instructions.
        unsafe { truncate(values) }
    }

    #[inline(always)]
    fn scale(self, sums: &Lanes<i32>, scales: &Lanes<f32>) -> Lanes<f32> {
        // SAFETY: `self` proves that the processor has the instructions.
        unsafe { scale(sums, scales) }
    }

    #[inline(always)]
    fn look_up(self, table: &Table, places: &Lanes<f32>) -> Found<LANES> {
        // SAFETY: `self` proves that the processor has the instructions.
        unsafe { look_up(table, places) }
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

#[target_feature(enable = "avx2")]
fn run<O: Operation<Avx2>>(kernel: Avx2, operation: O) {
    operation.run(kernel);
}

#[inline]
#[target_feature(enable = "avx2")]
fn multiply<const VECTORS: usize>(
    weights: &[i16],
    start: &[Lanes<i32>; VECTORS],
    inputs: Inputs<'_, i16>,
    sums: &mut Tile<VECTORS>,
) {
    assert!(inputs.are_whole(), "a tile of inputs");
    let steps = inputs.strips * inputs.depth / 2;
    let registers = weights.as_chunks::<16>().0.as_chunks::<VECTORS>().0;
    for half in 0..2 {
        let registers = &registers[half * steps..(half + 1) * steps];
        if VECTORS == 1 {
            multiply_rows::<VECTORS, ROWS>(registers, start, inputs, half, 0, sums);
            continue;
        }
        for first in (0..ROWS.min(inputs.rows)).step_by(ROWS_AT_ONCE) {
            multiply_rows::<VECTORS, ROWS_AT_ONCE>(registers, start, inputs, half, first, sums);
        }
    }
}

/// Half the lanes of `COUNT` of a tile's rows: as many as the registers hold the sums of.
#[inline]
#[target_feature(enable = "avx2")]
fn multiply_rows<const VECTORS: usize, const COUNT: usize>(
    registers: &[[[i16; 16]; VECTORS]],
    start: &[Lanes<i32>; VECTORS],
    inputs: Inputs<'_, i16>,
    half: usize,
    first: usize,
    sums: &mut Tile<VECTORS>,
) {
    assert!(inputs.are_whole() && first + COUNT <= ROWS, "a tile of inputs");
    let Inputs { values, strips, strip_stride, depth, row_stride, .. } = inputs;
    let mut accumulators = [[_mm256_setzero_si256(); VECTORS]; COUNT];
    for accumulators in &mut accumulators {
        for (accumulator, start) in accumulators.iter_mut().zip(start) {
            *accumulator = load_i32(&start.as_chunks::<HALF>().0[half]);
        }
    }
    for strip in 0..strips {
        let registers = &registers[strip * (depth / 2)..][..depth / 2];
        for (step, weights) in registers.iter().enumerate() {
            let mut pairs = [_mm256_setzero_si256(); COUNT];
            for (row, pair) in pairs.iter_mut().enumerate() {
                let place = strip * strip_stride + (first + row) * row_stride + 2 * step;
                // SAFETY: `step` is below depth / 2 and `first + row` below ROWS: these 4 bytes are among the
                // values, as asserted.
                let two = unsafe { values.as_ptr().add(place).cast::<i32>().read_unaligned() };
                *pair = _mm256_set1_epi32(two);
            }
            for (vector, weights) in weights.iter().enumerate() {
                let weights = load_i16(weights);
                for (accumulators, pair) in accumulators.iter_mut().zip(pairs) {
                    let products = _mm256_madd_epi16(weights, pair);
                    accumulators[vector] = _mm256_add_epi32(accumulators[vector], products);
                }
            }
        }
    }
    for (sums, accumulators) in sums[first..].iter_mut().zip(accumulators) {
        for (sums, accumulator) in sums.0.iter_mut().zip(accumulators) {
            store_i32(&mut sums.as_chunks_mut::<HALF>().0[half], accumulator);
        }
    }
}

#[inline]
#[target_feature(enable = "avx2")]
fn truncate(values: &Lanes<f32>) -> Lanes<i8> {
    let [low, high] = [0, 1].map(|half| _mm256_cvttps_epi32(load_f32(&values.as_chunks().0[half])));
    // Packing works within halves of a register: the quarters are put in order.
    let words = _mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_packs_epi32(low, high));
    let bytes = _mm_packs_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256::<1>(words));
    let mut whole = [0; LANES];
    // SAFETY: 16 bytes are written.
    unsafe { _mm_storeu_si128(whole.as_mut_ptr().cast(), bytes) };
    whole
}

#[inline]
#[target_feature(enable = "avx2")]
fn scale(sums: &Lanes<i32>, scales: &Lanes<f32>) -> Lanes<f32> {
    let mut values = [0.0; LANES];
    for half in 0..2 {
        let sums = _mm256_cvtepi32_ps(load_i32(&sums.as_chunks().0[half]));
        let product = _mm256_mul_ps(sums, load_f32(&scales.as_chunks().0[half]));
        store_f32(&mut values.as_chunks_mut().0[half], product);
    }
    values
}

/// Fetches each entry as 64 bits.
#[inline]
#[target_feature(enable = "avx2")]
fn look_up(table: &Table, places: &Lanes<f32>) -> Found<LANES> {
    let mut found = Found { value: [0.0; LANES], rise: [0.0; LANES], part: [0.0; LANES] };
    let distances = _mm256_castsi256_ps(_mm256_set1_epi32(i32::MAX));
    for half in 0..2 {
        // Of a place that is no number the minimum is its second argument.
        let places = _mm256_and_ps(load_f32(&places.as_chunks().0[half]), distances);
        let places = _mm256_min_ps(places, _mm256_set1_ps(LAST_PLACE));
        let entries = _mm256_cvttps_epi32(places);
        let part = _mm256_sub_ps(places, _mm256_cvtepi32_ps(entries));
        // Entries 0, 1, 4, 5 and 2, 3, 6, 7: shuffles work within halves of a register, and put them in order.
        let entries = _mm256_permute4x64_epi64::<0b11_01_10_00>(entries);
        let [low, high] =
            [_mm256_castsi256_si128(entries), _mm256_extracti128_si256::<1>(entries)].map(|entries| {
                // SAFETY: entries are at most `LAST_PLACE`, the table's last, and not negative.
                _mm256_castpd_ps(unsafe { _mm256_i32gather_pd::<8>(table.as_ptr().cast(), entries) })
            });
        let value = _mm256_shuffle_ps::<0b10_00_10_00>(low, high);
        let rise = _mm256_shuffle_ps::<0b11_01_11_01>(low, high);
        store_f32(&mut found.value.as_chunks_mut().0[half], value);
        store_f32(&mut found.rise.as_chunks_mut().0[half], rise);
        store_f32(&mut found.part.as_chunks_mut().0[half], part);
    }
    found
}

#[inline]
#[target_feature(enable = "avx2")]
fn load_f32(values: &[f32; HALF]) -> __m256 {
    // SAFETY: 8 values of 4 bytes are the 32 bytes that are read.
    unsafe { _mm256_loadu_ps(values.as_ptr()) }
}

#[inline]
#[target_feature(enable = "avx2")]
fn store_f32(values: &mut [f32; HALF], register: __m256) {
    // SAFETY: 8 values of 4 bytes are the 32 bytes that are written.
    unsafe { _mm256_storeu_ps(values.as_mut_ptr(), register) };
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
