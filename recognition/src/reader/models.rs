//! Where language models lie, and whether those that a recipe needs are there.

use std::path::{Path, PathBuf};

use pagemill_domain::recipe::Recipe;

use super::ReaderError;

/// The model behind orientation detection.
pub(super) const ORIENTATION_MODEL: &str = "osd";

/// Where Debian, Ubuntu and Tesseract's own build put models, in this order.
const FOLDERS: [&str; 4] = [
    "/usr/share/tesseract-ocr/5/tessdata",
    "/usr/share/tesseract-ocr/4.00/tessdata",
    "/usr/share/tessdata",
    "/usr/local/share/tessdata",
];

/// Longest name of a model (`script/Vietnamese` has 17).
const NAME_BYTES_MAX: usize = 64;

/// A folder of Tesseract models (`vie.traineddata`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelDir(PathBuf);

impl ModelDir {
    /// A given folder.
    #[must_use]
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self(folder.into())
    }

    /// The folder that `TESSDATA_PREFIX` names (its value, unset or empty counts as absent); else the first of the
    /// usual places that exists; else Debian's, so that errors name it.
    #[must_use]
    pub fn find(tessdata_prefix: Option<&Path>) -> Self {
        if let Some(prefix) = tessdata_prefix.filter(|prefix| !prefix.as_os_str().is_empty()) {
            // Tesseract 3 wanted the folder above `tessdata`, and old set-ups still say so.
            let below = prefix.join("tessdata");
            return Self(if below.is_dir() { below } else { prefix.to_owned() });
        }
        let usual = FOLDERS.iter().map(PathBuf::from).find(|folder| folder.is_dir());
        Self(usual.unwrap_or_else(|| PathBuf::from(FOLDERS[0])))
    }

    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.0
    }

    /// Names of the models that a recipe needs, orientation's last.
    #[must_use]
    pub fn needed(recipe: &Recipe) -> Vec<String> {
        let mut needed = recipe.languages.clone();
        if recipe.clean_up.orientation {
            needed.push(ORIENTATION_MODEL.to_owned());
        }
        needed
    }

    /// The file of a model.
    #[must_use]
    pub fn file(&self, model: &str) -> PathBuf {
        self.0.join(format!("{model}.traineddata"))
    }

    /// Whether all models that the recipe needs are there; the error names the first that is not.
    pub fn check(&self, recipe: &Recipe) -> Result<(), ReaderError> {
        if recipe.languages.is_empty() {
            return Err(ReaderError::NoLanguage);
        }
        for model in Self::needed(recipe) {
            if !is_name(&model) {
                return Err(ReaderError::BadLanguage(model));
            }
            if !self.file(&model).is_file() {
                return Err(ReaderError::ModelMissing {
                    folder: self.0.display().to_string(),
                    package: package(&model),
                    model,
                });
            }
        }
        Ok(())
    }
}

/// Names come from users: only what Tesseract's own models are called, so that none leaves the folder.
fn is_name(model: &str) -> bool {
    let letters = model.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'/');
    let folder = model.split_once('/').is_none_or(|(folder, name)| folder == "script" && !name.contains('/'));
    letters && folder && !model.is_empty() && model.len() <= NAME_BYTES_MAX
}

/// Debian's package of a model: `chi_sim` is in `tesseract-ocr-chi-sim`, `script/Vietnamese` in
/// `tesseract-ocr-script-viet`, which a search finds.
fn package(model: &str) -> String {
    match model.strip_prefix("script/") {
        Some(script) => format!("tesseract-ocr-script-{}", script.to_lowercase().get(..4).unwrap_or(script)),
        None => format!("tesseract-ocr-{}", model.replace('_', "-")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recipe(languages: &[&str]) -> Recipe {
        Recipe { languages: languages.iter().map(ToString::to_string).collect(), ..Recipe::default() }
    }

    #[test]
    fn a_missing_model_names_its_package() {
        let models = ModelDir::new("/nowhere");
        let error = models.check(&recipe(&["vie"])).unwrap_err().to_string();
        assert!(error.contains("vie.traineddata") && error.contains("tesseract-ocr-vie"), "{error}");
        let error = models.check(&recipe(&["chi_sim"])).unwrap_err().to_string();
        assert!(error.contains("tesseract-ocr-chi-sim"), "{error}");
    }

    #[test]
    fn names_that_leave_the_folder_are_refused() {
        let models = ModelDir::find(None);
        for name in ["../vie", "/etc/passwd", "vie+eng", "script/../vie", "", "a\0b"] {
            assert!(matches!(models.check(&recipe(&[name])), Err(ReaderError::BadLanguage(_))), "{name:?}");
        }
        assert!(matches!(models.check(&recipe(&[])), Err(ReaderError::NoLanguage)));
    }
}
