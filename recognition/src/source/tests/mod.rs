mod fixtures;
mod fuzz;
mod jpeg;
mod pdf_codings;
mod pdf_fixtures;
mod pdf_images;
mod pdf_pages;
mod png;
mod tiff;

use std::sync::Arc;

use pagemill_domain::limits::Limits;
use pagemill_domain::page_image::{Coding, ImageBytes, PageImage};
use pagemill_domain::scan::Rejection;

use super::*;
use crate::pix::Pix;

fn open(bytes: Vec<u8>) -> Source {
    Source::open(Arc::new(bytes), &Limits::default()).unwrap()
}

fn rejection(bytes: &[u8]) -> Rejection {
    Source::open(Arc::new(bytes.to_vec()), &Limits::default()).err().expect("the source is refused")
}

/// The only page's facts.
fn only_page(source: &Source) -> &PageFacts {
    let [page] = source.facts().pages.as_slice() else { panic!("one page: {:?}", source.facts()) };
    page
}

/// Red, green and blue of a pixel; greys and bits as what they look like.
fn pixel(pix: &Pix, x: u32, y: u32) -> [u8; 3] {
    let row = &pix.words()[y as usize * pix.words_per_row()..];
    match pix.depth() {
        1 => [if row[x as usize / 32] >> (31 - x % 32) & 1 == 1 { 0 } else { 255 }; 3],
        8 => [(row[x as usize / 4] >> (24 - x % 4 * 8)) as u8; 3],
        32 => {
            let [red, green, blue, _] = row[x as usize].to_be_bytes();
            [red, green, blue]
        }
        depth => panic!("a scan of {depth} bits"),
    }
}

fn near(one: [u8; 3], other: [u8; 3], tolerance: u8) -> bool {
    one.iter().zip(other).all(|(a, b)| a.abs_diff(b) <= tolerance)
}

/// The bytes of a page image, wherever they are.
fn stream<'a>(image: &'a PageImage, file: &'a [u8]) -> &'a [u8] {
    match &image.bytes {
        ImageBytes::Source { offset, length } => &file[*offset as usize..][..*length as usize],
        ImageBytes::Owned(bytes) => bytes,
    }
}

#[test]
fn what_is_no_page_is_refused() {
    assert_eq!(rejection(b""), Rejection::Empty);
    assert_eq!(rejection(b"GIF89a\x01\0\x01\0"), Rejection::UnknownKind);
    assert_eq!(rejection(b"RIFF\x24\0\0\0WEBPVP8 "), Rejection::UnknownKind);
    assert_eq!(rejection(b"just text"), Rejection::UnknownKind);
    assert_eq!(rejection(&[0; 4096]), Rejection::UnknownKind);
}

#[test]
fn a_source_beyond_its_limit_is_refused() {
    let limits = Limits { bytes_per_source_max: 3, ..Limits::default() };
    let refused = Source::open(Arc::new(vec![0xff; 4]), &limits).err();
    assert_eq!(refused, Some(Rejection::TooManyBytes { bytes: 4 }));
}

#[test]
fn a_page_that_is_not_there_is_missing() {
    let source = open(fixtures::grey_png(4, 4));
    assert_eq!(source.decode(1).err(), Some(PageDefect::Missing));
    assert_eq!(source.deliver(7, Deliverable::Pdf17).err(), Some(PageDefect::Missing));
}
