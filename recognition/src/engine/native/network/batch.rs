//! The network over many lines at once, in whole numbers.

use super::super::line::ScaledLine;
use super::super::model::DenseKind;
use super::dense::{Dense, Pooling};
use super::kernel::{ForKernel, Kernel};
use super::map::{Map, ZERO};
use super::noise::Noise;
use super::plan::{Operation, Plan};
use super::recurrent::Recurrent;
use super::reference::{Arithmetic, Int8};
use super::window::{Window, pool};
use super::{Network, Probabilities, normalise_contrast};

/// A network made ready for a kernel.
#[derive(Debug)]
struct Batch<K: Kernel> {
    kernel: K,
    layers: Vec<Layer<K>>,
    last: Dense<K>,
    classes: usize,
    sample_iteration: i32,
}

#[derive(Debug)]
enum Layer<K: Kernel> {
    /// A convolution, a dense layer and pooling in one.
    Convolution(Window, Dense<K>, Pooling),
    Window(Window),
    Pool(Pooling),
    Dense(Dense<K>),
    Recurrent(Recurrent<K>),
    Parallel(Vec<Vec<Layer<K>>>),
}

/// Builds a [`Batch`] for the kernel that is chosen; nothing where a layer is recurrent in two dimensions, which only
/// the reference implementation knows.
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
            sample_iteration: self.sample_iteration,
        }))
    }
}

fn compile<K: Kernel>(mut operations: &[Operation]) -> Option<Vec<Layer<K>>> {
    let mut layers = Vec::new();
    while let Some((first, rest)) = operations.split_first() {
        let (layer, rest) = match (first, rest) {
            (
                &Operation::Convolve { half_width, half_height },
                [Operation::Dense { matrix, kind }, Operation::Pool { width, height }, rest @ ..],
            ) if *kind != DenseKind::Softmax => {
                let pooling = Pooling { width: *width, height: *height };
                (
                    Layer::Convolution(
                        Window { half_width, half_height },
                        Dense::new(matrix, *kind),
                        pooling,
                    ),
                    rest,
                )
            }
            (&Operation::Convolve { half_width, half_height }, rest) => {
                (Layer::Window(Window { half_width, half_height }), rest)
            }
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
        let mut noise = vec![Noise::new(self.sample_iteration); lines.len()];
        let map = self.run_layers(&self.layers, image(lines), &mut noise);
        map.extents
            .iter()
            .map(|extent| Probabilities {
                classes: self.classes,
                values: self.last.probabilities(self.kernel, &map, *extent),
            })
            .collect()
    }

    fn is_batched(&self) -> bool {
        true
    }
}

impl<K: Kernel> Batch<K> {
    /// Line by line: the windows of a whole batch would fill tens of megabytes.
    fn convolve(
        &self,
        window: Window,
        dense: &Dense<K>,
        pooling: Pooling,
        input: &Map,
        noise: &mut [Noise],
    ) -> Map {
        let mut output = dense.pooled_map(input, pooling);
        let mut windows = Map::new(window.depth(input), std::iter::empty());
        for (index, noise) in noise.iter_mut().enumerate() {
            window.apply_to(input, index, noise, &mut windows);
            dense.apply_pooled(self.kernel, &windows, pooling, &mut output, index);
        }
        output
    }

    fn run_layers(&self, layers: &[Layer<K>], input: Map, noise: &mut [Noise]) -> Map {
        layers.iter().fold(input, |map, layer| match layer {
            Layer::Convolution(window, dense, pooling) => {
                self.convolve(*window, dense, *pooling, &map, noise)
            }
            Layer::Window(window) => window.apply(&map, noise),
            Layer::Pool(pooling) => pool(&map, pooling.width, pooling.height),
            Layer::Dense(dense) => dense.apply(self.kernel, &map),
            Layer::Recurrent(layer) => layer.apply(self.kernel, &map),
            Layer::Parallel(branches) => {
                let maps: Vec<Map> =
                    branches.iter().map(|branch| self.run_layers(branch, map.clone(), noise)).collect();
                Map::beside(&maps)
            }
        })
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
