//! One step's codes that are worth following.

use super::super::super::model::Recoder;
use super::CERTAINTY_MIN;

/// Added to every certainty: it gives the dictionary a chance against codes that are almost sure.
const CERTAINTY_OFFSET: f64 = -0.085;
/// e^-20: less likely codes count as impossible.
const PROBABILITY_MIN: f32 = 2.061_153_6e-9;

/// The natural logarithm of a probability on the search's scale.
///
/// The logarithm is the `libm` crate's: the C library's differs between systems.
pub(in super::super) fn certainty(probability: f32) -> f32 {
    let logarithm = if probability > PROBABILITY_MIN { libm::logf(probability) } else { CERTAINTY_MIN };
    (f64::from(logarithm) + CERTAINTY_OFFSET) as f32
}

/// A code and how certain it is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Scored {
    pub(super) code: u16,
    pub(super) certainty: f32,
    /// How certain it is that this step is the code or null.
    pub(super) certainty_with_null: f32,
}

/// The two most likely codes and the null.
#[derive(Debug)]
pub(super) struct Scores {
    codes: [Scored; 3],
    count: usize,
    best: [u16; 2],
    null_certainty: f32,
    pair_certainty: f32,
}

impl Scores {
    pub(super) fn new(step: &[f32], null_code: u16, recoder: &Recoder) -> Self {
        let best = best_two(step);
        let probability = |code: u16| step.get(usize::from(code)).copied().unwrap_or(0.0);
        let null = probability(null_code);
        let null_certainty = certainty(null);
        let score = |code: u16| {
            if code == null_code {
                return Scored { code, certainty: null_certainty, certainty_with_null: null_certainty };
            }
            let probability = probability(code);
            let certainty_with_null = certainty(probability + null);
            Scored { code, certainty: certainty(probability), certainty_with_null }
        };
        let mut codes = [best[0], best[1], null_code];
        codes.sort_by_key(|&code| (recoder.rank_of(code), code));
        // One of the two best may be the null.
        let count = if best.contains(&null_code) { 2 } else { 3 };
        if count == 2 && codes[0] == codes[1] {
            codes.swap(1, 2);
        }
        Self {
            codes: codes.map(score),
            count,
            best,
            null_certainty,
            pair_certainty: certainty(probability(best[0]) + probability(best[1]) + null),
        }
    }

    /// The codes, each once, in the order of the characters.
    pub(super) fn codes(&self) -> &[Scored] {
        &self.codes[..self.count]
    }

    /// The code if it is one of them.
    pub(super) fn code(&self, code: u16) -> Option<&Scored> {
        self.codes().iter().find(|scored| scored.code == code)
    }

    pub(super) fn null_certainty(&self) -> f32 {
        self.null_certainty
    }

    /// Whether these are the two most likely codes.
    pub(super) fn is_best_pair(&self, one: u16, other: u16) -> bool {
        self.best == [one, other] || self.best == [other, one]
    }

    /// How certain it is that this step is one of the two most likely codes or the null.
    pub(super) fn pair_certainty(&self) -> f32 {
        self.pair_certainty
    }
}

/// The two most likely codes; of equal ones the first.
fn best_two(step: &[f32]) -> [u16; 2] {
    let best = position(step, largest(step));
    let (before, after) = (&step[..best], step.get(best + 1..).unwrap_or_default());
    let (largest_before, largest_after) = (largest(before), largest(after));
    let second = if before.is_empty() || largest_after > largest_before {
        best + 1 + position(after, largest_after)
    } else {
        position(before, largest_before)
    };
    // With a single code there is no second one.
    [best as u16, if second < step.len() { second as u16 } else { 0 }]
}

/// The first place of a value that is not smaller; 0 where there is none. Whole blocks are passed over in vector code.
fn position(values: &[f32], wanted: f32) -> usize {
    let holds_none = |block: &&[f32; 16]| block.iter().filter(|&&value| value >= wanted).count() == 0;
    let passed = values.as_chunks().0.iter().take_while(holds_none).count() * 16;
    values[passed..].iter().position(|&value| value >= wanted).map_or(0, |place| passed + place)
}

/// The largest value; in lanes, which become vector code.
fn largest(values: &[f32]) -> f32 {
    let (blocks, rest) = values.as_chunks::<16>();
    let mut lanes = [-1.0_f32; 16];
    for block in blocks {
        for (lane, &value) in lanes.iter_mut().zip(block) {
            *lane = if value > *lane { value } else { *lane };
        }
    }
    lanes.iter().chain(rest).fold(-1.0, |largest, &value| if value > largest { value } else { largest })
}

#[cfg(test)]
mod tests {
    use super::super::super::super::fixture::Random;
    use super::*;

    #[test]
    fn the_two_best_are_the_first_of_equal_ones() {
        let mut random = Random(3);
        for _ in 0..2000 {
            let step: Vec<f32> = (0..2 + random.below(70)).map(|_| random.below(9) as f32 / 8.0).collect();
            let mut order: Vec<usize> = (0..step.len()).collect();
            order.sort_by(|&a, &b| step[b].total_cmp(&step[a]));
            assert_eq!(best_two(&step).map(usize::from), order[..2], "{step:?}");
        }
        assert_eq!(best_two(&[0.5]), [0, 0]);
    }
}
