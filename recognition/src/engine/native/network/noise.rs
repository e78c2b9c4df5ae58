//! What a convolution sees beyond the edge of the image: in Tesseract, and so to the models, pseudo-random noise.

use super::map::ZERO;

/// Tesseract's generator, started anew for every line from a number in the model: C++'s `minstd_rand`, as in
/// Tesseract 5.3. Other versions have other generators, and read some lines differently for it.
#[derive(Debug, Clone)]
pub(super) struct Noise(u64);

/// The generator's modulus, a prime; its numbers lie below it.
const MODULUS: u64 = (1 << 31) - 1;
const MULTIPLIER: u64 = 48_271;

impl Noise {
    /// Starts the generator for a line.
    pub(super) fn new(sample_iteration: i32) -> Self {
        let seed = i64::from(sample_iteration).wrapping_mul(0x1000_0001).cast_unsigned() % MODULUS;
        let mut noise = Self(seed.max(1));
        noise.next();
        noise
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0 * MULTIPLIER % MODULUS;
        self.0
    }

    /// A value in -127..=127, the nearest to 127 times what [`Noise::value`] would give.
    pub(super) fn whole(&mut self) -> i8 {
        (((508 * self.next() + MODULUS) / (2 * MODULUS)) as i16 - 127) as i8
    }

    /// A value in -1..=1.
    pub(super) fn value(&mut self) -> f64 {
        2.0 * self.next() as f64 / f64::from(i32::MAX) - 1.0
    }
}

/// How many numbers of a [`NoiseTape`] are kept: more than a line of three thousand pixels takes.
const TAPE_LENGTH: usize = 1 << 15;

/// The first numbers of a generator, which every line begins with: to make them again for each line took a thirtieth of the
/// network's time.
#[derive(Debug)]
pub(super) struct NoiseTape {
    values: Vec<i8>,
    after: Noise,
}

/// A line's place on a [`NoiseTape`].
#[derive(Debug, Clone)]
pub(super) struct LineNoise<'a> {
    tape: std::slice::Iter<'a, i8>,
    after: Noise,
}

impl NoiseTape {
    pub(super) fn new(sample_iteration: i32) -> Self {
        let mut noise = Noise::new(sample_iteration);
        Self { values: (0..TAPE_LENGTH).map(|_| noise.whole()).collect(), after: noise }
    }

    /// The numbers from the first one on.
    pub(super) fn start(&self) -> LineNoise<'_> {
        LineNoise { tape: self.values.iter(), after: self.after.clone() }
    }
}

impl LineNoise<'_> {
    /// The next number as an activation of a map, with 128 added.
    pub(super) fn next_byte(&mut self) -> u8 {
        self.tape.next().copied().unwrap_or_else(|| self.after.whole()).cast_unsigned() ^ ZERO
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generator_is_minstd() {
        // The C++ standard, [rand.predef]: the 10,000th number after the default seed 1 is 399268537.
        let mut noise = Noise(1);
        let last = (0..10_000).map(|_| noise.next()).last();
        assert_eq!(last, Some(399_268_537));
    }

    #[test]
    fn whole_numbers_are_the_nearest() {
        let (mut whole, mut value) = (Noise::new(77), Noise::new(77));
        for _ in 0..10_000 {
            assert_eq!(i64::from(whole.whole()), (127.0 * value.value()).round() as i64);
        }
    }

    #[test]
    fn a_tape_goes_on_where_it_ends() {
        let (tape, mut noise) = (NoiseTape::new(77), Noise::new(77));
        let mut line = tape.start();
        assert!((0..TAPE_LENGTH + 100).all(|_| line.next_byte() == noise.whole().cast_unsigned() ^ ZERO));
    }

    #[test]
    fn noise_covers_its_range_evenly() {
        let mut noise = Noise::new(2_528_724);
        let values: Vec<f64> = (0..10_000).map(|_| noise.value()).collect();
        assert!(values.iter().all(|value| (-1.0..=1.0).contains(value)));
        assert!((values.iter().sum::<f64>() / 10_000.0).abs() < 0.02);
    }
}
