//! JPEG decoding by libjpeg-turbo's own interface, straight into the rows of a [`Pix`](crate::pix::Pix).
//!
//! Leptonica would do it, too, but packs every pixel once more and can't tell damage from garbage behind the image. An A4
//! page of 300 dpi took 44 ms of CPU through Leptonica and takes 34 ms here (colour; AMD EPYC, Zen 5); grey 14 ms both ways.
#![allow(unsafe_code, reason = "libjpeg-turbo is a C library; this module is its only door")]

use std::ffi::{CStr, c_char, c_int, c_ulong, c_void};
use std::fmt::Display;
use std::ptr::null_mut;

use pagemill_domain::scan::PageDefect;

use crate::planes::{Chrominance, Planes};
use crate::prepare::grey::Grey;

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
    fn tjDecompressHeader3(
        handle: *mut c_void,
        jpeg: *const u8,
        jpeg_bytes: c_ulong,
        width: *mut c_int,
        height: *mut c_int,
        subsampling: *mut c_int,
        colour_space: *mut c_int,
    ) -> c_int;
    fn tjPlaneWidth(component: c_int, width: c_int, subsampling: c_int) -> c_int;
    fn tjPlaneHeight(component: c_int, height: c_int, subsampling: c_int) -> c_int;
    fn tjDecompressToYUVPlanes(
        handle: *mut c_void,
        jpeg: *const u8,
        jpeg_bytes: c_ulong,
        planes: *mut *mut u8,
        width: c_int,
        bytes_per_row: *mut c_int,
        height: c_int,
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

/// `TJCS_YCbCr` and `TJCS_GRAY`: streams of luminance and colour, or of luminance alone.
const YCBCR: c_int = 1;
const GREY: c_int = 2;

/// Pixels across and down to a sample of colour, by `TJSAMP_…`: 4:4:4, 4:2:2, 4:2:0, grey, 4:4:0, 4:1:1.
const PIXELS_PER_COLOUR: [(usize, usize); 6] = [(1, 1), (2, 1), (2, 2), (1, 1), (1, 2), (4, 1)];

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

/// Decodes to the planes that are stored; `None` where they are not of luminance and colour, or sampled in a way that
/// libjpeg-turbo has no name for. The stream is owned: one in a mapped file could change its sampling once room for the planes
/// was made.
pub(super) fn decode_planes(jpeg: Vec<u8>, size: (u32, u32)) -> Result<Option<Planes>, PageDefect> {
    let decoder = Decoder::new()?;
    let Some(subsampling) = decoder.subsampling(&jpeg, size) else { return Ok(None) };
    let plane = |component: c_int| {
        // SAFETY: takes numbers and gives a number, -1 for those that mean nothing.
        let (width, height) = unsafe {
            (
                tjPlaneWidth(component, size.0 as c_int, subsampling.named),
                tjPlaneHeight(component, size.1 as c_int, subsampling.named),
            )
        };
        (width > 0 && height > 0).then(|| Grey::filled(width as usize, height as usize, 0))
    };
    let components = if subsampling.grey { 0..1 } else { 0..3 };
    let Some(mut planes) = components.map(plane).collect::<Option<Vec<Grey>>>() else { return Ok(None) };
    attempt(|flags| decoder.run_planes(&jpeg, &mut planes, size, flags))?;
    drop(jpeg);
    let mut planes = planes.into_iter();
    let luminance = planes.next();
    let chrominance = planes.next().zip(planes.next());
    let chrominance =
        chrominance.map(|(blue, red)| Chrominance { blue, red, pixels: subsampling.pixels_per_colour });
    let size = (size.0 as usize, size.1 as usize);
    Ok(luminance.and_then(|luminance| Planes::new(size, luminance, chrominance)))
}

/// How a stream's colour is sampled.
struct Subsampling {
    /// `TJSAMP_…`.
    named: c_int,
    grey: bool,
    pixels_per_colour: (usize, usize),
}

fn decode(
    jpeg: &[u8],
    pixels: *mut u8,
    pixels_bytes: usize,
    row_bytes: usize,
    size: (u32, u32),
    order: PixelOrder,
) -> Result<(), PageDefect> {
    if pixels_bytes < row_bytes * size.1 as usize {
        return Err(damaged("no room for its rows"));
    }
    let decoder = Decoder::new()?;
    attempt(|flags| decoder.run(jpeg, pixels, row_bytes, size, order, flags))
}

fn damaged(message: impl Display) -> PageDefect {
    PageDefect::Damaged(format!("JPEG: {message}"))
}

/// Runs a decoder so that whatever costs a sample is damage.
fn attempt(mut run: impl FnMut(c_int) -> Result<(), String>) -> Result<(), PageDefect> {
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
    fn new() -> Result<Self, PageDefect> {
        // SAFETY: takes nothing; gives a handle, or null.
        let handle = unsafe { tjInitDecompress() };
        if handle.is_null() { Err(damaged("its decoder can't be started")) } else { Ok(Self(handle)) }
    }

    /// How the colour of a stream of luminance and colour is sampled, if it has the size that is expected.
    fn subsampling(&self, jpeg: &[u8], size: (u32, u32)) -> Option<Subsampling> {
        let (mut width, mut height, mut named, mut colour_space) = (0, 0, 0, 0);
        // SAFETY: the handle is live, the stream is valid for its length and only read, and the numbers outlive the call.
        let failed = unsafe {
            tjDecompressHeader3(
                self.0,
                jpeg.as_ptr(),
                jpeg.len() as c_ulong,
                &raw mut width,
                &raw mut height,
                &raw mut named,
                &raw mut colour_space,
            )
        };
        let expected = (width, height) == (size.0 as c_int, size.1 as c_int);
        if failed != 0 || !expected || !matches!(colour_space, YCBCR | GREY) {
            return None;
        }
        let pixels_per_colour = *PIXELS_PER_COLOUR.get(usize::try_from(named).ok()?)?;
        Some(Subsampling { named, grey: colour_space == GREY, pixels_per_colour })
    }

    /// Decodes to planes of the sizes that `tjPlaneWidth` and `tjPlaneHeight` give for `size`.
    fn run_planes(
        &self,
        jpeg: &[u8],
        planes: &mut [Grey],
        (width, height): (u32, u32),
        flags: c_int,
    ) -> Result<(), String> {
        let (mut rows, mut bytes_per_row) = ([null_mut(); 3], [0; 3]);
        for (plane, (rows, bytes)) in planes.iter_mut().zip(rows.iter_mut().zip(&mut bytes_per_row)) {
            (*rows, *bytes) = (plane.samples.as_mut_ptr(), plane.width as c_int);
        }
        // SAFETY: the handle is live, and the stream is valid for its length and only read. It was found to have this very
        // size, these components and this sampling, for which the planes have room; the pointers outlive the call.
        let failed = unsafe {
            tjDecompressToYUVPlanes(
                self.0,
                jpeg.as_ptr(),
                jpeg.len() as c_ulong,
                rows.as_mut_ptr(),
                width as c_int,
                bytes_per_row.as_mut_ptr(),
                height as c_int,
                flags,
            )
        };
        self.result(failed)
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
        self.result(failed)
    }

    /// What a call that ended with `failed` says.
    fn result(&self, failed: c_int) -> Result<(), String> {
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
