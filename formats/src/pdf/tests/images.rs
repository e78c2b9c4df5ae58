//! Images in PDFs: what is shown, and that their bytes are the original ones.

use pagemill_domain::page_image::Deliverable;
use pagemill_domain::recipe::Format;

use crate::fixtures::images::{self, COLOURS};
use crate::fixtures::{self, Page, written};
use crate::tools::{Picture, Workplace};

/// Renders each page at its own resolution.
fn rendered(pages: &[Page]) -> Vec<Picture> {
    let workplace = Workplace::new();
    workplace.put("pages.pdf", &written(Format::ImagePdf, pages));
    workplace.printed("pdftoppm", &["-r", "72", "pages.pdf", "page"]);
    let digits = pages.len().to_string().len();
    let names = (1..=pages.len()).map(|number| format!("page-{number:0digits$}.ppm"));
    names.map(|name| Picture::from_ppm(&std::fs::read(workplace.path().join(name)).unwrap())).collect()
}

#[test]
fn every_coding_shows_its_colours() {
    let all = images::all(Deliverable::Pdf17);
    let pages: Vec<Page> = all.iter().map(|(_, image, _)| images::page(image.clone())).collect();
    for ((name, _, colours), picture) in all.iter().zip(rendered(&pages)) {
        assert!(picture.shows(colours), "{name} shows {:?}", picture.quarters());
    }
}

#[test]
fn every_orientation_is_turned_upright() {
    let [a, b, c, d] = COLOURS;
    // What the tag makes of the stored quarters (TIFF 6.0, page 36).
    let displayed = [
        [a, b, c, d],
        [b, a, d, c],
        [d, c, b, a],
        [c, d, a, b],
        [a, c, b, d],
        [c, a, d, b],
        [d, b, c, a],
        [b, d, a, c],
    ];
    let pages: Vec<Page> = (1..=8).map(|tag| images::page(images::oriented(tag))).collect();
    for (picture, (expected, tag)) in rendered(&pages).iter().zip(displayed.iter().zip(1..)) {
        assert!(picture.shows(expected), "orientation {tag} shows {:?}", picture.quarters());
        assert_eq!(picture.width > picture.height, tag < 5, "orientation {tag}");
    }
}

#[test]
fn a_page_without_image_is_crossed_out_not_blank() {
    let picture = &rendered(&[fixtures::pages()[2].clone()])[0];
    assert_eq!((picture.width, picture.height), (596, 843));
    assert!(!picture.is_white());
}

#[test]
fn jpeg_streams_are_the_original_bytes() {
    let (page, original) = fixtures::jpeg_page();
    let workplace = Workplace::new();
    workplace.put("scan.pdf", &written(Format::Pdf, &[page]));
    workplace.printed("pdfimages", &["-all", "scan.pdf", "image"]);
    assert_eq!(std::fs::read(workplace.path().join("image-000.jpg")).unwrap(), original);
}

#[test]
fn pages_of_one_jbig2_source_share_their_globals() {
    let jbig2 = images::one(Deliverable::Pdf14, "jbig2");
    let one = written(Format::ImagePdf, &[images::page(jbig2.clone())]);
    let two = written(Format::ImagePdf, &[images::page(jbig2.clone()), images::page(jbig2)]);
    let count = |bytes: &[u8]| bytes.windows(11).filter(|window| window == b"name\0value\0").count();
    assert_eq!((count(&one), count(&two)), (1, 1));
}
