//! A decoded page in, its page text out.
//!
//! Architecture invariant: once [`Reader::load`] has returned, nothing here opens a file, starts a thread or keeps
//! anything of a page: the reader lives in a locked child, and a page's text depends on that page alone.

mod built_in_page;
mod calibration;
mod choice;
mod continuation;
mod debug_picture;
mod degraded;
mod fingerprint;
mod models;
mod numerals;
mod orientation;
mod page_text;
mod paragraphs;
mod running;
mod second_look;
mod stages;
mod vietnamese;

use pagemill_domain::geometry::Turn;
use pagemill_domain::page_text::PageText;
use pagemill_domain::recipe::{CleanUp, Recipe};

use crate::engine::native;
use crate::engine::tesseract::{Recogniser, Tesseract};
use crate::engine::{Engine, EngineError, LineReading};
use crate::layout::{self, Layout};
use crate::prepare::{self, Prepared, blank, sideways};
use crate::scan::Sheet;
pub use debug_picture::debug_picture;
pub use fingerprint::fingerprint;
pub use models::ModelDir;
use orientation::OrientationDetector;
use page_text::PageWriter;
use stages::CpuClock;
pub use stages::StageCpu;

/// Everything that reading a page needs, loaded once.
pub struct Reader {
    language: String,
    clean_up: CleanUp,
    engine: Box<dyn Engine>,
    /// Orientation detection, where the recipe asks for it.
    orientation: Option<OrientationDetector>,
}

/// What was read on one page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// The text, in page space.
    pub text: PageText,
    /// Nothing that could be content was seen.
    pub blank: bool,
    /// Where the CPU time went.
    pub stages: StageCpu,
}

/// Why a reader could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum ReaderError {
    /// The recipe names no language.
    #[error("the recipe names no language")]
    NoLanguage,
    /// A language's name has characters that no model has.
    #[error("{0:?} is no name of a language model")]
    BadLanguage(String),
    /// A model is not installed.
    #[error("the model {model}.traineddata is not in {folder}: install the package {package}")]
    ModelMissing {
        /// The model's name: `vie`.
        model: String,
        /// Where it was looked for.
        folder: String,
        /// Debian's package that brings it.
        package: String,
    },
    /// A model is there, but can't be used.
    #[error("the model {0} can't be loaded: it is damaged or of another version")]
    ModelRefused(String),
    /// The native engine reads with one model.
    #[error("the native engine reads one language at a time, and the recipe names {0}")]
    OneLanguage(usize),
    /// The native engine can't run the model.
    #[error("the native engine can't run the model {model}: {error}")]
    NativeModel {
        /// The model's name.
        model: String,
        /// Why.
        error: native::ModelError,
    },
}

/// Why a page could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The engine failed; partial text is thrown away.
    #[error("read the page: {0}")]
    Engine(#[from] EngineError),
}

/// Below this mean confidence in percents, a page may lie wrong way up: upright pages that are readable at all reach
/// 80, pages upside down about 30.
const DOUBTFUL_CONFIDENCE: f32 = 70.0;

/// Tesseract's orientation confidence from which its answer is tried out.
const ORIENTATION_CONFIDENCE_MIN: f32 = 0.5;

impl Reader {
    /// Loads every model that the recipe needs. No file is opened later.
    pub fn load(recipe: &Recipe, models: &ModelDir) -> Result<Self, ReaderError> {
        models.check(recipe)?;
        prepare::quiet_leptonica();
        let orientation =
            if recipe.clean_up.orientation { Some(OrientationDetector::open(models)?) } else { None };
        Ok(Self {
            engine: match choice::native(recipe, models)? {
                Some(native) => Box::new(native),
                None => Box::new(
                    Tesseract::load(models.folder(), &recipe.language(), Recogniser::Lstm)
                        .ok_or_else(|| ReaderError::ModelRefused(recipe.language()))?,
                ),
            },
            language: recipe.language(),
            clean_up: recipe.clean_up.clone(),
            orientation,
        })
    }

    /// Reads a page that is drawn in code, so that whatever the libraries set up on first use is set up; but for orientation
    /// detection, which that page would ask for and few others do.
    pub fn warm_up(&mut self) {
        let Some(scan) = built_in_page::scan() else { return };
        let orientation = self.orientation.take();
        // What is read there does not matter, and a failure shows again on the first page, where it is reported.
        let _ = self.read(Sheet::from(scan));
        self.orientation = orientation;
    }

    /// Reads a page. Its pixels are let go once they are grey: in colour they take more memory than all that follows.
    pub fn read(&mut self, sheet: impl Into<Sheet>) -> Result<Reading, ReadError> {
        let Sheet { mut samples, dpi } = sheet.into();
        let mut clock = CpuClock::start();
        let mut stages = StageCpu::default();
        let mut text = PageText {
            width: samples.width(),
            height: samples.height(),
            dpi,
            language: self.language.clone(),
            ..PageText::default()
        };
        let reduced = prepare::reduce(samples.take_brightest(), dpi, &self.clean_up);
        // Any colour is a mark there; where print was seen there is no need to look.
        let blank = !reduced.has_print && blank::is_blank(&samples.darkest(), dpi.x(), dpi.y());
        drop(samples);
        stages.prepare_ms = clock.lap_ms();
        if blank {
            return Ok(Reading { text, blank, stages });
        }
        let first = if sideways::seems_sideways(&reduced.grey) {
            self.detect(&reduced, &mut clock, &mut stages).unwrap_or(Turn::None)
        } else {
            Turn::None
        };
        let mut page = self.read_as(&reduced, first, &mut clock, &mut stages)?;
        if page.mean_confidence() < DOUBTFUL_CONFIDENCE
            && let Some(turn) = self.detect(&reduced, &mut clock, &mut stages)
            && turn != first
        {
            let other = self.read_as(&reduced, turn, &mut clock, &mut stages)?;
            if other.mean_confidence() > page.mean_confidence() {
                page = other;
            }
        }
        text.turn = page.prepared.turn;
        text.skew_millidegrees = page.prepared.skew_millidegrees;
        let writer = PageWriter {
            prepared: &page.prepared,
            layout: &page.layout,
            readings: &page.readings,
            width: text.width,
            height: text.height,
            vietnamese: self.language.contains("vie"),
        };
        text.blocks = writer.blocks();
        stages.layout_ms += clock.lap_ms();
        Ok(Reading { text, blank, stages })
    }

    fn read_as(
        &mut self,
        reduced: &Prepared,
        turn: Turn,
        clock: &mut CpuClock,
        stages: &mut StageCpu,
    ) -> Result<ReadPage, ReadError> {
        let prepared = reduced.set_upright(turn).finished(&self.clean_up);
        stages.prepare_ms += clock.lap_ms();
        let layout = layout::analyse(&prepared.grey, prepared.dpi, prepare::GROUND, self.clean_up.tables);
        stages.layout_ms += clock.lap_ms();
        let images: Vec<_> = layout.crops.iter().map(|crop| crop.image.clone()).collect();
        let mut readings = self.engine.read_lines(&images)?;
        if self.clean_up.second_look {
            second_look::look_again(&mut *self.engine, &layout, &mut readings)?;
        }
        if self.clean_up.numerals {
            for (image, reading) in images.iter().zip(&mut readings) {
                numerals::set_right(image, reading);
            }
        }
        stages.recognise_ms += clock.lap_ms();
        Ok(ReadPage { prepared, layout, readings })
    }

    /// How the page lies, where the answer is worth a try.
    fn detect(&mut self, reduced: &Prepared, clock: &mut CpuClock, stages: &mut StageCpu) -> Option<Turn> {
        let found = self.orientation.as_mut()?.detect(&reduced.grey, reduced.dpi);
        stages.orientation_ms += clock.lap_ms();
        let (turn, confidence) = found?;
        (confidence >= ORIENTATION_CONFIDENCE_MIN).then_some(turn)
    }
}

/// A page with its layout and what was read in each of its lines.
struct ReadPage {
    prepared: Prepared,
    layout: Layout,
    readings: Vec<LineReading>,
}

impl ReadPage {
    /// Mean percents over letters; 0 where nothing was read.
    fn mean_confidence(&self) -> f32 {
        let words = || self.readings.iter().flat_map(|reading| &reading.words);
        let total: f32 = words().map(|word| word.text.chars().count() as f32).sum();
        let sum: f32 = words().map(|word| word.confidence * word.text.chars().count() as f32).sum();
        if total > 0.0 { sum / total } else { 0.0 }
    }
}

#[cfg(test)]
mod golden;
#[cfg(test)]
mod tests;
