//! The network in plain loops, line by line and layer by layer: what the fast implementation is tested against, and
//! what runs models of single precision.

use std::marker::PhantomData;

use super::super::line::ScaledLine;
use super::super::model::{DenseKind, Matrix, Weights};
use super::activation::{Activations, STATE_MAX, add_lanes, clip, place, softmax};
use super::noise::Noise;
use super::plan::{Axis, Lstm, Operation, Plan};
use super::table::Plain;
use super::{Network, Probabilities, normalise_contrast};

/// The kind of numbers that pass from layer to layer.
pub(super) trait Arithmetic: std::fmt::Debug + Send + Sync + 'static {
    /// An activation.
    type Value: Copy + Default + PartialOrd + std::fmt::Debug + Send + Sync;

    /// From a pixel, about -1 for ink and 1 for paper.
    fn from_pixel(value: f32) -> Self::Value;
    /// The next value of noise.
    fn from_noise(noise: &mut Noise) -> Self::Value;
    /// From an activation function's result.
    fn from_activation(value: f32) -> Self::Value;
    /// One output's sum over `inputs`.
    fn sum(matrix: &Matrix, output: usize, inputs: &[Self::Value]) -> f32;
}

/// Whole numbers of 1/127.
#[derive(Debug)]
pub(super) struct Int8;

impl Arithmetic for Int8 {
    type Value = i8;

    fn from_pixel(value: f32) -> i8 {
        let scaled = 128.0 * value;
        ((scaled + 0.5_f32.copysign(scaled)) as i32).clamp(-127, 127) as i8
    }

    fn from_noise(noise: &mut Noise) -> i8 {
        noise.whole()
    }

    fn from_activation(value: f32) -> i8 {
        plain().quantise(&[value])[0]
    }

    fn sum(matrix: &Matrix, output: usize, inputs: &[i8]) -> f32 {
        let Weights::Int8 { weights, scales } = &matrix.weights else { return 0.0 };
        let row = &weights[output * (matrix.inputs + 1)..][..=matrix.inputs];
        let products: i32 = row.iter().zip(inputs).map(|(&w, &x)| i32::from(w) * i32::from(x)).sum();
        (products + i32::from(row[matrix.inputs]) * 127) as f32 * scales[output]
    }
}

/// Single precision.
#[derive(Debug)]
pub(super) struct Float;

impl Arithmetic for Float {
    type Value = f32;

    fn from_pixel(value: f32) -> f32 {
        value
    }

    fn from_noise(noise: &mut Noise) -> f32 {
        noise.value() as f32
    }

    fn from_activation(value: f32) -> f32 {
        value
    }

    /// Sixteen interleaved sums, so that the compiler may use vectors without changing the result.
    fn sum(matrix: &Matrix, output: usize, inputs: &[f32]) -> f32 {
        let Weights::Float(weights) = &matrix.weights else { return 0.0 };
        let row = &weights[output * (matrix.inputs + 1)..][..=matrix.inputs];
        let (row_blocks, row_rest) = row[..matrix.inputs].as_chunks::<16>();
        let (input_blocks, input_rest) = inputs[..matrix.inputs].as_chunks::<16>();
        let mut lanes = [0.0; 16];
        for (weights, inputs) in row_blocks.iter().zip(input_blocks) {
            for ((lane, weight), input) in lanes.iter_mut().zip(weights).zip(inputs) {
                *lane += weight * input;
            }
        }
        for ((lane, weight), input) in lanes.iter_mut().zip(row_rest).zip(input_rest) {
            *lane += weight * input;
        }
        add_lanes(lanes) + row[matrix.inputs]
    }
}

/// Values at each place of a line: column after column, in each from top to bottom.
#[derive(Debug, Clone)]
struct Grid<V> {
    width: usize,
    height: usize,
    depth: usize,
    values: Vec<V>,
}

impl<V: Copy + Default> Grid<V> {
    fn new(width: usize, height: usize, depth: usize) -> Self {
        Self { width, height, depth, values: vec![V::default(); width * height * depth] }
    }

    fn at(&self, x: usize, y: usize) -> &[V] {
        &self.values[(x * self.height + y) * self.depth..][..self.depth]
    }

    fn at_mut(&mut self, x: usize, y: usize) -> &mut [V] {
        &mut self.values[(x * self.height + y) * self.depth..][..self.depth]
    }
}

/// A network in plain loops.
#[derive(Debug)]
pub(super) struct Reference<A> {
    plan: Plan,
    sample_iteration: i32,
    arithmetic: PhantomData<A>,
}

impl<A: Arithmetic> Network for Reference<A> {
    fn run(&self, lines: &[&ScaledLine]) -> Vec<Probabilities> {
        lines.iter().map(|line| self.run_line(line)).collect()
    }

    fn is_batched(&self) -> bool {
        false
    }
}

impl<A: Arithmetic> Reference<A> {
    pub(super) fn new(plan: Plan, sample_iteration: i32) -> Self {
        Self { plan, sample_iteration, arithmetic: PhantomData }
    }

    fn run_line(&self, line: &ScaledLine) -> Probabilities {
        let mut noise = Noise::new(self.sample_iteration);
        let values = normalise_contrast(line).map(A::from_pixel);
        let mut grid = Grid::new(line.width, line.height, 1);
        for y in 0..line.height {
            for x in 0..line.width {
                grid.at_mut(x, y)[0] = values[usize::from(line.pixels[y * line.width + x])];
            }
        }
        let classes = self.plan.shape.classes;
        let Some((Operation::Dense { matrix, .. }, operations)) = self.plan.operations.split_last() else {
            return Probabilities { classes, values: Vec::new() };
        };
        let grid = run_all::<A>(operations, grid, &mut noise);
        let mut values = Vec::with_capacity(grid.width * classes);
        for x in 0..grid.width {
            let step = values.len();
            values.extend((0..classes).map(|class| A::sum(matrix, class, grid.at(x, 0))));
            softmax(&mut values[step..], classes);
        }
        Probabilities { classes, values }
    }
}

fn run_all<A: Arithmetic>(
    operations: &[Operation],
    input: Grid<A::Value>,
    noise: &mut Noise,
) -> Grid<A::Value> {
    operations.iter().fold(input, |grid, operation| match operation {
        Operation::Convolve { half_width, half_height } => {
            convolve::<A>(&grid, *half_width, *half_height, noise)
        }
        Operation::Pool { width, height } => pool::<A>(&grid, *width, *height),
        Operation::Dense { matrix, kind } => dense::<A>(&grid, matrix, *kind),
        Operation::Lstm(layer) => lstm::<A>(&grid, layer),
        Operation::Parallel(branches) => {
            let outputs: Vec<_> =
                branches.iter().map(|branch| run_all::<A>(branch, grid.clone(), noise)).collect();
            beside(&outputs)
        }
    })
}

/// Row by row, so that the noise comes in Tesseract's order.
fn convolve<A: Arithmetic>(
    input: &Grid<A::Value>,
    half_width: usize,
    half_height: usize,
    noise: &mut Noise,
) -> Grid<A::Value> {
    let (window_width, window_height) = (2 * half_width + 1, 2 * half_height + 1);
    let mut output = Grid::new(input.width, input.height, input.depth * window_width * window_height);
    for y in 0..input.height {
        for x in 0..input.width {
            for (window_x, column) in
                output.at_mut(x, y).chunks_exact_mut(window_height * input.depth).enumerate()
            {
                let source_x = (x + window_x).checked_sub(half_width).filter(|&x| x < input.width);
                for (window_y, values) in column.chunks_exact_mut(input.depth).enumerate() {
                    let source_y = (y + window_y).checked_sub(half_height).filter(|&y| y < input.height);
                    match (source_x, source_y) {
                        (Some(x), Some(y)) => values.copy_from_slice(input.at(x, y)),
                        _ => values.fill_with(|| A::from_noise(noise)),
                    }
                }
            }
        }
    }
    output
}

fn pool<A: Arithmetic>(input: &Grid<A::Value>, width: usize, height: usize) -> Grid<A::Value> {
    let mut output = Grid::new(input.width / width, input.height / height, input.depth);
    for x in 0..output.width {
        for y in 0..output.height {
            output.at_mut(x, y).copy_from_slice(input.at(x * width, y * height));
            for place in 1..width * height {
                let source = input.at(x * width + place / height, y * height + place % height);
                for (largest, &value) in output.at_mut(x, y).iter_mut().zip(source) {
                    if value > *largest {
                        *largest = value;
                    }
                }
            }
        }
    }
    output
}

fn dense<A: Arithmetic>(input: &Grid<A::Value>, matrix: &Matrix, kind: DenseKind) -> Grid<A::Value> {
    let mut output = Grid::new(input.width, input.height, matrix.outputs);
    let places = input.values.chunks_exact(input.depth).zip(output.values.chunks_exact_mut(matrix.outputs));
    for (inputs, outputs) in places {
        for (index, output) in outputs.iter_mut().enumerate() {
            *output = A::from_activation(plain().activate(&[A::sum(matrix, index, inputs)], kind)[0]);
        }
    }
    output
}

/// The state of one row of cells.
#[derive(Clone)]
struct Cells<V> {
    states: Vec<f32>,
    outputs: Vec<V>,
}

fn lstm<A: Arithmetic>(input: &Grid<A::Value>, layer: &Lstm) -> Grid<A::Value> {
    let (steps, rows) = match layer.axis {
        Axis::X => (input.width, input.height),
        Axis::Y => (input.height, input.width),
    };
    let place = |step: usize, row: usize| {
        let (x, y) = if layer.axis == Axis::X { (step, row) } else { (row, step) };
        let x = if layer.from_right { input.width - 1 - x } else { x };
        (x, if layer.from_bottom { input.height - 1 - y } else { y })
    };
    let output_height = if layer.summary { 1 } else { input.height };
    let mut output = Grid::new(input.width, output_height, layer.units);
    let still = Cells { states: vec![0.0; layer.units], outputs: vec![A::Value::default(); layer.units] };
    let mut row_before: Vec<Option<Cells<A::Value>>> = vec![None; steps];
    for row in 0..rows {
        let mut cells = still.clone();
        for (step, across) in row_before.iter_mut().enumerate() {
            let (x, y) = place(step, row);
            let mut inputs = input.at(x, y).to_vec();
            inputs.extend_from_slice(&cells.outputs);
            if layer.is_flat() {
                inputs.extend_from_slice(&across.as_ref().unwrap_or(&still).outputs);
            }
            cells = advance::<A>(layer, &inputs, &cells, across.as_ref());
            if layer.is_flat() {
                *across = Some(cells.clone());
            }
            if !layer.summary {
                output.at_mut(x, y).copy_from_slice(&cells.outputs);
            }
        }
        if layer.summary {
            output.at_mut(place(0, row).0, 0).copy_from_slice(&cells.outputs);
        }
    }
    output
}

fn advance<A: Arithmetic>(
    layer: &Lstm,
    inputs: &[A::Value],
    before: &Cells<A::Value>,
    across: Option<&Cells<A::Value>>,
) -> Cells<A::Value> {
    let sum = |gate: usize, unit: usize| A::sum(&layer.gates[gate], unit, inputs);
    let (states, outputs) = (0..layer.units)
        .map(|unit| {
            let state = before.states[unit];
            if layer.is_flat() {
                let other = across.map(|cells| cells.states[unit]);
                flat_cell(std::array::from_fn(|gate| sum(gate, unit)), state, other)
            } else {
                let gate = |gate: usize| [place(sum(gate, unit))];
                let state = plain().lstm_states(&std::array::from_fn(gate), &[state]);
                (state[0], plain().lstm_outputs(&state, &gate(3))[0])
            }
        })
        .map(|(state, output)| (state, A::from_activation(output)))
        .unzip();
    Cells { states, outputs }
}

/// One step of a cell in two dimensions: whichever forget gate is wider open decides which state is kept. The fifth sum
/// is the other dimension's forget gate's; the other dimension's state is absent in its first row.
fn flat_cell(sums: [f32; 5], state: f32, other_state: Option<f32>) -> (f32, f32) {
    let [input, input_gate, forget_gate, output_gate, other_gate] = sums;
    let sigmoid = |sum: f32| plain().sigmoid(&[sum])[0];
    let tanh = |sum: f32| plain().tanh(&[sum])[0];
    let (forget, other) = (sigmoid(forget_gate), sigmoid(other_gate));
    let kept = match other_state {
        Some(other_state) if other > forget => other * other_state,
        _ => forget * state,
    };
    let state = clip(kept + tanh(input) * sigmoid(input_gate), STATE_MAX);
    (state, tanh(state) * sigmoid(output_gate))
}

fn plain() -> Activations<Plain> {
    Activations::new(Plain)
}

/// Puts the values of equally large grids beside each other.
fn beside<V: Copy + Default>(grids: &[Grid<V>]) -> Grid<V> {
    let (width, height) = grids.first().map_or((0, 0), |grid| (grid.width, grid.height));
    let mut output = Grid::new(width, height, grids.iter().map(|grid| grid.depth).sum());
    for x in 0..width {
        for y in 0..height {
            let mut rest = output.at_mut(x, y);
            for grid in grids {
                let (values, after) = rest.split_at_mut(grid.depth);
                values.copy_from_slice(grid.at(x, y));
                rest = after;
            }
        }
    }
    output
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wider_forget_gate_wins_in_two_dimensions() {
        let (open, shut) = (5.0, -50.0);
        let kept = plain().sigmoid(&[open])[0];
        let (state, _) = flat_cell([0.0, shut, shut, open, open], 3.0, Some(7.0));
        assert!((state - 7.0 * kept).abs() < 1e-5);
        let (state, _) = flat_cell([0.0, shut, open, open, open], 3.0, None);
        assert!((state - 3.0 * kept).abs() < 1e-5);
    }
}
