//! Which engine reads a recipe's languages.

use pagemill_domain::recipe::{EngineChoice, Recipe};

use super::{ModelDir, ReaderError};
use crate::engine::native::NativeEngine;

/// Models with which the native engine was measured to read at least as well as Tesseract on every set of the bench.
const MEASURED: [&str; 2] = ["vie", "eng"];

/// The native engine, where the recipe asks for it or leaves the choice and it is the better one; `None` means
/// Tesseract: for several languages at once, for models that were not measured, and for those that only the reference
/// implementation runs.
pub(super) fn native(recipe: &Recipe, models: &ModelDir) -> Result<Option<NativeEngine>, ReaderError> {
    match (recipe.engine, recipe.languages.as_slice()) {
        (EngineChoice::Native, [model]) => load(model, models).map(Some),
        (EngineChoice::Native, languages) => Err(ReaderError::OneLanguage(languages.len())),
        (EngineChoice::Auto, [model]) if MEASURED.contains(&model.as_str()) => {
            // A file that it refuses may be one of another version: Tesseract has the last word.
            Ok(load(model, models).ok().filter(NativeEngine::is_fast))
        }
        (EngineChoice::Auto | EngineChoice::Tesseract, _) => Ok(None),
    }
}

fn load(model: &str, models: &ModelDir) -> Result<NativeEngine, ReaderError> {
    let file = std::fs::read(models.file(model)).map_err(|_| ReaderError::ModelRefused(model.to_owned()))?;
    NativeEngine::new(&file, &[]).map_err(|error| ReaderError::NativeModel { model: model.to_owned(), error })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_native(engine: EngineChoice, languages: &[&str]) -> bool {
        let languages = languages.iter().map(ToString::to_string).collect();
        let recipe = Recipe { engine, languages, ..Recipe::default() };
        native(&recipe, &ModelDir::find(None)).unwrap().is_some()
    }

    #[test]
    fn the_native_engine_is_chosen_for_what_it_was_measured_with() {
        assert!(is_native(EngineChoice::Auto, &["vie"]));
        assert!(is_native(EngineChoice::Auto, &["eng"]));
        assert!(!is_native(EngineChoice::Auto, &["vie", "eng"]));
        assert!(!is_native(EngineChoice::Auto, &["osd"]), "not even a model for reading");
        assert!(!is_native(EngineChoice::Tesseract, &["vie"]));
        assert!(is_native(EngineChoice::Native, &["vie"]));
    }

    #[test]
    fn asked_for_by_name_it_refuses_what_it_cannot_read() {
        let recipe = |languages: &[&str]| Recipe {
            engine: EngineChoice::Native,
            languages: languages.iter().map(ToString::to_string).collect(),
            ..Recipe::default()
        };
        let models = ModelDir::find(None);
        assert!(matches!(native(&recipe(&["vie", "eng"]), &models), Err(ReaderError::OneLanguage(2))));
        assert!(matches!(native(&recipe(&["osd"]), &models), Err(ReaderError::NativeModel { .. })));
    }
}
