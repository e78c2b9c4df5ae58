//! Components to lines of text: letters are chained from neighbour to neighbour, marks join the line that they belong
//! to. A chain follows a bent or skewed line by itself.

use super::components::{Components, Forest};
use crate::engine::Span;

/// Letters of a line overlap at least by this part of the lower one's height.
const OVERLAP_MIN_PERCENT: i32 = 45;

/// Neighbours in a line differ in height at most by this factor (a full stop is no letter here).
const HEIGHT_RATIO_MAX: i32 = 3;

/// The widest gap inside a line, in letter heights: justified text and the space after a full stop stay below.
const GAP_MAX_HEIGHTS: f64 = 2.5;

/// Rows of the index over letters, in pixels.
const BAND: i32 = 32;

/// A line of text, or the part of it that hangs together.
#[derive(Debug, Clone)]
pub struct TextLine {
    /// Box of all its ink.
    pub bounds: Span,
    /// Rows where most letters end and begin.
    pub baseline: f64,
    /// By how much the baseline falls per column.
    pub slope: f64,
    /// Median height of its letters.
    pub letter_height: f64,
    /// Its letters and marks.
    pub parts: Vec<Part>,
}

/// A component of a line.
#[derive(Debug, Clone, Copy)]
pub struct Part {
    /// Its index among the page's components.
    pub component: usize,
    /// Its box.
    pub bounds: Span,
    /// Whether it is a letter, not a mark.
    pub letter: bool,
    /// Width of its strokes in pixels.
    pub stroke: f64,
}

/// Typical height of a letter on the page; `None` without anything that looks like letters.
#[must_use]
pub fn letter_height(components: &Components, dpi: u32) -> Option<i32> {
    // From 5 point x-height to 20 point capitals.
    let range = (dpi as i32 * 2 / 72).max(4)..=(dpi as i32 * 20 / 72);
    let mut heights: Vec<i32> = components
        .list
        .iter()
        .filter(|one| {
            let (width, height) = (one.bounds.width(), one.bounds.height());
            range.contains(&height)
                && width * 4 >= height
                && width <= height * 8
                && one.area * 10 >= width * height
        })
        .map(|one| one.bounds.height())
        .collect();
    heights.sort_unstable();
    heights.get(heights.len() / 2).copied()
}

/// The lines that `members` form, from top to bottom.
#[must_use]
pub fn find(components: &Components, members: &[usize], letter_height: i32) -> Vec<TextLine> {
    let (mut letters, marks): (Vec<usize>, Vec<usize>) = members.iter().partition(|&&at| {
        let bounds = components.list[at].bounds;
        bounds.height() * 100 >= letter_height * 62 && bounds.height() <= letter_height * 4
    });
    letters.sort_by_key(|&at| (components.list[at].bounds.left, at));
    let boxes: Vec<Span> = letters.iter().map(|&at| components.list[at].bounds).collect();
    let mut lines: Vec<TextLine> = chains(&boxes)
        .into_iter()
        .map(|chain| {
            let part = |&at: &usize| Part::of(components, letters[at], true);
            TextLine::of(chain.iter().map(part).collect())
        })
        .collect();
    for mark in marks {
        attach(&mut lines, Part::of(components, mark, false), letter_height);
    }
    // A single low scrap is no line; a digit or a Roman one is.
    lines.retain(|line| {
        line.letters().nth(1).is_some() || line.letter_height * 10.0 >= f64::from(letter_height) * 8.0
    });
    lines.sort_by_key(|line| (line.bounds.top, line.bounds.left));
    lines
}

/// Groups of boxes (sorted by their left edges) that follow each other in a line.
fn chains(boxes: &[Span]) -> Vec<Vec<usize>> {
    let top = boxes.iter().map(|one| one.top).min().unwrap_or(0);
    let bottom = boxes.iter().map(|one| one.bottom).max().unwrap_or(0);
    let mut bands: Vec<Vec<usize>> = vec![Vec::new(); ((bottom - top) / BAND + 1) as usize];
    let band = |y: i32| ((y - top) / BAND) as usize;
    for (at, one) in boxes.iter().enumerate() {
        for cell in &mut bands[band(one.top)..=band(one.bottom - 1)] {
            cell.push(at);
        }
    }
    let mut forest = Forest::default();
    forest.grow(boxes.len());
    for (at, one) in boxes.iter().enumerate() {
        let near = bands[band(one.top)..=band(one.bottom - 1)].iter().filter_map(|cell| {
            let later = cell.partition_point(|&other| other <= at);
            cell[later..]
                .iter()
                .copied()
                .take_while(|&other| gap_fits(one, &boxes[other]))
                .find(|&other| follows(one, &boxes[other]))
        });
        if let Some(next) = near.min_by_key(|&other| (boxes[other].left, other)) {
            forest.join(at as u32, next as u32);
        }
    }
    let mut groups: Vec<Vec<usize>> = vec![Vec::new(); boxes.len()];
    for at in 0..boxes.len() {
        groups[forest.root(at as u32) as usize].push(at);
    }
    groups.retain(|group| !group.is_empty());
    groups
}

fn gap_fits(one: &Span, other: &Span) -> bool {
    f64::from(other.left - one.right) <= GAP_MAX_HEIGHTS * f64::from(one.height().max(44))
}

fn follows(one: &Span, other: &Span) -> bool {
    let (higher, lower) = (one.height().max(other.height()), one.height().min(other.height()));
    let overlap = one.bottom.min(other.bottom) - one.top.max(other.top);
    f64::from(other.left - one.right) <= GAP_MAX_HEIGHTS * f64::from(higher)
        && higher <= lower * HEIGHT_RATIO_MAX
        && overlap * 100 >= lower * OVERLAP_MIN_PERCENT
}

impl Part {
    fn of(components: &Components, component: usize, letter: bool) -> Self {
        let one = &components.list[component];
        Self { component, bounds: one.bounds, letter, stroke: one.stroke() }
    }
}

impl TextLine {
    /// A line of parts, at least one.
    fn of(parts: Vec<Part>) -> Self {
        let all = || parts.iter().map(|part| part.bounds);
        let mut boxes: Vec<Span> = parts.iter().filter(|part| part.letter).map(|part| part.bounds).collect();
        if boxes.is_empty() {
            boxes = all().collect();
        }
        let bounds = all().fold(boxes[0], Span::union);
        let (baseline, slope) = fit_baseline(&boxes, bounds.left);
        let mut heights: Vec<i32> = boxes.iter().map(|one| one.height()).collect();
        heights.sort_unstable();
        Self { bounds, baseline, slope, letter_height: f64::from(heights[heights.len() / 2]), parts }
    }

    /// The boxes of its letters.
    pub fn letters(&self) -> impl Iterator<Item = Span> {
        self.parts.iter().filter(|part| part.letter).map(|part| part.bounds)
    }

    /// Mean width of its letters' strokes, as a part of their height: tells bold print from regular.
    #[must_use]
    pub fn weight(&self) -> f64 {
        let letters = self.parts.iter().filter(|part| part.letter);
        let (sum, count) = letters.fold((0.0, 0.0), |(sum, count), part| (sum + part.stroke, count + 1.0));
        sum / f64::max(count, 1.0) / self.letter_height.max(1.0)
    }

    /// The parts of the line whose middles lie left and right of column `x`.
    #[must_use]
    pub fn split_at(&self, x: i32) -> (Option<Self>, Option<Self>) {
        let (left, right): (Vec<Part>, Vec<Part>) =
            self.parts.iter().partition(|part| i32::midpoint(part.bounds.left, part.bounds.right) < x);
        let line = |parts: Vec<Part>| if parts.is_empty() { None } else { Some(Self::of(parts)) };
        (line(left), line(right))
    }

    /// Row of the baseline at column `x`.
    #[must_use]
    pub fn baseline_at(&self, x: f64) -> f64 {
        self.baseline + self.slope * (x - f64::from(self.bounds.left))
    }

    /// Middle of the band of small letters, at the line's own middle.
    #[must_use]
    pub fn middle(&self) -> f64 {
        self.baseline_at(f64::from(self.bounds.left + self.bounds.right) / 2.0) - self.letter_height / 2.0
    }

    /// Joins another part of the same line.
    pub fn join(&mut self, other: &Self) {
        let mut parts = std::mem::take(&mut self.parts);
        parts.extend(&other.parts);
        parts.sort_by_key(|part| (part.bounds.left, part.component));
        *self = Self::of(parts);
    }
}

/// Baseline at column `left`, and its slope: a line through the bottoms of most letters. Descenders
/// and joined marks are outliers.
fn fit_baseline(boxes: &[Span], left: i32) -> (f64, f64) {
    let left = f64::from(left);
    let points: Vec<(f64, f64)> = boxes
        .iter()
        .map(|one| (f64::from(one.left + one.right) / 2.0 - left, f64::from(one.bottom)))
        .collect();
    let slope = if points.len() >= 8 { median_slope(&points) } else { 0.0 };
    let mut offsets: Vec<f64> = points.iter().map(|(x, y)| y - slope * x).collect();
    offsets.sort_by(f64::total_cmp);
    (offsets[offsets.len() / 2], slope)
}

/// Median of the slopes between letters of the first and of the second half: robust against a third of outliers.
fn median_slope(points: &[(f64, f64)]) -> f64 {
    let half = points.len() / 2;
    let mut slopes: Vec<f64> = points[..half]
        .iter()
        .zip(&points[points.len() - half..])
        .filter(|(one, other)| other.0 - one.0 > 1.0)
        .map(|(one, other)| (other.1 - one.1) / (other.0 - one.0))
        .collect();
    slopes.sort_by(f64::total_cmp);
    slopes.get(slopes.len() / 2).copied().unwrap_or(0.0).clamp(-0.05, 0.05)
}

/// Whether a mark is a stroke at half the height of a line's letters.
fn is_hyphen(mark: Span, line: &TextLine, middle_x: f64) -> bool {
    let above = line.baseline_at(middle_x) - f64::from(mark.top + mark.bottom) / 2.0;
    mark.width() * 2 >= mark.height() * 3
        && f64::from(mark.width()) >= line.letter_height * 0.25
        && (0.2..=0.8).contains(&(above / line.letter_height.max(1.0)))
}

/// Gives a mark (accent, dot, comma, hyphen) to the line that it is nearest to.
fn attach(lines: &mut [TextLine], mark: Part, letter_height: i32) {
    let bounds = mark.bounds;
    let (middle_x, reach) = (f64::from(bounds.left + bounds.right) / 2.0, f64::from(letter_height) * 1.2);
    let distance = |line: &TextLine| {
        let beside =
            (f64::from(line.bounds.left) - middle_x).max(middle_x - f64::from(line.bounds.right)).max(0.0);
        // A typewriter sets the hyphen of a list two letters' widths off.
        let reach_beside = if is_hyphen(bounds, line, middle_x) { reach * 3.0 } else { reach * 1.5 };
        if beside > reach_beside {
            return None;
        }
        let baseline = line.baseline_at(middle_x);
        let above = baseline - line.letter_height - f64::from(bounds.bottom);
        let below = f64::from(bounds.top) - baseline;
        // Marks below letters are close to them (dot, comma); those above may stand on another mark.
        let away = above.max(below * 1.5).max(0.0);
        (away <= reach.min(line.letter_height)).then_some(away + beside / 4.0)
    };
    let nearest = lines
        .iter()
        .enumerate()
        .filter_map(|(at, line)| distance(line).map(|away| (at, away)))
        .min_by(|one, other| one.1.total_cmp(&other.1));
    if let Some((at, _)) = nearest {
        let line = &mut lines[at];
        let left = f64::from(line.bounds.left);
        line.bounds = line.bounds.union(bounds);
        line.baseline += line.slope * (f64::from(line.bounds.left) - left);
        line.parts.push(mark);
    }
}
