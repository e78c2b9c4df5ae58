//! From letters to words, lines and blocks.

use hayro_interpret::kurbo::{Point, Vec2};
use pagemill_domain::geometry::{Point as PagePoint, Rect, Turn};
use pagemill_domain::page_text::{
    Baseline, Block, BlockKind, Confidence, Content, Line, PageText, Paragraph, Word,
};
use unicode_normalization::UnicodeNormalization;

use super::text::Letter;

/// All in em. A wider gap parts words; a jump back or a wider one parts lines, and so does a step off the baseline.
const WORD_GAP: f64 = 0.2;
const LINE_GAP: f64 = 4.0;
const BACK_STEP: f64 = 0.7;
const BASELINE_STEP: f64 = 0.4;

/// Height above and below the baseline that a word's box takes in, in em (the usual ascent and descent of text faces).
const ASCENT: f64 = 0.8;
const DESCENT: f64 = 0.2;

/// Lines further apart than this, in line heights, are of different blocks.
const BLOCK_GAP_HEIGHTS: u32 = 1;

/// Fills `page` with the letters' lines; `None` where no word is on the page.
pub(super) fn lines_to_page(letters: &[Letter], page: PageText) -> Option<PageText> {
    let mut lines = vec![Vec::new()];
    let mut word = Vec::new();
    let mut last: Option<&Letter> = None;
    for letter in letters {
        let step = last.map_or(Step::Same, |last| step(last, letter));
        if step != Step::Same || is_space(letter) {
            end_word(&mut word, &mut lines, &page);
        }
        if step == Step::Line {
            lines.push(Vec::new());
        }
        if !is_space(letter) {
            word.push(letter);
        }
        last = Some(letter);
    }
    end_word(&mut word, &mut lines, &page);
    let lines: Vec<Line> = lines.into_iter().filter_map(line).collect();
    (!lines.is_empty()).then(|| PageText { turn: main_turn(&lines), blocks: blocks(lines), ..page })
}

#[derive(Debug, PartialEq, Eq, Clone, Copy)]
enum Step {
    Same,
    Word,
    Line,
}

/// What lies between two letters.
fn step(last: &Letter, next: &Letter) -> Step {
    let em = last.em.hypot().max(1e-6);
    let direction = direction(last);
    let gap = next.start - last.end;
    let along = gap.dot(direction) / em;
    let across = gap.cross(direction).abs() / em;
    let turned = direction.dot(self::direction(next)) < 0.9;
    if turned || across > BASELINE_STEP || !(-BACK_STEP..=LINE_GAP).contains(&along) {
        Step::Line
    } else if along > WORD_GAP {
        Step::Word
    } else {
        Step::Same
    }
}

/// Along the baseline; for a letter without an advance, at a right angle to its height.
fn direction(letter: &Letter) -> Vec2 {
    let advance = letter.end - letter.start;
    let along = if advance.hypot() > 1e-6 { advance } else { Vec2::new(-letter.em.y, letter.em.x) };
    if along.hypot() > 1e-6 { along.normalize() } else { Vec2::new(1.0, 0.0) }
}

fn is_space(letter: &Letter) -> bool {
    letter.text.chars().all(|character| character.is_whitespace() || character.is_control())
}

/// A word and where it stands.
type Placed = (Word, Point, Point);

/// Closes the word that is being formed; words outside of the page are left out.
fn end_word(letters: &mut Vec<&Letter>, lines: &mut [Vec<Placed>], page: &PageText) {
    let word = std::mem::take(letters);
    let (Some(first), Some(last), Some(line)) = (word.first(), word.last(), lines.last_mut()) else { return };
    let text: String = word
        .iter()
        .flat_map(|letter| letter.text.chars())
        .filter(|letter| !letter.is_whitespace() && !letter.is_control())
        .nfc()
        .collect();
    let corners = word.iter().flat_map(|letter| {
        let (up, down) = (letter.em * ASCENT, letter.em * -DESCENT);
        [letter.start + up, letter.start + down, letter.end + up, letter.end + down]
    });
    let bounds = bounds(corners, page);
    if !text.is_empty() && !bounds.is_empty() {
        let word = Word { text, bounds, confidence: Confidence::FULL, suspect: false };
        line.push((word, first.start, last.end));
    }
}

/// The smallest rectangle of whole pixels around the points, cut to the page.
fn bounds(points: impl Iterator<Item = Point>, page: &PageText) -> Rect {
    let (mut low, mut high) = (Point::new(f64::MAX, f64::MAX), Point::new(f64::MIN, f64::MIN));
    for point in points {
        low = Point::new(low.x.min(point.x), low.y.min(point.y));
        high = Point::new(high.x.max(point.x), high.y.max(point.y));
    }
    Rect {
        left: low.x.floor().clamp(0.0, f64::from(page.width)) as u32,
        top: low.y.floor().clamp(0.0, f64::from(page.height)) as u32,
        right: high.x.ceil().clamp(0.0, f64::from(page.width)) as u32,
        bottom: high.y.ceil().clamp(0.0, f64::from(page.height)) as u32,
    }
}

fn line(words: Vec<Placed>) -> Option<Line> {
    let (start, end) = (words.first()?.1, words.last()?.2);
    let rounded = |point: Point| PagePoint { x: point.x.round() as i32, y: point.y.round() as i32 };
    Some(Line {
        bounds: words.iter().fold(Rect::default(), |bounds, (word, ..)| bounds.union(word.bounds)),
        baseline: Baseline { start: rounded(start), end: rounded(end) },
        turn: turn(end - start),
        words: words.into_iter().map(|(word, ..)| word).collect(),
    })
}

fn turn(along: Vec2) -> Turn {
    match (along.x.abs() >= along.y.abs(), along.x >= 0.0, along.y >= 0.0) {
        (true, true, _) => Turn::None,
        (true, false, _) => Turn::Half,
        (false, _, true) => Turn::Right,
        (false, _, false) => Turn::Left,
    }
}

/// The turn of most lines.
fn main_turn(lines: &[Line]) -> Turn {
    let count = |turn: Turn| lines.iter().filter(|line| line.turn == turn).count();
    (0..4).map(Turn::from_quarters).max_by_key(|turn| (count(*turn), 4 - turn.quarters())).unwrap_or_default()
}

/// Consecutive lines that stand close below each other are one paragraph.
fn blocks(lines: Vec<Line>) -> Vec<Block> {
    let mut groups: Vec<Vec<Line>> = Vec::new();
    for line in lines {
        match groups.last_mut() {
            Some(group) if group.last().is_some_and(|last| belongs(last, &line)) => group.push(line),
            _ => groups.push(vec![line]),
        }
    }
    groups
        .into_iter()
        .map(|lines| Block {
            kind: BlockKind::Text,
            bounds: lines.iter().fold(Rect::default(), |bounds, line| bounds.union(line.bounds)),
            content: Content::Paragraphs(vec![Paragraph { lines }]),
        })
        .collect()
}

fn belongs(last: &Line, next: &Line) -> bool {
    let (one, other) = (last.bounds, next.bounds);
    let near = |size: u32, low: u32, high: u32| low <= high.saturating_add(size * BLOCK_GAP_HEIGHTS);
    last.turn == next.turn
        && if last.turn.swaps_axes() {
            let size = one.width();
            near(size, other.left, one.right) && near(size, one.left, other.right)
        } else {
            let size = one.height();
            near(size, other.top, one.bottom) && near(size, one.top, other.bottom)
        }
}
