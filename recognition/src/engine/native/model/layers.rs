//! The network's layers as the file nests them.

use super::bytes::Bytes;
use super::{Matrix, ModelError};

/// A layer, or a group of layers.
#[derive(Debug, Clone, PartialEq)]
pub(in super::super) enum Layer {
    /// The image: rows and channels; a height of 0 means any.
    Input { height: usize, depth: usize },
    /// Puts the values around a place beside each other, column by column.
    Convolve { half_width: usize, half_height: usize },
    /// Keeps the maximum of each rectangle.
    Maxpool { width: usize, height: usize },
    /// Every input to every output.
    Dense { matrix: Matrix, kind: DenseKind },
    /// A recurrent layer along x. Gates in the file's order: input, input gate, forget gate, output gate, and for two
    /// dimensions the forget gate of the other one.
    Lstm { gates: Vec<Matrix>, summary: bool },
    /// One after the other.
    Series(Vec<Layer>),
    /// All on the same input, outputs beside each other.
    Parallel(Vec<Layer>),
    /// Its layer sees the image mirrored left to right.
    ReversedX(Box<Layer>),
    /// Its layer sees the image upside down.
    ReversedY(Box<Layer>),
    /// Its layer sees rows as columns.
    Transposed(Box<Layer>),
}

/// What a dense layer does with its sums.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum DenseKind {
    /// 1 / (1 + e^-x).
    Logistic,
    /// Cut to 0..=1.
    ClipPositive,
    /// Cut to -1..=1.
    ClipSymmetric,
    /// Hyperbolic tangent.
    Tanh,
    /// Nothing below 0.
    Relu,
    /// As it is.
    Linear,
    /// Probabilities that add up to 1.
    Softmax,
}

/// Deepest nesting of layers; Tesseract's models have four.
const NESTING_MAX: usize = 16;
/// Most layers in one group.
const CHILDREN_MAX: usize = 64;
/// Largest half side of a convolution's window, and largest side of a pooling rectangle.
const WINDOW_MAX: i32 = 15;
/// Tallest line image and most channels a model may ask for.
const INPUT_SIDE_MAX: i32 = 256;

/// A flag: the group is followed by a learning rate for each layer.
const LAYER_RATES: i32 = 64;
/// The training state in which a layer keeps its updates in the file.
const IN_TRAINING: u8 = 1;

/// Reads a layer with all that it holds.
pub(super) fn parse_network(bytes: &mut Bytes<'_>) -> Result<Layer, ModelError> {
    read_layer(bytes, NESTING_MAX)
}

/// What every layer starts with, as far as it is needed.
struct Header {
    type_name: String,
    training: bool,
    flags: i32,
    inputs: i32,
}

impl Header {
    fn read(bytes: &mut Bytes<'_>) -> Result<Self, ModelError> {
        if bytes.u8()? != 0 {
            return Err(ModelError::Unsupported("numbered layer types of before version 4".into()));
        }
        let type_name = bytes.text()?;
        let training = bytes.u8()? == IN_TRAINING;
        let _back_propagation = bytes.u8()?;
        let flags = bytes.i32()?;
        let inputs = bytes.i32()?;
        let _outputs = bytes.i32()?;
        let _weights = bytes.i32()?;
        let _name = bytes.text()?;
        Ok(Self { type_name, training, flags, inputs })
    }
}

fn read_layer(bytes: &mut Bytes<'_>, nesting_left: usize) -> Result<Layer, ModelError> {
    let Some(nesting_left) = nesting_left.checked_sub(1) else {
        return Err(ModelError::TooMany { what: "nested layers", found: NESTING_MAX + 1, max: NESTING_MAX });
    };
    let header = Header::read(bytes)?;
    let dense = |kind, bytes: &mut Bytes<'_>| {
        Ok(Layer::Dense { matrix: Matrix::read(bytes, header.training)?, kind })
    };
    let one_child = |bytes: &mut Bytes<'_>| {
        let mut children = read_children(bytes, header.flags, nesting_left)?;
        match (children.pop(), children.is_empty()) {
            (Some(child), true) => Ok(Box::new(child)),
            _ => Err(ModelError::Malformed("number of layers in a reversal")),
        }
    };
    match header.type_name.as_str() {
        "Input" => read_input(bytes),
        "Convolve" => {
            let (half_width, half_height) = (window(bytes, 0)?, window(bytes, 0)?);
            Ok(Layer::Convolve { half_width, half_height })
        }
        "Maxpool" => Ok(Layer::Maxpool { width: window(bytes, 1)?, height: window(bytes, 1)? }),
        "LSTM" | "SummLSTM" => read_lstm(bytes, &header),
        "Series" => Ok(Layer::Series(read_children(bytes, header.flags, nesting_left)?)),
        "Parallel" | "Replicated" | "ParBidiLSTM" | "DepParUDLSTM" | "Par2dLSTM" => {
            Ok(Layer::Parallel(read_children(bytes, header.flags, nesting_left)?))
        }
        "RTLReversed" => Ok(Layer::ReversedX(one_child(bytes)?)),
        "TTBReversed" => Ok(Layer::ReversedY(one_child(bytes)?)),
        "XYTranspose" => Ok(Layer::Transposed(one_child(bytes)?)),
        "Logistic" => dense(DenseKind::Logistic, bytes),
        "LinLogistic" => dense(DenseKind::ClipPositive, bytes),
        "LinTanh" => dense(DenseKind::ClipSymmetric, bytes),
        "Tanh" => dense(DenseKind::Tanh, bytes),
        "Relu" => dense(DenseKind::Relu, bytes),
        "Linear" => dense(DenseKind::Linear, bytes),
        "Softmax" => dense(DenseKind::Softmax, bytes),
        other => Err(ModelError::Unsupported(format!("a layer of type {other:?}"))),
    }
}

fn read_children(bytes: &mut Bytes<'_>, flags: i32, nesting_left: usize) -> Result<Vec<Layer>, ModelError> {
    let count = bytes.count("layers in a group", CHILDREN_MAX)?;
    let children = (0..count).map(|_| read_layer(bytes, nesting_left)).collect();
    if flags & LAYER_RATES != 0 {
        let rates = bytes.count("learning rates", CHILDREN_MAX)?;
        bytes.chunks::<4>(rates)?;
    }
    children
}

fn read_input(bytes: &mut Bytes<'_>) -> Result<Layer, ModelError> {
    let _batch = bytes.i32()?;
    let (height, _width, depth) = (bytes.i32()?, bytes.i32()?, bytes.i32()?);
    let _loss = bytes.i32()?;
    if !(0..=INPUT_SIDE_MAX).contains(&height) || !(1..=INPUT_SIDE_MAX).contains(&depth) {
        return Err(ModelError::Malformed("input size"));
    }
    Ok(Layer::Input { height: height as usize, depth: depth as usize })
}

fn read_lstm(bytes: &mut Bytes<'_>, header: &Header) -> Result<Layer, ModelError> {
    let all_inputs = i64::from(bytes.i32()?);
    let first = Matrix::read(bytes, header.training)?;
    // Each cell sees the layer's input and its own outputs, in two dimensions those of both.
    let flat = all_inputs == i64::from(header.inputs) + 2 * first.outputs as i64;
    let gate_count = if flat { 5 } else { 4 };
    let mut gates = vec![first];
    for _ in 1..gate_count {
        gates.push(Matrix::read(bytes, header.training)?);
    }
    Ok(Layer::Lstm { gates, summary: header.type_name == "SummLSTM" })
}

fn window(bytes: &mut Bytes<'_>, min: i32) -> Result<usize, ModelError> {
    let side = bytes.i32()?;
    if (min..=WINDOW_MAX).contains(&side) {
        Ok(side as usize)
    } else {
        Err(ModelError::Malformed("window size"))
    }
}
