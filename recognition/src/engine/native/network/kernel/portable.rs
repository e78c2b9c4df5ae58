//! Plain code, for every processor.
#![allow(clippy::inline_always, reason = "compiled into the operations that use it")]

use super::{Kernel, LANES, Lanes, Operation, Tile};

/// The kernel of every processor.
#[derive(Debug, Clone, Copy)]
pub(super) struct Portable;

impl Kernel for Portable {
    type Input = i16;
    type Weight = i16;

    const INPUT_STEP: usize = 2;

    #[inline(always)]
    fn input(value: u8) -> i16 {
        i16::from(value)
    }

    fn weight(value: i8) -> i16 {
        i16::from(value)
    }

    fn position(vectors: usize, _depth: usize, vector: usize, lane: usize, input: usize) -> usize {
        (((input / 2) * vectors + vector) * LANES + lane) * 2 + input % 2
    }

    /// Pairs of inputs with pairs of weights: compilers know this pattern and use 16-bit multiply-and-add for it.
    #[inline(always)]
    fn multiply<const VECTORS: usize>(
        self,
        weights: &[i16],
        start: &[Lanes<i32>; VECTORS],
        inputs: &[i16],
        depth: usize,
        sums: &mut Tile<VECTORS>,
    ) {
        for (sums, inputs) in sums.iter_mut().zip(inputs.chunks_exact(depth)) {
            for vector in 0..VECTORS {
                let mut lanes = start[vector];
                let blocks = weights.as_chunks::<{ 2 * LANES }>().0.iter().skip(vector).step_by(VECTORS);
                for (pair, weights) in inputs.as_chunks::<2>().0.iter().zip(blocks) {
                    let mut pairs = [0; 2 * LANES];
                    for place in pairs.as_chunks_mut::<2>().0 {
                        *place = *pair;
                    }
                    for lane in 0..LANES {
                        lanes[lane] += i32::from(weights[2 * lane]) * i32::from(pairs[2 * lane])
                            + i32::from(weights[2 * lane + 1]) * i32::from(pairs[2 * lane + 1]);
                    }
                }
                sums[vector] = lanes;
            }
        }
    }

    fn run<O: Operation<Self>>(self, operation: O) {
        operation.run(self);
    }
}
