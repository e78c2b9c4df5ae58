//! Recurrent layers over many sequences at once.
#![allow(clippy::inline_always, reason = "compiled into each kernel's functions for its own instruction set")]

use super::activation::{Activations, place};
use super::kernel::{Aligned, Inputs, Kernel, LANES, Lanes, Operation, ROWS, no_sums};
use super::map::{Map, ZERO};
use super::packed::Packed;
use super::plan::{Axis, Lstm};

/// Sequences that run side by side: enough to read the weights from memory once for many, few enough for their states
/// to stay in the cache.
const SEQUENCES_AT_ONCE: usize = 8 * ROWS;

/// A recurrent layer made ready for a kernel.
#[derive(Debug)]
pub(super) struct Recurrent<K: Kernel> {
    gates: Packed<K, 4>,
    units: usize,
    axis: Axis,
    backwards: bool,
    summary: bool,
}

/// The places that a layer visits one after the other, as rows of its maps.
#[derive(Debug, Clone, Copy)]
struct Sequence {
    input: usize,
    output: usize,
    /// Rows from place to place.
    step: isize,
    length: usize,
}

impl<K: Kernel> Recurrent<K> {
    /// Makes a layer ready; `None` for one of two dimensions.
    pub(super) fn new(layer: &Lstm) -> Option<Self> {
        Some(Self {
            gates: Packed::gates(&layer.gates, layer.units, place(1.0))?,
            units: layer.units,
            axis: layer.axis,
            backwards: if layer.axis == Axis::X { layer.from_right } else { layer.from_bottom },
            summary: layer.summary,
        })
    }

    /// Runs the layer over a batch.
    pub(super) fn apply(&self, kernel: K, input: &Map) -> Map {
        let height = |height: usize| if self.summary { 1 } else { height };
        let sizes = input.extents.iter().map(|extent| (extent.width, height(extent.height)));
        let mut output = Map::new(self.units, sizes);
        let mut sequences = self.sequences(input, &output);
        sequences.sort_by_key(|sequence| std::cmp::Reverse(sequence.length));
        for sequences in sequences.chunks(SEQUENCES_AT_ONCE) {
            kernel.run(Pass { layer: self, input, output: &mut output, sequences });
        }
        output
    }

    fn sequences(&self, input: &Map, output: &Map) -> Vec<Sequence> {
        let mut sequences = Vec::new();
        for (source, target) in input.extents.iter().zip(&output.extents) {
            let (count, length, step) = match self.axis {
                Axis::X => (source.height, source.width, source.height as isize),
                Axis::Y => (source.width, source.height, 1),
            };
            let start = if self.backwards { length.saturating_sub(1) } else { 0 };
            let step = if self.backwards { -step } else { step };
            for index in 0..if length == 0 { 0 } else { count } {
                let (x, y) = if self.axis == Axis::X { (start, index) } else { (index, start) };
                let output = if self.summary { target.row(index, 0) } else { target.row(x, y) };
                sequences.push(Sequence { input: source.row(x, y), output, step, length });
            }
        }
        sequences
    }
}

/// Some sequences, longest first.
struct Pass<'a, K: Kernel> {
    layer: &'a Recurrent<K>,
    input: &'a Map,
    output: &'a mut Map,
    sequences: &'a [Sequence],
}

impl<K: Kernel> Operation<K> for Pass<'_, K> {
    /// At each step the sequences that have not ended are a prefix; the last tile's other rows run along unused.
    #[inline(always)]
    fn run(self, kernel: K) {
        let Self { layer, input, output, sequences } = self;
        let activations = Activations::new(kernel);
        let (depth, groups) = (layer.gates.depth, layer.gates.groups());
        let rows = sequences.len().next_multiple_of(ROWS);
        // A row of inputs: the layer's input at this step, then its own outputs of the step before.
        let mut inputs = vec![K::input(ZERO); rows * depth];
        let mut states = vec![Aligned([0.0; LANES]); rows * groups.len()];
        let mut sums = [no_sums(); ROWS];
        let mut outputs = vec![[ZERO; LANES]; rows * groups.len()];
        let longest = sequences.first().map_or(0, |sequence| sequence.length);
        let mut active = sequences.len();
        for step in 0..longest {
            active -= sequences[..active].iter().rev().take_while(|sequence| sequence.length <= step).count();
            for (sequence, inputs) in sequences[..active].iter().zip(inputs.chunks_exact_mut(depth)) {
                let row = sequence.input.wrapping_add_signed(sequence.step * step as isize);
                stage::<K>(input.row(row), inputs);
            }
            for (index, group) in groups.iter().enumerate() {
                for first in (0..active).step_by(ROWS) {
                    let rows = active - first;
                    let tile = Inputs::dense(&inputs[first * depth..], depth, rows);
                    kernel.multiply(group.weights(), &group.start, tile, &mut sums);
                    let cells = |row: usize| (first + row) * groups.len() + index;
                    // In two rounds: each row's long chain of look-ups and products then overlaps with the next row's.
                    for (row, Aligned(sums)) in sums.iter().enumerate().take(rows) {
                        let states = &mut states[cells(row)].0;
                        *states = next_states(activations, sums, &group.scales, states);
                    }
                    for (row, Aligned([.., output_gate])) in sums.iter().enumerate().take(rows) {
                        let output_gate = activations.scale(output_gate, &group.scales[3]);
                        let values = activations.lstm_outputs(&states[cells(row)].0, &output_gate);
                        outputs[cells(row)] =
                            activations.quantise_unit(&values).map(|value| value.cast_unsigned() ^ ZERO);
                    }
                }
            }
            let results = outputs.chunks_exact(groups.len()).zip(inputs.chunks_exact_mut(depth));
            for (sequence, (result, inputs)) in sequences[..active].iter().zip(results) {
                let result = &result.as_flattened()[..layer.units];
                stage::<K>(result, &mut inputs[input.depth..]);
                if !layer.summary {
                    let row = sequence.output.wrapping_add_signed(sequence.step * step as isize);
                    output.row_mut(row).copy_from_slice(result);
                } else if step + 1 == sequence.length {
                    output.row_mut(sequence.output).copy_from_slice(result);
                }
            }
        }
    }
}

/// Activations as a kernel takes them: as they are, or made ready in `buffer`.
#[inline(always)]
pub(super) fn ready<'a, K: Kernel>(values: &'a [u8], buffer: &'a mut Vec<K::Input>) -> &'a [K::Input] {
    if let Some(values) = K::ready(values) {
        return values;
    }
    buffer.resize(values.len(), K::input(ZERO));
    stage::<K>(values, buffer);
    buffer
}

/// Makes activations ready for a kernel; in blocks, which are single instructions.
#[inline(always)]
pub(super) fn stage<K: Kernel>(values: &[u8], inputs: &mut [K::Input]) {
    let (value_blocks, values) = values.as_chunks::<LANES>();
    let (inputs, rest) = inputs.split_at_mut(value_blocks.len() * LANES);
    for (inputs, values) in inputs.as_chunks_mut::<LANES>().0.iter_mut().zip(value_blocks) {
        *inputs = values.map(|value| K::input(value));
    }
    for (input, &value) in rest.iter_mut().zip(values) {
        *input = K::input(value);
    }
}

/// The states of a group's cells after one step.
#[inline(always)]
fn next_states<K: Kernel>(
    activations: Activations<K>,
    sums: &[Lanes<i32>; 4],
    scales: &[Lanes<f32>; 4],
    before: &Lanes<f32>,
) -> Lanes<f32> {
    activations.lstm_states(&[0, 1, 2].map(|gate| activations.scale(&sums[gate], &scales[gate])), before)
}
