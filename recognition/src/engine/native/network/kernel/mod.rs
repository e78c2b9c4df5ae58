//! Multiplying whole numbers with each instruction set, and the choice among them.
//!
//! A kernel multiplies a tile of rows with packed weights into 32-bit sums, which are exact and so the same
//! everywhere. All else (activations, pooling, softmax) is plain code that each kernel compiles for its instruction
//! set through [`Kernel::run`].

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

/// The sums of a tile: rows, and for each its vectors.
pub(super) type Tile<const VECTORS: usize> = Aligned<[[Lanes<i32>; VECTORS]; ROWS]>;

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

    /// Sums over [`ROWS`] rows of `depth` inputs each (a multiple of 4), on top of `start`.
    fn multiply<const VECTORS: usize>(
        self,
        weights: &[Self::Weight],
        start: &[Lanes<i32>; VECTORS],
        inputs: &[Self::Input],
        depth: usize,
    ) -> Tile<VECTORS>;

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
