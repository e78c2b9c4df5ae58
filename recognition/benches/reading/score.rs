//! How right a text is: the corpus's own measures.
//!
//! CER and WER: Levenshtein distance over NFC text, white space collapsed, quotes and dashes folded, in percents of the
//! truth's length. `word_f1` ignores order. `cells`: the share of table cells that stand verbatim in the page's text.

use std::collections::HashMap;

use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

use crate::corpus::{Outcome, Page};

/// Errors and lengths, summed over pages.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Rate {
    errors: usize,
    length: usize,
}

impl Rate {
    fn add(&mut self, errors: usize, length: usize) {
        self.errors += errors;
        self.length += length;
    }

    /// Nothing was there to be found.
    pub(crate) fn is_of_nothing(self) -> bool {
        self.length == 0
    }

    /// As percents, or as a count where there is nothing to compare it with.
    pub(crate) fn shown(self) -> String {
        if self.is_of_nothing() {
            format!("{} letters", self.errors)
        } else {
            format!("{:.2} %", self.percent())
        }
    }

    /// Percents; 0 of nothing.
    pub(crate) fn percent(self) -> f64 {
        100.0 * self.errors as f64 / self.length.max(1) as f64
    }
}

/// Everything that is measured of one way to read.
#[derive(Debug, Default)]
pub(crate) struct Score {
    pub(crate) pages: usize,
    pub(crate) cer: Rate,
    pub(crate) cer_plain: Rate,
    pub(crate) cer_tables: Rate,
    pub(crate) cer_no_accents: Rate,
    pub(crate) wer: Rate,
    /// Cells that were not found.
    pub(crate) cells: Rate,
    pub(crate) cpu_seconds: f64,
    pub(crate) memory_mib: f64,
    pub(crate) stages_ms: [u32; 4],
    hits: usize,
    words: usize,
    /// By tenths of confidence from 0: words, those that are right, sum of confidences.
    pub(crate) reliability: [(usize, usize, usize); 21],
}

impl Score {
    pub(crate) fn add(&mut self, page: &Page, outcome: &Outcome) {
        let (truth, text) = (folded(&page.text), folded(&outcome.text));
        let letters = |text: &str| text.chars().collect::<Vec<char>>();
        let (wanted, got) = (letters(&truth), letters(&text));
        let errors = distance(&wanted, &got);
        self.cer.add(errors, wanted.len());
        if page.plain {
            self.cer_plain.add(errors, wanted.len());
        }
        if page.table {
            self.cer_tables.add(errors, wanted.len());
        }
        let (wanted, got) = (letters(&without_accents(&truth)), letters(&without_accents(&text)));
        self.cer_no_accents.add(distance(&wanted, &got), wanted.len());
        let (wanted, got): (Vec<&str>, Vec<&str>) = (truth.split(' ').collect(), text.split(' ').collect());
        self.wer.add(distance(&wanted, &got), wanted.len());
        self.add_words(&wanted, &got, &outcome.words);
        let missing = page.cells.iter().filter(|cell| !text.contains(&folded(cell))).count();
        self.cells.add(missing, page.cells.len());
        self.pages += 1;
        self.cpu_seconds += outcome.cpu_seconds;
        self.memory_mib = self.memory_mib.max(outcome.memory_mib);
        let stages = outcome.stages;
        for (sum, ms) in self.stages_ms.iter_mut().zip([
            stages.prepare_ms,
            stages.orientation_ms,
            stages.layout_ms,
            stages.recognise_ms,
        ]) {
            *sum += ms;
        }
    }

    fn add_words(&mut self, wanted: &[&str], got: &[&str], words: &[(String, u8)]) {
        let mut bag: HashMap<&str, usize> = HashMap::new();
        for word in wanted {
            *bag.entry(word).or_default() += 1;
        }
        let mut rest = bag.clone();
        for (word, confidence) in words {
            let right = rest
                .get_mut(folded(word).as_str())
                .filter(|left| **left > 0)
                .map(|left| *left -= 1)
                .is_some();
            let bin = &mut self.reliability[usize::from(*confidence) / 5];
            bin.0 += 1;
            bin.1 += usize::from(right);
            bin.2 += usize::from(*confidence);
        }
        for word in got {
            if let Some(left) = bag.get_mut(word).filter(|left| **left > 0) {
                *left -= 1;
                self.hits += 1;
            }
        }
        self.words += wanted.len() + got.len();
    }

    pub(crate) fn cpu_per_page(&self) -> f64 {
        self.cpu_seconds / self.pages.max(1) as f64
    }

    pub(crate) fn word_f1(&self) -> f64 {
        200.0 * self.hits as f64 / self.words.max(1) as f64
    }
}

fn folded(text: &str) -> String {
    let plain = text.nfc().filter(|&letter| letter != '\u{ad}').map(|letter| match letter {
        '“' | '”' => '"',
        '‘' | '’' => '\'',
        '–' | '—' => '-',
        other => other,
    });
    plain.collect::<String>().split_whitespace().collect::<Vec<_>>().join(" ")
}

fn without_accents(text: &str) -> String {
    let bare = text.nfd().filter(|&letter| !is_combining_mark(letter));
    bare.map(|letter| {
        if letter == 'đ' {
            'd'
        } else if letter == 'Đ' {
            'D'
        } else {
            letter
        }
    })
    .collect()
}

/// Levenshtein distance.
fn distance<T: PartialEq>(wanted: &[T], got: &[T]) -> usize {
    let mut row: Vec<usize> = (0..=got.len()).collect();
    for (at, one) in wanted.iter().enumerate() {
        let mut corner = row[0];
        row[0] = at + 1;
        for (column, other) in got.iter().enumerate() {
            let change = corner + usize::from(one != other);
            corner = row[column + 1];
            row[column + 1] = change.min(row[column] + 1).min(corner + 1);
        }
    }
    row[got.len()]
}
