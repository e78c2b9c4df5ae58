//! AVX-512 with VNNI: 64 products and their sums an instruction.
#![allow(
    unsafe_code,
    reason = "vector loads from checked slices, and calls of functions that need the instructions"
)]
#![allow(clippy::inline_always, reason = "compiled into the operations that use it")]

use std::arch::x86_64::{
    __m512, __m512i, _mm_storeu_si128, _mm512_abs_ps, _mm512_castpd_ps, _mm512_castsi512_si256,
    _mm512_cvtepi32_epi8, _mm512_cvtepi32_ps, _mm512_cvttps_epi32, _mm512_dpbusd_epi32,
    _mm512_extracti64x4_epi64, _mm512_i32gather_pd, _mm512_loadu_ps, _mm512_loadu_si512, _mm512_min_ps,
    _mm512_mul_ps, _mm512_permutex2var_ps, _mm512_reduce_ps, _mm512_set1_epi32, _mm512_set1_ps,
    _mm512_setr_epi32, _mm512_setzero_si512, _mm512_storeu_ps, _mm512_storeu_si512,
};

use super::super::table::{Found, LAST_PLACE, Numbers, Table};
use super::{Inputs, Kernel, LANES, Lanes, Operation, ROWS, Tile};

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
        inputs: Inputs<'_, u8>,
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

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
fn run<O: Operation<Vnni>>(kernel: Vnni, operation: O) {
    operation.run(kernel);
}

/// Kept apart where the compiler lets it be: beside other code an accumulator may not stay in its register.
#[inline(never)]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
fn multiply<const VECTORS: usize>(
    weights: &[i8],
    start: &[Lanes<i32>; VECTORS],
    inputs: Inputs<'_, u8>,
    sums: &mut Tile<VECTORS>,
) {
    assert!(inputs.are_whole(), "a tile of inputs");
    let Inputs { values, strips, strip_stride, depth, row_stride, .. } = inputs;
    let mut accumulators = [[_mm512_setzero_si512(); VECTORS]; ROWS];
    for accumulators in &mut accumulators {
        for (accumulator, start) in accumulators.iter_mut().zip(start) {
            *accumulator = load_i32(start);
        }
    }
    let vectors = weights.as_chunks::<64>().0.as_chunks::<VECTORS>().0;
    for strip in 0..strips {
        let vectors = &vectors[strip * (depth / 4)..][..depth / 4];
        // SAFETY: all strips begin among the values, as asserted.
        let first = unsafe { values.as_ptr().add(strip * strip_stride) };
        for (step, vectors) in vectors.iter().enumerate() {
            let mut weights = [_mm512_setzero_si512(); VECTORS];
            for (weights, vector) in weights.iter_mut().zip(vectors) {
                *weights = load_i8(vector);
            }
            for (row, accumulators) in accumulators.iter_mut().enumerate() {
                // SAFETY: `step` is below depth / 4 and `row` below ROWS: these 4 bytes are among the values,
                // as asserted.
                let four = unsafe { first.add(row * row_stride + 4 * step).cast::<i32>().read_unaligned() };
                let inputs = _mm512_set1_epi32(four);
                for (accumulator, weights) in accumulators.iter_mut().zip(weights) {
                    *accumulator = _mm512_dpbusd_epi32(*accumulator, inputs, weights);
                }
            }
        }
    }
    for (sums, accumulators) in sums.iter_mut().zip(accumulators) {
        for (sums, accumulator) in sums.0.iter_mut().zip(accumulators) {
            store_i32(sums, accumulator);
        }
    }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn truncate(values: &Lanes<f32>) -> Lanes<i8> {
    let mut whole = [0; LANES];
    let bytes = _mm512_cvtepi32_epi8(_mm512_cvttps_epi32(load_f32(values)));
    // SAFETY: 16 bytes are written.
    unsafe { _mm_storeu_si128(whole.as_mut_ptr().cast(), bytes) };
    whole
}

#[inline]
#[target_feature(enable = "avx512f")]
fn scale(sums: &Lanes<i32>, scales: &Lanes<f32>) -> Lanes<f32> {
    let mut values = [0.0; LANES];
    store_f32(&mut values, _mm512_mul_ps(_mm512_cvtepi32_ps(load_i32(sums)), load_f32(scales)));
    values
}

/// For `reduce`: what lies beyond the whole number that is nearer to 0.
const BEYOND_WHOLE: i32 = 0b0011;

/// Fetches each entry as 64 bits.
#[inline]
#[target_feature(enable = "avx512f,avx512dq")]
fn look_up(table: &Table, places: &Lanes<f32>) -> Found<LANES> {
    // Of a place that is no number the minimum is its second argument. (`range` would be one instruction for two, but passes
    // signalling ones on.)
    let places = _mm512_min_ps(_mm512_abs_ps(load_f32(places)), _mm512_set1_ps(LAST_PLACE));
    let entries = _mm512_cvttps_epi32(places);
    let part = _mm512_reduce_ps::<BEYOND_WHOLE>(places);
    let halves = [_mm512_castsi512_si256(entries), _mm512_extracti64x4_epi64::<1>(entries)];
    let pairs = halves.map(|entries| {
        // SAFETY: entries are at most `LAST_PLACE`, the table's last, and not negative.
        _mm512_castpd_ps(unsafe { _mm512_i32gather_pd::<8>(entries, table.as_ptr().cast()) })
    });
    let even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    let odd = _mm512_setr_epi32(1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
    let mut found = Found { value: [0.0; LANES], rise: [0.0; LANES], part: [0.0; LANES] };
    store_f32(&mut found.value, _mm512_permutex2var_ps(pairs[0], even, pairs[1]));
    store_f32(&mut found.rise, _mm512_permutex2var_ps(pairs[0], odd, pairs[1]));
    store_f32(&mut found.part, part);
    found
}

#[inline]
#[target_feature(enable = "avx512f")]
fn load_f32(values: &Lanes<f32>) -> __m512 {
    // SAFETY: 16 values of 4 bytes are the 64 bytes that are read.
    unsafe { _mm512_loadu_ps(values.as_ptr()) }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn store_f32(values: &mut Lanes<f32>, register: __m512) {
    // SAFETY: 16 values of 4 bytes are the 64 bytes that are written.
    unsafe { _mm512_storeu_ps(values.as_mut_ptr(), register) };
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
