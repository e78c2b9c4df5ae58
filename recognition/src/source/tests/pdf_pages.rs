//! Pages that are more, or less, than one image; and the files around them.

use std::process::Command;

use pagemill_domain::geometry::Turn;
use pagemill_domain::page_image::PixelFormat;
use pagemill_domain::scan::{Dpi, DpiRule, ExistingText};

use super::fixtures::{bitonal_raster, colour_raster, jpeg};
use super::pdf_fixtures::{PdfBuilder, over_page, zlib};
use super::*;

const JPEG_RGB: &str = "/ColorSpace /DeviceRGB /BitsPerComponent 8 /Filter /DCTDecode";

/// A page of `content` with a colour JPEG of 200 × 200 as `/I`, 72 × 72 points.
fn page_of(content: &str, entries: &str) -> Source {
    open(file_of(content, entries))
}

fn file_of(content: &str, entries: &str) -> Vec<u8> {
    let mut file = PdfBuilder::new();
    let image = file.image((200, 200), JPEG_RGB, &jpeg(&colour_raster(200, 200)));
    file.page(image, content, &format!("/MediaBox [0 0 72 72] {entries}"));
    file.finish()
}

const WORDS: &str = "BT /F 12 Tf 5 40 Td (Hello  world) Tj 0 -14 Td (again) Tj ET";

#[test]
fn text_is_visible_invisible_or_absent() {
    let cover = over_page(72, 72);
    for (content, expected) in [
        (cover.clone(), ExistingText::None),
        (format!("{cover} BT /F 12 Tf (   ) Tj ET"), ExistingText::None),
        (format!("{cover} 3 Tr {WORDS}"), ExistingText::Invisible),
        (format!("{WORDS} {cover}"), ExistingText::Invisible),
        (format!("{cover} {WORDS}"), ExistingText::Visible),
        (WORDS.to_owned(), ExistingText::Visible),
    ] {
        let source = page_of(&content, "");
        assert_eq!(only_page(&source).existing_text, expected, "{content}");
        assert_eq!(source.existing_text(0).is_some(), expected != ExistingText::None, "{content}");
        // An image with a hidden layer is still that image.
        let taken = matches!(source.deliver(0, Deliverable::Pdf17).unwrap().bytes, ImageBytes::Source { .. });
        assert_eq!(taken, expected != ExistingText::Visible, "{content}");
    }
}

#[test]
fn existing_text_comes_as_words_where_they_stand() {
    let source = page_of(&format!("{} 3 Tr {WORDS}", over_page(72, 72)), "");
    let text = source.existing_text(0).unwrap();
    assert_eq!((text.width, text.height, text.dpi), (200, 200, Dpi::square(200)));
    let lines: Vec<String> = text.lines().map(pagemill_domain::page_text::Line::text).collect();
    assert_eq!(lines, ["Hello world", "again"]);
    let hello = text.words().next().unwrap();
    // 5 points from the left, baseline 32 points from the top, at 200 dpi.
    assert!(hello.bounds.left.abs_diff(14) <= 1, "{:?}", hello.bounds);
    assert!(hello.bounds.top < 72 && hello.bounds.bottom > 88, "{:?}", hello.bounds);
    assert_eq!(text.lines().next().unwrap().baseline.start.y, 89);
    assert_eq!(text.turn, Turn::None);
    let turned = page_of(&format!("3 Tr {WORDS}"), "/Rotate 90").existing_text(0).unwrap();
    assert_eq!(turned.turn, Turn::Right);
}

#[test]
fn what_is_drawn_over_an_image_is_not_lost() {
    let source = page_of(&format!("{} 0 0 1 rg 0 0 36 36 re f", over_page(72, 72)), "");
    let scan = source.decode(0).unwrap();
    let (width, height) = (scan.pix.width(), scan.pix.height());
    assert_eq!((width, height), (300, 300));
    assert_eq!(pixel(&scan.pix, 10, height - 10), [0, 0, 255]);
    // The picture was lossy before; it stays so.
    assert_eq!(source.deliver(0, Deliverable::Pdf17).unwrap().coding, Coding::Jpeg);
    let annotation = "/Annots [ << /Type /Annot /Subtype /Stamp /Rect [0 0 36 36] /AP << /N 9 0 R >> >> ]";
    let mut file = PdfBuilder::new();
    let image = file.image((200, 200), JPEG_RGB, &jpeg(&colour_raster(200, 200)));
    file.page(image, &over_page(72, 72), &format!("/MediaBox [0 0 72 72] {}", annotation.replace('9', "6")));
    let stamp = file.stream("/Type /XObject /Subtype /Form /BBox [0 0 36 36]", b"0 0 1 rg 0 0 36 36 re f");
    assert_eq!(stamp, 6);
    let scan = open(file.finish()).decode(0).unwrap();
    assert_eq!(pixel(&scan.pix, 10, scan.pix.height() - 10), [0, 0, 255]);
}

#[test]
fn images_in_forms_are_found() {
    let mut file = PdfBuilder::new();
    let image = file.image((200, 200), JPEG_RGB, &jpeg(&colour_raster(200, 200)));
    let form = format!(
        "/Type /XObject /Subtype /Form /BBox [0 0 72 72] /Resources << /XObject << /J {image} 0 R >> >>"
    );
    let form = file.stream(&form, b"q 72 0 0 72 0 0 cm /J Do Q");
    file.page(form, "/I Do", "/MediaBox [0 0 72 72]");
    let source = open(file.finish());
    assert!(matches!(source.deliver(0, Deliverable::Pdf17).unwrap().bytes, ImageBytes::Source { .. }));
}

#[test]
fn several_images_are_rendered_at_the_best_resolution() {
    let mut file = PdfBuilder::new();
    let bitonal = bitonal_raster(288, 144);
    let dict = "/ColorSpace /DeviceGray /Decode [1 0] /BitsPerComponent 1";
    let image = file.image((288, 144), dict, &bitonal.rows);
    file.page(image, "q 72 0 0 36 0 36 cm /I Do Q q 72 0 0 36 0 0 cm /I Do Q", "/MediaBox [0 0 72 72]");
    let source = open(file.finish());
    let page = only_page(&source);
    assert_eq!((page.width, page.height, page.dpi), (288, 288, Dpi::square(288)));
    let image = source.deliver(0, Deliverable::Pdf14).unwrap();
    assert_eq!((image.coding, image.pixels), (Coding::G4, PixelFormat::Bitonal { black_is_one: true }));
    let scan = source.decode(0).unwrap();
    assert_eq!((pixel(&scan.pix, 10, 10), pixel(&scan.pix, 10, 154)), ([0; 3], [0; 3]));
    assert_eq!(pixel(&scan.pix, 280, 10), [255; 3]);
}

#[test]
fn pages_without_images_have_three_hundred_dpi() {
    let source = page_of(WORDS, "");
    assert_eq!((only_page(&source).width, only_page(&source).dpi_rule), (300, DpiRule::Declared));
    let scan = source.decode(0).unwrap();
    let black = (0..300).any(|x| pixel(&scan.pix, x, 125)[0] < 64);
    assert!(black, "the words are rendered");
    let empty = page_of("", "");
    assert_eq!(empty.decode(0).unwrap().pix.width(), 300);
}

#[test]
fn giant_and_empty_pages() {
    let mut giant = PdfBuilder::new();
    giant.page(0, WORDS, "/MediaBox [0 0 14400 14400]");
    assert!(matches!(only_page(&open(giant.finish())).defect, Some(PageDefect::TooManyPixels { .. })));
    let mut long = PdfBuilder::new();
    long.page(0, WORDS, "/MediaBox [0 0 1 20000]");
    assert!(matches!(open(long.finish()).decode(0), Err(PageDefect::Unsupported(_))));
    let mut empty = PdfBuilder::new();
    empty.page(0, "", "/MediaBox [5 5 5 5]");
    assert_eq!(only_page(&open(empty.finish())).width, 2480);
}

#[test]
fn pages_that_the_file_does_not_hold_are_missing() {
    let mut file = PdfBuilder::new();
    file.page(0, "", "/MediaBox [0 0 72 72]");
    file.kid(99);
    file.page(0, "", "/MediaBox [0 0 144 72]");
    file.count = Some(5);
    let source = open(file.finish());
    let defects: Vec<_> = source.facts().pages.iter().map(|page| page.defect.clone()).collect();
    let missing = Some(PageDefect::Missing);
    assert_eq!(defects, [None, missing.clone(), None, missing.clone(), missing]);
    assert_eq!(source.facts().pages[2].width, 600);
    assert_eq!(source.decode(1).err(), Some(PageDefect::Missing));
}

#[test]
fn page_trees_without_end_and_beyond_the_limit() {
    let mut endless = PdfBuilder::new();
    endless.page(0, "", "/MediaBox [0 0 72 72]");
    endless.kid(2);
    endless.count = Some(1);
    assert_eq!(open(endless.finish()).facts().pages.len(), 1);
    let mut many = PdfBuilder::new();
    many.page(0, "", "/MediaBox [0 0 72 72]");
    many.count = Some(200_000);
    assert_eq!(rejection(&many.finish()), Rejection::TooManyPages { pages: 200_000 });
}

#[test]
fn forms_that_paint_themselves_end() {
    let mut file = PdfBuilder::new();
    let form = file.add(Vec::new());
    let itself = format!(
        "<< /Type /XObject /Subtype /Form /BBox [0 0 72 72] /Length 12 /Resources << /XObject << /I {form} 0 R >> >> >>\n\
         stream\n/I Do 0 0 1 1\nendstream"
    );
    file.page(form, "/I Do", "/MediaBox [0 0 72 72]");
    let bytes = String::from_utf8_lossy(&file.finish())
        .replace("3 0 obj\n\nendobj", &format!("3 0 obj\n{itself}\nendobj"));
    let source = open(bytes.into_bytes());
    assert_eq!(source.facts().pages.len(), 1);
    source.decode(0).ok();
}

#[test]
fn content_beyond_the_limit_is_refused() {
    let limits = Limits { pixels_per_page_max: 1_000_000, ..Limits::default() };
    let mut file = PdfBuilder::new();
    let content = file.stream("/Filter /FlateDecode", &zlib(&b"q Q ".repeat(2 << 20)));
    let page =
        file.add(format!("<< /Type /Page /Parent 2 0 R /MediaBox [0 0 72 72] /Contents {content} 0 R >>"));
    file.kid(page);
    let source = Source::open(Arc::new(file.finish()), &limits).unwrap();
    assert!(matches!(only_page(&source).defect, Some(PageDefect::Damaged(_))));
}

#[test]
fn signatures_are_seen() {
    assert!(!page_of(WORDS, "").facts().signed);
    let mut signed = PdfBuilder::new();
    let signature = signed.add("<< /Type /Sig /Filter /Adobe.PPKLite /Contents <00> >>");
    let field = signed.add(format!("<< /FT /Sig /T (s) /V {signature} 0 R >>"));
    signed.catalog = format!("/AcroForm << /Fields [ {field} 0 R ] >>");
    signed.page(0, "", "/MediaBox [0 0 72 72]");
    assert!(open(signed.finish()).facts().signed);
    let mut empty_field = PdfBuilder::new();
    let field = empty_field.add("<< /FT /Sig /T (s) >>");
    empty_field.catalog = format!("/AcroForm << /Fields [ {field} 0 R ] >>");
    empty_field.page(0, "", "/MediaBox [0 0 72 72]");
    assert!(!open(empty_field.finish()).facts().signed);
    let mut loose = PdfBuilder::new();
    loose.add("<< /Type /Sig /ByteRange [0 1 2 3] /Contents <00> >>");
    loose.page(0, "", "/MediaBox [0 0 72 72]");
    assert!(open(loose.finish()).facts().signed);
}

#[test]
fn scripts_forms_and_attachments_do_no_harm() {
    let mut file = PdfBuilder::new();
    let image = file.image((200, 200), JPEG_RGB, &jpeg(&colour_raster(200, 200)));
    let attachment = file.stream("/Type /EmbeddedFile", b"MZ");
    let xfa = file.stream("", b"<xdp:xdp/>");
    file.catalog = format!(
        "/OpenAction << /S /JavaScript /JS (app.alert\\(1\\)) >> /AcroForm << /XFA {xfa} 0 R /Fields [] >> \
         /Names << /EmbeddedFiles << /Names [ (a.exe) << /EF << /F {attachment} 0 R >> >> ] >> >>"
    );
    file.page(image, &over_page(72, 72), "/MediaBox [0 0 72 72]");
    let source = open(file.finish());
    assert_eq!(only_page(&source).defect, None);
    assert_eq!(source.decode(0).unwrap().pix.width(), 200);
}

/// Encrypts by qpdf, which the set-up installs for the tests.
fn encrypted(user: &str, owner: &str, bits: &str) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let (plain, locked) = (folder.path().join("plain.pdf"), folder.path().join("locked.pdf"));
    std::fs::write(&plain, file_of(&over_page(72, 72), "")).unwrap();
    let mut command = Command::new("qpdf");
    command.args(["--allow-weak-crypto", "--encrypt", user, owner, bits, "--"]).arg(&plain).arg(&locked);
    let output = command.output().expect("qpdf is installed");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    std::fs::read(locked).unwrap()
}

#[test]
fn passwords_are_asked_for_only_where_they_are_needed() {
    for bits in ["40", "128", "256"] {
        assert_eq!(rejection(&encrypted("user", "owner", bits)), Rejection::Encrypted, "{bits}");
        let source = open(encrypted("", "owner", bits));
        let image = source.deliver(0, Deliverable::Pdf17).unwrap();
        // The file's own bytes are cipher text: the plain ones are handed on.
        assert!(
            matches!(&image.bytes, ImageBytes::Owned(bytes) if bytes.starts_with(&[0xff, 0xd8, 0xff])),
            "{bits}"
        );
        assert_eq!(source.decode(0).unwrap().pix.width(), 200);
    }
}

#[test]
fn damaged_files_are_repaired_or_refused() {
    let file = file_of(&over_page(72, 72), "");
    assert!(matches!(rejection(b"%PDF-1.7\nnothing"), Rejection::Damaged(_)));
    // Without its table at the end, the objects are still found.
    let start = file.windows(4).rposition(|window| window == b"xref").unwrap();
    let source = open([&file[..start - 60], b"\ntrailer << /Root 1 0 R >>"].concat());
    assert_eq!(source.decode(0).unwrap().pix.width(), 200);
    let shifted = open([b"junk before the header\n".as_slice(), &file].concat());
    assert_eq!(shifted.decode(0).unwrap().pix.width(), 200);
}
