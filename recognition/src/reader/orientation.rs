//! How a page lies, by Tesseract's detection of orientation and script.
//!
//! Its tables take 33 MB, more than all else that reading needs, and few pages ask for them. After the warm-up they are let
//! go. The model's file stays mapped: the first page that asks has them loaded from there, with nothing opened.
#![allow(unsafe_code, reason = "maps a file that others may change")]

use std::fs::File;

use memmap2::Mmap;
use pagemill_domain::geometry::Turn;

use super::models::ORIENTATION_MODEL;
use super::{ModelDir, ReaderError};
use crate::engine::tesseract::{Recogniser, Tesseract};
use crate::prepare::grey::Grey;

/// Orientation detection, loaded or ready to be.
pub(super) struct OrientationDetector {
    model: Mmap,
    loaded: Option<Tesseract>,
}

impl OrientationDetector {
    /// Loads it from its file.
    pub(super) fn load(models: &ModelDir) -> Result<Self, ReaderError> {
        let refused = || ReaderError::ModelRefused(ORIENTATION_MODEL.to_owned());
        let file = File::open(models.file(ORIENTATION_MODEL)).map_err(|_| refused())?;
        // SAFETY: the mapping is read-only. Who changes an installed model while it is in use gets a child that ends with
        // SIGBUS at worst, or one that finds no orientation.
        let model = unsafe { Mmap::map(&file) }.map_err(|_| refused())?;
        let loaded = Tesseract::load(models.folder(), ORIENTATION_MODEL, Recogniser::Legacy);
        Ok(Self { model, loaded: Some(loaded.ok_or_else(refused)?) })
    }

    /// How the content lies, and Tesseract's confidence in that; `None` where there is too little to tell.
    pub(super) fn detect(&mut self, grey: &Grey, dpi: u32) -> Option<(Turn, f32)> {
        let pix = grey.to_pix()?;
        if self.loaded.is_none() {
            self.loaded = Tesseract::load_bytes(&self.model, ORIENTATION_MODEL, Recogniser::Legacy);
        }
        self.loaded.as_mut()?.orientation(&pix, dpi)
    }

    /// Lets its tables go until they are needed.
    pub(super) fn rest(&mut self) {
        self.loaded = None;
    }
}

#[cfg(test)]
mod tests {
    use super::super::built_in_page;
    use super::*;

    #[test]
    fn it_finds_the_same_before_and_after_a_rest() {
        let mut detector = OrientationDetector::load(&ModelDir::find(None)).unwrap();
        let page = Grey::from_pix(&built_in_page::scan().unwrap().pix);
        let found = detector.detect(&page, 300);
        assert!(found.is_some());
        detector.rest();
        assert_eq!(detector.detect(&page, 300), found);
    }
}
