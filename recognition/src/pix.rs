//! An owned Leptonica image.
#![allow(unsafe_code, reason = "Leptonica is a C library; this module owns its images")]

use std::ptr::NonNull;

use leptess::capi;

/// An owned Leptonica image: freed once, never null.
#[derive(Debug)]
pub struct Pix(NonNull<capi::Pix>);

// SAFETY: a `Pix` is plain heap memory without thread affinity. The handle is the image's only owner (see `from_raw`),
// so moving it to another thread moves all access with it.
unsafe impl Send for Pix {}

impl Pix {
    /// Takes over an image that a Leptonica function made; `None` for the null with which Leptonica reports failure.
    ///
    /// # Safety
    /// `raw` is null or a valid image whose reference count this handle takes over and nobody else uses.
    #[must_use]
    pub unsafe fn from_raw(raw: *mut capi::Pix) -> Option<Self> {
        NonNull::new(raw).map(Self)
    }

    /// A black (8, 32 bit) or white (1 bit) image; `None` for sizes that Leptonica refuses.
    #[must_use]
    pub fn new(width: u32, height: u32, depth: u32) -> Option<Self> {
        let (width, height) = (i32::try_from(width).ok()?, i32::try_from(height).ok()?);
        // SAFETY: plain integers go in; a fresh image that nobody else knows, or null, comes out.
        unsafe { Self::from_raw(capi::pixCreate(width, height, depth as i32)) }
    }

    /// The raw image, valid as long as `self` and not to be freed.
    #[must_use]
    pub fn as_ptr(&self) -> *mut capi::Pix {
        self.0.as_ptr()
    }

    /// Width in pixels.
    #[must_use]
    pub fn width(&self) -> u32 {
        // SAFETY: the handle holds a valid image.
        unsafe { capi::pixGetWidth(self.as_ptr()) as u32 }
    }

    /// Height in pixels.
    #[must_use]
    pub fn height(&self) -> u32 {
        // SAFETY: the handle holds a valid image.
        unsafe { capi::pixGetHeight(self.as_ptr()) as u32 }
    }

    /// Bits per pixel: 1, 2, 4, 8, 16 or 32.
    #[must_use]
    pub fn depth(&self) -> u32 {
        // SAFETY: the handle holds a valid image.
        unsafe { capi::pixGetDepth(self.as_ptr()) as u32 }
    }

    /// 32-bit words in a row; a row's first sample sits in the most significant bits of its first word.
    #[must_use]
    pub fn words_per_row(&self) -> usize {
        // SAFETY: the handle holds a valid image.
        unsafe { capi::pixGetWpl(self.as_ptr()) as usize }
    }

    /// All rows' words, row after row.
    #[must_use]
    pub fn words(&self) -> &[u32] {
        let length = self.words_per_row() * self.height() as usize;
        // SAFETY: Leptonica allocates `height` rows of `words_per_row` words, initialised by `pixCreate`'s zeroing or by
        // the function that made the image; the borrow of `self` keeps them alive and unchanged.
        unsafe { std::slice::from_raw_parts(capi::pixGetData(self.as_ptr()), length) }
    }

    /// All rows' words, to be written.
    pub fn words_mut(&mut self) -> &mut [u32] {
        let length = self.words_per_row() * self.height() as usize;
        // SAFETY: as in `words`; the exclusive borrow of the only owner excludes other access.
        unsafe { std::slice::from_raw_parts_mut(capi::pixGetData(self.as_ptr()), length) }
    }
}

impl Drop for Pix {
    fn drop(&mut self) {
        let mut raw = self.as_ptr();
        // SAFETY: the handle owns the image; it is destroyed here and never used again.
        unsafe { capi::pixDestroy(&raw mut raw) };
    }
}
