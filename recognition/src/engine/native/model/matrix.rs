//! Weight matrices as the network stores them: one row an output, the last column the bias.

use super::ModelError;
use super::bytes::Bytes;

/// Most rows or columns of a matrix: the largest models have 512 units and some 20,000 outputs.
const SIDE_MAX: usize = 1 << 15;

/// Weights from `inputs` values and a bias to `outputs` values.
#[derive(Debug, Clone, PartialEq)]
pub(in super::super) struct Matrix {
    pub(in super::super) outputs: usize,
    /// Without the bias.
    pub(in super::super) inputs: usize,
    pub(in super::super) weights: Weights,
}

/// The numbers of a [`Matrix`], row by row, each row `inputs` weights and the bias.
#[derive(Debug, Clone, PartialEq)]
pub(in super::super) enum Weights {
    /// Whole numbers in -127..=127 and for each row the factor from accumulated products to values, which takes both
    /// operands' scale of 127 into account.
    Int8 { weights: Vec<i8>, scales: Vec<f32> },
    /// Single precision.
    Float(Vec<f32>),
}

/// Bits of a matrix's mode byte.
mod mode {
    /// Whole numbers.
    pub(super) const INT8: u8 = 1;
    /// Trained with Adam: a training file keeps a second matrix of moments.
    pub(super) const ADAM: u8 = 4;
    /// Double precision, and the layout of Tesseract 4.0 and later.
    pub(super) const DOUBLE: u8 = 128;
}

impl Matrix {
    /// Reads a matrix; a layer that is still in training is followed by its updates, which are skipped.
    pub(super) fn read(bytes: &mut Bytes<'_>, training: bool) -> Result<Self, ModelError> {
        let mode = bytes.u8()?;
        match (mode & mode::DOUBLE != 0, mode & mode::INT8 != 0) {
            (true, true) => Self::read_int8(bytes),
            (true, false) => {
                let matrix = Self::read_float(bytes, f64::from_le_bytes)?;
                let extra = if training { 1 + usize::from(mode & mode::ADAM != 0) } else { 0 };
                for _ in 0..extra {
                    Self::read_float(bytes, f64::from_le_bytes)?;
                }
                Ok(matrix)
            }
            (false, false) => {
                let matrix = Self::read_float(bytes, |value: [u8; 4]| f64::from(f32::from_le_bytes(value)))?;
                for _ in 0..if training { 2 } else { 0 } {
                    Self::read_float(bytes, |value: [u8; 4]| f64::from(f32::from_le_bytes(value)))?;
                }
                Ok(matrix)
            }
            (false, true) => Err(ModelError::Unsupported("whole-number weights of before version 4".into())),
        }
    }

    /// Rows and columns with the bias's, after a filler element of `filler` bytes was skipped.
    fn read_sides(bytes: &mut Bytes<'_>, filler: usize) -> Result<(usize, usize), ModelError> {
        let rows = bytes.count("rows of a matrix", SIDE_MAX)?;
        let columns = bytes.count("columns of a matrix", SIDE_MAX)?;
        bytes.take(filler)?;
        if rows == 0 || columns < 2 { Err(ModelError::Malformed("matrix size")) } else { Ok((rows, columns)) }
    }

    fn read_int8(bytes: &mut Bytes<'_>) -> Result<Self, ModelError> {
        let (rows, columns) = Self::read_sides(bytes, 1)?;
        let weights: Vec<i8> =
            bytes.chunks(rows * columns)?.iter().map(|&value| i8::from_le_bytes(value)).collect();
        // The quantiser never writes -128; the kernels may rely on it.
        if weights.contains(&i8::MIN) {
            return Err(ModelError::Malformed("weight"));
        }
        let count = bytes.count("scales of a matrix", SIDE_MAX)?;
        if count < rows {
            return Err(ModelError::Malformed("number of scales"));
        }
        let values = (0..count).map(|_| bytes.f64()).collect::<Result<Vec<_>, _>>()?;
        let scales: Vec<f32> = values.iter().take(rows).map(|value| (value / 127.0) as f32).collect();
        // Pooling accumulators instead of activations needs scales that keep the order.
        if scales.iter().any(|scale| !scale.is_finite() || *scale < 0.0) {
            return Err(ModelError::Malformed("scale"));
        }
        Ok(Self { outputs: rows, inputs: columns - 1, weights: Weights::Int8 { weights, scales } })
    }

    fn read_float<const N: usize>(
        bytes: &mut Bytes<'_>,
        decode: fn([u8; N]) -> f64,
    ) -> Result<Self, ModelError> {
        let (rows, columns) = Self::read_sides(bytes, N)?;
        let weights: Vec<f32> =
            bytes.chunks(rows * columns)?.iter().map(|&value| decode(value) as f32).collect();
        if weights.iter().any(|weight| !weight.is_finite()) {
            return Err(ModelError::Malformed("weight"));
        }
        Ok(Self { outputs: rows, inputs: columns - 1, weights: Weights::Float(weights) })
    }
}
