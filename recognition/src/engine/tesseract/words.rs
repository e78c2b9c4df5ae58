//! What Tesseract read, word by word.
#![allow(unsafe_code, reason = "Tesseract's result iterator")]

use std::ffi::CStr;
use std::ptr::NonNull;

use leptess::capi;

use crate::engine::Span;

/// A word as Tesseract reports it, in the pixels of the picture that it was shown.
#[derive(Debug, Clone, PartialEq)]
pub struct TesseractWord {
    /// The text; never empty.
    pub text: String,
    /// Where it lies.
    pub bounds: Span,
    /// Percents.
    pub confidence: f32,
    /// Its line's baseline: start and end of the word's part of it.
    pub baseline: [(i32, i32); 2],
    /// Whether it starts a block.
    pub starts_block: bool,
    /// Whether it starts a paragraph.
    pub starts_paragraph: bool,
    /// Whether it starts a line.
    pub starts_line: bool,
    /// Its characters: text, place, percents.
    pub characters: Vec<(String, Span, f32)>,
}

/// A page can't have more words than this: 100 lines of 100 one-letter words, ten times over. Beyond it something is
/// wrong, and memory would be next.
const WORDS_MAX: usize = 100_000;

const WORD: capi::TessPageIteratorLevel = capi::TessPageIteratorLevel_RIL_WORD;
const SYMBOL: capi::TessPageIteratorLevel = capi::TessPageIteratorLevel_RIL_SYMBOL;

/// All words of the page that `api` has just read.
pub(super) fn of(api: *mut capi::TessBaseAPI) -> Vec<TesseractWord> {
    // SAFETY: `api` is live; the iterator is owned from here on, or null where there is nothing.
    let Some(results) = NonNull::new(unsafe { capi::TessBaseAPIGetIterator(api) }).map(Results) else {
        return Vec::new();
    };
    let mut words = Vec::new();
    let (mut block, mut paragraph, mut line) = (false, false, false);
    loop {
        // A word without text may start a block: the next one with text then does.
        block |= results.starts(capi::TessPageIteratorLevel_RIL_BLOCK);
        paragraph |= results.starts(capi::TessPageIteratorLevel_RIL_PARA);
        line |= results.starts(capi::TessPageIteratorLevel_RIL_TEXTLINE);
        if let Some(word) = results.word(block, paragraph, line) {
            words.push(word);
            (block, paragraph, line) = (false, false, false);
        }
        if words.len() >= WORDS_MAX || !results.next(WORD) {
            return words;
        }
    }
}

/// Tesseract's result iterator: valid until the next page is shown, which the borrow in [`of`] excludes.
struct Results(NonNull<capi::TessResultIterator>);

impl Results {
    fn page(&self) -> *mut capi::TessPageIterator {
        // SAFETY: the iterator is live; the view shares its life.
        unsafe { capi::TessResultIteratorGetPageIterator(self.0.as_ptr()) }
    }

    fn next(&self, level: capi::TessPageIteratorLevel) -> bool {
        // SAFETY: the iterator is live.
        unsafe { capi::TessResultIteratorNext(self.0.as_ptr(), level) != 0 }
    }

    fn starts(&self, level: capi::TessPageIteratorLevel) -> bool {
        // SAFETY: the iterator is live.
        unsafe { capi::TessPageIteratorIsAtBeginningOf(self.page(), level) != 0 }
    }

    fn text(&self, level: capi::TessPageIteratorLevel) -> Option<String> {
        // SAFETY: the iterator is live; the text is ours to free, or null.
        let raw = NonNull::new(unsafe { capi::TessResultIteratorGetUTF8Text(self.0.as_ptr(), level) })?;
        // SAFETY: Tesseract's texts are NUL-terminated; the copy is made before the text is freed.
        let text = unsafe { CStr::from_ptr(raw.as_ptr()) }.to_string_lossy().trim().to_owned();
        // SAFETY: made by Tesseract with new[], freed once.
        unsafe { capi::TessDeleteText(raw.as_ptr()) };
        (!text.is_empty()).then_some(text)
    }

    fn bounds(&self, level: capi::TessPageIteratorLevel) -> Span {
        let mut span = Span::default();
        // SAFETY: the iterator is live; the results point to live integers, untouched on failure.
        unsafe {
            capi::TessPageIteratorBoundingBox(
                self.page(),
                level,
                &raw mut span.left,
                &raw mut span.top,
                &raw mut span.right,
                &raw mut span.bottom,
            );
        }
        span
    }

    fn baseline(&self) -> [(i32, i32); 2] {
        let (mut x1, mut y1, mut x2, mut y2) = (0, 0, 0, 0);
        // SAFETY: as in `bounds`.
        unsafe {
            capi::TessPageIteratorBaseline(
                self.page(),
                WORD,
                &raw mut x1,
                &raw mut y1,
                &raw mut x2,
                &raw mut y2,
            );
        }
        [(x1, y1), (x2, y2)]
    }

    fn confidence(&self, level: capi::TessPageIteratorLevel) -> f32 {
        // SAFETY: the iterator is live.
        unsafe { capi::TessResultIteratorConfidence(self.0.as_ptr(), level) }
    }

    fn word(&self, block: bool, paragraph: bool, line: bool) -> Option<TesseractWord> {
        let text = self.text(WORD)?;
        Some(TesseractWord {
            text,
            bounds: self.bounds(WORD),
            confidence: self.confidence(WORD),
            baseline: self.baseline(),
            starts_block: block,
            starts_paragraph: paragraph,
            starts_line: line,
            characters: self.characters(),
        })
    }

    fn characters(&self) -> Vec<(String, Span, f32)> {
        // SAFETY: the iterator is live; the copy is owned.
        let Some(symbols) =
            NonNull::new(unsafe { capi::TessResultIteratorCopy(self.0.as_ptr()) }).map(Results)
        else {
            return Vec::new();
        };
        let mut characters = Vec::new();
        while characters.len() < WORDS_MAX {
            if let Some(text) = symbols.text(SYMBOL) {
                characters.push((text, symbols.bounds(SYMBOL), symbols.confidence(SYMBOL)));
            }
            // SAFETY: both iterators are live.
            let last = unsafe { capi::TessPageIteratorIsAtFinalElement(symbols.page(), WORD, SYMBOL) != 0 };
            if last || !symbols.next(SYMBOL) {
                break;
            }
        }
        characters
    }
}

impl Drop for Results {
    fn drop(&mut self) {
        // SAFETY: owned, freed once.
        unsafe { capi::TessResultIteratorDelete(self.0.as_ptr()) };
    }
}
