//! The recipe of a run: the recipe file, overridden by flags, checked once at start.

use std::fs;
use std::path::{Path, PathBuf};

use pagemill_domain::recipe::Recipe;

use crate::arguments::RecipeFlags;
use crate::failure::Failure;

/// Largest recipe file, in bytes: a recipe is a page of text.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Reads the recipe of a run.
pub(crate) fn read(flags: &RecipeFlags) -> Result<Recipe, Failure> {
    let recipe = flags.recipe.as_deref().map(read_file).transpose()?.unwrap_or_default();
    let origin = flags.recipe.clone().unwrap_or_else(|| PathBuf::from("flags"));
    let recipe = overridden(recipe, flags).canonical();
    recipe.check().map_err(|error| Failure::Recipe { file: origin, why: error.to_string() })?;
    Ok(recipe)
}

fn read_file(file: &Path) -> Result<Recipe, Failure> {
    let refuse = |why: String| Failure::Recipe { file: file.to_owned(), why };
    let bytes = fs::metadata(file).map_err(|error| refuse(error.to_string()))?.len();
    if bytes > FILE_BYTES_MAX {
        return Err(refuse(format!("{bytes} bytes are too many for a recipe")));
    }
    let text = fs::read_to_string(file).map_err(|error| refuse(error.to_string()))?;
    toml::from_str(&text).map_err(|error| refuse(error.to_string()))
}

fn overridden(mut recipe: Recipe, flags: &RecipeFlags) -> Recipe {
    if !flags.languages.is_empty() {
        recipe.languages.clone_from(&flags.languages);
    }
    if !flags.formats.is_empty() {
        recipe.formats.clone_from(&flags.formats);
    }
    recipe.engine = flags.engine.unwrap_or(recipe.engine);
    recipe.group = flags.group.unwrap_or(recipe.group);
    recipe.existing_text = flags.existing_text.unwrap_or(recipe.existing_text);
    recipe
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use pagemill_domain::recipe::{EngineChoice, Format};

    use super::*;

    fn with_file(toml: &str, mut flags: RecipeFlags) -> Result<Recipe, String> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(toml.as_bytes()).unwrap();
        flags.recipe = Some(file.path().to_owned());
        read(&flags).map_err(|failure| failure.to_string())
    }

    #[test]
    fn flags_override_the_file() {
        let file = "languages = ['eng']\nformats = ['tsv']\ndpi_min = 200";
        let flags = RecipeFlags {
            formats: vec![Format::Txt, Format::Pdf],
            engine: Some(EngineChoice::Tesseract),
            ..RecipeFlags::default()
        };
        let recipe = with_file(file, flags).unwrap();
        assert_eq!(recipe.languages, ["eng"]);
        assert_eq!(recipe.formats, [Format::Pdf, Format::Txt]);
        assert_eq!((recipe.engine, recipe.dpi_min), (EngineChoice::Tesseract, 200));
    }

    #[test]
    fn every_refusal_names_its_key() {
        for (file, key) in [
            ("languages = []", "languages"),
            ("languages = ['../../etc/passwd']", "languages"),
            ("formats = []", "formats"),
            ("formats = ['docx']", "formats"),
            ("dpi_min = 100000", "dpi_min"),
            ("dpi = 300", "dpi"),
            ("[clean_up]\ndeskew = 'yes'", "deskew"),
        ] {
            let refusal = with_file(file, RecipeFlags::default()).unwrap_err();
            assert!(refusal.contains(key), "{file}: {refusal}");
        }
    }

    #[test]
    fn the_documented_recipe_is_the_default_and_has_every_key() {
        let page = include_str!("../../docs/operating.md");
        let documented = page.split("```toml").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
        let recipe: Recipe = toml::from_str(documented).unwrap();
        assert_eq!(recipe, Recipe::default());
        let keys = |toml: &str| toml::from_str::<toml::Table>(toml).unwrap();
        let (documented, all) = (keys(documented), keys(&toml::to_string(&recipe).unwrap()));
        assert_eq!(documented, all);
    }

    #[test]
    fn a_missing_file_is_named() {
        let flags = RecipeFlags { recipe: Some("no-such.toml".into()), ..RecipeFlags::default() };
        assert!(read(&flags).unwrap_err().to_string().contains("no-such.toml"));
    }
}
