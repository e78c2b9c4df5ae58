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
}

impl Drop for Pix {
    fn drop(&mut self) {
        let mut raw = self.as_ptr();
        // SAFETY: the handle owns the image; it is destroyed here and never used again.
        unsafe { capi::pixDestroy(&raw mut raw) };
    }
}
