//! Images that fill their pages.

use pagemill_domain::geometry::{Orientation, Turn};
use pagemill_domain::page_image::PixelFormat;
use pagemill_domain::scan::{Dpi, DpiRule, ExistingText};

use super::fixtures::{
    bitonal_raster, black_at, colour_raster, exif, grey_raster, jpeg, rgb_at, with_segment,
};
use super::pdf_fixtures::{PdfBuilder, one_image, over_page, zlib};
use super::*;
use crate::prepare::grey::Grey;
use crate::scan::SheetSamples;

const JPEG_RGB: &str = "/ColorSpace /DeviceRGB /BitsPerComponent 8 /Filter /DCTDecode";

fn g4(width: u32, height: u32) -> Vec<u8> {
    g4::encode(&bitonal_raster(width, height).to_pix().unwrap()).unwrap()
}

fn fax_dict(width: u32, more: &str) -> String {
    format!(
        "/ColorSpace /DeviceGray /BitsPerComponent 1 /Filter /CCITTFaxDecode /DecodeParms << /K -1 /Columns {width} {more} >>"
    )
}

#[test]
fn a_jpeg_is_handed_on_as_it_is() {
    let image = jpeg(&colour_raster(300, 300));
    let file = one_image((300, 300), JPEG_RGB, &image);
    let source = open(file.clone());
    let page = only_page(&source);
    assert_eq!((source.facts().kind, source.facts().signed), (SourceKind::Pdf, false));
    assert_eq!((page.width, page.height, page.existing_text), (300, 300, ExistingText::None));
    assert_eq!((page.dpi, page.dpi_rule), (Dpi::square(300), DpiRule::Declared));
    for deliverable in [Deliverable::Pdf14, Deliverable::Pdf17, Deliverable::Jpeg, Deliverable::Tiff] {
        let delivered = source.deliver(0, deliverable).unwrap();
        assert!(matches!(delivered.bytes, ImageBytes::Source { .. }));
        assert!(stream(&delivered, &file) == image);
    }
    let scan = source.decode(0).unwrap();
    assert!(near(pixel(&scan.pix, 200, 50), rgb_at(200, 50, 300, 300), 8));
}

#[test]
fn exif_means_nothing_inside_a_pdf() {
    let plain = jpeg(&colour_raster(90, 60));
    let image = with_segment(&plain, 0xe1, &exif(6, 200));
    let file = one_image((90, 60), JPEG_RGB, &image);
    let source = open(file.clone());
    assert_eq!(source.decode(0).unwrap().pix.width(), 90);
    assert!(stream(&source.deliver(0, Deliverable::Pdf17).unwrap(), &file) == image);
    assert!(stream(&source.deliver(0, Deliverable::Jpeg).unwrap(), &file) == plain);
}

#[test]
fn an_absurd_page_size_is_not_believed() {
    // A point a pixel: 72 dpi, as image programs write it.
    let mut file = PdfBuilder::new();
    let image = file.image((248, 351), JPEG_RGB, &jpeg(&colour_raster(248, 351)));
    file.page(image, &over_page(248, 351), "/MediaBox [0 0 248 351]");
    let mut plain = PdfBuilder::new();
    let square = plain.image((200, 200), JPEG_RGB, &jpeg(&colour_raster(200, 200)));
    plain.page(square, &over_page(10_000, 10_000), "/MediaBox [0 0 10000 10000]");
    assert_eq!(only_page(&open(file.finish())).dpi_rule, DpiRule::AssumedDefault);
    let page = only_page(&open(plain.finish())).clone();
    assert_eq!((page.dpi, page.dpi_rule), (Dpi::square(300), DpiRule::AssumedDefault));
}

#[test]
fn a_jpeg_behind_zlib_is_unpacked() {
    let image = jpeg(&grey_raster(100, 100));
    let dict = "/ColorSpace /DeviceGray /BitsPerComponent 8 /Filter [ /FlateDecode /DCTDecode ]";
    let source = open(one_image((100, 100), dict, &zlib(&image)));
    assert!(stream(&source.deliver(0, Deliverable::Pdf14).unwrap(), &[]) == image);
    let pix = source.decode(0).unwrap().pix;
    assert_eq!(pix.depth(), 8);
    let mut sheet = source.sheet(0).unwrap();
    assert!(matches!(sheet.samples, SheetSamples::Planes(_)), "a page of one JPEG stays in its planes");
    assert_eq!(sheet.samples.take_brightest(), Grey::from_pix(&pix));
}

/// The page as hayro renders it is the page as we turn the image, whatever turns it.
#[test]
fn matrix_and_rotation_are_obeyed() {
    let image = jpeg(&colour_raster(120, 60));
    let matrices = [
        ("120 0 0 60 0 0", 120, 60),
        ("-120 0 0 60 120 0", 120, 60),
        ("120 0 0 -60 0 60", 120, 60),
        ("-120 0 0 -60 120 60", 120, 60),
        ("0 120 60 0 0 0", 60, 120),
        ("0 -120 60 0 0 120", 60, 120),
        ("0 120 -60 0 60 0", 60, 120),
        ("0 -120 -60 0 60 120", 60, 120),
    ];
    for (matrix, width, height) in matrices {
        for rotate in [0, 90, 180, 270, -90] {
            let content = format!("q {matrix} cm /I Do Q");
            let page = format!("/MediaBox [0 0 {width} {height}] /Rotate {rotate}");
            let build = |more: &str| {
                let mut file = PdfBuilder::new();
                let image = file.image((120, 60), JPEG_RGB, &image);
                file.page(image, &format!("{content} {more}"), &page);
                open(file.finish())
            };
            let taken = build("");
            // A dot outside of the image's corners makes the page one that has to be rendered.
            let rendered = build("30 30 0.01 0.01 re f");
            assert!(matches!(taken.deliver(0, Deliverable::Pdf17).unwrap().bytes, ImageBytes::Source { .. }));
            let (taken, rendered) = (taken.decode(0).unwrap().pix, rendered.decode(0).unwrap().pix);
            let scale = rendered.width() / taken.width();
            assert!(scale > 1 && rendered.height() / taken.height() == scale);
            for (x, y) in [(4, 4), (taken.width() - 5, 4), (4, taken.height() - 5)] {
                let (one, other) = (pixel(&taken, x, y), pixel(&rendered, x * scale + 2, y * scale + 2));
                assert!(near(one, other, 12), "{matrix} {rotate} {x} {y}: {one:?} {other:?}");
            }
        }
    }
}

#[test]
fn the_size_is_the_pages_and_user_units_count() {
    let mut file = PdfBuilder::new();
    let image = file.image((500, 250), JPEG_RGB, &jpeg(&colour_raster(500, 250)));
    file.page(image, &over_page(36, 18), "/MediaBox [0 0 36 18] /UserUnit 4 /Rotate 90");
    let source = open(file.finish());
    let page = only_page(&source);
    assert_eq!((page.width, page.height, page.dpi), (250, 500, Dpi::square(250)));
    assert_eq!(page.orientation, Orientation { mirrored: false, turn: Turn::Right });
}

#[test]
fn fax_images_of_both_polarities() {
    let (width, height) = (120, 80);
    let coded = g4(width, height);
    for (more, decode, black) in [
        ("", "", true),
        ("/BlackIs1 true", "", false),
        ("", "/Decode [1 0]", false),
        ("/BlackIs1 true", "/Decode [1 0]", true),
    ] {
        let file = one_image((width, height), &format!("{} {decode}", fax_dict(width, more)), &coded);
        let source = open(file.clone());
        let image = source.deliver(0, Deliverable::Pdf14).unwrap();
        assert_eq!(
            (&image.coding, &image.pixels),
            (&Coding::G4, &PixelFormat::Bitonal { black_is_one: black })
        );
        assert!(stream(&image, &file) == coded);
        let scan = source.decode(0).unwrap();
        assert_eq!(scan.pix.depth(), 1);
        for (x, y) in [(0, 0), (119, 0), (3, 79), (60, 41)] {
            let expected = black_at(x, y, width, height) == black;
            assert_eq!(pixel(&scan.pix, x, y)[0] == 0, expected, "{more} {decode} {x} {y}");
        }
    }
}

#[test]
fn stencils_and_palettes_of_one_bit_are_bitonal() {
    let (width, height) = (64, 48);
    let coded = g4(width, height);
    let fax =
        format!("/Filter /CCITTFaxDecode /DecodeParms << /K -1 /Columns {width} >> /BitsPerComponent 1");
    for (dict, black) in [
        (format!("/ImageMask true {fax}"), true),
        (format!("/ColorSpace [ /Indexed /DeviceRGB 1 <000000ffffff> ] {fax}"), true),
        (format!("/ColorSpace [ /Indexed /DeviceGray 1 <ff00> ] {fax}"), false),
    ] {
        let source = open(one_image((width, height), &dict, &coded));
        let image = source.deliver(0, Deliverable::Pdf17).unwrap();
        assert_eq!(
            (image.coding, image.pixels),
            (Coding::G4, PixelFormat::Bitonal { black_is_one: black }),
            "{dict}"
        );
        let scan = source.decode(0).unwrap();
        assert_eq!(pixel(&scan.pix, 0, 0)[0] == 0, black, "{dict}");
    }
    // Painted red, it is a picture.
    let mut file = PdfBuilder::new();
    let image = file.image((width, height), &format!("/ImageMask true {fax}"), &coded);
    file.page(image, &format!("1 0 0 rg {}", over_page(64, 48)), "/MediaBox [0 0 64 48]");
    let scan = open(file.finish()).decode(0).unwrap();
    assert_eq!(pixel(&scan.pix, 10, 10), [255, 0, 0]);
}

#[test]
fn rows_without_loss_keep_their_meaning() {
    let colour = colour_raster(40, 30);
    let plain = "/ColorSpace /DeviceRGB /BitsPerComponent 8 /Filter /FlateDecode";
    let source = open(one_image((40, 30), plain, &zlib(&colour.rows)));
    assert_eq!(pixel(&source.decode(0).unwrap().pix, 30, 20), rgb_at(30, 20, 40, 30));
    assert_eq!(source.deliver(0, Deliverable::Pdf14).unwrap().coding, Coding::FlatePng);

    let filtered = flate::png_rows(&colour).unwrap();
    let predicted = format!("{plain} /DecodeParms << /Predictor 15 /Colors 3 /Columns 40 >>");
    let file = one_image((40, 30), &predicted, &filtered);
    let source = open(file.clone());
    assert_eq!(pixel(&source.decode(0).unwrap().pix, 30, 20), rgb_at(30, 20, 40, 30));
    let image = source.deliver(0, Deliverable::Pdf14).unwrap();
    assert!(matches!(image.bytes, ImageBytes::Source { .. }) && stream(&image, &file) == filtered);

    let inverted = "/ColorSpace /DeviceGray /BitsPerComponent 8 /Decode [1 0] /Filter /ASCIIHexDecode";
    let source = open(one_image((2, 1), inverted, b"00ff>"));
    let scan = source.decode(0).unwrap();
    assert_eq!((pixel(&scan.pix, 0, 0), pixel(&scan.pix, 1, 0)), ([255; 3], [0; 3]));

    let palette = "/ColorSpace [ /Indexed /DeviceCMYK 1 <00000000ff00ff00> ] /BitsPerComponent 4";
    let source = open(one_image((2, 1), palette, &[0x01]));
    let scan = source.decode(0).unwrap();
    assert_eq!((pixel(&scan.pix, 0, 0), pixel(&scan.pix, 1, 0)), ([255; 3], [0, 255, 0]));
    let pixels = source.deliver(0, Deliverable::Pdf14).unwrap().pixels;
    assert_eq!(pixels, PixelFormat::Palette { bits: 4, entries: vec![255, 255, 255, 0, 255, 0] });
}

#[test]
fn inks_and_profiles_follow_the_colour_rules() {
    let cmyk = "/ColorSpace /DeviceCMYK /BitsPerComponent 8";
    let scan = open(one_image((1, 1), cmyk, &[0, 255, 255, 0])).decode(0).unwrap();
    assert_eq!(pixel(&scan.pix, 0, 0), [255, 0, 0]);
    let scan = open(one_image((1, 1), &format!("{cmyk} /Decode [1 0 1 0 1 0 1 0]"), &[255, 0, 0, 255]))
        .decode(0)
        .unwrap();
    assert_eq!(pixel(&scan.pix, 0, 0), [255, 0, 0]);

    let mut file = PdfBuilder::new();
    let profile = file.stream("/N 1", b"no profile at all");
    let dict = format!("/ColorSpace [ /ICCBased {profile} 0 R ] /BitsPerComponent 8");
    let image = file.image((1, 1), &dict, &[99]);
    file.page(image, &over_page(72, 72), "/MediaBox [0 0 72 72]");
    let source = open(file.finish());
    assert_eq!(pixel(&source.decode(0).unwrap().pix, 0, 0), [99; 3]);
    assert_eq!(source.deliver(0, Deliverable::Pdf14).unwrap().pixels, PixelFormat::Grey { bits: 8 });
}

#[test]
fn alpha_and_strange_colours_are_rendered() {
    let mut file = PdfBuilder::new();
    let mask = file.image((1, 1), "/ColorSpace /DeviceGray /BitsPerComponent 8", &[0]);
    let dict = format!("/ColorSpace /DeviceRGB /BitsPerComponent 8 /SMask {mask} 0 R");
    let image = file.image((1, 1), &dict, &[10, 20, 30]);
    file.page(image, &over_page(72, 72), "/MediaBox [0 0 72 72]");
    let scan = open(file.finish()).decode(0).unwrap();
    assert_eq!(pixel(&scan.pix, 0, 0), [255; 3]);

    let lab = "/ColorSpace [ /Lab << /WhitePoint [0.9642 1 0.8251] >> ] /BitsPerComponent 8";
    let source = open(one_image((72, 72), lab, &[255, 127, 127].repeat(72 * 72)));
    let white = pixel(&source.decode(0).unwrap().pix, 5, 5);
    assert!(white.iter().all(|channel| *channel > 245), "{white:?}");
}

#[test]
fn damaged_images_are_typed() {
    let image = jpeg(&colour_raster(200, 200));
    let cut = open(one_image((200, 200), JPEG_RGB, &image[..image.len() / 2]));
    assert!(matches!(cut.decode(0), Err(PageDefect::Damaged(_))));
    let mut broken = g4(400, 400);
    broken[5..20].fill(0x55);
    let source = open(one_image((400, 400), &fax_dict(400, ""), &broken));
    assert!(matches!(source.decode(0), Err(PageDefect::Damaged(_))));
    let rows = "/ColorSpace /DeviceGray /BitsPerComponent 8 /Filter /FlateDecode";
    let short = open(one_image((100, 100), rows, &zlib(&[7; 50])));
    assert!(matches!(short.decode(0), Err(PageDefect::Damaged(_))));
}

#[test]
fn bombs_are_refused_before_they_are_inflated() {
    let huge = PageDefect::TooManyPixels { pixels: 35_000 * 35_000 };
    let fax = open(one_image((35_000, 35_000), &fax_dict(35_000, ""), &[0; 64]));
    assert!(matches!(fax.decode(0), Err(PageDefect::Damaged(_))) || only_page(&fax).defect == Some(huge));
    // 1 GB of zeros behind a small image.
    let zeros = zlib(&vec![0; 64 << 20]).repeat(1);
    let rows = "/ColorSpace /DeviceGray /BitsPerComponent 8 /Filter /FlateDecode";
    let source = open(one_image((10, 10), rows, &zeros));
    assert_eq!(source.decode(0).unwrap().pix.width(), 10);
    let chain = zlib(&zlib(&vec![0; 64 << 20]));
    let chained = "/ColorSpace /DeviceGray /BitsPerComponent 8 /Filter [ /FlateDecode /FlateDecode ]";
    let limits = Limits { pixels_per_page_max: 1_000_000, child_memory_mib_max: 64, ..Limits::default() };
    let source = Source::open(Arc::new(one_image((10, 10), chained, &chain)), &limits).unwrap();
    assert!(matches!(source.decode(0), Err(PageDefect::Damaged(_))));
}
