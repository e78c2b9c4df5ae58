//! A model's layers as a list of operations whose sizes fit each other.
//!
//! Reversals and transpositions vanish here: they become the direction in which a recurrent layer runs.

use super::super::model::{DenseKind, Layer, Matrix, ModelError, Weights};
use super::Shape;

/// Most values at one column of a line in any layer. Together with the widest line it bounds the memory of a run.
const COLUMN_VALUES_MAX: usize = 1 << 15;

/// A network that is ready to be compiled for a kernel.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) shape: Shape,
    pub(super) numbers: Numbers,
    /// From the image, of depth 1, to the sums of the final softmax.
    pub(super) operations: Vec<Operation>,
}

/// The kind of numbers a network computes with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Numbers {
    /// Weights and activations are whole numbers of 8 bits.
    Int8,
    /// Everything is in single precision.
    Float,
}

/// One layer.
#[derive(Debug, Clone)]
pub(super) enum Operation {
    /// Puts the values around a place beside each other: columns from left to right, in each from top to bottom.
    Convolve { half_width: usize, half_height: usize },
    /// Keeps the maximum of each rectangle; what does not fill one is dropped.
    Pool { width: usize, height: usize },
    /// Every input to every output.
    Dense { matrix: Matrix, kind: DenseKind },
    /// A recurrent layer.
    Lstm(Lstm),
    /// All on the same input, outputs beside each other.
    Parallel(Vec<Vec<Operation>>),
}

/// A recurrent layer and its direction.
#[derive(Debug, Clone)]
pub(super) struct Lstm {
    /// Input, input gate, forget gate, output gate, and in two dimensions the other one's forget gate.
    pub(super) gates: Vec<Matrix>,
    /// Units, which are also the outputs.
    pub(super) units: usize,
    /// Along what it runs first.
    pub(super) axis: Axis,
    /// Whether it starts at the right.
    pub(super) from_right: bool,
    /// Whether it starts at the bottom.
    pub(super) from_bottom: bool,
    /// Whether only the last output along the axis is kept.
    pub(super) summary: bool,
}

impl Lstm {
    /// Whether it also sees the neighbour across its axis.
    pub(super) fn is_flat(&self) -> bool {
        self.gates.len() == 5
    }
}

/// A direction of the image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Axis {
    /// Along lines.
    X,
    /// Across lines.
    Y,
}

/// How the layers inside reversals and transpositions see the image.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct View {
    transposed: bool,
    from_right: bool,
    from_bottom: bool,
}

/// The size of what a layer passes on, at one column.
#[derive(Debug, Clone, Copy)]
struct Column {
    height: usize,
    depth: usize,
    /// Pixels of the image's width that it stands for.
    pixels: usize,
}

impl Plan {
    /// Checks that all sizes fit, from the image to the probabilities.
    pub(super) fn new(network: &Layer) -> Result<Self, ModelError> {
        let Layer::Series(layers) = network else {
            return Err(ModelError::Malformed("network: not a series of layers"));
        };
        let Some((Layer::Input { height, depth }, layers)) = layers.split_first() else {
            return Err(ModelError::Malformed("network: no input"));
        };
        if *height == 0 || *depth != 1 {
            return Err(ModelError::Unsupported("an input other than grey lines of one height".into()));
        }
        let mut planner = Planner { operations: Vec::new(), numbers: None };
        let mut column = Column { height: *height, depth: 1, pixels: 1 };
        for layer in layers {
            column = planner.add(layer, View::default(), column)?;
        }
        let ends_right =
            matches!(planner.operations.last(), Some(Operation::Dense { kind: DenseKind::Softmax, .. }));
        if !ends_right || column.height != 1 {
            return Err(ModelError::Unsupported(
                "a network that does not end with a softmax of one row".into(),
            ));
        }
        let shape = Shape { line_height: *height, step_width: column.pixels, classes: column.depth };
        let numbers = planner.numbers.ok_or(ModelError::Malformed("network: no weights"))?;
        Ok(Self { shape, numbers, operations: planner.operations })
    }
}

struct Planner {
    operations: Vec<Operation>,
    numbers: Option<Numbers>,
}

impl Planner {
    /// Adds a layer that sees columns of the size `input`; returns what it passes on.
    fn add(&mut self, layer: &Layer, view: View, input: Column) -> Result<Column, ModelError> {
        let output = match layer {
            Layer::Input { .. } => return Err(ModelError::Malformed("network: input among the layers")),
            Layer::Series(layers) => {
                return layers.iter().try_fold(input, |column, layer| self.add(layer, view, column));
            }
            Layer::ReversedX(layer) => return self.add(layer, view.reversed(Axis::X), input),
            Layer::ReversedY(layer) => return self.add(layer, view.reversed(Axis::Y), input),
            Layer::Transposed(layer) => {
                return self.add(layer, View { transposed: !view.transposed, ..view }, input);
            }
            Layer::Parallel(branches) => self.add_parallel(branches, view, input)?,
            Layer::Convolve { half_width, half_height } => {
                view.require_upright()?;
                self.operations
                    .push(Operation::Convolve { half_width: *half_width, half_height: *half_height });
                Column { depth: input.depth * (2 * half_width + 1) * (2 * half_height + 1), ..input }
            }
            Layer::Maxpool { width, height } => {
                view.require_upright()?;
                self.operations.push(Operation::Pool { width: *width, height: *height });
                Column { height: input.height / height, pixels: input.pixels * width, ..input }
            }
            Layer::Dense { matrix, kind } => {
                self.check(matrix, input.depth)?;
                self.operations.push(Operation::Dense { matrix: matrix.clone(), kind: *kind });
                Column { depth: matrix.outputs, ..input }
            }
            Layer::Lstm { gates, summary } => self.add_lstm(gates, *summary, view, input)?,
        };
        if output.height == 0 || output.height.saturating_mul(output.depth) > COLUMN_VALUES_MAX {
            return Err(ModelError::Unsupported("a layer of such a size".into()));
        }
        Ok(output)
    }

    fn add_parallel(&mut self, branches: &[Layer], view: View, input: Column) -> Result<Column, ModelError> {
        let mut operations = Vec::new();
        let mut output: Option<Column> = None;
        for branch in branches {
            let mut planner = Self { operations: Vec::new(), numbers: self.numbers };
            let column = planner.add(branch, view, input)?;
            self.numbers = planner.numbers;
            operations.push(planner.operations);
            output = Some(match output {
                None => column,
                Some(sum) if (sum.height, sum.pixels) == (column.height, column.pixels) => {
                    Column { depth: sum.depth + column.depth, ..sum }
                }
                Some(_) => return Err(ModelError::Malformed("network: parallel layers of different sizes")),
            });
        }
        self.operations.push(Operation::Parallel(operations));
        output.ok_or(ModelError::Malformed("network: no parallel layers"))
    }

    fn add_lstm(
        &mut self,
        gates: &[Matrix],
        summary: bool,
        view: View,
        input: Column,
    ) -> Result<Column, ModelError> {
        let units = gates.first().map_or(0, |gate| gate.outputs);
        let seen_outputs = if gates.len() == 5 { 2 * units } else { units };
        for gate in gates {
            self.check(gate, input.depth + seen_outputs)?;
            if gate.outputs != units {
                return Err(ModelError::Malformed("network: gates of different sizes"));
            }
        }
        let axis = if view.transposed { Axis::Y } else { Axis::X };
        if summary && axis == Axis::X {
            return Err(ModelError::Unsupported("a summary along the line".into()));
        }
        self.operations.push(Operation::Lstm(Lstm {
            gates: gates.to_vec(),
            units,
            axis,
            from_right: view.from_right,
            from_bottom: view.from_bottom,
            summary,
        }));
        Ok(Column { height: if summary { 1 } else { input.height }, depth: units, ..input })
    }

    /// A matrix must fit its input and be of the kind of all others.
    fn check(&mut self, matrix: &Matrix, inputs: usize) -> Result<(), ModelError> {
        let numbers = match matrix.weights {
            Weights::Int8 { .. } => Numbers::Int8,
            Weights::Float(_) => Numbers::Float,
        };
        if *self.numbers.get_or_insert(numbers) != numbers {
            return Err(ModelError::Unsupported("weights of several kinds".into()));
        }
        if matrix.inputs == inputs { Ok(()) } else { Err(ModelError::Malformed("network: sizes of layers")) }
    }
}

impl View {
    /// What a layer sees inside a reversal along `axis` of this view.
    fn reversed(self, axis: Axis) -> Self {
        if (axis == Axis::X) == self.transposed {
            Self { from_bottom: !self.from_bottom, ..self }
        } else {
            Self { from_right: !self.from_right, ..self }
        }
    }

    /// Windows are not turned: no known model needs it.
    fn require_upright(self) -> Result<(), ModelError> {
        if self == Self::default() {
            Ok(())
        } else {
            Err(ModelError::Unsupported("a window inside a reversal".into()))
        }
    }
}
