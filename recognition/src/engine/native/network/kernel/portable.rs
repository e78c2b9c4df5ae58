//! Plain code, for every processor.
#![allow(clippy::inline_always, reason = "compiled into the operations that use it")]

use super::super::table::{Found, Numbers, Plain, Table};
use super::{Aligned, Kernel, LANES, Lanes, Operation, ROWS, Tile};

/// The kernel of every processor.
#[derive(Debug, Clone, Copy)]
pub(super) struct Portable;

impl Numbers<LANES> for Portable {
    #[inline(always)]
    fn truncate(self, values: &Lanes<f32>) -> Lanes<i32> {
        Plain.truncate(values)
    }

    #[inline(always)]
    fn scale(self, sums: &Lanes<i32>, scales: &Lanes<f32>) -> Lanes<f32> {
        Plain.scale(sums, scales)
    }

    #[inline(always)]
    fn look_up(self, table: &Table, places: &Lanes<f32>) -> Found<LANES> {
        Plain.look_up(table, places)
    }
}

impl Kernel for Portable {
    type Input = i16;
    type Weight = i16;

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

    #[inline(always)]
    fn multiply<const VECTORS: usize>(
        self,
        weights: &[i16],
        start: &[Lanes<i32>; VECTORS],
        inputs: &[i16],
        depth: usize,
    ) -> Tile<VECTORS> {
        let blocks = weights.as_chunks::<{ 2 * LANES }>().0.as_chunks::<VECTORS>().0;
        let mut tile = Aligned([*start; ROWS]);
        for (sums, inputs) in tile.0.iter_mut().zip(inputs.chunks_exact(depth)) {
            // One vector at a time: its sums stay in registers.
            for (vector, sums) in sums.iter_mut().enumerate() {
                let mut lanes = *sums;
                for (pair, weights) in inputs.as_chunks::<2>().0.iter().zip(blocks) {
                    add_products(&mut lanes, &weights[vector], *pair);
                }
                *sums = lanes;
            }
        }
        tile
    }

    fn run<O: Operation<Self>>(self, operation: O) {
        operation.run(self);
    }
}

/// Two inputs times two weights a lane: processors with a 16-bit multiply-and-add have an instruction for it.
#[inline(always)]
fn add_products(sums: &mut Lanes<i32>, weights: &[i16; 2 * LANES], pair: [i16; 2]) {
    let mut inputs = [0; 2 * LANES];
    for lane in 0..LANES {
        (inputs[2 * lane], inputs[2 * lane + 1]) = (pair[0], pair[1]);
    }
    for lane in 0..LANES {
        sums[lane] += i32::from(weights[2 * lane]) * i32::from(inputs[2 * lane])
            + i32::from(weights[2 * lane + 1]) * i32::from(inputs[2 * lane + 1]);
    }
}
