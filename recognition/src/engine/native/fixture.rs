//! Model files written in code, for the tests.

use super::model::{DenseKind, Layer, Matrix, Weights};

/// A small generator of numbers, so that a test's input follows from its seed.
pub(super) struct Random(pub(super) u64);

impl Random {
    /// A number below `limit`.
    pub(super) fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % limit
    }

    pub(super) fn byte(&mut self) -> u8 {
        self.below(256) as u8
    }
}

/// A matrix of whole numbers.
pub(super) fn int8(random: &mut Random, outputs: usize, inputs: usize) -> Matrix {
    let weights = (0..outputs * (inputs + 1)).map(|_| (random.below(255) as i32 - 127) as i8).collect();
    let scales = (0..outputs).map(|_| (1 + random.below(100)) as f32 * 1e-6).collect();
    Matrix { outputs, inputs, weights: Weights::Int8 { weights, scales } }
}

/// A matrix of single precision.
pub(super) fn float(random: &mut Random, outputs: usize, inputs: usize) -> Matrix {
    let weights = (0..outputs * (inputs + 1)).map(|_| random.below(2001) as f32 / 1000.0 - 1.0).collect();
    Matrix { outputs, inputs, weights: Weights::Float(weights) }
}

/// The layers of Tesseract's own models at other sizes: window, pooling, a summary across, one along, one backwards.
pub(super) fn usual_network(
    random: &mut Random,
    matrix: fn(&mut Random, usize, usize) -> Matrix,
    units: [usize; 3],
    classes: usize,
) -> Layer {
    let mut lstm = |inputs: usize, units: usize, summary: bool| Layer::Lstm {
        gates: (0..4).map(|_| matrix(random, units, inputs + units)).collect(),
        summary,
    };
    let recurrent = vec![
        Layer::Transposed(Box::new(lstm(16, units[0], true))),
        lstm(units[0], units[1], false),
        Layer::ReversedX(Box::new(lstm(units[1], units[2], false))),
    ];
    let window = Layer::Series(vec![
        Layer::Convolve { half_width: 1, half_height: 1 },
        Layer::Dense { matrix: matrix(random, 16, 9), kind: DenseKind::Tanh },
    ]);
    let mut layers =
        vec![Layer::Input { height: 36, depth: 1 }, window, Layer::Maxpool { width: 3, height: 3 }];
    layers.extend(recurrent);
    layers.push(Layer::Dense { matrix: matrix(random, classes, units[2]), kind: DenseKind::Softmax });
    Layer::Series(layers)
}

/// Writes a model file: the network, and a character set of the given characters with one code each, the null last.
pub(super) fn model_file(network: &Layer, characters: &[&str]) -> Vec<u8> {
    let mut lstm = Vec::new();
    write_layer(&mut lstm, network, 1);
    write_text(&mut lstm, "[a specification]");
    for number in [64, 0, 2_528_724, characters.len() as i32] {
        lstm.extend(number.to_le_bytes());
    }
    lstm.extend([0; 12]);
    let mut unicharset = format!("{}\n", characters.len());
    for character in characters {
        let digit = if character.chars().all(char::is_numeric) { 8 } else { 0 };
        let token = if *character == " " { "NULL" } else { character };
        let line = format!("{token} {digit:x} 0,255,0,255,0,0,0,0,0,0 Latin 0 0 0 {token}\n");
        unicharset.push_str(&line);
    }
    let mut recoder = (characters.len() as u32).to_le_bytes().to_vec();
    for code in 0..characters.len() as u32 {
        recoder.push(1);
        recoder.extend([1, code].iter().flat_map(|number| number.to_le_bytes()));
    }
    container(&[(17, lstm), (21, unicharset.into_bytes()), (22, recoder)])
}

/// Writes a container of components by their index.
pub(super) fn container(components: &[(usize, Vec<u8>)]) -> Vec<u8> {
    const COUNT: usize = 24;
    let mut file = (COUNT as u32).to_le_bytes().to_vec();
    let mut offset = 4 + 8 * COUNT;
    for index in 0..COUNT {
        let component = components.iter().find(|(at, _)| *at == index);
        file.extend(component.map_or(-1, |_| offset as i64).to_le_bytes());
        offset += component.map_or(0, |(_, bytes)| bytes.len());
    }
    for (_, bytes) in components {
        file.extend(bytes);
    }
    file
}

fn write_text(bytes: &mut Vec<u8>, text: &str) {
    bytes.extend((text.len() as u32).to_le_bytes());
    bytes.extend(text.as_bytes());
}

/// Writes a layer that sees `inputs` values; returns how many it passes on.
fn write_layer(bytes: &mut Vec<u8>, layer: &Layer, inputs: usize) -> usize {
    let name = match layer {
        Layer::Input { .. } => "Input",
        Layer::Convolve { .. } => "Convolve",
        Layer::Maxpool { .. } => "Maxpool",
        Layer::Dense { kind: DenseKind::Softmax, .. } => "Softmax",
        Layer::Dense { kind: DenseKind::Tanh, .. } => "Tanh",
        Layer::Dense { kind: DenseKind::Relu, .. } => "Relu",
        Layer::Dense { .. } => "Logistic",
        Layer::Lstm { summary: true, .. } => "SummLSTM",
        Layer::Lstm { .. } => "LSTM",
        Layer::Series(_) => "Series",
        Layer::Parallel(_) => "Parallel",
        Layer::ReversedX(_) => "RTLReversed",
        Layer::ReversedY(_) => "TTBReversed",
        Layer::Transposed(_) => "XYTranspose",
    };
    bytes.push(0);
    write_text(bytes, name);
    bytes.extend([0, 0]);
    for number in [0, inputs as i32, 0, 0] {
        bytes.extend(number.to_le_bytes());
    }
    write_text(bytes, "");
    let mut numbers = |values: &[usize]| {
        bytes.extend(values.iter().flat_map(|&value| (value as i32).to_le_bytes()));
    };
    match layer {
        Layer::Input { height, depth } => numbers(&[1, *height, 0, *depth, 0]),
        Layer::Convolve { half_width, half_height } => {
            numbers(&[*half_width, *half_height]);
            return inputs * (2 * half_width + 1) * (2 * half_height + 1);
        }
        Layer::Maxpool { width, height } => numbers(&[*width, *height]),
        Layer::Dense { matrix, .. } => {
            write_matrix(bytes, matrix);
            return matrix.outputs;
        }
        Layer::Lstm { gates, .. } => {
            numbers(&[gates[0].inputs]);
            for gate in gates {
                write_matrix(bytes, gate);
            }
            return gates[0].outputs;
        }
        Layer::Series(layers) => {
            numbers(&[layers.len()]);
            return layers.iter().fold(inputs, |inputs, layer| write_layer(bytes, layer, inputs));
        }
        Layer::Parallel(layers) => {
            numbers(&[layers.len()]);
            return layers.iter().map(|layer| write_layer(bytes, layer, inputs)).sum();
        }
        Layer::ReversedX(layer) | Layer::ReversedY(layer) | Layer::Transposed(layer) => {
            numbers(&[1]);
            return write_layer(bytes, layer, inputs);
        }
    }
    inputs
}

fn write_matrix(bytes: &mut Vec<u8>, matrix: &Matrix) {
    bytes.push(if matches!(matrix.weights, Weights::Int8 { .. }) { 129 } else { 128 });
    bytes
        .extend([matrix.outputs as u32, matrix.inputs as u32 + 1].iter().flat_map(|side| side.to_le_bytes()));
    match &matrix.weights {
        Weights::Int8 { weights, scales } => {
            bytes.push(0);
            bytes.extend(weights.iter().map(|weight| weight.cast_unsigned()));
            bytes.extend((scales.len() as u32).to_le_bytes());
            bytes.extend(scales.iter().flat_map(|&scale| (f64::from(scale) * 127.0).to_le_bytes()));
        }
        Weights::Float(weights) => {
            bytes.extend([0; 8]);
            bytes.extend(weights.iter().flat_map(|&weight| f64::from(weight).to_le_bytes()));
        }
    }
}
