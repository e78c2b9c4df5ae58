//! From stored to displayed orientation.
#![allow(unsafe_code, reason = "images are turned by Leptonica")]

use leptess::capi;
use pagemill_domain::geometry::{Orientation, Turn};
use pagemill_domain::scan::PageDefect;

use crate::pix::Pix;

/// The image as it is to be displayed.
pub(crate) fn displayed(pix: Pix, orientation: Orientation) -> Result<Pix, PageDefect> {
    let failed = || PageDefect::Damaged("turn page".into());
    if orientation.mirrored {
        // SAFETY: the image is valid; flipped in place.
        unsafe { capi::pixFlipLR(pix.as_ptr(), pix.as_ptr()) };
    }
    if orientation.turn == Turn::None {
        return Ok(pix);
    }
    let quarters = orientation.turn.quarters() as i32;
    // SAFETY: the image is valid; the result is an image of its own, or null.
    unsafe { Pix::from_raw(capi::pixRotateOrth(pix.as_ptr(), quarters)) }.ok_or_else(failed)
}
