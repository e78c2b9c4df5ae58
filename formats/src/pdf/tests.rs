//! What other people's programs make of our PDFs.

mod images;
mod text;

use std::fmt::Write;
use std::io::Read;

use flate2::read::ZlibDecoder;
use pagemill_domain::page_image::Deliverable;
use pagemill_domain::recipe::{Format, PdfPart, Recipe};

use crate::fixtures::{self, Page, images as image_fixtures, written, written_by};
use crate::tools::Workplace;

fn by_part(pdf_part: PdfPart) -> Recipe {
    Recipe { pdf_part, ..Recipe::default() }
}

/// Pages with text and every kind of image that the part allows, a blank one and a dead one.
fn mixed_pages(deliverable: Deliverable) -> Vec<Page> {
    let images = image_fixtures::all(deliverable);
    let pages = images
        .into_iter()
        .map(|(_, image, _)| Page { text: Some(fixtures::page_text()), ..image_fixtures::page(image) });
    pages.chain([fixtures::jpeg_page().0]).chain(fixtures::pages()).collect()
}

/// A file as a reviewer can read it: streams inflated where they are text, else their length.
fn readable(pdf: &[u8]) -> String {
    let mut text = String::new();
    let mut rest = pdf;
    let find = |bytes: &[u8], what: &[u8]| bytes.windows(what.len()).position(|window| window == what);
    while let Some(start) = find(rest, b"\nstream\n").map(|start| start + 8) {
        let end = start + find(&rest[start..], b"\nendstream").unwrap();
        text.push_str(&String::from_utf8_lossy(&rest[..start]));
        let stream = &rest[start..end];
        let mut inflated = Vec::new();
        let is_deflated = ZlibDecoder::new(stream).read_to_end(&mut inflated).is_ok();
        match String::from_utf8(if is_deflated { inflated } else { stream.to_vec() }) {
            // Codes of characters are mostly control characters.
            Ok(stream) => text.push_str(&stream.replace(|c: char| c.is_control() && c != '\n', "·")),
            Err(binary) => write!(text, "… {} bytes …", binary.as_bytes().len()).unwrap(),
        }
        rest = &rest[end..];
    }
    text + &String::from_utf8_lossy(rest)
}

#[test]
fn the_objects_are_the_reviewed_ones() {
    let page = Page { text: None, ..fixtures::jpeg_page().0 };
    insta::assert_snapshot!(readable(&written(
        Format::Pdf,
        &[page, fixtures::page_of_words(&["Điều", "1."])]
    )));
}

#[test]
fn qpdf_finds_no_fault() {
    let workplace = Workplace::new();
    for (name, pages) in [("none.pdf", vec![]), ("mixed.pdf", mixed_pages(Deliverable::Pdf17))] {
        workplace.put(name, &written(Format::Pdf, &pages));
        let printed = workplace.printed("qpdf", &["--check", name]);
        assert!(printed.contains("No syntax or stream encoding errors found"), "{printed}");
    }
}

#[test]
fn the_page_tree_has_room_for_thousands() {
    let workplace = Workplace::new();
    let pages = vec![fixtures::pages()[2].clone(); 1_100];
    workplace.put("long.pdf", &written(Format::Pdf, &pages));
    workplace.printed("qpdf", &["--check", "long.pdf"]);
    assert_eq!(workplace.printed("qpdf", &["--show-npages", "long.pdf"]).trim(), "1100");
}

#[test]
fn the_same_pages_give_the_same_bytes() {
    assert_eq!(
        written(Format::Pdf, &mixed_pages(Deliverable::Pdf14)),
        written(Format::Pdf, &mixed_pages(Deliverable::Pdf14))
    );
}

/// One Java machine for all files: it takes longer to start than to check them.
#[test]
fn preflight_finds_pdf_a_1b() {
    let workplace = Workplace::new();
    let recipe = by_part(PdfPart::A1b);
    let pages = mixed_pages(Deliverable::Pdf14);
    let files = [
        workplace.put("mixed.pdf", &written_by(Format::Pdf, &recipe, &pages)),
        workplace.put("images.pdf", &written_by(Format::ImagePdf, &recipe, &pages)),
        workplace.put("none.pdf", &written_by(Format::Pdf, &recipe, &[])),
    ];
    let list: Vec<_> = files.iter().map(|path| path.display().to_string()).collect();
    workplace.put("list", list.join("\n").as_bytes());
    let jars = [
        "preflight",
        "pdfbox2",
        "fontbox2",
        "xmpbox",
        "commons-logging",
        "commons-io",
        "javax.activation",
        "jaxb-api",
    ];
    let class_path: Vec<_> = jars.iter().map(|jar| format!("/usr/share/java/{jar}.jar")).collect();
    let preflight = "org.apache.pdfbox.preflight.Validator_A1b";
    workplace.printed("java", &["-cp", &class_path.join(":"), preflight, "xml", "group", "list"]);
    let report = std::fs::read_to_string(workplace.path().join("list.preflight.xml")).unwrap();
    assert_eq!(report.matches("<isValid type=\"PDF/A1-b\">true</isValid>").count(), files.len(), "{report}");
}
