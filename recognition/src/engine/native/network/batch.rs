//! The network over many lines at once, in whole numbers.

use super::super::line::ScaledLine;
use super::super::model::DenseKind;
use super::convolution::Convolution;
use super::dense::Dense;
use super::kernel::{ForKernel, Kernel};
use super::map::{Extent, Map, ZERO};
use super::noise::{LineNoise, NoiseTape};
use super::plan::{Operation, Plan};
use super::pooling::Pooling;
use super::recurrent::Recurrent;
use super::reference::{Arithmetic, Int8};
use super::window::Window;
use super::{Network, Probabilities, normalise_contrast};

/// A network made ready for a kernel.
#[derive(Debug)]
struct Batch<K: Kernel> {
    kernel: K,
    layers: Vec<Layer<K>>,
    last: Dense<K>,
    classes: usize,
    noise: NoiseTape,
}

#[derive(Debug)]
enum Layer<K: Kernel> {
    Convolution(Convolution<K>),
    Pool(Pooling),
    Dense(Dense<K>),
    Recurrent(Recurrent<K>),
    Parallel(Vec<Vec<Layer<K>>>),
}

/// Builds a [`Batch`] for the kernel that is chosen; nothing where a layer is recurrent in two dimensions, or a window without a
/// dense layer, which only the reference implementation knows.
pub(super) struct BatchBuilder<'a> {
    pub(super) plan: &'a Plan,
    pub(super) sample_iteration: i32,
}

impl ForKernel for BatchBuilder<'_> {
    type Output = Option<Box<dyn Network>>;

    fn build<K: Kernel>(self, kernel: K) -> Self::Output {
        let (last, operations) = self.plan.operations.split_last()?;
        let Operation::Dense { matrix, kind } = last else { return None };
        Some(Box::new(Batch {
            kernel,
            layers: compile(operations)?,
            last: Dense::new(matrix, *kind),
            classes: self.plan.shape.classes,
            noise: NoiseTape::new(self.sample_iteration),
        }))
    }
}

fn compile<K: Kernel>(mut operations: &[Operation]) -> Option<Vec<Layer<K>>> {
    let mut layers = Vec::new();
    while let Some((first, rest)) = operations.split_first() {
        let (layer, rest) = match (first, rest) {
            (
                &Operation::Convolve { half_width, half_height },
                [Operation::Dense { matrix, kind }, rest @ ..],
            ) if *kind != DenseKind::Softmax => {
                let window = Window { half_width, half_height };
                let (pooling, rest) = match rest {
                    &[Operation::Pool { width, height }, ref rest @ ..] => (Pooling { width, height }, rest),
                    rest => (Pooling::NONE, rest),
                };
                (Layer::Convolution(Convolution::new(window, matrix, *kind, pooling)), rest)
            }
            // No model has one without a dense layer.
            (Operation::Convolve { .. }, _) => return None,
            (&Operation::Pool { width, height }, rest) => (Layer::Pool(Pooling { width, height }), rest),
            (Operation::Dense { matrix, kind }, rest) => (Layer::Dense(Dense::new(matrix, *kind)), rest),
            (Operation::Lstm(layer), rest) => (Layer::Recurrent(Recurrent::new(layer)?), rest),
            (Operation::Parallel(branches), rest) => {
                let branches = branches.iter().map(|branch| compile(branch)).collect::<Option<_>>()?;
                (Layer::Parallel(branches), rest)
            }
        };
        layers.push(layer);
        operations = rest;
    }
    Some(layers)
}

impl<K: Kernel> Network for Batch<K> {
    fn run(&self, lines: &[&ScaledLine]) -> Vec<Probabilities> {
        let mut noise = vec![self.noise.start(); lines.len()];
        let map = self.run_layers(&self.layers, image(lines), &mut noise);
        map.extents.iter().map(|line| self.probabilities(&map, *line)).collect()
    }

    fn is_batched(&self) -> bool {
        true
    }
}

impl<K: Kernel> Batch<K> {
    fn run_layers(&self, layers: &[Layer<K>], input: Map, noise: &mut [LineNoise<'_>]) -> Map {
        let mut map = input;
        for layer in layers {
            map = self.run_layer(layer, &map, noise);
        }
        map
    }

    fn run_layer(&self, layer: &Layer<K>, map: &Map, noise: &mut [LineNoise<'_>]) -> Map {
        match layer {
            Layer::Convolution(convolution) => convolution.apply(self.kernel, map, noise),
            Layer::Pool(pooling) => pooling.apply(map),
            Layer::Dense(dense) => dense.apply(self.kernel, map),
            Layer::Recurrent(layer) => layer.apply(self.kernel, map),
            Layer::Parallel(branches) => {
                let maps: Vec<Map> =
                    branches.iter().map(|branch| self.run_layers(branch, map.clone(), noise)).collect();
                Map::beside(&maps)
            }
        }
    }

    /// What the last layer says of one line.
    fn probabilities(&self, map: &Map, line: Extent) -> Probabilities {
        Probabilities { classes: self.classes, values: self.last.probabilities(self.kernel, map, line) }
    }
}

/// The lines' pixels, turned so that columns lie one after the other.
fn image(lines: &[&ScaledLine]) -> Map {
    let mut map = Map::new(1, lines.iter().map(|line| (line.width, line.height)));
    for (line, extent) in lines.iter().zip(map.extents.clone()) {
        let bytes = normalise_contrast(line).map(|value| Int8::from_pixel(value).cast_unsigned() ^ ZERO);
        let columns = map.rows_mut(extent.first, extent.len());
        for (y, row) in line.pixels.chunks_exact(line.width).enumerate() {
            for (column, &pixel) in columns.chunks_exact_mut(line.height).zip(row) {
                column[y] = bytes[usize::from(pixel)];
            }
        }
    }
    map
}
