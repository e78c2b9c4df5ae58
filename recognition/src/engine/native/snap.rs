//! Boxes of words that lie on their ink. The network knows where characters stand to some pixels along the line, and
//! nothing of their height.

use std::ops::Range;

use super::super::{Span, WordReading};
use crate::prepare::grey::Grey;

/// Moves the edges of words, in order along a line, to the ink between the middles of their first and last characters and
/// their neighbours'. `ink` tells ink from paper, inside `frame`.
pub(super) fn to_ink(words: &mut [WordReading], grey: &Grey, frame: Span, ink: impl Fn(u8) -> bool) {
    let row_has_ink = |y: i32, left: i32, right: i32| {
        grey.row(y as usize)[left as usize..right as usize].iter().any(|&sample| ink(sample))
    };
    let mut column_has_ink = vec![false; frame.width().max(0) as usize];
    for y in frame.top..frame.bottom {
        let row = &grey.row(y as usize)[frame.left as usize..frame.right as usize];
        for (has, &sample) in column_has_ink.iter_mut().zip(row) {
            *has |= ink(sample);
        }
    }
    let is_paper = |x: i32| !column_has_ink[(x - frame.left) as usize];
    let cores: Vec<(i32, i32)> = words.iter().map(core).collect();
    for (index, word) in words.iter_mut().enumerate() {
        let (first, last) = cores[index];
        let left = match index.checked_sub(1) {
            None => (frame.left..first).find(|&x| !is_paper(x)),
            Some(before) => widest_gap(cores[before].1..first, is_paper).map(|gap| gap.end),
        };
        let right = match cores.get(index + 1) {
            None => (last..frame.right).rev().find(|&x| !is_paper(x)).map(|x| x + 1),
            Some(after) => widest_gap(last..after.0, is_paper).map(|gap| gap.start),
        };
        // Without a gap, where letters touch or the paper is dirty, the network's own places stay.
        let (left, right) = (left.unwrap_or(word.bounds.left), right.unwrap_or(word.bounds.right));
        if frame.left <= left && left < right && right <= frame.right {
            let mut rows = (frame.top..frame.bottom).filter(|&y| row_has_ink(y, left, right));
            let top = rows.clone().next().unwrap_or(frame.top);
            let bottom = rows.next_back().map_or(frame.bottom, |y| y + 1);
            word.bounds = Span { left, top, right, bottom };
            hold_characters(word);
        }
    }
}

/// From the middle of a word's first character to that of its last.
fn core(word: &WordReading) -> (i32, i32) {
    let middle = |span: Span| i32::midpoint(span.left, span.right);
    let first = word.characters.first().map_or(word.bounds, |character| character.bounds);
    let last = word.characters.last().map_or(word.bounds, |character| character.bounds);
    (middle(first), middle(last))
}

/// The widest stretch of paper.
fn widest_gap(columns: Range<i32>, is_paper: impl Fn(i32) -> bool) -> Option<Range<i32>> {
    let mut gaps: Vec<Range<i32>> = Vec::new();
    for x in columns.filter(|&x| is_paper(x)) {
        match gaps.last_mut() {
            Some(gap) if gap.end == x => gap.end = x + 1,
            _ => gaps.push(x..x + 1),
        }
    }
    gaps.into_iter().max_by_key(|gap| gap.end - gap.start)
}

/// Characters stay in their word.
fn hold_characters(word: &mut WordReading) {
    let Span { left, top, right, bottom } = word.bounds;
    let count = word.characters.len();
    for (index, character) in word.characters.iter_mut().enumerate() {
        let bounds = &mut character.bounds;
        *bounds = Span {
            left: bounds.left.clamp(left, right),
            right: bounds.right.clamp(left, right),
            top,
            bottom,
        };
        if index == 0 {
            bounds.left = left;
        }
        if index + 1 == count {
            bounds.right = right;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::CharacterReading;
    use super::*;

    /// Bars of ink on paper, each from a column to another, 10 to 30 high.
    fn picture(bars: &[(usize, usize)]) -> Grey {
        let mut grey = Grey::filled(100, 40, 230);
        for y in 10..30 {
            for &(left, right) in bars {
                grey.row_mut(y)[left..right].fill(0);
            }
        }
        grey
    }

    fn word(characters: &[(i32, i32)]) -> WordReading {
        let span = |(left, right): (i32, i32)| Span { left, top: 0, right, bottom: 40 };
        let characters: Vec<CharacterReading> = characters
            .iter()
            .map(|&at| CharacterReading { text: "l".into(), bounds: span(at), confidence: 90.0 })
            .collect();
        let bounds = characters.iter().map(|one| one.bounds).reduce(Span::union).unwrap();
        WordReading { text: "l".repeat(characters.len()), bounds, confidence: 90.0, characters }
    }

    fn snapped(bars: &[(usize, usize)], mut words: Vec<WordReading>) -> Vec<WordReading> {
        let frame = Span { left: 2, top: 1, right: 98, bottom: 39 };
        to_ink(&mut words, &picture(bars), frame, |sample| sample < 140);
        words
    }

    #[test]
    fn words_end_at_the_widest_gap_between_them_and_are_as_high_as_their_ink() {
        // Letters at 10–20 and 23–30, a space, one at 50–60; the network is some pixels off.
        let words =
            snapped(&[(10, 20), (23, 30), (50, 60)], vec![word(&[(6, 21), (21, 36)]), word(&[(44, 64)])]);
        assert_eq!(words[0].bounds, Span { left: 10, top: 10, right: 30, bottom: 30 });
        assert_eq!(words[1].bounds, Span { left: 50, top: 10, right: 60, bottom: 30 });
        let characters: Vec<(i32, i32)> =
            words[0].characters.iter().map(|one| (one.bounds.left, one.bounds.right)).collect();
        assert_eq!(characters, [(10, 21), (21, 30)]);
    }

    #[test]
    fn where_words_touch_the_networks_places_stay() {
        let words = snapped(&[(10, 60)], vec![word(&[(8, 33)]), word(&[(37, 64)])]);
        assert_eq!((words[0].bounds.left, words[0].bounds.right), (10, 33));
        assert_eq!((words[1].bounds.left, words[1].bounds.right), (37, 60));
    }

    #[test]
    fn readings_without_ink_are_left_alone() {
        let before = vec![word(&[(8, 33)])];
        let after = snapped(&[], before.clone());
        assert_eq!((after[0].bounds.left, after[0].bounds.right), (8, 33));
        assert!(snapped(&[(10, 20)], Vec::new()).is_empty());
    }
}
