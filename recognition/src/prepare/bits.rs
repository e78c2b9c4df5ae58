//! A picture of one bit a pixel, 64 pixels a word: what is dark, and shapes of it by whole words.

use super::grey::Grey;

/// Pixels of a word; the first one is its lowest bit.
pub const WORD_PIXELS: usize = 64;

/// Which pixels are set, row after row; bits beyond the width are clear.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bits {
    /// Width in pixels.
    pub width: usize,
    /// Height in pixels.
    pub height: usize,
    words_per_row: usize,
    words: Vec<u64>,
}

impl Bits {
    /// The pixels that are darker than `below`.
    #[must_use]
    pub fn darker(grey: &Grey, below: u8) -> Self {
        let words_per_row = grey.width.div_ceil(WORD_PIXELS);
        let mut words = vec![0; words_per_row * grey.height];
        for (y, words) in words.chunks_exact_mut(words_per_row.max(1)).enumerate() {
            mark_darker(grey.row(y), below, words);
        }
        Self { width: grey.width, height: grey.height, words_per_row, words }
    }

    /// One row's words.
    #[must_use]
    pub fn row(&self, y: usize) -> &[u64] {
        &self.words[y * self.words_per_row..(y + 1) * self.words_per_row]
    }

    /// Number of set pixels.
    #[must_use]
    pub fn count(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Clears what is set in `other`, a picture of the same size.
    pub fn clear(&mut self, other: &Self) {
        self.words.iter_mut().zip(&other.words).for_each(|(word, other)| *word &= !other);
    }

    /// Sets the neighbours left and right of set pixels too, up to `reach` pixels away (less than a word).
    pub fn widen(&mut self, reach: usize) {
        let width = self.width;
        let mut widened = vec![0; self.words_per_row];
        for row in self.words.chunks_exact_mut(self.words_per_row.max(1)) {
            if row.iter().all(|&word| word == 0) {
                continue;
            }
            widened.copy_from_slice(row);
            for step in 1..=reach {
                for (at, word) in widened.iter_mut().enumerate() {
                    *word |= up_by(row, at, step) | down_by(row, at, step);
                }
            }
            clear_beyond(&mut widened, width);
            row.copy_from_slice(&widened);
        }
    }

    /// Sets the neighbours above and below set pixels too, up to `reach` pixels away.
    pub fn heighten(&mut self, reach: usize) {
        let narrow = self.words.clone();
        for step in 1..=reach {
            let skipped = (step * self.words_per_row).min(self.words.len());
            let below = self.words[skipped..].iter_mut().zip(&narrow);
            below.for_each(|(word, &above)| *word |= above);
            let above = self.words.iter_mut().zip(&narrow[skipped..]);
            above.for_each(|(word, &below)| *word |= below);
        }
    }

    /// Keeps only what belongs to runs of at least `length` pixels across.
    pub fn keep_long_across(&mut self, length: usize) {
        let mut starts = vec![0; self.words_per_row];
        for row in self.words.chunks_exact_mut(self.words_per_row.max(1)) {
            starts.copy_from_slice(row);
            for step in doublings(length) {
                // Pixels further on count: in rising order each word still sees its successor unchanged.
                for at in 0..starts.len() {
                    starts[at] &= down_by(&starts, at, step);
                }
            }
            if starts.iter().any(|&word| word != 0) {
                for step in doublings(length) {
                    for at in (0..starts.len()).rev() {
                        starts[at] |= up_by(&starts, at, step);
                    }
                }
            }
            row.copy_from_slice(&starts);
        }
    }

    /// Keeps only what belongs to runs of at least `length` pixels down.
    pub fn keep_long_down(&mut self, length: usize) {
        let count = self.words.len();
        for step in doublings(length) {
            let away = (step * self.words_per_row).min(count);
            for at in 0..count - away {
                self.words[at] &= self.words[at + away];
            }
            self.words[count - away..].fill(0);
        }
        for step in doublings(length) {
            let away = (step * self.words_per_row).min(count);
            for at in (away..count).rev() {
                self.words[at] |= self.words[at - away];
            }
        }
    }
}

/// Steps that add up to `length - 1`, none longer than all before it plus one: shifting by each in turn covers
/// `length` pixels.
fn doublings(length: usize) -> impl Iterator<Item = usize> {
    let mut covered = 1;
    std::iter::from_fn(move || {
        let step = covered.min(length.saturating_sub(covered));
        covered += step;
        (step > 0).then_some(step)
    })
}

/// Word `at` of a row that is moved up by `step` pixels, towards higher columns.
fn up_by(row: &[u64], at: usize, step: usize) -> u64 {
    let (words, bits) = (step / WORD_PIXELS, step % WORD_PIXELS);
    let word = |back: usize| at.checked_sub(back).map_or(0, |at| row[at]);
    let carried = if bits == 0 { 0 } else { word(words + 1) >> (WORD_PIXELS - bits) };
    word(words) << bits | carried
}

/// Word `at` of a row that is moved down by `step` pixels, towards lower columns.
fn down_by(row: &[u64], at: usize, step: usize) -> u64 {
    let (words, bits) = (step / WORD_PIXELS, step % WORD_PIXELS);
    let word = |on: usize| row.get(at + on).copied().unwrap_or(0);
    let carried = if bits == 0 { 0 } else { word(words + 1) << (WORD_PIXELS - bits) };
    word(words) >> bits | carried
}

fn clear_beyond(row: &mut [u64], width: usize) {
    let used = width % WORD_PIXELS;
    if let Some(last) = row.last_mut().filter(|_| used > 0) {
        *last &= (1 << used) - 1;
    }
}

/// Sets the bits of `words` where `row` is darker than `below`; all of them are written.
pub fn mark_darker(row: &[u8], below: u8, words: &mut [u64]) {
    let mut strides = row.chunks_exact(WORD_PIXELS);
    for (stride, word) in strides.by_ref().zip(&mut *words) {
        // Most of a page is paper: one look at all 64 pixels, in vector code.
        let least = stride.iter().fold(u8::MAX, |least, &sample| least.min(sample));
        *word = if least < below { gathered(stride, below) } else { 0 };
    }
    if let Some(word) = words.last_mut().filter(|_| !strides.remainder().is_empty()) {
        *word = 0;
        for (bit, &sample) in strides.remainder().iter().enumerate() {
            *word |= u64::from(sample < below) << bit;
        }
    }
}

/// The bits of one word's pixels.
fn gathered(stride: &[u8], below: u8) -> u64 {
    /// Moves the lowest bit of byte `n` to bit `56 + n`.
    const TO_TOP: u64 = 0x0102_0408_1020_4080;
    let mut flags = [0; WORD_PIXELS];
    for (flag, &sample) in flags.iter_mut().zip(stride) {
        *flag = u8::from(sample < below);
    }
    let (bytes, _) = flags.as_chunks::<8>();
    bytes.iter().enumerate().fold(0, |word, (at, &eight)| {
        word | (u64::from_le_bytes(eight).wrapping_mul(TO_TOP) >> 56) << (8 * at)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Dark where the sum of digits is odd: no two words alike.
    fn picture(width: usize, height: usize) -> Grey {
        let samples =
            (0..width * height).map(|at| if (at * at / 7 + at).count_ones() % 3 == 0 { 20 } else { 200 });
        Grey { width, height, samples: samples.collect() }
    }

    fn is_set(bits: &Bits, x: usize, y: usize) -> bool {
        bits.row(y)[x / WORD_PIXELS] >> (x % WORD_PIXELS) & 1 == 1
    }

    /// Compares with what a rule says of each pixel.
    fn assert_all(bits: &Bits, rule: impl Fn(usize, usize) -> bool) {
        for y in 0..bits.height {
            for x in 0..bits.width {
                assert_eq!(is_set(bits, x, y), rule(x, y), "{x} {y}");
            }
        }
        let set = (0..bits.height).flat_map(|y| (0..bits.width).map(move |x| (x, y)));
        assert_eq!(bits.count(), set.filter(|&(x, y)| rule(x, y)).count(), "nothing beyond the edge");
    }

    #[test]
    fn pixels_are_dark_below_the_threshold_at_any_width() {
        for width in [1, 63, 64, 65, 200] {
            let grey = picture(width, 5);
            assert_all(&Bits::darker(&grey, 20), |_, _| false);
            assert_all(&Bits::darker(&grey, 21), |x, y| grey.row(y)[x] == 20);
        }
        assert_eq!(Bits::darker(&Grey::filled(0, 0, 0), 9).count(), 0);
    }

    #[test]
    fn neighbours_within_reach_are_set() {
        let grey = picture(150, 12);
        let dark = Bits::darker(&grey, 100);
        let mut wide = dark.clone();
        wide.widen(2);
        assert_all(&wide, |x, y| (x.saturating_sub(2)..(x + 3).min(150)).any(|x| is_set(&dark, x, y)));
        let mut high = dark.clone();
        high.heighten(3);
        assert_all(&high, |x, y| (y.saturating_sub(3)..(y + 4).min(12)).any(|y| is_set(&dark, x, y)));
        high.clear(&dark);
        assert_all(&high, |x, y| {
            !is_set(&dark, x, y) && (y.saturating_sub(3)..(y + 4).min(12)).any(|y| is_set(&dark, x, y))
        });
    }

    #[test]
    fn only_long_runs_stay() {
        let mut grey = Grey::filled(300, 200, 255);
        for (left, top, width, height) in [(10, 5, 70, 1), (130, 5, 69, 1), (229, 9, 71, 2), (40, 20, 3, 70)]
        {
            for y in top..top + height {
                grey.row_mut(y)[left..left + width].fill(0);
            }
        }
        let dark = Bits::darker(&grey, 100);
        let mut across = dark.clone();
        across.keep_long_across(70);
        assert_all(&across, |x, y| (y == 5 && (10..80).contains(&x)) || ((9..11).contains(&y) && x >= 229));
        let mut down = dark;
        down.keep_long_down(70);
        assert_all(&down, |x, y| (40..43).contains(&x) && (20..90).contains(&y));
    }
}
