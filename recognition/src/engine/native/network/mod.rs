//! The network: from the pixels of lines to the probabilities of characters at each step along them.

mod activation;
mod batch;
mod convolution;
mod dense;
mod kernel;
mod map;
mod noise;
mod packed;
mod plan;
mod pooling;
mod recurrent;
mod reference;
mod table;
mod window;

use super::line::{ScaledLine, normalise_contrast};
use super::model::{Model, ModelError};
use batch::BatchBuilder;
use kernel::FORCE_VARIABLE;
use plan::{Numbers, Plan};
use reference::{Float, Int8, Reference};

/// A network made ready to run.
pub(super) trait Network: std::fmt::Debug + Send + Sync {
    /// Runs the network on each line on its own, however they are batched.
    fn run(&self, lines: &[&ScaledLine]) -> Vec<Probabilities>;

    /// Whether lines go through it together, in vector instructions where there are any.
    fn is_batched(&self) -> bool;
}

/// What the network says of one line: for each step from left to right the probability of each code.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Probabilities {
    /// Number of codes.
    pub(super) classes: usize,
    /// Step after step.
    pub(super) values: Vec<f32>,
}

impl Probabilities {
    /// The steps, each a slice of one probability a code.
    pub(super) fn steps(&self) -> impl ExactSizeIterator<Item = &[f32]> {
        self.values.chunks_exact(self.classes.max(1))
    }
}

/// What is known of a network before it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shape {
    /// Height of the lines it reads, in pixels.
    pub(super) line_height: usize,
    /// Pixels of a line's width that make one step.
    pub(super) step_width: usize,
    /// Number of codes it tells apart.
    pub(super) classes: usize,
}

/// Makes a model's network ready, for the fastest kernel of this processor or the one that `PAGEMILL_KERNEL` names.
pub(super) fn prepare(model: &Model) -> Result<(Shape, Box<dyn Network>), ModelError> {
    let forced = std::env::var(FORCE_VARIABLE).ok();
    prepare_for(model, forced.as_deref())
}

fn prepare_for(model: &Model, kernel: Option<&str>) -> Result<(Shape, Box<dyn Network>), ModelError> {
    let plan = Plan::new(&model.network)?;
    let (shape, sample_iteration) = (plan.shape, model.sample_iteration);
    let network: Box<dyn Network> = match plan.numbers {
        Numbers::Float => Box::new(Reference::<Float>::new(plan, sample_iteration)),
        Numbers::Int8 => match kernel::choose(kernel, BatchBuilder { plan: &plan, sample_iteration })? {
            Some(network) => network,
            None => Box::new(Reference::<Int8>::new(plan, sample_iteration)),
        },
    };
    Ok((shape, network))
}

#[cfg(test)]
mod tests;
