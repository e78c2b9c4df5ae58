//! The functions that turn sums into activations, for all implementations of the network.
//!
//! Every function is made of additions, multiplications, divisions, comparisons and conversions, all of which
//! IEEE 754 defines to the last bit; Rust never contracts a product and a sum into one operation. So each kernel, which
//! compiles these very functions for its instruction set, gets the same numbers. `exp` of the C library would not do:
//! it differs between systems.
#![allow(clippy::inline_always, reason = "compiled into each kernel's functions for its own instruction set")]

use super::super::model::DenseKind;

/// Cell states stay within ±100, as in Tesseract.
const STATE_MAX: f32 = 100.0;
/// Beyond this both functions are 1 to the last bit.
const ARGUMENT_MAX: f32 = 20.0;
/// Added to a float below 2^22, this makes its lowest bits the nearest whole number: 1.5 · 2^23.
const ROUNDER: f32 = 12_582_912.0;
/// Tesseract's tables have an entry every 1/256.
const TABLE_SCALE: f32 = 256.0;

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

#[inline(always)]
fn clip(value: f32, max: f32) -> f32 {
    let value = if value < max { value } else { max };
    if value > -max { value } else { -max }
}

/// How far Tesseract's tables are from the function at x, as a factor of its second derivative.
///
/// Tesseract looks up both functions in tables and draws straight lines between the entries. A chord over the distance
/// h lies s(1 - s)h²/2 times the second derivative beside the curve, where s is the share of the way. That is at most
/// 10^-6, yet without it more lines come out different somewhere.
#[inline(always)]
fn chord(x: f32) -> f32 {
    let scaled = x * TABLE_SCALE;
    let from_entry = scaled - ((scaled + ROUNDER) - ROUNDER);
    (from_entry.abs() - from_entry * from_entry) * (0.5 / (TABLE_SCALE * TABLE_SCALE))
}

/// The hyperbolic tangent as Tesseract's table has it.
#[inline(always)]
pub(super) fn tanh(x: f32) -> f32 {
    let x = clip(x, ARGUMENT_MAX);
    let e = exp2(x * (-2.0 * std::f32::consts::LOG2_E));
    let t = (1.0 - e) / (1.0 + e);
    // tanh'' = -2 tanh (1 - tanh²).
    t - chord(x) * 2.0 * (t - t * t * t)
}

/// The logistic function 1 / (1 + e^-x) as Tesseract's table has it.
#[inline(always)]
pub(super) fn sigmoid(x: f32) -> f32 {
    let x = clip(x, ARGUMENT_MAX);
    let s = 1.0 / (1.0 + exp2(x * -std::f32::consts::LOG2_E));
    let rest = 1.0 - s;
    // sigmoid'' = sigmoid (1 - sigmoid) (1 - 2 sigmoid).
    s + chord(x) * (s * rest) * (rest - s)
}

/// One step of a cell: from the sums of input, input gate, forget gate and output gate, and the state before, to the
/// state and the output after.
#[inline(always)]
pub(super) fn lstm_cell([input, input_gate, forget_gate, output_gate]: [f32; 4], state: f32) -> (f32, f32) {
    let state = state * sigmoid(forget_gate) + tanh(input) * sigmoid(input_gate);
    let state = clip(state, STATE_MAX);
    (state, tanh(state) * sigmoid(output_gate))
}

/// One step of a cell in two dimensions: whichever forget gate is wider open decides which state is kept. The fifth sum
/// is the other dimension's forget gate's; the other dimension's state is absent in its first row.
#[inline(always)]
pub(super) fn lstm_cell_2d(sums: [f32; 5], state: f32, other_state: Option<f32>) -> (f32, f32) {
    let [input, input_gate, forget_gate, output_gate, other_gate] = sums;
    let (forget, other) = (sigmoid(forget_gate), sigmoid(other_gate));
    let kept = match other_state {
        Some(other_state) if other > forget => other * other_state,
        _ => forget * state,
    };
    let state = clip(kept + tanh(input) * sigmoid(input_gate), STATE_MAX);
    (state, tanh(state) * sigmoid(output_gate))
}

/// A dense layer's activation function; a softmax in the middle of a network passes its sums on.
#[inline(always)]
pub(super) fn activate(sum: f32, kind: DenseKind) -> f32 {
    match kind {
        DenseKind::Logistic => sigmoid(sum),
        DenseKind::Tanh => tanh(sum),
        DenseKind::ClipPositive => sum.clamp(0.0, 1.0),
        DenseKind::ClipSymmetric => sum.clamp(-1.0, 1.0),
        DenseKind::Relu => {
            if sum > 0.0 {
                sum
            } else {
                0.0
            }
        }
        DenseKind::Linear | DenseKind::Softmax => sum,
    }
}

/// An activation as a whole number of 1/127, from a value in -1..=1.
#[inline(always)]
pub(super) fn quantise(value: f32) -> i8 {
    (value * 127.0 + ROUNDER).to_bits() as i8
}

/// Differences to the largest sum are cut here, as in Tesseract: no probability is 0.
const SOFTMAX_MIN: f32 = -86.0;

/// Turns sums into probabilities. The order of the
/// additions is part of the result: sixteen interleaved sums, then halves.
#[inline(always)]
pub(super) fn softmax(sums: &mut [f32]) {
    let largest = largest(sums);
    for sum in sums.iter_mut() {
        let difference = *sum - largest;
        let difference = if difference > SOFTMAX_MIN { difference } else { SOFTMAX_MIN };
        *sum = exp2(difference * std::f32::consts::LOG2_E);
    }
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
    lanes.into_iter().fold(f32::MIN, |largest, lane| if lane > largest { lane } else { largest })
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

/// The sum of sixteen lanes, halves onto halves.
#[inline(always)]
pub(super) fn add_lanes(mut lanes: [f32; 16]) -> f32 {
    for half in [8, 4, 2, 1] {
        let (low, high) = lanes.split_at_mut(half);
        for (low, high) in low.iter_mut().zip(high) {
            *low += *high;
        }
    }
    lanes[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp2_is_accurate_over_its_range() {
        for step in -125_000..125_000 {
            let y = step as f32 / 1000.0;
            let (found, expected) = (f64::from(exp2(y)), f64::from(y).exp2());
            assert!((found / expected - 1.0).abs() < 2e-7, "2^{y} is {expected}, not {found}");
        }
    }

    /// A table with an entry every 1/256 and straight lines between them.
    fn interpolated(function: fn(f64) -> f64, x: f64) -> f64 {
        let scaled = x * 256.0;
        let (below, above) = (function(scaled.floor() / 256.0), function((scaled.floor() + 1.0) / 256.0));
        below + (above - below) * (scaled - scaled.floor())
    }

    #[test]
    fn activations_follow_tables_with_straight_lines_between_the_entries() {
        for step in -60_000..60_000 {
            let x = step as f32 / 4567.0;
            let expected = interpolated(f64::tanh, f64::from(x));
            assert!((f64::from(tanh(x)) - expected).abs() < 2.5e-7, "tanh({x})");
            let expected = interpolated(|x| 1.0 / (1.0 + (-x).exp()), f64::from(x));
            assert!((f64::from(sigmoid(x)) - expected).abs() < 2.5e-7, "sigmoid({x})");
        }
        for huge in [25.0, 1e9, f32::MAX, f32::INFINITY] {
            let found = [tanh(huge), tanh(-huge), sigmoid(huge)].map(f32::to_bits);
            assert_eq!(found, [1.0_f32, -1.0, 1.0].map(f32::to_bits));
            assert!(sigmoid(-huge) < 1e-8);
        }
    }

    #[test]
    fn a_cell_follows_its_definition_and_never_leaves_its_range() {
        let logistic = |x: f64| 1.0 / (1.0 + (-x).exp());
        let values = [-1e30_f32, -60.0, -3.0, -0.2, 0.0, 0.7, 4.0, 50.0, 1e30];
        for &input in &values {
            for &gate in &values {
                for state in [-100.0, -1.0, 0.0, 0.3, 100.0] {
                    let (after, output) = lstm_cell([input, gate, gate, 0.0], state);
                    let open = logistic(f64::from(gate));
                    let expected = f64::from(state) * open + f64::from(input).tanh() * open;
                    let expected = expected.clamp(-100.0, 100.0);
                    assert!((f64::from(after) - expected).abs() < 2e-4, "{input} {gate} {state}: {after}");
                    assert!(
                        (f64::from(output) - expected.tanh() * 0.5).abs() < 1e-4,
                        "{input} {gate} {state}"
                    );
                }
            }
        }
    }

    #[test]
    fn the_wider_forget_gate_wins_in_two_dimensions() {
        let (open, shut) = (5.0, -50.0);
        let (state, _) = lstm_cell_2d([0.0, shut, shut, open, open], 3.0, Some(7.0));
        assert!((state - 7.0 * sigmoid(open)).abs() < 1e-5);
        let (state, _) = lstm_cell_2d([0.0, shut, open, open, open], 3.0, None);
        assert!((state - 3.0 * sigmoid(open)).abs() < 1e-5);
    }

    #[test]
    fn activations_round_to_the_nearest_step() {
        assert_eq!([-1.0, -0.5, 0.0, 0.499, 1.0].map(quantise), [-127, -64, 0, 63, 127]);
    }

    #[test]
    fn probabilities_add_up_to_one() {
        let mut sums: Vec<f32> = (0..269).map(|index| (index as f32 * 0.37).sin() * 30.0).collect();
        softmax(&mut sums);
        let total: f64 = sums.iter().map(|&value| f64::from(value)).sum();
        assert!((total - 1.0).abs() < 1e-5);
    }
}
