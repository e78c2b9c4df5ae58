//! The recognition process: models, engine, lock.

use std::path::PathBuf;

use pagemill_domain::hash::ContentHash;
use pagemill_domain::recipe::Recipe;
use pagemill_recognition::boxed::client::{BoxClient, BoxOptions};
use pagemill_recognition::boxed::protocol::{ReaderSetup, Ready};
use pagemill_recognition::boxed::sandbox::Layer;
use pagemill_recognition::reader::ModelDir;

use super::Finding;
use crate::child;
use crate::failure::Failure;
use crate::settings::Settings;

pub(super) fn findings(languages: &[String], settings: &Settings) -> Result<Vec<Finding>, Failure> {
    let recipe = Recipe { languages: languages.to_vec(), ..Recipe::default() };
    recipe
        .check()
        .map_err(|error| Failure::Recipe { file: PathBuf::from("flags"), why: error.to_string() })?;
    let models = child::models();
    let mut findings = vec![models_finding(&models, &recipe)];
    let reader = ReaderSetup { recipe, models: models.folder().to_owned() };
    let options = BoxOptions {
        program: child::program(),
        limits: settings.limits.clone(),
        reader: Some(reader),
        require_sandbox: false,
    };
    match BoxClient::new(options).start() {
        Ok(ready) => {
            let fingerprint = ready.fingerprint.as_ref().map(|fingerprint| shown(&fingerprint.0));
            findings.push(Finding::ok("engine", fingerprint.unwrap_or_default()));
            findings.extend(sandbox_findings(&ready, settings.require_sandbox));
        }
        Err(error) => {
            findings.push(Finding::fail("engine", error.to_string(), "sudo apt-get install tesseract-ocr"));
        }
    }
    Ok(findings)
}

/// A fingerprint with its hashes cut short: enough to see whether two machines have the same models.
fn shown(fingerprint: &str) -> String {
    let words = fingerprint.split(' ').map(|word| match word.trim_end_matches(';').parse::<ContentHash>() {
        Ok(_) => word.replacen(&word[HASH_DIGITS_SHOWN..HASH_DIGITS], "…", 1),
        Err(_) => word.to_owned(),
    });
    words.collect::<Vec<_>>().join(" ")
}

const HASH_DIGITS: usize = 64;
const HASH_DIGITS_SHOWN: usize = 12;

fn models_finding(models: &ModelDir, recipe: &Recipe) -> Finding {
    let found = format!("{} in {}", ModelDir::needed(recipe).join(", "), models.folder().display());
    match models.check(recipe) {
        Ok(()) => Finding::ok("models", found),
        Err(error) => Finding::fail(
            "models",
            error.to_string(),
            "install the package, or set TESSDATA_PREFIX to the folder that holds the model",
        ),
    }
}

/// A finding for each layer of the lock that a child was able to put on.
fn sandbox_findings(ready: &Ready, required: bool) -> Vec<Finding> {
    let finding = |layer: &Layer| match ready.sandbox.missing(*layer) {
        None => Finding::ok("sandbox", layer.name()),
        Some(reason) => {
            let found = format!("{}: {reason}", layer.name());
            let remedy = "hostile files are less contained: use a newer kernel, or allow it in the container";
            if required {
                Finding::fail("sandbox", found, remedy)
            } else {
                Finding::warn("sandbox", found, remedy)
            }
        }
    };
    Layer::ALL.iter().map(finding).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_cut_short() {
        let hash = ContentHash::of(b"model").to_string();
        let expected = format!("tesseract 5; vie {}…; osd {}…", &hash[..12], &hash[..12]);
        assert_eq!(shown(&format!("tesseract 5; vie {hash}; osd {hash}")), expected);
    }
}
