//! libtesseract behind an owned handle.
//!
//! Only memory goes in and out: no file names, and after [`Tesseract::load`] no model is opened again.
#![allow(unsafe_code, reason = "Tesseract's C interface; each handle is owned and freed once")]

mod enlarged;
mod uncompressed;
mod words;

use std::ffi::{CStr, CString, c_int};
use std::path::Path;
use std::ptr::{NonNull, null_mut};

use leptess::capi;
use pagemill_domain::geometry::Turn;

use super::{CharacterReading, Engine, EngineError, LineImage, LineReading, SecondLook, WordReading};
use crate::pix::Pix;
pub use words::TesseractWord;

/// The name under which errors and fingerprints speak of this engine.
pub const NAME: &str = "tesseract";

/// What Tesseract must not do: learn from one page for the next, so that a page's result depends on the page alone.
const NO_LEARNING: [(&CStr, &CStr); 4] = [
    (c"classify_enable_learning", c"0"),
    (c"classify_enable_adaptive_matcher", c"0"),
    (c"tessedit_enable_doc_dict", c"0"),
    (c"classify_use_pre_adapted_templates", c"0"),
];

/// How a picture is laid out, in Tesseract's page segmentation modes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Segmentation {
    /// A page with columns and blocks (3).
    Page,
    /// One block of lines (6).
    Block,
    /// One line (7).
    Line,
    /// One line, without Tesseract's own look at it (13).
    RawLine,
}

impl Segmentation {
    const fn mode(self) -> capi::TessPageSegMode {
        match self {
            Self::Page => capi::TessPageSegMode_PSM_AUTO,
            Self::Block => capi::TessPageSegMode_PSM_SINGLE_BLOCK,
            Self::Line => capi::TessPageSegMode_PSM_SINGLE_LINE,
            Self::RawLine => capi::TessPageSegMode_PSM_RAW_LINE,
        }
    }
}

/// Which recogniser inside Tesseract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recogniser {
    /// The LSTM networks: reading.
    Lstm,
    /// The older classifier: orientation detection needs it.
    Legacy,
}

impl Recogniser {
    const fn mode(self) -> capi::TessOcrEngineMode {
        match self {
            Self::Lstm => capi::TessOcrEngineMode_OEM_LSTM_ONLY,
            Self::Legacy => capi::TessOcrEngineMode_OEM_TESSERACT_ONLY,
        }
    }
}

/// A loaded Tesseract.
#[derive(Debug)]
pub struct Tesseract(NonNull<capi::TessBaseAPI>);

// SAFETY: Tesseract keeps no thread-local state for a handle, and the handle is its only owner.
unsafe impl Send for Tesseract {}

impl Tesseract {
    /// Loads the models of `language` (Tesseract's notation: `vie+eng`) from `folder`; `None` where Tesseract refuses.
    #[must_use]
    pub fn load(folder: &Path, language: &str, recogniser: Recogniser) -> Option<Self> {
        let folder = CString::new(folder.as_os_str().as_encoded_bytes()).ok()?;
        let language = CString::new(language).ok()?;
        Self::initialised(|handle| {
            // SAFETY: the handle is live; both strings are NUL-terminated and outlive the call.
            unsafe { capi::TessBaseAPIInit2(handle, folder.as_ptr(), language.as_ptr(), recogniser.mode()) }
        })
    }

    /// As [`Tesseract::load`], of the one model whose file holds these bytes: nothing is opened.
    #[must_use]
    pub fn load_bytes(model: &[u8], language: &str, recogniser: Recogniser) -> Option<Self> {
        let bytes = c_int::try_from(model.len()).ok()?;
        let language = CString::new(language).ok()?;
        Self::initialised(|handle| {
            // SAFETY: the handle is live; the model is valid for its length, the string NUL-terminated, and both outlive the
            // call, which copies what it needs. There are neither configurations nor variables.
            unsafe {
                capi::TessBaseAPIInit5(
                    handle,
                    model.as_ptr().cast(),
                    bytes,
                    language.as_ptr(),
                    recogniser.mode(),
                    null_mut(),
                    0,
                    null_mut(),
                    null_mut(),
                    0,
                    0,
                )
            }
        })
    }

    /// A handle that `initialise` has given its model; 0 says that it has.
    fn initialised(initialise: impl FnOnce(*mut capi::TessBaseAPI) -> c_int) -> Option<Self> {
        // SAFETY: the constructor takes nothing; the handle is owned from here on.
        let handle = Self(NonNull::new(unsafe { capi::TessBaseAPICreate() })?);
        if initialise(handle.raw()) != 0 {
            return None;
        }
        for (name, value) in NO_LEARNING {
            // SAFETY: as above. A name that this version does not know is refused and changes nothing.
            unsafe { capi::TessBaseAPISetVariable(handle.raw(), name.as_ptr(), value.as_ptr()) };
        }
        handle.silence();
        Some(handle)
    }

    /// Sends Tesseract's chatter ("detected 49 diacritics") to nowhere. It opens its log file with the first message, so
    /// one is provoked here: later no file can be opened.
    fn silence(&self) {
        // SAFETY: the handle is live; strings are NUL-terminated; a picture without resolution draws a warning.
        unsafe {
            capi::TessBaseAPISetVariable(self.raw(), c"debug_file".as_ptr(), c"/dev/null".as_ptr());
        }
        if let Some(pix) = Pix::new(32, 32, 8) {
            self.show(&pix, Segmentation::Page, 0);
            // SAFETY: the handle is live and has an image; the layout that it may return is freed.
            unsafe {
                let layout = capi::TessBaseAPIAnalyseLayout(self.raw());
                if !layout.is_null() {
                    capi::TessPageIteratorDelete(layout);
                }
                capi::TessBaseAPIClear(self.raw());
            }
        }
    }

    /// Tesseract's version.
    #[must_use]
    pub fn version() -> String {
        // SAFETY: returns a static NUL-terminated string.
        unsafe { CStr::from_ptr(capi::TessVersion()) }.to_string_lossy().into_owned()
    }

    /// Reads a picture of `dpi` pixels per inch.
    pub fn read(
        &mut self,
        pix: &Pix,
        segmentation: Segmentation,
        dpi: u32,
    ) -> Result<Vec<TesseractWord>, EngineError> {
        uncompressed::while_reading(|| self.read_compressed(pix, segmentation, dpi))
    }

    /// As [`Tesseract::read`], with Tesseract's own detour over PNG.
    fn read_compressed(
        &mut self,
        pix: &Pix,
        segmentation: Segmentation,
        dpi: u32,
    ) -> Result<Vec<TesseractWord>, EngineError> {
        self.show(pix, segmentation, dpi);
        // SAFETY: the handle is live and has an image; a null monitor is allowed.
        let code = unsafe { capi::TessBaseAPIRecognize(self.raw(), null_mut()) };
        // Whatever text there is after a failure is partial: it is not used.
        let words = if code == 0 {
            Ok(words::of(self.raw()))
        } else {
            Err(EngineError::Failed { engine: NAME, code })
        };
        // SAFETY: the handle is live; results of this page are freed, models stay.
        unsafe { capi::TessBaseAPIClear(self.raw()) };
        words
    }

    /// How a page's content lies on it, and Tesseract's confidence in that (its own scale; 2 and more is trustworthy);
    /// `None` where there is too little to tell.
    pub fn orientation(&mut self, pix: &Pix, dpi: u32) -> Option<(Turn, f32)> {
        self.show(pix, Segmentation::Page, dpi);
        let (mut degrees, mut confidence, mut script_confidence) = (0, 0.0_f32, 0.0_f32);
        let mut script: *const std::ffi::c_char = std::ptr::null();
        // SAFETY: the handle is live and has an image; all results point to live variables. The script's name is static.
        let found = unsafe {
            capi::TessBaseAPIDetectOrientationScript(
                self.raw(),
                &raw mut degrees,
                &raw mut confidence,
                &raw mut script,
                &raw mut script_confidence,
            )
        };
        // SAFETY: the handle is live.
        unsafe { capi::TessBaseAPIClear(self.raw()) };
        (found != 0).then(|| (Turn::from_quarters((degrees / 90).rem_euclid(4) as u32), confidence))
    }

    fn show(&self, pix: &Pix, segmentation: Segmentation, dpi: u32) {
        // SAFETY: the handle is live. Tesseract keeps a reference-counted copy of the image, so `pix` may go afterwards.
        unsafe {
            capi::TessBaseAPISetPageSegMode(self.raw(), segmentation.mode());
            capi::TessBaseAPISetImage2(self.raw(), pix.as_ptr());
            capi::TessBaseAPISetSourceResolution(self.raw(), dpi as i32);
        }
    }

    fn raw(&self) -> *mut capi::TessBaseAPI {
        self.0.as_ptr()
    }
}

impl Engine for Tesseract {
    fn read_lines(&mut self, lines: &[LineImage]) -> Result<Vec<LineReading>, EngineError> {
        lines.iter().map(|line| self.read_line(line)).collect()
    }

    /// Longer lines seldom get better (measured on 32 scans), and each costs as much as the first time.
    fn second_look(&self) -> SecondLook {
        SecondLook { doubtful_below: 80.0, long_lines: false }
    }

    fn look_again(&mut self, lines: &[LineImage]) -> Result<Vec<LineReading>, EngineError> {
        let again = |line: &LineImage| self.read_line(&enlarged::enlarged(line)).map(enlarged::reduced);
        lines.iter().map(again).collect()
    }
}

impl Tesseract {
    fn read_line(&mut self, line: &LineImage) -> Result<LineReading, EngineError> {
        let (width, height) = (line.grey.width as u32, line.grey.height as u32);
        let pix = line.grey.to_pix().ok_or(EngineError::NoMemory { width, height })?;
        let words = self.read(&pix, Segmentation::Line, line.dpi)?;
        let character = |(text, bounds, confidence)| CharacterReading { text, bounds, confidence };
        let word = |word: TesseractWord| WordReading {
            text: word.text,
            bounds: word.bounds,
            confidence: word.confidence,
            characters: word.characters.into_iter().map(character).collect(),
        };
        Ok(LineReading { words: words.into_iter().map(word).collect() })
    }
}

impl Drop for Tesseract {
    fn drop(&mut self) {
        // SAFETY: the handle owns the instance; it is deleted here and never used again.
        unsafe {
            capi::TessBaseAPIEnd(self.raw());
            capi::TessBaseAPIDelete(self.raw());
        }
    }
}
