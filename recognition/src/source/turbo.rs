//! JPEG decoding by libjpeg-turbo's own interface, straight into the rows of a [`Pix`](crate::pix::Pix).
//!
//! Leptonica would do it, too, but packs every pixel once more and can't tell damage from garbage behind the image. An A4
//! page of 300 dpi took 44 ms of CPU through Leptonica and takes 34 ms here (colour; AMD EPYC, Zen 5); grey 14 ms both ways.
#![allow(unsafe_code, reason = "libjpeg-turbo is a C library; this module is its only door")]

use std::ffi::{CStr, c_char, c_int, c_ulong, c_void};

use pagemill_domain::scan::PageDefect;

#[link(name = "turbojpeg")]
unsafe extern "C" {
    fn tjInitDecompress() -> *mut c_void;
    fn tjDecompress2(
        handle: *mut c_void,
        jpeg: *const u8,
        jpeg_bytes: c_ulong,
        pixels: *mut u8,
        width: c_int,
        bytes_per_row: c_int,
        height: c_int,
        format: c_int,
        flags: c_int,
    ) -> c_int;
    fn tjGetErrorStr2(handle: *mut c_void) -> *mut c_char;
    fn tjDestroy(handle: *mut c_void) -> c_int;
}

/// `TJPF_…`: what a pixel looks like in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PixelOrder {
    Grey = 6,
    Rgba = 7,
    Abgr = 9,
    Cmyk = 11,
}

/// The order in which a native word has red in its highest byte, as Leptonica wants it.
const WORD_ORDER: PixelOrder = if cfg!(target_endian = "big") { PixelOrder::Rgba } else { PixelOrder::Abgr };

/// `TJFLAG_STOPONWARNING`: libjpeg fills what it can't read with grey, which nobody would notice.
const STOP_ON_WARNING: c_int = 8_192;

/// `TJFLAG_LIMITSCANS`: a progressive stream of more than 500 scans is a bomb.
const LIMIT_SCANS: c_int = 32_768;

/// The one warning that costs no sample: bytes between the last sample and the end mark.
const HARMLESS_WARNING: &str = "extraneous bytes before marker 0xd9";

/// Decodes to rows of 8-bit grey, as a [`Pix`](crate::pix::Pix) has them.
pub(super) fn decode_grey(
    jpeg: &[u8],
    words: &mut [u32],
    words_per_row: usize,
    size: (u32, u32),
) -> Result<(), PageDefect> {
    decode(jpeg, words.as_mut_ptr().cast(), size_of_val(words), words_per_row * 4, size, PixelOrder::Grey)?;
    for word in words {
        *word = word.to_be();
    }
    Ok(())
}

/// Decodes to rows of 32-bit colour, as a [`Pix`](crate::pix::Pix) has them.
pub(super) fn decode_colour(
    jpeg: &[u8],
    words: &mut [u32],
    words_per_row: usize,
    size: (u32, u32),
) -> Result<(), PageDefect> {
    decode(jpeg, words.as_mut_ptr().cast(), size_of_val(words), words_per_row * 4, size, WORD_ORDER)
}

/// Decodes to four inks a pixel, as they are stored.
pub(super) fn decode_inks(jpeg: &[u8], size: (u32, u32)) -> Result<Vec<u8>, PageDefect> {
    let row_bytes = size.0 as usize * 4;
    let mut inks = vec![0; row_bytes * size.1 as usize];
    decode(jpeg, inks.as_mut_ptr(), inks.len(), row_bytes, size, PixelOrder::Cmyk)?;
    Ok(inks)
}

fn decode(
    jpeg: &[u8],
    pixels: *mut u8,
    pixels_bytes: usize,
    row_bytes: usize,
    size: (u32, u32),
    order: PixelOrder,
) -> Result<(), PageDefect> {
    let damaged = |message: String| PageDefect::Damaged(format!("JPEG: {message}"));
    if pixels_bytes < row_bytes * size.1 as usize {
        return Err(damaged("no room for its rows".into()));
    }
    let decoder = Decoder::new().ok_or_else(|| damaged("its decoder can't be started".into()))?;
    let run = |flags| decoder.run(jpeg, pixels, row_bytes, size, order, flags);
    match run(STOP_ON_WARNING | LIMIT_SCANS) {
        // It was the first warning and the samples are before it: once more without stopping.
        Err(message) if message.ends_with(HARMLESS_WARNING) => match run(LIMIT_SCANS) {
            Err(message) if !message.ends_with(HARMLESS_WARNING) => Err(damaged(message)),
            _ => Ok(()),
        },
        result => result.map_err(damaged),
    }
}

/// An owned decompressor.
struct Decoder(*mut c_void);

impl Decoder {
    fn new() -> Option<Self> {
        // SAFETY: takes nothing; gives a handle, or null.
        let handle = unsafe { tjInitDecompress() };
        (!handle.is_null()).then_some(Self(handle))
    }

    /// Decodes at the stream's own size. The caller has room for `size.1` rows of `row_bytes` at `pixels`.
    fn run(
        &self,
        jpeg: &[u8],
        pixels: *mut u8,
        row_bytes: usize,
        (width, height): (u32, u32),
        order: PixelOrder,
        flags: c_int,
    ) -> Result<(), String> {
        // SAFETY: the handle is live, the stream is valid for its length and only read, and `decode` checked that all rows
        // fit. A stream whose size is not `size` is scaled to fit within it, never beyond.
        let failed = unsafe {
            tjDecompress2(
                self.0,
                jpeg.as_ptr(),
                jpeg.len() as c_ulong,
                pixels,
                width as c_int,
                row_bytes as c_int,
                height as c_int,
                order as c_int,
                flags,
            )
        };
        if failed == 0 {
            return Ok(());
        }
        // SAFETY: the handle is live; its message is a C string that stays until the next call.
        let message = unsafe { CStr::from_ptr(tjGetErrorStr2(self.0)) };
        Err(message.to_string_lossy().into_owned())
    }
}

impl Drop for Decoder {
    fn drop(&mut self) {
        // SAFETY: the handle is live and never used again.
        unsafe { tjDestroy(self.0) };
    }
}
