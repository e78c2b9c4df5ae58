//! Multiplying whole numbers with each instruction set, and the choice among them.
//!
//! A kernel multiplies a tile of rows with packed weights into 32-bit sums, which are exact and so the same
//! everywhere. All else (activations, pooling, softmax) is plain code that each kernel compiles for its instruction
//! set through [`Kernel::run`].
#![allow(clippy::inline_always, reason = "compiled into each kernel's functions for its own instruction set")]

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "aarch64")]
mod neon;
mod portable;
#[cfg(target_arch = "x86_64")]
mod vnni;

use super::super::model::ModelError;
use super::table::Numbers;

/// Rows of a tile.
pub(super) const ROWS: usize = 6;
/// Outputs of a vector of weights.
pub(super) const LANES: usize = 16;

/// One value a lane.
pub(super) type Lanes<T> = [T; LANES];
/// Starts where a line of the cache does: a vector that lies across two lines costs several times as much.
#[derive(Debug, Clone, Copy)]
#[repr(align(64))]
pub(super) struct Aligned<T>(pub(super) T);

/// Where the inputs of a tile's rows stand: a row's inputs are `depth` of each strip, one strip after the other. Strips and rows
/// may lie over each other, as the windows of a convolution do.
#[derive(Debug, Clone, Copy)]
pub(super) struct Inputs<'a, T> {
    /// From the first row's part of the first strip on.
    pub(super) values: &'a [T],
    /// Parts of a row.
    pub(super) strips: usize,
    /// Inputs from a strip to the next one.
    pub(super) strip_stride: usize,
    /// Inputs of a row in each strip, a multiple of 4.
    pub(super) depth: usize,
    /// Inputs from a row to the next one.
    pub(super) row_stride: usize,
    /// How many of the rows matter, if less than a tile has: the other ones' sums may be anything.
    pub(super) rows: usize,
}

impl<'a, T> Inputs<'a, T> {
    /// Rows one after the other.
    #[inline(always)]
    pub(super) fn dense(values: &'a [T], depth: usize, rows: usize) -> Self {
        Self { values, strips: 1, strip_stride: 0, depth, row_stride: depth, rows }
    }

    /// Whether the values reach to the end of a tile's last row.
    #[inline(always)]
    fn are_whole(&self) -> bool {
        let last = self.strips.saturating_sub(1) * self.strip_stride + (ROWS - 1) * self.row_stride;
        self.values.len() >= last + self.depth
    }
}

/// The sums of a tile: rows, and for each its vectors.
pub(super) type Tile<const VECTORS: usize> = [Aligned<[Lanes<i32>; VECTORS]>; ROWS];

/// Room for the sums of a tile.
pub(super) const fn no_sums<const VECTORS: usize>() -> Aligned<[Lanes<i32>; VECTORS]> {
    Aligned([[0; LANES]; VECTORS])
}

/// An instruction set's way to multiply. A value of it exists only where the processor has the instructions.
pub(super) trait Kernel: Numbers<LANES> + std::fmt::Debug + Send + Sync + 'static {
    /// An activation, made ready: a whole number in 1..=255, 128 for zero.
    type Input: Copy + Default + std::fmt::Debug + Send + Sync;
    /// A weight, made ready.
    type Weight: Copy + Default + std::fmt::Debug + Send + Sync;

    /// Makes an activation ready.
    fn input(value: u8) -> Self::Input;

    /// Activations that are ready as they are, where the kernel takes bytes.
    fn ready(_values: &[u8]) -> Option<&[Self::Input]> {
        None
    }

    /// Makes a weight ready.
    fn weight(value: i8) -> Self::Weight;

    /// Where a weight stands among those of its group of `vectors` × [`LANES`] outputs over `depth` inputs.
    fn position(vectors: usize, depth: usize, vector: usize, lane: usize, input: usize) -> usize;

    /// Sums over a tile's rows of inputs, on top of `start`.
    fn multiply<const VECTORS: usize>(
        self,
        weights: &[Self::Weight],
        start: &[Lanes<i32>; VECTORS],
        inputs: Inputs<'_, Self::Input>,
        sums: &mut Tile<VECTORS>,
    );

    /// Runs an operation compiled for the instruction set.
    fn run<O: Operation<Self>>(self, operation: O);
}

/// Work that a kernel compiles for its instruction set; `run` and what it calls must be inlined for that.
pub(super) trait Operation<K: Kernel> {
    /// Does the work.
    fn run(self, kernel: K);
}

/// What is built for whichever kernel is chosen.
pub(super) trait ForKernel {
    /// What it builds.
    type Output;

    /// Builds it for `kernel`.
    fn build<K: Kernel>(self, kernel: K) -> Self::Output;
}

/// The environment variable that forces a kernel, for tests and measurements.
pub(super) const FORCE_VARIABLE: &str = "PAGEMILL_KERNEL";

/// All kernels by name, the fastest first.
const NAMES: [&str; 4] = ["avx512vnni", "avx2", "neon", "portable"];

/// Builds for the fastest kernel of this processor, or for the one that is named.
pub(super) fn choose<B: ForKernel>(forced: Option<&str>, build: B) -> Result<B::Output, ModelError> {
    let wanted = |name: &str| forced.is_none_or(|forced| forced == name);
    #[cfg(target_arch = "x86_64")]
    {
        if let Some(kernel) = vnni::Vnni::detect().filter(|_| wanted(NAMES[0])) {
            return Ok(build.build(kernel));
        }
        if let Some(kernel) = avx2::Avx2::detect().filter(|_| wanted(NAMES[1])) {
            return Ok(build.build(kernel));
        }
    }
    #[cfg(target_arch = "aarch64")]
    if let Some(kernel) = neon::Neon::detect().filter(|_| wanted(NAMES[2])) {
        return Ok(build.build(kernel));
    }
    if wanted(NAMES[3]) {
        return Ok(build.build(portable::Portable));
    }
    let forced = forced.unwrap_or_default();
    Err(ModelError::Unsupported(format!("the kernel {forced:?} ({FORCE_VARIABLE}: one of {NAMES:?})")))
}
