//! The states of a page and what is known of it when it is done.

use serde::{Deserialize, Serialize};

use crate::geometry::Turn;
use crate::page_text::Confidence;

/// The states of a page. All but `Pending` are final: a page enters one of them once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PageState {
    /// Declared by its source; collect moves it on.
    Pending,
    /// Read (collect).
    Recognised,
    /// Found to be empty (collect); it stays in the document.
    Blank,
    /// Its existing text was kept, or its signed PDF is delivered as it was (collect, at inspect).
    Kept,
    /// Given up (collect: its ladder is at its end, or it can't be decoded); it stays in the document as a gap.
    Dead,
    /// Its job was cancelled before it was read (cancel).
    Cancelled,
}

impl PageState {
    /// The name that the store, the reports and the metrics use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Recognised => "recognised",
            Self::Blank => "blank",
            Self::Kept => "kept",
            Self::Dead => "dead",
            Self::Cancelled => "cancelled",
        }
    }

    /// The state of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Pending, Self::Recognised, Self::Blank, Self::Kept, Self::Dead, Self::Cancelled]
            .into_iter()
            .find(|state| state.name() == name)
    }
}

/// What reading a page told beside its text.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PageSummary {
    /// Mean confidence; `None` without words.
    pub confidence: Option<Confidence>,
    /// Confidence of the worst region.
    pub worst_confidence: Option<Confidence>,
    /// Words read.
    pub words: u32,
    /// Words that break a rule of their language.
    pub suspect_words: u32,
    /// How the content lay on the page.
    pub turn: Turn,
    /// Skew of the content in thousandths of a degree.
    pub skew_millidegrees: i32,
    /// Read with the degraded recipe.
    pub degraded: bool,
    /// CPU time that the page took, in milliseconds, by step in the order of the steps.
    pub cpu_ms: Vec<(String, u32)>,
}
