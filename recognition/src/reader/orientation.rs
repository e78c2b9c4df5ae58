//! How a page lies, by Tesseract's detection of orientation and script.
//!
//! Its tables take 33 MB, more than all else that reading needs, and few pages ask for them. The model's file is mapped at the
//! start; the first page that asks has the tables loaded from there, with nothing opened.
#![allow(unsafe_code, reason = "maps a file that others may change")]

use std::fs::File;

use memmap2::Mmap;
use pagemill_domain::geometry::Turn;

use super::models::ORIENTATION_MODEL;
use super::{ModelDir, ReaderError};
use crate::engine::native;
use crate::engine::tesseract::{Recogniser, Tesseract};
use crate::prepare::grey::Grey;

/// Orientation detection, loaded or ready to be.
pub(super) struct OrientationDetector {
    model: Mmap,
    loaded: Option<Tesseract>,
}

impl OrientationDetector {
    /// Finds its model, whole.
    pub(super) fn open(models: &ModelDir) -> Result<Self, ReaderError> {
        let refused = || ReaderError::ModelRefused(ORIENTATION_MODEL.to_owned());
        let file = File::open(models.file(ORIENTATION_MODEL)).map_err(|_| refused())?;
        // SAFETY: the mapping is read-only. Who changes an installed model while it is in use gets a child that ends with
        // SIGBUS at worst, or one that finds no orientation.
        let model = unsafe { Mmap::map(&file) }.map_err(|_| refused())?;
        if !native::is_whole(&model) {
            return Err(refused());
        }
        Ok(Self { model, loaded: None })
    }

    /// How the content lies, and Tesseract's confidence in that; `None` where there is too little to tell.
    pub(super) fn detect(&mut self, grey: &Grey, dpi: u32) -> Option<(Turn, f32)> {
        let pix = grey.to_pix()?;
        if self.loaded.is_none() {
            self.loaded = Tesseract::load_bytes(&self.model, ORIENTATION_MODEL, Recogniser::Legacy);
        }
        self.loaded.as_mut()?.orientation(&pix, dpi)
    }
}

#[cfg(test)]
mod tests {
    use super::super::built_in_page;
    use super::*;

    #[test]
    fn it_finds_the_same_when_it_loads_its_model_and_later() {
        let mut detector = OrientationDetector::open(&ModelDir::find(None)).unwrap();
        let page = Grey::from_pix(&built_in_page::scan().unwrap().pix);
        let found = detector.detect(&page, 300);
        assert!(found.is_some());
        assert_eq!(detector.detect(&page, 300), found);
    }

    #[test]
    fn a_model_that_was_cut_off_is_refused_at_the_start() {
        let model = std::fs::read(ModelDir::find(None).file(ORIENTATION_MODEL)).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let models = ModelDir::find(Some(folder.path()));
        for kept in [0, 100, model.len() / 2] {
            std::fs::write(models.file(ORIENTATION_MODEL), &model[..kept]).unwrap();
            assert!(
                matches!(OrientationDetector::open(&models), Err(ReaderError::ModelRefused(_))),
                "{kept} bytes"
            );
        }
    }
}
