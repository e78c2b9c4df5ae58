//! What is wrong with a recipe whose keys and names are right.

use super::Recipe;
use crate::scan::DPI_SANE;

/// More languages than this only slow the engine down; Tesseract itself sets no limit.
const LANGUAGES_MAX: usize = 8;

/// Bytes of a language's name.
const LANGUAGE_BYTES_MAX: usize = 100;

/// A recipe that can't be followed; the text names the key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecipeError {
    /// None, or too many.
    #[error("languages must be 1 to {LANGUAGES_MAX}")]
    Languages,
    /// Not the name of a model.
    #[error("languages: {0:?} is no name of a model, such as vie or script/Vietnamese")]
    Language(String),
    /// Nothing to deliver.
    #[error("formats must not be empty")]
    Formats,
    /// No page has such a resolution.
    #[error("dpi_min must be at most {}", DPI_SANE.end())]
    DpiMin,
}

impl Recipe {
    /// Whether the recipe can be followed.
    pub fn check(&self) -> Result<(), RecipeError> {
        if self.languages.is_empty() || self.languages.len() > LANGUAGES_MAX {
            return Err(RecipeError::Languages);
        }
        if let Some(language) = self.languages.iter().find(|language| !is_language(language)) {
            let shown = language.chars().take(LANGUAGE_BYTES_MAX).collect();
            return Err(RecipeError::Language(shown));
        }
        if self.formats.is_empty() {
            return Err(RecipeError::Formats);
        }
        if self.dpi_min > *DPI_SANE.end() {
            return Err(RecipeError::DpiMin);
        }
        Ok(())
    }
}

/// A model's name becomes part of a path: letters, digits, `_` and `-`, below at most one folder (`script/…`).
fn is_language(name: &str) -> bool {
    let is_word = |part: &str| {
        !part.is_empty() && part.chars().all(|letter| letter.is_ascii_alphanumeric() || "_-".contains(letter))
    };
    name.len() <= LANGUAGE_BYTES_MAX && name.split('/').count() <= 2 && name.split('/').all(is_word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_followed_is_refused() {
        assert_eq!(Recipe::default().check(), Ok(()));
        let with = |languages: &[&str]| Recipe {
            languages: languages.iter().map(|&name| name.to_owned()).collect(),
            ..Recipe::default()
        };
        assert_eq!(with(&["script/Vietnamese", "chi_sim"]).check(), Ok(()));
        assert_eq!(with(&[]).check(), Err(RecipeError::Languages));
        assert_eq!(with(&["a"; 9]).check(), Err(RecipeError::Languages));
        for name in ["../../etc/passwd", "", "a/b/c", "vie+eng", &"x".repeat(101)] {
            assert!(matches!(with(&[name]).check(), Err(RecipeError::Language(_))), "{name}");
        }
        let recipe = Recipe { formats: Vec::new(), ..Recipe::default() };
        assert_eq!(recipe.check(), Err(RecipeError::Formats));
        let recipe = Recipe { dpi_min: 100_000, ..Recipe::default() };
        assert_eq!(recipe.check(), Err(RecipeError::DpiMin));
    }
}
