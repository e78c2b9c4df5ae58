//! Which bytes of a large source each of its pages needs, so that nobody fetches the whole for a few of them.
//!
//! The bulk of each page (the coded samples of its images) is told by page. All else is *shared*: headers, tables, fonts,
//! the dictionaries between the images. Whoever holds the shared bytes and the bulk of a page can read that page.

use serde::{Deserialize, Serialize};

use crate::hash::ContentHash;

/// Ranges of one map: a child keeps each of its holes apart, and the kernel bounds how many there may be (65,530 mappings a
/// process, two for each hole).
pub const MAP_RANGES_MAX: usize = 20_000;

/// Bytes that all pages share; they are part of the map, and each worker fetches them.
pub const SHARED_BYTES_MAX: u64 = 16 << 20;

/// The shared bytes are at most this part of the source: else the map gains little.
const SHARED_PART_MAX: u64 = 4;

/// A range of a source's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ByteRange {
    /// The first byte.
    pub offset: u64,
    /// How many.
    pub length: u64,
}

/// Which bytes of a source its pages need.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceMap {
    /// Size of the source.
    pub bytes: u64,
    /// The bulk of each page, in the order of the pages.
    pub pages: Vec<PageBytes>,
}

/// The bulk of one page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageBytes {
    /// Where it stands, ascending; pages may share ranges.
    pub ranges: Vec<ByteRange>,
    /// The hash of these bytes, one range after the other.
    pub hash: ContentHash,
}

impl ByteRange {
    /// The byte behind the last one.
    #[must_use]
    pub const fn end(self) -> u64 {
        self.offset.saturating_add(self.length)
    }
}

impl SourceMap {
    /// The shared bytes: all that are the bulk of no page.
    #[must_use]
    pub fn shared(&self) -> Vec<ByteRange> {
        without(&[ByteRange { offset: 0, length: self.bytes }], &union(self.ranges(|_| true)))
    }

    /// What is missing where only these pages (by number, from 1) are held.
    #[must_use]
    pub fn holes(&self, is_held: impl Fn(u32) -> bool) -> Vec<ByteRange> {
        without(&union(self.ranges(|_| true)), &union(self.ranges(is_held)))
    }

    /// The bulk of a page (by number, from 1).
    #[must_use]
    pub fn page(&self, number: u32) -> Option<&PageBytes> {
        self.pages.get(number.checked_sub(1)? as usize)
    }

    /// Whether anything is gained by it: there are pages with a bulk of their own, and little is shared.
    #[must_use]
    pub fn is_useful(&self) -> bool {
        let shared: u64 = self.shared().iter().map(|range| range.length).sum();
        self.pages.len() > 1 && shared <= SHARED_BYTES_MAX.min(self.bytes / SHARED_PART_MAX)
    }

    fn ranges(&self, is_wanted: impl Fn(u32) -> bool) -> impl Iterator<Item = ByteRange> {
        let wanted = (1..).zip(&self.pages).filter(move |(number, _)| is_wanted(*number));
        wanted.flat_map(|(_, page)| page.ranges.iter().copied())
    }
}

/// Whether these can be the bulk of a source's pages: inside of the source, ascending, not too many.
#[must_use]
pub fn are_sound(pages: &[Vec<ByteRange>], bytes: u64) -> bool {
    let is_inside = |range: &ByteRange| {
        range.length > 0 && range.offset.checked_add(range.length).is_some_and(|end| end <= bytes)
    };
    pages.iter().map(Vec::len).sum::<usize>() <= MAP_RANGES_MAX
        && pages.iter().flatten().all(is_inside)
        && pages.iter().all(|ranges| ranges.is_sorted_by(|first, second| first.end() <= second.offset))
}

/// The same bytes in ascending ranges that don't touch each other.
#[must_use]
pub fn union(ranges: impl IntoIterator<Item = ByteRange>) -> Vec<ByteRange> {
    let mut ranges: Vec<ByteRange> = ranges.into_iter().filter(|range| range.length > 0).collect();
    ranges.sort_unstable();
    let mut union: Vec<ByteRange> = Vec::with_capacity(ranges.len());
    for range in ranges {
        match union.last_mut().filter(|last| range.offset <= last.end()) {
            Some(last) => last.length = last.end().max(range.end()) - last.offset,
            None => union.push(range),
        }
    }
    union
}

/// The bytes of the first that are not in the second; both are as [`union`] gives them.
fn without(ranges: &[ByteRange], others: &[ByteRange]) -> Vec<ByteRange> {
    let mut left = Vec::new();
    let mut others = others.iter().peekable();
    for range in ranges {
        let mut start = range.offset;
        while others.next_if(|other| other.end() <= start).is_some() {}
        while let Some(other) = others.peek().filter(|other| other.offset < range.end()) {
            left.push(ByteRange { offset: start, length: other.offset.saturating_sub(start) });
            start = other.end();
            if start > range.end() {
                break;
            }
            others.next();
        }
        left.push(ByteRange { offset: start, length: range.end().saturating_sub(start) });
    }
    left.retain(|range| range.length > 0);
    left
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn range(offset: u64, length: u64) -> ByteRange {
        ByteRange { offset, length }
    }

    fn map(pages: &[&[(u64, u64)]], bytes: u64) -> SourceMap {
        let page = |ranges: &&[(u64, u64)]| PageBytes {
            ranges: ranges.iter().map(|&(offset, length)| range(offset, length)).collect(),
            hash: ContentHash::of(b""),
        };
        SourceMap { bytes, pages: pages.iter().map(page).collect() }
    }

    #[test]
    fn what_is_no_page_s_bulk_is_shared() {
        let map = map(&[&[(10, 20)], &[(40, 30)], &[(40, 30), (90, 10)]], 100);
        assert_eq!(map.shared(), [range(0, 10), range(30, 10), range(70, 20)]);
        assert_eq!(map.holes(|_| false), [range(10, 20), range(40, 30), range(90, 10)]);
        assert_eq!(map.holes(|page| page == 2), [range(10, 20), range(90, 10)]);
        assert_eq!(map.holes(|page| page == 3), [range(10, 20)]);
        assert_eq!(map.holes(|_| true), []);
        assert_eq!(map.page(1).unwrap().ranges, [range(10, 20)]);
        assert!(map.page(0).is_none() && map.page(4).is_none());
    }

    #[test]
    fn a_map_is_useful_where_little_is_shared() {
        assert!(map(&[&[(10, 40)], &[(50, 40)]], 100).is_useful());
        assert!(!map(&[&[(10, 40)], &[(60, 10)]], 100).is_useful(), "half is shared");
        assert!(!map(&[&[(0, 100)]], 100).is_useful(), "one page needs it all");
    }

    #[test]
    fn ranges_of_a_stranger_are_checked() {
        assert!(are_sound(&[vec![range(0, 4), range(4, 6)], vec![range(0, 10)]], 10));
        for bad in
            [vec![range(4, 7)], vec![range(0, 0)], vec![range(4, 2), range(0, 4)], vec![range(2, u64::MAX)]]
        {
            assert!(!are_sound(std::slice::from_ref(&bad), 10), "{bad:?}");
        }
        assert!(!are_sound(&vec![vec![range(0, 1)]; MAP_RANGES_MAX + 1], 10));
    }

    fn some_ranges() -> impl Strategy<Value = Vec<ByteRange>> {
        prop::collection::vec((0_u64..60, 0_u64..12), 0..12)
            .prop_map(|ranges| ranges.into_iter().map(|(offset, length)| range(offset, length)).collect())
    }

    proptest! {
        #[test]
        fn ranges_behave_as_sets_of_bytes(first in some_ranges(), second in some_ranges()) {
            let holds = |ranges: &[ByteRange], at: u64| ranges.iter().any(|range| (range.offset..range.end()).contains(&at));
            let (merged, others) = (union(first.clone()), union(second.clone()));
            let left = without(&merged, &others);
            for at in 0..80 {
                prop_assert_eq!(holds(&merged, at), holds(&first, at));
                prop_assert_eq!(holds(&left, at), holds(&first, at) && !holds(&second, at));
            }
            prop_assert!(merged.is_sorted_by(|first, second| first.end() < second.offset));
        }
    }
}
