//! The file that holds a model's components.

use super::MODEL_BYTES_MAX;
use super::bytes::Bytes;

/// Why a model file cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ModelError {
    /// A part ends before its content does.
    #[error("model file is cut off in its {0}")]
    Truncated(&'static str),
    /// A component that reading lines needs is absent.
    #[error("model file has no {0}; only LSTM models can be read")]
    Missing(&'static str),
    /// A count exceeds its limit.
    #[error("model file has {found} {what}, the limit is {max}")]
    TooMany {
        /// What is counted.
        what: &'static str,
        /// How many the file claims.
        found: usize,
        /// How many are allowed.
        max: usize,
    },
    /// A value that no valid file has.
    #[error("model file has an invalid {0}")]
    Malformed(&'static str),
    /// The file is valid but asks for something that this engine does not do; Tesseract's own engine may.
    #[error("model uses {0}, which the native engine does not support")]
    Unsupported(String),
}

/// The components that the engine reads, by their index in the container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Component {
    /// The network.
    Lstm = 17,
    /// Patterns of punctuation around words.
    PunctuationDawg = 18,
    /// Words.
    WordDawg = 19,
    /// Patterns of numbers.
    NumberDawg = 20,
    /// The characters.
    Unicharset = 21,
    /// From network outputs to characters.
    Recoder = 22,
}

impl Component {
    const fn name(self) -> &'static str {
        match self {
            Self::Lstm => "network",
            Self::PunctuationDawg => "punctuation dictionary",
            Self::WordDawg => "word dictionary",
            Self::NumberDawg => "number dictionary",
            Self::Unicharset => "character set",
            Self::Recoder => "recoder",
        }
    }
}

/// Most components that a container may have; Tesseract 5 knows 24.
const COMPONENTS_MAX: usize = 1000;

/// A model file cut into its components.
pub(super) struct Container<'a> {
    components: Vec<Option<&'a [u8]>>,
}

impl<'a> Container<'a> {
    /// Cuts a file: a count, as many offsets (-1 for absent components), the components. A component ends where the
    /// next one that is present begins.
    pub(super) fn read(file: &'a [u8]) -> Result<Self, ModelError> {
        if file.len() > MODEL_BYTES_MAX {
            return Err(ModelError::TooMany { what: "bytes", found: file.len(), max: MODEL_BYTES_MAX });
        }
        let mut bytes = Bytes::new(file, "table of components");
        let count = bytes.count("components", COMPONENTS_MAX)?;
        let offsets = (0..count).map(|_| bytes.i64()).collect::<Result<Vec<_>, _>>()?;
        let mut end = file.len();
        let mut components = vec![None; count];
        for (component, &offset) in components.iter_mut().zip(&offsets).rev() {
            if offset < 0 {
                continue;
            }
            let start = usize::try_from(offset).map_err(|_| ModelError::Malformed("offset"))?;
            *component = Some(file.get(start..end).ok_or(ModelError::Malformed("offset"))?);
            end = start;
        }
        Ok(Self { components })
    }

    /// Whether any component is present.
    pub(super) fn has_any(&self) -> bool {
        self.components.iter().any(Option::is_some)
    }

    /// A component's bytes, if it is present.
    pub(super) fn get(&self, component: Component) -> Option<&'a [u8]> {
        self.components.get(component as usize).copied().flatten()
    }

    /// A component's bytes.
    pub(super) fn require(&self, component: Component) -> Result<&'a [u8], ModelError> {
        self.get(component).ok_or(ModelError::Missing(component.name()))
    }
}
