//! Tesseract's tables of the hyperbolic tangent and the logistic function.
//!
//! Tesseract looks both functions up in tables with an entry every 1/256 and draws straight lines between the entries, in
//! single precision. A deviation of a single bit here turns an eight-bit activation elsewhere on the line, and with it a
//! letter now and then: the tables are Tesseract's to the bit.
#![allow(clippy::inline_always, reason = "compiled into each kernel's functions for its own instruction set")]

use std::sync::LazyLock;

/// Entries for each unit of the argument.
pub(super) const PLACES_PER_UNIT: f32 = 256.0;
/// From this place on both functions are 1 for Tesseract.
pub(super) const LAST_PLACE: f32 = 4095.0;

/// One entry. A kernel fetches both numbers as one of 64 bits.
#[derive(Debug, Clone, Copy, PartialEq)]
#[repr(C, align(8))]
pub(super) struct Entry {
    /// The function's value at this place.
    pub(super) value: f32,
    /// By how much the next entry's is more.
    pub(super) rise: f32,
}

/// The values of a function at places 0, 1/256, 2/256, …
pub(super) type Table = [Entry; LAST_PLACE as usize + 1];

/// Both functions' tables.
#[derive(Debug)]
pub(super) struct Tables {
    pub(super) tanh: Table,
    pub(super) logistic: Table,
}

/// The tables. The functions are the `libm` crate's: the C library's differ between systems.
pub(super) static TABLES: LazyLock<Tables> =
    LazyLock::new(|| Tables { tanh: table(libm::tanh), logistic: table(|x| 1.0 / (1.0 + libm::exp(-x))) });

fn table(function: impl Fn(f64) -> f64) -> Table {
    let value = |entry: usize| function(entry as f64 / f64::from(PLACES_PER_UNIT)) as f32;
    std::array::from_fn(|entry| {
        if entry == LAST_PLACE as usize {
            Entry { value: 1.0, rise: 0.0 }
        } else {
            Entry { value: value(entry), rise: value(entry + 1) - value(entry) }
        }
    })
}

/// What a table holds around some places.
#[derive(Debug, Clone, Copy)]
pub(super) struct Found<const N: usize> {
    /// The entries' values at or before each place.
    pub(super) value: [f32; N],
    /// What lies between them and the next ones.
    pub(super) rise: [f32; N],
    /// The share of the way from the one to the other.
    pub(super) part: [f32; N],
}

impl<const N: usize> Found<N> {
    /// The values on the straight lines between the entries.
    #[inline(always)]
    pub(super) fn values(&self) -> [f32; N] {
        std::array::from_fn(|lane| self.value[lane] + self.rise[lane] * self.part[lane])
    }
}

/// What kernels do in ways of their own, each with the same result, on `N` numbers at a time.
pub(super) trait Numbers<const N: usize>: Copy {
    /// Whole numbers, rounded towards zero; all values lie within ±128.
    fn truncate(self, values: &[f32; N]) -> [i8; N];

    /// Sums times scales.
    fn scale(self, sums: &[i32; N], scales: &[f32; N]) -> [f32; N];

    /// What `table` holds around the distances of `places` from 0. From [`LAST_PLACE`] on, and where a place is no number,
    /// that is the last entry.
    fn look_up(self, table: &Table, places: &[f32; N]) -> Found<N>;
}

/// Plain code.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plain;

impl<const N: usize> Numbers<N> for Plain {
    #[inline(always)]
    fn truncate(self, values: &[f32; N]) -> [i8; N] {
        values.map(|value| value as i8)
    }

    #[inline(always)]
    fn scale(self, sums: &[i32; N], scales: &[f32; N]) -> [f32; N] {
        std::array::from_fn(|lane| sums[lane] as f32 * scales[lane])
    }

    #[inline(always)]
    fn look_up(self, table: &Table, places: &[f32; N]) -> Found<N> {
        let places = within(places);
        found_at(table, &places, &places.map(|place| place as i32))
    }
}

/// Distances from 0, none beyond [`LAST_PLACE`].
#[inline(always)]
pub(super) fn within<const N: usize>(places: &[f32; N]) -> [f32; N] {
    places.map(|place| if place.abs() < LAST_PLACE { place.abs() } else { LAST_PLACE })
}

/// What `table` holds around places that [`within`] gave, of which `entries` are the whole numbers.
#[inline(always)]
pub(super) fn found_at<const N: usize>(table: &Table, places: &[f32; N], entries: &[i32; N]) -> Found<N> {
    let mut found = Found { value: [0.0; N], rise: [0.0; N], part: [0.0; N] };
    for (lane, &entry) in entries.iter().enumerate() {
        let Entry { value, rise } = table[(entry as usize).min(LAST_PLACE as usize)];
        (found.value[lane], found.rise[lane]) = (value, rise);
        found.part[lane] = places[lane] - entry as f32;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(table: &Table, x: f32) -> f32 {
        Plain.look_up(table, &[x * PLACES_PER_UNIT]).values()[0]
    }

    #[test]
    fn entries_are_the_functions_values_and_lines_join_them() {
        for (table, function) in [
            (&TABLES.tanh, f64::tanh as fn(f64) -> f64),
            (&TABLES.logistic, |x: f64| 1.0 / (1.0 + (-x).exp())),
        ] {
            for entry in 0..4094 {
                let x = entry as f32 / 256.0;
                let (here, next) = (function(f64::from(x)), function(f64::from(x) + 1.0 / 256.0));
                assert!((f64::from(value(table, x)) - here).abs() < 6e-8, "{x}");
                let middle = f64::from(value(table, x + 0.5 / 256.0));
                assert!((middle - f64::midpoint(here, next)).abs() < 1.2e-7, "{x}");
            }
        }
    }

    #[test]
    fn beyond_the_table_both_are_one() {
        for x in [4095.0 / 256.0, 16.0, 1e9, f32::MAX, f32::INFINITY, f32::NAN] {
            assert_eq!(
                [&TABLES.tanh, &TABLES.logistic].map(|table| value(table, x).to_bits()),
                [1.0_f32.to_bits(); 2]
            );
        }
        // Just before, the entry is still the function's.
        assert!(value(&TABLES.logistic, 4094.9 / 256.0) < 1.0);
    }

    #[test]
    fn values_never_fall() {
        for table in [&TABLES.tanh, &TABLES.logistic] {
            let values: Vec<f32> = (0..200_000).map(|step| value(table, step as f32 / 12_000.0)).collect();
            assert!(values.is_sorted());
        }
    }
}
