//! CCITT T.6 coding by libtiff, reached through Leptonica.
#![allow(unsafe_code, reason = "libtiff is reached through Leptonica")]

use leptess::capi;
use pagemill_domain::scan::PageDefect;

use super::jpeg::take_buffer;
use super::tiff::directory::Tiff;
use super::tiff::{Compression, Layout};
use crate::pix::Pix;

/// Encodes a bitonal image as plain T.6, its set (black) bits as T.6's black.
pub(crate) fn encode(pix: &Pix) -> Result<Vec<u8>, PageDefect> {
    tiff_file(pix, capi::IFF_TIFF_G4)
        .and_then(|file| single_strip(&file).map(<[u8]>::to_vec))
        .ok_or_else(|| PageDefect::Damaged("encode page as CCITT T.6".into()))
}

/// A TIFF file in one of Leptonica's `IFF_TIFF_…` formats.
pub(crate) fn tiff_file(pix: &Pix, format: u32) -> Option<Vec<u8>> {
    let (mut buffer, mut length) = (std::ptr::null_mut(), 0);
    // SAFETY: the image is valid; the function allocates a buffer and stores its address and length.
    let failed =
        unsafe { capi::pixWriteMemTiff(&raw mut buffer, &raw mut length, pix.as_ptr(), format as i32) };
    // SAFETY: what `pixWriteMemTiff` stored, unless it failed.
    unsafe { take_buffer(buffer, length) }.filter(|_| failed == 0)
}

/// The only strip of a TIFF file whose only page is coded in T.6.
fn single_strip(file: &[u8]) -> Option<&[u8]> {
    let (tiff, first) = Tiff::open(file)?;
    let layout = Layout::read(&tiff, &tiff.directory(first)?).ok()?;
    let [(offset, length)] = layout.chunks[..] else { return None };
    matches!(layout.compression, Compression::Fax(_)).then(|| tiff.range(offset, length))?
}
