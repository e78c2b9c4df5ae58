//! The other side's print, shining through thin paper: pale marks that no dark print is near go, where there are many.

use super::GROUND;
use super::bits::{Bits, WORD_PIXELS};
use super::grey::Grey;

/// Paper lets at most so much of the other side's ink through that it stays lighter than this part of the ground, in
/// percents. Print that is paler is hardly read anyway.
const PALE_PERCENT: u32 = 68;

/// Marks are darker than this part of the ground, in percents: noise stays above.
const MARK_PERCENT: u32 = 92;

/// Print and what belongs to it: its blurred edge reaches so far, in pixels.
const EDGE: usize = 2;

/// Gate: pale marks away from print cover so much of what print covers, in percents. Clean pages stay far below; a page
/// that is pale as a whole has no print by this measure and is left alone.
const GATE_PERCENT: usize = 30;

/// Removes show-through from a page whose paper was brought to [`GROUND`], where the page has some.
pub fn remove(grey: &mut Grey) {
    let below = |percent: u32| (u32::from(GROUND) * percent / 100) as u8;
    let mut near_print = Bits::darker(grey, below(PALE_PERCENT));
    let print = near_print.count();
    near_print.widen(EDGE);
    near_print.heighten(EDGE);
    let mut pale = Bits::darker(grey, below(MARK_PERCENT));
    pale.clear(&near_print);
    if print == 0 || pale.count() * 100 < print * GATE_PERCENT {
        return;
    }
    for y in 0..grey.height {
        for (samples, &near) in grey.row_mut(y).chunks_mut(WORD_PIXELS).zip(near_print.row(y)) {
            for (bit, sample) in samples.iter_mut().enumerate() {
                if near >> bit & 1 == 0 {
                    *sample = (*sample).max(GROUND);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(grey: &mut Grey, shade: u8, offset: usize) {
        for line in 0..10 {
            for letter in 0..30 {
                for y in 0..14 {
                    let left = 20 + letter * 14 + offset / 2;
                    let row = grey.row_mut(20 + line * 28 + y + offset);
                    for sample in &mut row[left..left + 4] {
                        *sample = (*sample).min(shade);
                    }
                }
            }
        }
    }

    #[test]
    fn it_goes_where_print_is_darker_and_stays_where_all_is_pale() {
        let mut grey = Grey::filled(500, 320, GROUND);
        lines(&mut grey, 40, 0);
        let clean = grey.clone();
        lines(&mut grey, 180, 14);
        remove(&mut grey);
        let differing = grey.samples.iter().zip(&clean.samples).filter(|(one, other)| one != other).count();
        let pale = 10 * 30 * 14 * 4;
        assert!(differing * 100 < pale * 15, "{differing}");
        let mut pale_page = Grey::filled(500, 320, GROUND);
        lines(&mut pale_page, 180, 0);
        let before = pale_page.clone();
        remove(&mut pale_page);
        assert_eq!(pale_page, before);
    }
}
