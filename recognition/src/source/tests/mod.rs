mod fixtures;
mod fuzz;
mod jpeg;
mod pdf_codings;
mod pdf_fixtures;
mod pdf_images;
mod pdf_pages;
mod png;
mod stored;
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
fn a_file_is_what_its_first_bytes_say() {
    let jpeg = fixtures::jpeg(&fixtures::colour_raster(20, 20));
    let pdf = pdf_fixtures::one_image((1, 1), "/ColorSpace /DeviceGray /BitsPerComponent 8", &[0]);
    assert_eq!(open([jpeg.as_slice(), &pdf].concat()).facts().kind, SourceKind::Jpeg);
    assert_eq!(open([b"PK\x03\x04 archive ".as_slice(), &pdf].concat()).facts().kind, SourceKind::Pdf);
}

#[test]
fn lines_of_single_pixels_are_pages() {
    for (width, height) in [(1, 1), (1, 3_000), (3_000, 1), (33, 1)] {
        let grey = fixtures::grey_raster(width, height);
        let bitonal = fixtures::bitonal_raster(width, height).to_pix().unwrap();
        let files = [
            fixtures::grey_png(width, height),
            fixtures::jpeg(&grey),
            g4::tiff_file(&bitonal, leptess::capi::IFF_TIFF_G4).unwrap(),
            pdf_fixtures::one_image(
                (width, height),
                "/ColorSpace /DeviceGray /BitsPerComponent 8",
                &grey.rows,
            ),
        ];
        for file in files {
            let source = open(file);
            let scan = source.decode(0).unwrap();
            assert_eq!((scan.pix.width(), scan.pix.height()), (width, height), "{:?}", source.facts().kind);
            for deliverable in [Deliverable::Pdf14, Deliverable::Jpeg, Deliverable::Tiff] {
                source.deliver(0, deliverable).unwrap();
            }
        }
    }
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
