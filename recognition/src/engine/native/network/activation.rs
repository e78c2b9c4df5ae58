//! The functions that turn sums into activations, for all implementations of the network.
//!
//! Every function is made of additions, multiplications, divisions, comparisons and conversions, all of which
//! IEEE 754 defines to the last bit, and of table look-ups; Rust never contracts a product and a sum into one operation.
//! So each kernel, which compiles these very functions for its instruction set, gets the same numbers, and they are
//! Tesseract's. `exp` of the C library would not do: it differs between systems.
#![allow(clippy::inline_always, reason = "compiled into each kernel's functions for its own instruction set")]

use super::super::model::DenseKind;
use super::table::{Numbers, PLACES_PER_UNIT, TABLES, Tables};

/// Cell states stay within ±100, as in Tesseract.
pub(super) const STATE_MAX: f32 = 100.0;
/// Added to a float below 2^22, this makes its lowest bits the nearest whole number: 1.5 · 2^23.
const ROUNDER: f32 = 12_582_912.0;

/// The activation functions, with a kernel's way to look them up.
#[derive(Debug, Clone, Copy)]
pub(super) struct Activations<K> {
    numbers: K,
    tables: &'static Tables,
}

impl<K> Activations<K> {
    pub(super) fn new(numbers: K) -> Self {
        Self { numbers, tables: &TABLES }
    }

    /// Sums times scales: the values that the functions are of.
    #[inline(always)]
    pub(super) fn scale<const N: usize>(self, sums: &[i32; N], scales: &[f32; N]) -> [f32; N]
    where
        K: Numbers<N>,
    {
        self.numbers.scale(sums, scales)
    }

    /// The hyperbolic tangent.
    #[inline(always)]
    pub(super) fn tanh<const N: usize>(self, x: &[f32; N]) -> [f32; N]
    where
        K: Numbers<N>,
    {
        self.tanh_at(&x.map(place))
    }

    /// The logistic function 1 / (1 + e^-x).
    #[inline(always)]
    pub(super) fn sigmoid<const N: usize>(self, x: &[f32; N]) -> [f32; N]
    where
        K: Numbers<N>,
    {
        self.sigmoid_at(&x.map(place))
    }

    #[inline(always)]
    fn tanh_at<const N: usize>(self, places: &[f32; N]) -> [f32; N]
    where
        K: Numbers<N>,
    {
        let values = self.numbers.look_up(&self.tables.tanh, places).values();
        std::array::from_fn(|lane| values[lane].copysign(places[lane]))
    }

    #[inline(always)]
    fn sigmoid_at<const N: usize>(self, places: &[f32; N]) -> [f32; N]
    where
        K: Numbers<N>,
    {
        let values = self.numbers.look_up(&self.tables.logistic, places).values();
        std::array::from_fn(|lane| if places[lane] < 0.0 { 1.0 - values[lane] } else { values[lane] })
    }

    /// One step of cells' states: from the sums of input, input gate and forget gate, as [`place`]s, and the states before.
    #[inline(always)]
    pub(super) fn lstm_states<const N: usize>(self, sums: &[[f32; N]; 3], before: &[f32; N]) -> [f32; N]
    where
        K: Numbers<N>,
    {
        let [input, input_gate, forget_gate] = sums;
        let (input, input_gate) = (self.tanh_at(input), self.sigmoid_at(input_gate));
        let forget_gate = self.sigmoid_at(forget_gate);
        std::array::from_fn(|lane| {
            clip(before[lane] * forget_gate[lane] + input[lane] * input_gate[lane], STATE_MAX)
        })
    }

    /// What cells put out: from their states and the sums of the output gate, as [`place`]s.
    #[inline(always)]
    pub(super) fn lstm_outputs<const N: usize>(self, states: &[f32; N], output_gate: &[f32; N]) -> [f32; N]
    where
        K: Numbers<N>,
    {
        let (outputs, output_gate) = (self.tanh(states), self.sigmoid_at(output_gate));
        std::array::from_fn(|lane| outputs[lane] * output_gate[lane])
    }

    /// A dense layer's activation function; a softmax in the middle of a network passes its sums on.
    #[inline(always)]
    pub(super) fn activate<const N: usize>(self, sums: &[f32; N], kind: DenseKind) -> [f32; N]
    where
        K: Numbers<N>,
    {
        match kind {
            DenseKind::Logistic => self.sigmoid(sums),
            DenseKind::Tanh => self.tanh(sums),
            DenseKind::ClipPositive => sums.map(|sum| sum.clamp(0.0, 1.0)),
            DenseKind::ClipSymmetric => sums.map(|sum| clip(sum, 1.0)),
            DenseKind::Relu => sums.map(|sum| if sum > 0.0 { sum } else { 0.0 }),
            DenseKind::Linear | DenseKind::Softmax => *sums,
        }
    }

    /// Activations as whole numbers of 1/127, halves away from zero; beyond ±1 they are cut off.
    #[inline(always)]
    pub(super) fn quantise<const N: usize>(self, values: &[f32; N]) -> [i8; N]
    where
        K: Numbers<N>,
    {
        self.quantise_unit(&values.map(|value| clip(value, 1.0)))
    }

    /// As [`Self::quantise`], of values within ±1: those of cells and of the functions that are looked up.
    #[inline(always)]
    pub(super) fn quantise_unit<const N: usize>(self, values: &[f32; N]) -> [i8; N]
    where
        K: Numbers<N>,
    {
        let rounded = values.map(|value| {
            let scaled = value * 127.0;
            scaled + 0.5_f32.copysign(scaled)
        });
        self.numbers.truncate(&rounded)
    }
}

/// Where the functions of `x` stand in their tables: a power of two away, so that a scale may be multiplied in its stead, with
/// the same result to the last bit.
#[inline(always)]
pub(super) fn place(x: f32) -> f32 {
    x * PLACES_PER_UNIT
}

/// Within ±`max`.
#[inline(always)]
pub(super) fn clip(value: f32, max: f32) -> f32 {
    let value = if value < max { value } else { max };
    if value > -max { value } else { -max }
}

/// 2^y for y from -126 to 126; relative error below 10^-7.
#[inline(always)]
fn exp2(y: f32) -> f32 {
    let rounded = y + ROUNDER;
    let f = y - (rounded - ROUNDER);
    // Minimax polynomial of 2^f on [-0.5, 0.5] with 2^0 = 1 kept exact.
    let p = 1.559_467_8e-4;
    let p = p * f + 1.340_664_4e-3;
    let p = p * f + 9.617_693e-3;
    let p = p * f + 5.550_310_5e-2;
    let p = p * f + 2.402_265_3e-1;
    let p = p * f + 6.931_472e-1;
    let p = p * f + 1.0;
    f32::from_bits(p.to_bits().wrapping_add(rounded.to_bits() << 23))
}

/// Differences to the largest sum are cut here, as in Tesseract: no probability is 0.
const SOFTMAX_MIN: f32 = -86.0;

/// Turns the first `classes` sums into probabilities; what follows them is room, so that there may be whole vectors. The order of the
/// additions is part of the result: sixteen interleaved sums, then halves.
#[inline(always)]
pub(super) fn softmax(sums: &mut [f32], classes: usize) {
    sums[classes..].fill(f32::MIN);
    let largest = largest(sums);
    for sum in sums.iter_mut() {
        let difference = *sum - largest;
        let difference = if difference > SOFTMAX_MIN { difference } else { SOFTMAX_MIN };
        *sum = exp2(difference * std::f32::consts::LOG2_E);
    }
    sums[classes..].fill(0.0);
    let factor = 1.0 / total(sums);
    for value in sums {
        *value *= factor;
    }
}

/// The largest value; in lanes, as vector code needs it.
#[inline(always)]
fn largest(values: &[f32]) -> f32 {
    let mut lanes = [f32::MIN; 16];
    let (blocks, rest) = values.as_chunks::<16>();
    for block in blocks {
        for (lane, &value) in lanes.iter_mut().zip(block) {
            *lane = if value > *lane { value } else { *lane };
        }
    }
    for (lane, &value) in lanes.iter_mut().zip(rest) {
        *lane = if value > *lane { value } else { *lane };
    }
    fold_halves(lanes, |low, high| if high > low { high } else { low })
}

#[inline(always)]
fn total(values: &[f32]) -> f32 {
    let mut lanes = [0.0_f32; 16];
    let (blocks, rest) = values.as_chunks::<16>();
    for block in blocks {
        for (lane, value) in lanes.iter_mut().zip(block) {
            *lane += value;
        }
    }
    for (lane, value) in lanes.iter_mut().zip(rest) {
        *lane += value;
    }
    add_lanes(lanes)
}

/// Sixteen lanes joined, halves with halves.
#[inline(always)]
fn fold_halves(lanes: [f32; 16], join: impl Fn(f32, f32) -> f32) -> f32 {
    let eight: [f32; 8] = std::array::from_fn(|lane| join(lanes[lane], lanes[lane + 8]));
    let four: [f32; 4] = std::array::from_fn(|lane| join(eight[lane], eight[lane + 4]));
    join(join(four[0], four[2]), join(four[1], four[3]))
}

/// The sum of sixteen lanes, halves onto halves.
#[inline(always)]
pub(super) fn add_lanes(lanes: [f32; 16]) -> f32 {
    fold_halves(lanes, |low, high| low + high)
}

#[cfg(test)]
mod tests {
    use super::super::table::Plain;
    use super::*;

    fn activations() -> Activations<Plain> {
        Activations::new(Plain)
    }

    #[test]
    fn exp2_is_accurate_over_its_range() {
        for step in -125_000..125_000 {
            let y = step as f32 / 1000.0;
            let (found, expected) = (f64::from(exp2(y)), f64::from(y).exp2());
            assert!((found / expected - 1.0).abs() < 2e-7, "2^{y} is {expected}, not {found}");
        }
    }

    #[test]
    fn functions_follow_their_definitions_on_both_sides_of_zero() {
        for step in -60_000..60_000 {
            let x = step as f32 / 4567.0;
            let exact = f64::from(x);
            assert!((f64::from(activations().tanh(&[x])[0]) - exact.tanh()).abs() < 2e-6, "tanh({x})");
            let expected = 1.0 / (1.0 + (-exact).exp());
            assert!((f64::from(activations().sigmoid(&[x])[0]) - expected).abs() < 1e-6, "sigmoid({x})");
        }
        for huge in [25.0, 1e9, f32::MAX, f32::INFINITY] {
            let bits = |values: [f32; 2]| values.map(f32::to_bits);
            assert_eq!(bits(activations().tanh(&[huge, -huge])), bits([1.0, -1.0]));
            assert_eq!(bits(activations().sigmoid(&[huge, -huge])), bits([1.0, 0.0]));
        }
    }

    #[test]
    fn a_cell_follows_its_definition_and_never_leaves_its_range() {
        let logistic = |x: f64| 1.0 / (1.0 + (-x).exp());
        let values = [-1e30_f32, -60.0, -3.0, -0.2, 0.0, 0.7, 4.0, 50.0, 1e30];
        for &input in &values {
            for &gate in &values {
                for state in [-100.0, -1.0, 0.0, 0.3, 100.0] {
                    let after =
                        activations().lstm_states(&[[place(input)], [place(gate)], [place(gate)]], &[state]);
                    let [output] = activations().lstm_outputs(&after, &[0.0]);
                    let open = logistic(f64::from(gate));
                    let expected = f64::from(state) * open + f64::from(input).tanh() * open;
                    let expected = expected.clamp(-100.0, 100.0);
                    assert!(
                        (f64::from(after[0]) - expected).abs() < 2e-4,
                        "{input} {gate} {state}: {after:?}"
                    );
                    assert!(
                        (f64::from(output) - expected.tanh() * 0.5).abs() < 1e-4,
                        "{input} {gate} {state}"
                    );
                }
            }
        }
    }

    #[test]
    fn activations_round_to_the_nearest_step_and_halves_away_from_zero() {
        let half = 0.5 / 127.0;
        let values = [-7.0, -1.0, -0.5, 0.0, 0.499, 1.0, 3.0, half, -half];
        assert_eq!(activations().quantise(&values), [-127, -127, -64, 0, 63, 127, 127, 1, -1]);
    }

    #[test]
    fn probabilities_add_up_to_one() {
        let mut sums: Vec<f32> = (0..269).map(|index| (index as f32 * 0.37).sin() * 30.0).collect();
        let classes = sums.len();
        softmax(&mut sums, classes);
        let total: f64 = sums.iter().map(|&value| f64::from(value)).sum();
        assert!((total - 1.0).abs() < 1e-5);
    }
}
