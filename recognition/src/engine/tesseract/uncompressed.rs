//! Tesseract packs every line's picture into a PNG and unpacks it again before its network sees it: a fifth of its time
//! and more. This program's own `pixWriteMem` takes the place of Leptonica's and, while a line is read, writes plain
//! samples instead, which Leptonica reads back just as well. Results are the same bit by bit.
//!
//! The linker exports the symbol from the executable, and the dynamic loader binds Tesseract's call to it. Where it does
//! not (a static build, another linker), Tesseract calls Leptonica's function as ever: slower, nothing else.
#![allow(unsafe_code, reason = "takes the place of a C function")]

use std::cell::Cell;
use std::ffi::{c_int, c_void};

use leptess::capi;

thread_local! {
    /// Whether this thread is inside Tesseract's recognition: elsewhere PNG stays PNG.
    static READING: Cell<bool> = const { Cell::new(false) };
    /// How many pictures were passed on uncompressed: the test that this is in force.
    static PASSED: Cell<u64> = const { Cell::new(0) };
}

/// Leptonica's code of the PNG format (`imageio.h`).
const PNG: c_int = 3;

/// Runs Tesseract's recognition with pictures passed on uncompressed.
pub(super) fn while_reading<T>(read: impl FnOnce() -> T) -> T {
    READING.set(true);
    let result = read();
    READING.set(false);
    result
}

/// How many pictures this thread has passed on uncompressed.
#[cfg(test)]
pub(super) fn passed() -> u64 {
    PASSED.get()
}

type WriteMem =
    unsafe extern "C" fn(*mut *mut capi::l_uint8, *mut usize, *mut capi::Pix, capi::l_int32) -> capi::l_ok;

/// Leptonica's `pixWriteMem`, called by Tesseract: see the module.
///
/// # Safety
/// As Leptonica's: the pointers are valid, the result is to be freed with `lept_free`.
#[unsafe(no_mangle)]
unsafe extern "C" fn pixWriteMem(
    data: *mut *mut capi::l_uint8,
    size: *mut usize,
    pix: *mut capi::Pix,
    format: capi::l_int32,
) -> capi::l_ok {
    if READING.get() && format == PNG {
        PASSED.set(PASSED.get() + 1);
        // SAFETY: the caller's pointers, by this function's contract; Leptonica checks them for null.
        return unsafe { capi::pixSerializeToMemory(pix, data.cast::<*mut capi::l_uint32>(), size) };
    }
    // SAFETY: the name is NUL-terminated; the next definition after this program's own is Leptonica's.
    let next = unsafe { libc::dlsym(libc::RTLD_NEXT, c"pixWriteMem".as_ptr()) };
    if next.is_null() {
        return 1;
    }
    // SAFETY: Leptonica's function of this name has this type (`allheaders.h`).
    let original: WriteMem = unsafe { std::mem::transmute::<*mut c_void, WriteMem>(next) };
    // SAFETY: the caller's own arguments.
    unsafe { original(data, size, pix, format) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::tesseract::{Recogniser, Segmentation, Tesseract};
    use crate::pix::Pix;

    /// A few lines of a sample.
    fn page() -> Pix {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../samples/d05-1.jpg");
        let page = image::ImageReader::open(path).unwrap().decode().unwrap().into_luma8();
        let (width, rows) = (page.width() as usize, 300);
        let samples = page.into_raw()[1200 * width..(1200 + rows) * width].to_vec();
        let grey = crate::prepare::grey::Grey { width, height: rows, samples };
        crate::prepare::scale::to_size(&grey, width / 2, rows / 2).to_pix().unwrap()
    }

    #[test]
    fn it_is_in_force_and_changes_nothing() {
        let folder = crate::reader::ModelDir::find(None);
        let mut engine = Tesseract::load(folder.folder(), "vie", Recogniser::Lstm).unwrap();
        let before = passed();
        let fast = engine.read(&page(), Segmentation::Block, 150).unwrap();
        assert!(passed() > before, "Tesseract still calls Leptonica's own function");
        let slow = engine.read_compressed(&page(), Segmentation::Block, 150).unwrap();
        assert!(fast.len() > 10, "{fast:?}");
        assert_eq!(fast, slow);
    }

    #[test]
    fn png_stays_png_elsewhere() {
        let (mut data, mut size) = (std::ptr::null_mut(), 0);
        // SAFETY: both results point to live variables; the picture is valid; the data is copied, then freed once.
        let bytes = unsafe {
            assert_eq!(pixWriteMem(&raw mut data, &raw mut size, page().as_ptr(), PNG), 0);
            let bytes = std::slice::from_raw_parts(data, size).to_vec();
            capi::lept_free(data.cast());
            bytes
        };
        assert_eq!(&bytes[1..4], b"PNG");
    }
}
