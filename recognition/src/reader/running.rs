//! Running heads and feet, and page numbers: what stands in the margins above and below the text. One page alone does
//! not show that they repeat; it shows that they stand apart.

use pagemill_domain::page_text::BlockKind;

use crate::engine::Span;
use crate::layout::order::Zone;
use crate::layout::{Layout, Region};

/// They stand above or below this part of the page, in percents: text keeps 20 mm from the edge (Decree 30/2020).
const MARGIN_PERCENT: i32 = 7;

/// A page's number may stand a little further inside, in percents.
const NUMBER_PERCENT: i32 = 10;

/// They keep this distance from the text, in letter heights: lines of text are closer to each other.
const APART_HEIGHTS: i32 = 2;

/// Where the margins of a page end that hold something: rows of the prepared picture.
pub(super) struct Margins {
    height: i32,
    /// What ends above is a running head.
    head: i32,
    /// What starts below is a running foot.
    foot: i32,
}

impl Margins {
    /// The margins of a page of `height` rows.
    pub(super) fn of(layout: &Layout, height: i32) -> Self {
        let (mut lines, mut others) = (Vec::new(), Vec::new());
        for region in &layout.regions {
            match region {
                Region::Text { zone: Zone::Head, lines: head } => {
                    others.extend(head.iter().map(|line| line.bounds));
                }
                Region::Text { lines: text, .. } => lines.extend(text.iter().map(|line| line.bounds)),
                Region::Table { grid, .. } => others.push(grid.bounds),
            }
        }
        let apart = APART_HEIGHTS * layout.letter_height;
        let (high, low) = (height * MARGIN_PERCENT / 100, height - height * MARGIN_PERCENT / 100);
        let is_head = |line: &&Span| line.bottom <= high;
        let is_foot = |line: &&Span| line.top >= low;
        let text = || lines.iter().filter(|line| !is_head(line) && !is_foot(line)).chain(&others);
        let (top, bottom) = (text().map(|line| line.top).min(), text().map(|line| line.bottom).max());
        let head = lines.iter().filter(is_head).map(|line| line.bottom).max();
        let foot = lines.iter().filter(is_foot).map(|line| line.top).min();
        Self {
            height,
            head: head.filter(|head| top.is_some_and(|top| top - head >= apart)).unwrap_or(i32::MIN),
            foot: foot.filter(|foot| bottom.is_some_and(|bottom| foot - bottom >= apart)).unwrap_or(i32::MAX),
        }
    }

    /// What a line is that stands in a margin; `None` of the text.
    pub(super) fn kind(&self, bounds: Span, text: &str) -> Option<BlockKind> {
        let margin = self.height * NUMBER_PERCENT / 100;
        let outside = bounds.bottom < margin || bounds.top > self.height - margin;
        if outside && is_page_number(text) {
            Some(BlockKind::PageNumber)
        } else if bounds.bottom <= self.head {
            Some(BlockKind::Header)
        } else if bounds.top >= self.foot {
            Some(BlockKind::Footer)
        } else {
            None
        }
    }
}

/// A number alone, also of all pages: "7", "- 7 -", "Trang 7/12".
fn is_page_number(text: &str) -> bool {
    let number = text.strip_prefix("Trang ").or(text.strip_prefix("Page ")).unwrap_or(text);
    let number = number.trim_matches(|sign: char| "-–—. ".contains(sign));
    let is_number =
        |part: &str| !part.is_empty() && part.len() <= 4 && part.bytes().all(|byte| byte.is_ascii_digit());
    match number.split_once('/') {
        Some((page, pages)) => is_number(page) && is_number(pages),
        None => is_number(number),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::LineSpan;

    const HEIGHT: i32 = 2000;

    const fn line(top: i32) -> LineSpan {
        let bounds = Span { left: 100, top, right: 900, bottom: top + 20 };
        LineSpan { crop: 0, bounds, baseline: (0.0, 0.0) }
    }

    fn kinds(zone: Zone, tops: &[i32]) -> Vec<Option<BlockKind>> {
        let lines: Vec<LineSpan> = tops.iter().copied().map(line).collect();
        let bounds: Vec<Span> = lines.iter().map(|line| line.bounds).collect();
        let layout =
            Layout { regions: vec![Region::Text { zone, lines }], crops: Vec::new(), letter_height: 14 };
        let margins = Margins::of(&layout, HEIGHT);
        bounds.into_iter().map(|bounds| margins.kind(bounds, "Sở Nội vụ")).collect()
    }

    #[test]
    fn lines_apart_in_the_margins_are_running_heads_and_feet() {
        let (head, foot) = (Some(BlockKind::Header), Some(BlockKind::Footer));
        assert_eq!(kinds(Zone::Body, &[60, 90, 200, 230, 1800, 1900]), [head, head, None, None, None, foot]);
        assert_eq!(kinds(Zone::Body, &[100, 130, 160]), [None; 3], "the text starts high up");
        assert_eq!(kinds(Zone::Body, &[1830, 1860, 1890]), [None; 3], "the text goes down to the margin");
        assert_eq!(kinds(Zone::Head, &[60, 200, 230]), [None; 3], "the head of a letter");
        assert_eq!(kinds(Zone::Body, &[60]), [None], "nothing to stand apart from");
    }

    #[test]
    fn numbers_in_the_margins_are_page_numbers() {
        let margins = Margins::of(&Layout::default(), HEIGHT);
        for text in ["7", "- 12 -", "3/12", "Trang 3/12", "Trang 104."] {
            assert_eq!(margins.kind(line(150).bounds, text), Some(BlockKind::PageNumber), "{text}");
            assert_eq!(margins.kind(line(1000).bounds, text), None, "{text}");
        }
        for text in ["12345", "Trang", "1/", "Điều 7", "3/12/2020", ""] {
            assert_eq!(margins.kind(line(150).bounds, text), None, "{text}");
        }
    }
}
