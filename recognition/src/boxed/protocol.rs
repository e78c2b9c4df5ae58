//! What a worker and its child say to each other: strictly one request, one reply, in [frames](super::frame).
//!
//! ```text
//! worker                                   child
//!   Setup ─────────────────────────────────▶ loads models, warms up, locks itself
//!   ◀───────────────────── Result<Ready, String>
//!   Request::Open + descriptor of the file ▶ maps it; it stays open until Close
//!   ◀────────────────────── Result<Answer, Failure>
//!   Request::Read, Deliver, … ─────────────▶
//!   ◀────────────────────── Result<Answer, Failure>
//!   (end of the socket) ───────────────────▶ ends
//! ```

use std::path::PathBuf;

use pagemill_domain::limits::Limits;
use pagemill_domain::outcome::Fingerprint;
use pagemill_domain::page_image::{Deliverable, PageImage};
use pagemill_domain::page_text::PageText;
use pagemill_domain::recipe::Recipe;
use pagemill_domain::scan::{PageDefect, Rejection, SourceFacts};
use pagemill_domain::source_map::ByteRange;
use serde::{Deserialize, Serialize};

use super::sandbox::Sandbox;
use crate::reader::StageCpu;

/// Grows with every change of a message. Worker and child are normally the same program; a child of another version
/// (the program file was replaced) is refused at its start.
pub const PROTOCOL_VERSION: u16 = 3;

/// The first message: what the child shall be able to do.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Setup {
    /// [`PROTOCOL_VERSION`] of the worker.
    pub version: u16,
    /// The bounds to keep.
    pub limits: Limits,
    /// What to load for reading; a child that only inspects or delivers needs nothing.
    pub reader: Option<ReaderSetup>,
}

/// What a child that reads must load before it locks itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReaderSetup {
    /// What is to be done with the pages.
    pub recipe: Recipe,
    /// The folder of the models.
    pub models: PathBuf,
}

/// The child is warm and locked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ready {
    /// [`PROTOCOL_VERSION`] of the child.
    pub version: u16,
    /// Everything that can change a byte of what it reads; `None` in a child that does not read.
    pub fingerprint: Option<Fingerprint>,
    /// Which layers hold it.
    pub sandbox: Sandbox,
}

/// What the child is asked. All but `Open` and `Close` concern the source that is open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// Open the source whose descriptor comes with this message.
    Open {
        /// Its size in bytes.
        bytes: u64,
        /// Which of them are not there; reading one of these ends the child.
        holes: Vec<ByteRange>,
    },
    /// Let go of the source.
    Close,
    /// What do the headers say?
    Inspect,
    /// Which bytes does each page need?
    Map,
    /// Decode a page and read it.
    Read {
        /// The page's number in its source, from 1.
        page: u32,
        /// Use the degraded recipe, the last try before the page is given up.
        degraded: bool,
    },
    /// Decode a page, read it, and draw what was seen.
    Draw {
        /// The page's number in its source, from 1.
        page: u32,
        /// As in `Read`.
        degraded: bool,
    },
    /// Make a page's image ready to be delivered.
    Deliver {
        /// The page's number in its source, from 1.
        page: u32,
        /// For which deliverable.
        deliverable: Deliverable,
    },
    /// Take over the text that a PDF page has already.
    ExistingText {
        /// The page's number in its source, from 1.
        page: u32,
    },
}

/// The answer to a [`Request`], variant for variant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// To `Open`.
    Opened,
    /// To `Close`.
    Closed,
    /// To `Inspect`.
    Inspected(#[serde(with = "as_json")] SourceFacts),
    /// To `Map`; `None` where it can't be told.
    Mapped(Option<Vec<Vec<ByteRange>>>),
    /// To `Read`: the parts of a [`Reading`](crate::reader::Reading).
    Read {
        /// The text.
        text: PageText,
        /// Nothing is on the page.
        blank: bool,
        /// Where the CPU time went.
        stages: StageCpu,
    },
    /// To `Draw`: a PNG.
    Drawn(Vec<u8>),
    /// To `Deliver`.
    Delivered(PageImage),
    /// To `ExistingText`; `None` where the page has none.
    ExistingText(Option<PageText>),
}

/// Why the child, in good order, has no answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Failure {
    /// The source is refused.
    Rejected(#[serde(with = "as_json")] Rejection),
    /// The page can't be decoded.
    Defect(#[serde(with = "as_json")] PageDefect),
    /// The engine gave up on the page.
    Engine(String),
    /// The request makes no sense, as one for a page of a source that is not open.
    Misused(String),
}

/// JSON within postcard, for the domain's tagged enumerations: a decoder needs to look ahead for their tags, which
/// postcard, not being self-describing, does not offer.
mod as_json {
    use serde::de::{DeserializeOwned, Error as _};
    use serde::ser::Error as _;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<T: Serialize, S: Serializer>(
        value: &T,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serde_json::to_string(value).map_err(S::Error::custom)?.serialize(serializer)
    }

    pub(super) fn deserialize<'de, T: DeserializeOwned, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<T, D::Error> {
        let json = String::deserialize(deserializer)?;
        serde_json::from_str(&json).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use pagemill_domain::scan::{Dpi, DpiRule, ExistingText, PageFacts, SourceKind};

    use super::super::frame::{decode, encode};
    use super::*;

    fn comes_back<T>(message: &T)
    where
        T: Serialize + serde::de::DeserializeOwned + PartialEq + std::fmt::Debug,
    {
        let frame = encode(message, 1 << 20).unwrap();
        assert_eq!(&decode::<T>(&frame[4..]).unwrap(), message);
    }

    #[test]
    fn tagged_enumerations_survive_postcard() {
        for defect in [
            PageDefect::Missing,
            PageDefect::TooManyPixels { pixels: 3 },
            PageDefect::Damaged("truncated".into()),
        ] {
            comes_back::<Result<Answer, Failure>>(&Err(Failure::Defect(defect.clone())));
            let page = PageFacts {
                width: 3,
                height: 4,
                dpi: Dpi::square(300),
                dpi_rule: DpiRule::Declared,
                orientation: pagemill_domain::geometry::Orientation::default(),
                existing_text: ExistingText::None,
                defect: Some(defect),
            };
            let facts = SourceFacts { kind: SourceKind::Tiff, pages: vec![page], signed: false };
            comes_back::<Result<Answer, Failure>>(&Ok(Answer::Inspected(facts)));
        }
        for rejection in
            [Rejection::Empty, Rejection::TooManyBytes { bytes: 1 }, Rejection::Poison("x".into())]
        {
            comes_back::<Result<Answer, Failure>>(&Err(Failure::Rejected(rejection)));
        }
    }

    #[test]
    fn a_setup_survives_postcard() {
        let reader = ReaderSetup { recipe: Recipe::default(), models: "models".into() };
        let setup =
            Setup { version: PROTOCOL_VERSION, limits: Limits::default(), reader: Some(reader.clone()) };
        let frame = encode(&setup, 1 << 20).unwrap();
        let back: Setup = decode(&frame[4..]).unwrap();
        assert_eq!((back.limits, back.reader), (setup.limits, Some(reader)));
    }
}
