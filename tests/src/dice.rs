//! Numbers that look random and are the same each time.
#![allow(clippy::print_stdout, reason = "a failure can be had again by what is printed here")]

use std::ops::Range;
use std::time::Duration;

/// Throws numbers from a seed.
pub struct Dice(u64);

impl Dice {
    /// From the seed in `PAGEMILL_SEED`, else from this one; says from which, so that a failure can be had again.
    pub fn new(seed: u64) -> Self {
        let seed = std::env::var("PAGEMILL_SEED").map_or(seed, |seed| seed.parse().unwrap());
        println!("seed: PAGEMILL_SEED={seed}");
        Self(seed)
    }

    /// The next number of that range.
    pub fn number(&mut self, range: Range<u64>) -> u64 {
        // Knuth's MMIX constants; the low bits are the weak ones.
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        range.start + (self.0 >> 33) % (range.end - range.start)
    }

    /// Sleeps for so many milliseconds, or fewer.
    pub fn sleep(&mut self, milliseconds: Range<u64>) {
        let moment = self.number(milliseconds);
        println!("after {moment} ms");
        std::thread::sleep(Duration::from_millis(moment));
    }
}
