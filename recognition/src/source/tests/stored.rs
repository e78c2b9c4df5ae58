//! Which bytes each page of a file needs: with these alone it is read as with all.

use pagemill_domain::hash::ContentHash;
use pagemill_domain::page_image::PixelFormat;
use pagemill_domain::source_map::{PageBytes, SourceMap};

use super::fixtures::{TiffBuilder, grey_png, jpeg};
use super::pdf_fixtures::{PdfBuilder, over_page, zlib};
use super::*;
use crate::source::raster::Raster;

const SIZE: (u32, u32) = (160, 120);

/// Grey rows without any order, different for each page, larger than what is worth a hole.
fn noise(page: u32) -> Vec<u8> {
    let mut state = page.wrapping_mul(2_654_435_761) | 1;
    let next = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..SIZE.0 * SIZE.1).map(next).collect()
}

fn map(source: &Source) -> SourceMap {
    let page = |ranges| PageBytes { ranges, hash: ContentHash::of(b"") };
    let pages = source.page_ranges().expect("the file can be mapped").into_iter().map(page).collect();
    SourceMap { bytes: source.bytes().len() as u64, pages }
}

/// The file with holes where only other pages have their bulk.
fn with_page_alone(file: &[u8], map: &SourceMap, number: u32) -> Vec<u8> {
    let mut holed = file.to_vec();
    for hole in map.holes(|page| page == number) {
        holed[hole.offset as usize..hole.end() as usize].fill(0);
    }
    holed
}

#[track_caller]
fn each_page_is_read_alone(file: &[u8], pages: u32) {
    let source = open(file.to_vec());
    let map = map(&source);
    assert_eq!(map.pages.len(), pages as usize);
    for number in 1..=pages {
        let alone = with_page_alone(file, &map, number);
        let missing: u64 = map.holes(|page| page == number).iter().map(|hole| hole.length).sum();
        let others = file.len() as u64 / u64::from(pages) * u64::from(pages - 1);
        assert!(missing > others / 2, "the others' images are holes: {missing}");
        let alone = open(alone);
        assert_eq!(alone.facts().pages.len(), pages as usize);
        let (read, whole) = (alone.decode(number - 1).unwrap(), source.decode(number - 1).unwrap());
        assert!(read.pix.words() == whole.pix.words(), "page {number}");
        let delivered = |source: &Source| source.deliver(number - 1, Deliverable::Pdf14).unwrap();
        assert_eq!(delivered(&alone), delivered(&source), "page {number}");
    }
}

#[test]
fn pages_of_a_pdf_that_are_images_are_read_alone() {
    let mut file = PdfBuilder::new();
    for page in 0..5 {
        let rows = noise(page);
        let image = match page % 3 {
            0 => file.image(SIZE, "/ColorSpace /DeviceGray /BitsPerComponent 8", &rows),
            1 => {
                let dict = "/ColorSpace /DeviceGray /BitsPerComponent 8 /Filter /FlateDecode";
                file.image(SIZE, dict, &zlib(&rows))
            }
            _ => {
                let pixels = PixelFormat::Grey { bits: 8 };
                let raster = Raster { width: SIZE.0, height: SIZE.1, pixels, rows };
                let dict = "/ColorSpace /DeviceGray /BitsPerComponent 8 /Filter /DCTDecode";
                file.image(SIZE, dict, &jpeg(&raster))
            }
        };
        file.page(image, &over_page(72, 54), "/MediaBox [0 0 72 54]");
    }
    each_page_is_read_alone(&file.finish(), 5);
}

#[test]
fn pages_of_a_pdf_that_are_rendered_are_read_alone() {
    let mut file = PdfBuilder::new();
    for page in 0..3 {
        let mask = file.image(SIZE, "/ColorSpace /DeviceGray /BitsPerComponent 8", &noise(page + 10));
        let dict = format!("/ColorSpace /DeviceGray /BitsPerComponent 8 /SMask {mask} 0 R");
        let image = file.image(SIZE, &dict, &noise(page));
        let form = file.stream(
            &format!("/Type /XObject /Subtype /Form /BBox [0 0 72 54] /Resources << /XObject << /N {image} 0 R >> >>"),
            b"q 50 0 0 40 5 5 cm /N Do Q",
        );
        file.page(form, "/I Do", "/MediaBox [0 0 72 54]");
    }
    each_page_is_read_alone(&file.finish(), 3);
}

#[test]
fn an_image_that_all_pages_have_belongs_to_each() {
    let mut file = PdfBuilder::new();
    let shared = file.image(SIZE, "/ColorSpace /DeviceGray /BitsPerComponent 8", &noise(1));
    for _ in 0..2 {
        file.page(shared, &over_page(72, 54), "/MediaBox [0 0 72 54]");
    }
    let map = map(&open(file.finish()));
    assert_eq!(map.pages[0], map.pages[1]);
    assert!(map.pages[0].ranges[0].length > 160 * 120 - 2 * HOLE_UNIT_BYTES);
}

#[test]
fn a_pdf_that_has_to_be_searched_is_not_mapped() {
    let mut file = PdfBuilder::new();
    let image = file.image(SIZE, "/ColorSpace /DeviceGray /BitsPerComponent 8", &noise(1));
    file.page(image, &over_page(72, 54), "/MediaBox [0 0 72 54]");
    let file = file.finish();
    let at = file.windows(13).position(|window| window == b"/Length 19200").unwrap();
    let mut wrong = file.clone();
    wrong[at + 8..at + 13].copy_from_slice(b"19100");
    assert!(open(file).page_ranges().is_some());
    assert_eq!(open(wrong).page_ranges(), None);
}

#[test]
fn pages_of_a_tiff_are_read_alone() {
    let mut file = TiffBuilder::new(false);
    for page in 0..4 {
        file.page(SIZE, &[8], 1, 1, &noise(page)).end_page();
    }
    each_page_is_read_alone(&file.finish(), 4);
}

#[test]
fn small_images_and_files_of_one_image_have_no_bulk() {
    let mut file = TiffBuilder::new(false);
    file.page((10, 10), &[8], 1, 1, &[7; 100]).end_page();
    assert_eq!(open(file.finish()).page_ranges(), Some(vec![Vec::new()]));
    assert_eq!(open(grey_png(160, 120)).page_ranges(), None);
}
