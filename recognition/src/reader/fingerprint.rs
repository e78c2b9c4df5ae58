//! What, besides a page and a recipe, decides a page's text.
#![allow(unsafe_code, reason = "Leptonica's version strings")]

use std::ffi::{CStr, c_char, c_void};

use leptess::capi;
use pagemill_domain::hash::ContentHash;
use pagemill_domain::recipe::Recipe;

use super::{ModelDir, ReaderError, choice};
use crate::engine::tesseract::Tesseract;

/// The engine fingerprint: versions of Pagemill, Tesseract, Leptonica and its image libraries, the engine that reads, the
/// hashes of the models, and where Tesseract reads the instruction set for which it picks its arithmetic: the native
/// engine's results are the same on all. Equal fingerprints promise equal page texts.
/// Reads the models: call it once, outside the box.
pub fn fingerprint(recipe: &Recipe, models: &ModelDir) -> Result<String, ReaderError> {
    models.check(recipe)?;
    let mut parts = vec![
        format!("pagemill {}", env!("CARGO_PKG_VERSION")),
        format!("tesseract {}", Tesseract::version()),
        // SAFETY: the function takes nothing and returns a string to be freed.
        unsafe { owned(capi::getLeptonicaVersion()) },
        // SAFETY: as above.
        unsafe { owned(capi::getImagelibVersions()) },
    ];
    parts.push(match choice::native(recipe, models)? {
        Some(_) => "engine native".to_owned(),
        None => format!("engine tesseract {}", instruction_set()),
    });
    for model in ModelDir::needed(recipe) {
        let bytes =
            std::fs::read(models.file(&model)).map_err(|_| ReaderError::ModelRefused(model.clone()))?;
        parts.push(format!("{model} {}", ContentHash::of(&bytes)));
    }
    Ok(parts.join("; "))
}

/// Copies and frees a string of Leptonica's.
///
/// # Safety
/// `raw` is null or a NUL-terminated string that Leptonica allocated and nobody else frees.
unsafe fn owned(raw: *mut c_char) -> String {
    if raw.is_null() {
        return String::new();
    }
    // SAFETY: by this function's contract.
    let text = unsafe { CStr::from_ptr(raw) }.to_string_lossy().trim().to_owned();
    // SAFETY: by this function's contract; not used afterwards.
    unsafe { capi::lept_free(raw.cast::<c_void>()) };
    text
}

/// The dot products of the networks differ in rounding between these.
fn instruction_set() -> String {
    let mut name = std::env::consts::ARCH.to_owned();
    #[cfg(target_arch = "x86_64")]
    for (feature, present) in [
        ("avx512vnni", is_x86_feature_detected!("avx512vnni")),
        ("avx512f", is_x86_feature_detected!("avx512f")),
        ("avx2", is_x86_feature_detected!("avx2")),
        ("fma", is_x86_feature_detected!("fma")),
        ("avx", is_x86_feature_detected!("avx")),
        ("sse4.1", is_x86_feature_detected!("sse4.1")),
    ] {
        if present {
            name.push('+');
            name.push_str(feature);
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use pagemill_domain::recipe::EngineChoice;

    use super::*;

    #[test]
    fn it_names_libraries_models_and_machine() {
        let models = ModelDir::find(None);
        let one = fingerprint(&Recipe::default(), &models).unwrap();
        for part in ["pagemill ", "tesseract ", "leptonica-", "libjpeg", "vie ", "osd ", "engine native"] {
            assert!(one.contains(part), "{part} in {one}");
        }
        assert!(!one.contains(std::env::consts::ARCH), "{one}");
        let other = Recipe { engine: EngineChoice::Tesseract, ..Recipe::default() };
        let other = fingerprint(&other, &models).unwrap();
        assert!(other.contains(&format!("engine tesseract {}", std::env::consts::ARCH)), "{other}");
        let english = Recipe { languages: vec!["eng".into()], ..Recipe::default() };
        assert_ne!(one, fingerprint(&english, &models).unwrap());
    }
}
