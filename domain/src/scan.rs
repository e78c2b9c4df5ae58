//! What an input file is and what its pages are, as `inspect` finds them in the headers.

use serde::{Deserialize, Serialize};

use crate::geometry::Orientation;

/// Resolution in thousandths of a pixel per inch: exact enough for pages that a PDF scales, and comparable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Dpi {
    /// Across.
    pub x_milli: u32,
    /// Down.
    pub y_milli: u32,
}

impl Dpi {
    /// The same resolution both ways.
    #[must_use]
    pub const fn square(dpi: u32) -> Self {
        Self { x_milli: dpi * 1000, y_milli: dpi * 1000 }
    }

    /// From pixels per inch; negative and undefined values become 0.
    #[must_use]
    pub fn from_f64(x: f64, y: f64) -> Self {
        Self { x_milli: (x * 1000.0).round() as u32, y_milli: (y * 1000.0).round() as u32 }
    }

    /// Pixels per inch across.
    #[must_use]
    pub fn x(self) -> f64 {
        f64::from(self.x_milli) / 1000.0
    }

    /// Pixels per inch down.
    #[must_use]
    pub fn y(self) -> f64 {
        f64::from(self.y_milli) / 1000.0
    }

    /// The resolution after width and height changed places.
    #[must_use]
    pub const fn swapped(self) -> Self {
        Self { x_milli: self.y_milli, y_milli: self.x_milli }
    }

    /// The coarser of the two, in whole pixels per inch: what `dpi_min` is held against.
    #[must_use]
    pub fn coarser(self) -> u32 {
        self.x_milli.min(self.y_milli).saturating_add(500) / 1000
    }
}

/// The rule by which a page's resolution was found. Anything but [`DpiRule::Declared`] is reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DpiRule {
    /// The file says so, and it lies within [`DPI_SANE`].
    Declared,
    /// The file says nothing or nonsense, and the page has the proportions of ISO 216: it is taken for an A4 page.
    AssumedA4,
    /// Neither helps: [`DPI_ASSUMED`].
    AssumedDefault,
}

/// Declared resolutions outside this range are absurd for a scan of paper: 72 is the screen default that cameras and
/// editors write, and no document scanner goes beyond 4,800.
pub const DPI_SANE: std::ops::RangeInclusive<u32> = 73..=4_800;

/// The resolution of a page that gives no hint of its own: what the digitisation plans ask for.
pub const DPI_ASSUMED: u32 = 300;

/// Allowed deviation from the proportion 1 : √2, in thousandths, for a page to be taken for A4.
const A4_PROPORTION_TOLERANCE_MILLI: u32 = 20;

/// A4's long side in thousandths of an inch (297 mm, ISO 216).
const A4_LONG_SIDE_MILLI_INCHES: u64 = 11_693;

/// The resolution of a page of `width` × `height` pixels (as displayed), and the rule that gave it.
#[must_use]
pub fn resolve_dpi(declared: Option<Dpi>, width: u32, height: u32) -> (Dpi, DpiRule) {
    let sane = |milli: u32| DPI_SANE.contains(&(milli.saturating_add(500) / 1000));
    if let Some(dpi) = declared.filter(|dpi| sane(dpi.x_milli) && sane(dpi.y_milli)) {
        return (dpi, DpiRule::Declared);
    }
    let (long, short) = (u64::from(width.max(height)), u64::from(width.min(height)).max(1));
    let proportion_milli = long * 1000 / short;
    let milli = (long * 1_000_000 / A4_LONG_SIDE_MILLI_INCHES) as u32;
    if proportion_milli.abs_diff(1414) <= u64::from(A4_PROPORTION_TOLERANCE_MILLI) && sane(milli) {
        return (Dpi { x_milli: milli, y_milli: milli }, DpiRule::AssumedA4);
    }
    (Dpi::square(DPI_ASSUMED), DpiRule::AssumedDefault)
}

/// What kind of file a source is, by its content, never by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceKind {
    /// JPEG (JFIF, EXIF or bare).
    Jpeg,
    /// PNG.
    Png,
    /// TIFF, one page or many.
    Tiff,
    /// PDF.
    Pdf,
}

/// What the headers of a source say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceFacts {
    /// The kind of file.
    pub kind: SourceKind,
    /// Every page that the file declares, in order; never empty.
    pub pages: Vec<PageFacts>,
    /// The file carries a digital signature: it is delivered as it is, never rewritten.
    pub signed: bool,
}

/// What the headers say of one page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageFacts {
    /// Width in pixels, as displayed.
    pub width: u32,
    /// Height in pixels, as displayed.
    pub height: u32,
    /// Resolution as displayed.
    pub dpi: Dpi,
    /// Where the resolution comes from.
    pub dpi_rule: DpiRule,
    /// How the stored samples are to be displayed.
    pub orientation: Orientation,
    /// Text that the page has already.
    pub existing_text: ExistingText,
    /// Why the page can't be decoded, where its headers show that already.
    pub defect: Option<PageDefect>,
}

/// Text that a PDF page has before we touch it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExistingText {
    /// None: a bare scan.
    #[default]
    None,
    /// Invisible text only: somebody's OCR layer.
    Invisible,
    /// Visible text: a page that was born digital, wholly or in part.
    Visible,
}

/// Why one page of a readable source can't be decoded. The page is dead; its neighbours are unharmed.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "code", content = "detail", rename_all = "snake_case")]
pub enum PageDefect {
    /// The source declares the page but does not hold it.
    #[error("the file declares this page but does not hold it")]
    Missing,
    /// More pixels than `pixels_per_page_max`.
    #[error("{pixels} pixels are more than pixels_per_page_max")]
    TooManyPixels {
        /// Width × height as the header declares them.
        pixels: u64,
    },
    /// Stored in a way that we don't read.
    #[error("stored in a way that is not supported: {0}")]
    Unsupported(String),
    /// The samples can't be decoded.
    #[error("damaged: {0}")]
    Damaged(String),
    /// The source's content is no longer what was inspected.
    #[error("the file changed while the job ran")]
    Changed,
    /// The source is no longer where it was when it was inspected.
    #[error("the file is gone: {0}")]
    Gone(String),
}

/// Why a whole source is refused. It is listed in the report and can be submitted again.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "code", content = "detail", rename_all = "snake_case")]
pub enum Rejection {
    /// No bytes at all.
    #[error("the file is empty")]
    Empty,
    /// The content is no JPEG, PNG, TIFF or PDF.
    #[error("the content is no JPEG, PNG, TIFF or PDF")]
    UnknownKind,
    /// More bytes than `bytes_per_source_max`.
    #[error("{bytes} bytes are more than bytes_per_source_max")]
    TooManyBytes {
        /// Size of the file.
        bytes: u64,
    },
    /// More pages than `pages_per_source_max`.
    #[error("{pages} pages are more than pages_per_source_max")]
    TooManyPages {
        /// Pages that the file declares (or the count at which counting stopped).
        pages: u64,
    },
    /// A PDF that asks for a password.
    #[error("the PDF is encrypted and needs a password")]
    Encrypted,
    /// No page can be found in it.
    #[error("damaged: {0}")]
    Damaged(String),
    /// The operating system does not let us read it.
    #[error("can't be read: {0}")]
    Unreadable(String),
    /// The content is no longer what was submitted.
    #[error("the file changed while the job ran")]
    Changed,
    /// Reading its headers crashed, hung or exhausted the box, again and again.
    #[error("reading its headers failed every time: {0}")]
    Poison(String),
}

impl Rejection {
    /// The stable code that `docs/errors.md` explains.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Empty => "source_empty",
            Self::UnknownKind => "source_unknown_kind",
            Self::TooManyBytes { .. } => "source_too_many_bytes",
            Self::TooManyPages { .. } => "source_too_many_pages",
            Self::Encrypted => "source_encrypted",
            Self::Damaged(_) => "source_damaged",
            Self::Unreadable(_) => "source_unreadable",
            Self::Changed => "source_changed",
            Self::Poison(_) => "source_poison",
        }
    }
}

impl PageDefect {
    /// The stable code that `docs/errors.md` explains.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Missing => "page_missing",
            Self::TooManyPixels { .. } => "page_too_many_pixels",
            Self::Unsupported(_) => "page_unsupported",
            Self::Damaged(_) => "page_damaged",
            Self::Changed => "page_changed",
            Self::Gone(_) => "page_source_gone",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sane_declaration_is_believed() {
        assert_eq!(resolve_dpi(Some(Dpi::square(200)), 10, 10), (Dpi::square(200), DpiRule::Declared));
        let fax = Dpi { x_milli: 204_000, y_milli: 98_000 };
        assert_eq!(resolve_dpi(Some(fax), 1728, 1100).1, DpiRule::Declared);
    }

    #[test]
    fn missing_and_absurd_declarations_follow_a_named_rule() {
        for declared in [
            None,
            Some(Dpi::default()),
            Some(Dpi::square(1)),
            Some(Dpi::square(72)),
            Some(Dpi::square(60_000)),
        ] {
            let (dpi, rule) = resolve_dpi(declared, 2480, 3508);
            assert_eq!((dpi.coarser(), rule), (300, DpiRule::AssumedA4), "{declared:?}");
        }
        assert_eq!(resolve_dpi(None, 1000, 1000), (Dpi::square(300), DpiRule::AssumedDefault));
        assert_eq!(resolve_dpi(None, 1, 1_000_000), (Dpi::square(300), DpiRule::AssumedDefault));
    }
}
