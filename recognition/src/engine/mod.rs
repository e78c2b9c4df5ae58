//! The seam between layout and recognition: pictures of single lines in, words with characters and confidences out.

#[cfg(test)]
mod differential;
pub mod native;
pub mod tesseract;

use crate::prepare::grey::Grey;

/// An engine that reads pictures of lines. Results depend on the pictures alone, never on what was read before.
pub trait Engine {
    /// Reads every line; the answer has one reading for each, in the same order. A page's lines come in one call, so
    /// that an engine can batch them.
    fn read_lines(&mut self, lines: &[LineImage]) -> Result<Vec<LineReading>, EngineError>;

    /// Which lines a second look pays for.
    fn second_look(&self) -> SecondLook;

    /// Reads lines in another way than [`Engine::read_lines`] does, so that both readings together tell more than one.
    fn look_again(&mut self, lines: &[LineImage]) -> Result<Vec<LineReading>, EngineError>;
}

/// Which lines are read a second time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SecondLook {
    /// Those whose worst word the engine is less sure of, in its own percents.
    pub doubtful_below: f32,
    /// Whether long lines outside tables are among them.
    pub long_lines: bool,
}

/// One line of text as layout cuts it out: dark on a light ground, upright, straight.
#[derive(Debug, Clone)]
pub struct LineImage {
    /// The picture. Its height spans the whole line, from the marks over capitals to the lowest descender, with a
    /// small margin, whatever letters the line happens to have: letter size follows from it.
    pub grey: Grey,
    /// Row of the picture on which the letters stand.
    pub baseline: f32,
    /// Pixels per inch of the picture.
    pub dpi: u32,
}

/// What was read in one line; no words where the engine sees none.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LineReading {
    /// The words in reading order.
    pub words: Vec<WordReading>,
}

/// One word of a line.
#[derive(Debug, Clone, PartialEq)]
pub struct WordReading {
    /// Its text as the engine gives it, without white space.
    pub text: String,
    /// Where it lies in the line's picture.
    pub bounds: Span,
    /// How sure the engine is, in its own percents (0 to 100), before calibration.
    pub confidence: f32,
    /// Its characters; empty where the engine can't tell them apart.
    pub characters: Vec<CharacterReading>,
}

/// One character of a word.
#[derive(Debug, Clone, PartialEq)]
pub struct CharacterReading {
    /// Its text: a letter with its marks.
    pub text: String,
    /// Where it lies in the line's picture.
    pub bounds: Span,
    /// How sure the engine is, in percents.
    pub confidence: f32,
}

/// A rectangle in the pixels of a prepared picture; right and bottom are exclusive.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Span {
    /// Left edge.
    pub left: i32,
    /// Top edge.
    pub top: i32,
    /// First column right of it.
    pub right: i32,
    /// First row below it.
    pub bottom: i32,
}

impl Span {
    /// Columns.
    #[must_use]
    pub const fn width(self) -> i32 {
        self.right - self.left
    }

    /// Rows.
    #[must_use]
    pub const fn height(self) -> i32 {
        self.bottom - self.top
    }

    /// The smallest rectangle around both.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self {
            left: self.left.min(other.left),
            top: self.top.min(other.top),
            right: self.right.max(other.right),
            bottom: self.bottom.max(other.bottom),
        }
    }

    /// With `margin` more on each side.
    #[must_use]
    pub const fn grown(self, margin: i32) -> Self {
        Self {
            left: self.left - margin,
            top: self.top - margin,
            right: self.right + margin,
            bottom: self.bottom + margin,
        }
    }

    /// Whether both share a pixel.
    #[must_use]
    pub const fn meets(self, other: Self) -> bool {
        self.left < other.right
            && other.left < self.right
            && self.top < other.bottom
            && other.top < self.bottom
    }

    /// Whether the middle of `other` lies inside.
    #[must_use]
    pub const fn holds_middle_of(self, other: Self) -> bool {
        let (x, y) = (i32::midpoint(other.left, other.right), i32::midpoint(other.top, other.bottom));
        self.left <= x && x < self.right && self.top <= y && y < self.bottom
    }
}

/// Why an engine could not read.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The native library reported a failure; its partial text is thrown away.
    #[error("{engine} failed with code {code}")]
    Failed {
        /// The engine's name.
        engine: &'static str,
        /// Its return code.
        code: i32,
    },
    /// There is no memory for a picture.
    #[error("no memory for a picture of {width} × {height} pixels")]
    NoMemory {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
    },
    /// A line's picture is none that the native engine can read.
    #[error(transparent)]
    Line(#[from] native::LineError),
}
