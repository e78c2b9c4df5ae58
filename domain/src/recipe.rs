//! The recipe: what the operator wants done with every page of a job.

use serde::{Deserialize, Serialize};

use crate::hash::ContentHash;

mod check;

pub use check::RecipeError;

/// What is done with every page of a job. Written as TOML; command-line flags override it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Recipe {
    /// Languages in Tesseract's names, the main one first.
    pub languages: Vec<String>,
    /// Which engine reads.
    pub engine: EngineChoice,
    /// What is delivered.
    pub formats: Vec<Format>,
    /// What makes a document.
    pub group: Grouping,
    /// What becomes of PDF pages that already have text.
    pub existing_text: ExistingTextRule,
    /// Pages of a coarser resolution are flagged in the report.
    pub dpi_min: u32,
    /// Which part of PDF/A the PDFs conform to.
    pub pdf_part: PdfPart,
    /// The steps between decoding and reading.
    pub clean_up: CleanUp,
}

impl Default for Recipe {
    fn default() -> Self {
        Self {
            languages: vec!["vie".into()],
            engine: EngineChoice::Auto,
            formats: vec![Format::Pdf],
            group: Grouping::Source,
            existing_text: ExistingTextRule::Skip,
            dpi_min: 300,
            pdf_part: PdfPart::A2b,
            clean_up: CleanUp::default(),
        }
    }
}

/// Which engine reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EngineChoice {
    /// The best that can read the recipe's languages.
    #[default]
    Auto,
    /// Our own, on Tesseract's models.
    Native,
    /// libtesseract.
    Tesseract,
}

/// A deliverable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// Searchable PDF/A: the page's image and invisible text.
    Pdf,
    /// Plain text, a form feed after each page.
    Txt,
    /// ALTO 4 XML.
    Alto,
    /// hOCR 1.2.
    Hocr,
    /// Tab-separated words.
    Tsv,
    /// The page texts themselves.
    Json,
    /// PDF/A of the images alone.
    ImagePdf,
    /// One JPEG a page.
    Jpeg,
    /// One TIFF a document.
    Tiff,
}

/// What makes a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grouping {
    /// Each source is one.
    #[default]
    Source,
    /// The single-page images of a folder are one.
    Folder,
}

/// What becomes of PDF pages that already have text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExistingTextRule {
    /// Any page with text is kept as it is.
    #[default]
    Skip,
    /// Pages with somebody's invisible OCR layer are read anew; pages with visible text are kept.
    Redo,
    /// Every page is rendered and read.
    Force,
}

/// A part and level of PDF/A (ISO 19005).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum PdfPart {
    /// ISO 19005-1 level B.
    #[serde(rename = "1b")]
    A1b,
    /// ISO 19005-2 level B.
    #[default]
    #[serde(rename = "2b")]
    A2b,
    /// ISO 19005-2 level U.
    #[serde(rename = "2u")]
    A2u,
    /// ISO 19005-3 level B.
    #[serde(rename = "3b")]
    A3b,
}

/// The steps around the engine; each may be switched off. What each is worth stands in `docs/benchmarks.md`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "independent switches, named one by one in a recipe")]
pub struct CleanUp {
    /// Find pages that lie upside down or sideways.
    pub orientation: bool,
    /// Straighten pages whose skew is beyond the gate.
    pub deskew: bool,
    /// Paint dust over before scaling.
    pub despeckle: bool,
    /// Scale by the height of the print where the file's resolution can't be true.
    pub text_height: bool,
    /// Paint dark borders and punch holes over.
    pub edges: bool,
    /// Turn light print on dark areas into dark on light.
    pub inverted: bool,
    /// Bring the paper to one shade.
    pub background: bool,
    /// Remove the other side's print that shines through; needs `background`.
    pub show_through: bool,
    /// Clear print of grey stamps and pen strokes.
    pub stamps: bool,
    /// Sharpen what scanning and scaling blurred.
    pub sharpen: bool,
    /// Find tables, ruled or aligned, and read them cell by cell.
    pub tables: bool,
    /// Read doubtful cells again.
    pub second_look: bool,
    /// Tell Roman numerals from digits by the picture.
    pub numerals: bool,
}

impl CleanUp {
    /// Every step left out: the degraded recipe.
    pub const NONE: Self = Self {
        orientation: false,
        deskew: false,
        despeckle: false,
        text_height: false,
        edges: false,
        inverted: false,
        background: false,
        show_through: false,
        stamps: false,
        sharpen: false,
        tables: false,
        second_look: false,
        numerals: false,
    };
}

impl Default for CleanUp {
    fn default() -> Self {
        Self {
            orientation: true,
            deskew: true,
            despeckle: true,
            text_height: true,
            edges: true,
            inverted: true,
            background: true,
            show_through: true,
            stamps: true,
            sharpen: true,
            tables: true,
            second_look: true,
            numerals: true,
        }
    }
}

impl Recipe {
    /// Tesseract's notation of the languages: `vie+eng`.
    #[must_use]
    pub fn language(&self) -> String {
        self.languages.join("+")
    }

    /// The recipe with its formats in a fixed order and without repeats, so that equal recipes have equal keys.
    #[must_use]
    pub fn canonical(mut self) -> Self {
        self.formats.sort_unstable();
        self.formats.dedup();
        self
    }

    /// What decides a page's text: a change of it means that pages must be read again.
    #[must_use]
    pub fn reading_key(&self) -> ContentHash {
        let mut reading = self.clone();
        let delivery = Self::default();
        reading.formats = delivery.formats;
        reading.group = delivery.group;
        reading.dpi_min = delivery.dpi_min;
        reading.pdf_part = delivery.pdf_part;
        reading.key()
    }

    /// What decides a job's artifacts: a change of it alone means that documents must be assembled again.
    #[must_use]
    pub fn key(&self) -> ContentHash {
        // The TOML form names every field, so two recipes share a key only if they are equal. A recipe of plain
        // fields always has one.
        let toml = toml::to_string(&self.clone().canonical()).unwrap_or_default();
        ContentHash::of(toml.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_format_keeps_the_reading_and_changes_the_delivery() {
        let plain = Recipe::default();
        let more = Recipe { formats: vec![Format::Alto, Format::Pdf], ..Recipe::default() };
        assert_eq!(plain.reading_key(), more.reading_key());
        assert_ne!(plain.key(), more.key());
        let english = Recipe { languages: vec!["eng".into()], ..Recipe::default() };
        assert_ne!(plain.reading_key(), english.reading_key());
    }

    #[test]
    fn the_order_of_formats_does_not_matter() {
        let one = Recipe { formats: vec![Format::Alto, Format::Pdf], ..Recipe::default() };
        let two = Recipe { formats: vec![Format::Pdf, Format::Alto, Format::Pdf], ..Recipe::default() };
        assert_eq!(one.key(), two.key());
    }

    #[test]
    fn an_unknown_key_is_refused() {
        assert!(toml::from_str::<Recipe>("languges = ['vie']").is_err());
        let recipe: Recipe = toml::from_str("languages = ['vie', 'eng']\npdf_part = '1b'").unwrap();
        assert_eq!(recipe.language(), "vie+eng");
        assert_eq!(recipe.pdf_part, PdfPart::A1b);
    }
}
