//! What libtiff and `convert` make of our TIFFs.

use pagemill_domain::geometry::Orientation;
use pagemill_domain::page_image::{Deliverable, ImageBytes, PageImage, PixelFormat};
use pagemill_domain::recipe::{Format, Recipe};

use crate::document::{DocumentWriter, WriteError};
use crate::fixtures::{self, Page, images, written};
use crate::tools::{Picture, Workplace};

fn kinds() -> Vec<(&'static str, Page, images::Quarters)> {
    let all = images::all(Deliverable::Tiff).into_iter();
    all.map(|(name, image, colours)| (name, images::page(image), colours)).collect()
}

#[test]
fn every_coding_shows_its_colours() {
    let workplace = Workplace::new();
    let pages: Vec<Page> = kinds().into_iter().map(|(_, page, _)| page).collect();
    workplace.put("pages.tif", &written(Format::Tiff, &pages));
    for ((name, _, colours), index) in kinds().iter().zip(0..) {
        let page = format!("pages.tif[{index}]");
        let ppm = workplace.run("convert", &[&page, "-depth", "8", "ppm:-"]);
        assert!(ppm.stderr.is_empty(), "{name}: {}", String::from_utf8_lossy(&ppm.stderr));
        let picture = Picture::from_ppm(&ppm.stdout);
        assert!(picture.shows(colours), "{name} shows {:?}", picture.quarters());
    }
}

#[test]
fn libtiff_reads_every_directory_without_a_warning() {
    let workplace = Workplace::new();
    let mut pages: Vec<Page> = kinds().into_iter().map(|(_, page, _)| page).collect();
    pages.extend([fixtures::jpeg_page().0, fixtures::pages()[2].clone()]);
    workplace.put("pages.tif", &written(Format::Tiff, &pages));
    // -D reads the samples too.
    let read = workplace.run("tiffinfo", &["-D", "pages.tif"]);
    assert!(read.status.success() && read.stderr.is_empty(), "{}", String::from_utf8_lossy(&read.stderr));
    let printed = String::from_utf8_lossy(&read.stdout).into_owned();
    assert_eq!(printed.matches("TIFF Directory at offset").count(), pages.len(), "{printed}");
    assert!(printed.contains("Page Number: 12-13"), "{printed}");
    assert!(printed.contains("Resolution: 200, 200 pixels/inch"), "{printed}");
}

fn oriented(tag: u16) -> PageImage {
    PageImage { orientation: Orientation::from_tag(tag), ..images::one(Deliverable::Tiff, "colour") }
}

#[test]
fn orientation_is_a_tag() {
    let workplace = Workplace::new();
    let [a, b, c, d] = images::COLOURS;
    workplace.put("page.tif", &written(Format::Tiff, &[images::page(oriented(6))]));
    let ppm = workplace.run("convert", &["page.tif", "-auto-orient", "ppm:-"]).stdout;
    assert!(Picture::from_ppm(&ppm).shows(&[c, a, d, b]));
}

#[test]
fn jpeg_streams_are_the_original_bytes() {
    let (page, original) = fixtures::jpeg_page();
    let tiff = written(Format::Tiff, &[page]);
    assert!(tiff.windows(original.len()).any(|window| window == original));
}

#[test]
fn a_page_without_image_is_white_and_of_its_size() {
    let workplace = Workplace::new();
    workplace.put("gap.tif", &written(Format::Tiff, &fixtures::pages()[2..]));
    let picture = Picture::from_ppm(&workplace.run("convert", &["gap.tif", "-depth", "8", "ppm:-"]).stdout);
    assert_eq!((picture.width, picture.height), (1654, 2339));
    assert!(picture.is_white());
}

#[test]
fn long_documents_are_big_tiff() {
    let workplace = Workplace::new();
    let pages = vec![images::page(oriented(1)); 201];
    workplace.put("long.tif", &written(Format::Tiff, &pages));
    let read = workplace.run("tiffinfo", &["-D", "long.tif"]);
    assert!(read.status.success() && read.stderr.is_empty(), "{}", String::from_utf8_lossy(&read.stderr));
    let printed = String::from_utf8_lossy(&read.stdout).into_owned();
    assert_eq!(printed.matches("TIFF Directory at offset").count(), 201);
    assert_eq!(&std::fs::read(workplace.path().join("long.tif")).unwrap()[..4], b"II\x2b\0");
}

fn refused(page: &Page) -> String {
    let mut writer = crate::writer(Format::Tiff, &fixtures::info(1), &Recipe::default(), Vec::new()).unwrap();
    writer.page(&page.as_document_page(1)).unwrap_err().to_string()
}

#[test]
fn damaged_images_are_named_errors() {
    let with_bytes = |kind: &str, change: &dyn Fn(&mut Vec<u8>)| {
        let mut page = images::page(images::one(Deliverable::Tiff, kind));
        if let Some(ImageBytes::Owned(bytes)) = page.image.as_mut().map(|image| &mut image.bytes) {
            change(bytes);
        }
        refused(&page)
    };
    assert!(with_bytes("jpeg-colour", &|bytes| bytes.truncate(12)).contains("without a frame"));
    assert!(with_bytes("jpeg-colour", &|bytes| bytes.fill(0xFF)).contains("without a frame"));
    for name in ["jbig2", "colour"] {
        let page = images::page(images::one(Deliverable::Pdf14, name));
        assert!(refused(&page).contains("a coding that a TIFF has not"));
    }
    let mut grey = images::one(Deliverable::Tiff, "jpeg-grey");
    grey.pixels = PixelFormat::Rgb;
    assert!(refused(&images::page(grey)).contains("other channels"));
}

#[test]
fn a_plain_tiff_beyond_four_gib_is_a_named_error() {
    let mut page = images::page(images::one(Deliverable::Tiff, "g4"));
    if let Some(image) = &mut page.image {
        image.bytes = ImageBytes::Source { offset: 0, length: 5 << 30 };
    }
    let mut writer =
        crate::writer(Format::Tiff, &fixtures::info(2), &Recipe::default(), std::io::sink()).unwrap();
    let error = DocumentWriter::page(writer.as_mut(), &page.as_document_page(1)).unwrap_err();
    assert!(matches!(error, WriteError::FormatLimit { page: 1, limit: "4 GiB" }), "{error}");
}
