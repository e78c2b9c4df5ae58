//! What a convolution sees beyond the edge of the image: in Tesseract, and so to the models, pseudo-random noise.

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
    fn noise_covers_its_range_evenly() {
        let mut noise = Noise::new(2_528_724);
        let values: Vec<f64> = (0..10_000).map(|_| noise.value()).collect();
        assert!(values.iter().all(|value| (-1.0..=1.0).contains(value)));
        assert!((values.iter().sum::<f64>() / 10_000.0).abs() < 0.02);
    }
}
