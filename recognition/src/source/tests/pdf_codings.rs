//! Images of a PDF in the codings that no other file has: JBIG2, JPEG 2000, JPEGs of inks.
#![allow(unsafe_code, reason = "Leptonica writes the JPEG 2000 fixtures")]

use leptess::capi;
use pagemill_domain::page_image::PixelFormat;

use super::fixtures::{bitonal_raster, black_at, colour_raster, grey_raster, inks_jpeg, rgb_at};
use super::pdf_fixtures::{PdfBuilder, one_image, over_page};
use super::*;
use crate::source::jpeg::take_buffer;

/// A page information segment and one generic region, coded by T.6 (ITU-T T.88 §§ 7.4.8 and 7.4.6).
pub(super) fn jbig2(width: u32, height: u32) -> Vec<u8> {
    const PAGE_INFORMATION: u8 = 48;
    const IMMEDIATE_LOSSLESS_GENERIC_REGION: u8 = 39;
    const MMR: u8 = 1;
    let [w, h] = [width.to_be_bytes(), height.to_be_bytes()];
    let page = [&w[..], &h, &[0; 8], &[0], &[0; 2]].concat();
    let coded = g4::encode(&bitonal_raster(width, height).to_pix().unwrap()).unwrap();
    let region = [&w[..], &h, &[0; 8], &[0], &[MMR], &coded].concat();
    let segment = |number: u32, kind: u8, body: &[u8]| {
        [&number.to_be_bytes()[..], &[kind, 0, 1], &(body.len() as u32).to_be_bytes(), body].concat()
    };
    [segment(0, PAGE_INFORMATION, &page), segment(1, IMMEDIATE_LOSSLESS_GENERIC_REGION, &region)].concat()
}

/// A JP2 file by the `openjpeg` library.
pub(super) fn jp2(pix: &Pix) -> Vec<u8> {
    let (mut buffer, mut length) = (std::ptr::null_mut(), 0);
    // SAFETY: a valid image; the function allocates a buffer and stores its address and length.
    let failed =
        unsafe { capi::pixWriteMemJp2k(&raw mut buffer, &raw mut length, pix.as_ptr(), 45, 3, 0, 0) };
    assert_eq!(failed, 0);
    // SAFETY: as stored by `pixWriteMemJp2k`.
    unsafe { take_buffer(buffer, length) }.unwrap()
}

#[test]
fn jbig2_passes_through_or_becomes_t6() {
    let (width, height) = (75, 40);
    let coded = jbig2(width, height);
    for (decode, black) in [("", true), ("/Decode [1 0]", false)] {
        let dict = format!("/ColorSpace /DeviceGray /BitsPerComponent 1 /Filter /JBIG2Decode {decode}");
        let file = one_image((width, height), &dict, &coded);
        let source = open(file.clone());
        let scan = source.decode(0).unwrap();
        for (x, y) in [(0, 0), (74, 0), (3, 39), (40, 21), (74, 39)] {
            assert_eq!(
                pixel(&scan.pix, x, y)[0] == 0,
                black_at(x, y, width, height) == black,
                "{decode} {x} {y}"
            );
        }
        for deliverable in [Deliverable::Pdf14, Deliverable::Pdf17] {
            let image = source.deliver(0, deliverable).unwrap();
            assert_eq!(image.coding, Coding::Jbig2 { globals: None });
            assert_eq!(image.pixels, PixelFormat::Bitonal { black_is_one: black });
            assert!(stream(&image, &file) == coded);
        }
        assert_eq!(source.deliver(0, Deliverable::Tiff).unwrap().coding, Coding::G4);
    }
}

#[test]
fn jbig2_globals_go_along() {
    let mut file = PdfBuilder::new();
    let globals = file.stream("", &[]);
    let dict = format!(
        "/ColorSpace /DeviceGray /BitsPerComponent 1 /Filter /JBIG2Decode /DecodeParms << /JBIG2Globals {globals} 0 R >>"
    );
    let image = file.image((64, 40), &dict, &jbig2(64, 40));
    file.page(image, &over_page(72, 72), "/MediaBox [0 0 72 72]");
    let image = open(file.finish()).deliver(0, Deliverable::Pdf14).unwrap();
    assert_eq!(image.coding, Coding::Jbig2 { globals: Some(Vec::new()) });
}

#[test]
fn jbig2_of_another_size_than_its_dictionary_is_no_bomb() {
    let dict = "/ColorSpace /DeviceGray /BitsPerComponent 1 /Filter /JBIG2Decode";
    let mut huge = jbig2(64, 40);
    huge[11..19].copy_from_slice(&[0, 0, 0x88, 0xb8, 0, 0, 0x88, 0xb8]);
    let source = open(one_image((64, 40), dict, &huge));
    assert!(matches!(source.decode(0), Err(PageDefect::Damaged(_))));
}

#[test]
fn jpeg_2000_passes_through_where_the_part_allows() {
    for (raster, pixels) in
        [(colour_raster(64, 48), PixelFormat::Rgb), (grey_raster(64, 48), PixelFormat::Grey { bits: 8 })]
    {
        let coded = jp2(&raster.to_pix().unwrap());
        let file = one_image((64, 48), "/Filter /JPXDecode", &coded);
        let source = open(file.clone());
        let scan = source.decode(0).unwrap();
        let expected = pixel(&raster.to_pix().unwrap(), 40, 20);
        assert!(near(pixel(&scan.pix, 40, 20), expected, 10), "{:?} {expected:?}", pixel(&scan.pix, 40, 20));
        let image = source.deliver(0, Deliverable::Pdf17).unwrap();
        assert_eq!((&image.coding, &image.pixels), (&Coding::Jpx, &pixels));
        assert!(stream(&image, &file) == coded);
        for deliverable in [Deliverable::Pdf14, Deliverable::Tiff, Deliverable::Jpeg] {
            assert_eq!(source.deliver(0, deliverable).unwrap().coding, Coding::Jpeg);
        }
    }
}

#[test]
fn jpeg_2000_of_another_size_than_its_dictionary_is_no_bomb() {
    let coded = jp2(&grey_raster(64, 48).to_pix().unwrap());
    let size = coded.windows(4).position(|marker| marker == [0xff, 0x4f, 0xff, 0x51]).unwrap() + 8;
    let mut huge = coded;
    huge[size..size + 8].copy_from_slice(&[0, 0, 0x88, 0xb8, 0, 0, 0x88, 0xb8]);
    let source = open(one_image((64, 48), "/Filter /JPXDecode", &huge));
    assert!(matches!(source.decode(0), Err(PageDefect::Damaged(_))));
}

#[test]
fn jpegs_of_inks_obey_the_decode_array() {
    let dict = "/ColorSpace /DeviceCMYK /BitsPerComponent 8 /Filter /DCTDecode";
    let inverted = format!("{dict} /Decode [1 0 1 0 1 0 1 0]");
    // The encoder inverts what it is given, as Adobe's programs do.
    let red = [0, 255, 255, 0];
    let turned = red.map(|ink| 255 - ink);
    for (dict, inks, colour) in [
        (inverted.as_str(), red, jpeg_encoder::ColorType::Cmyk),
        (inverted.as_str(), red, jpeg_encoder::ColorType::CmykAsYcck),
        (dict, turned, jpeg_encoder::ColorType::Cmyk),
    ] {
        let source = open(one_image((16, 16), dict, &inks_jpeg(inks, colour)));
        assert_eq!((only_page(&source).width, only_page(&source).height), (16, 16));
        let scan = source.decode(0).unwrap();
        assert!(near(pixel(&scan.pix, 8, 8), [255, 0, 0], 6), "{dict} {:?}", pixel(&scan.pix, 8, 8));
        let image = source.deliver(0, Deliverable::Pdf17).unwrap();
        assert_eq!((image.coding, image.pixels), (Coding::Jpeg, PixelFormat::Rgb));
    }
    let picture = colour_raster(80, 60);
    let grey = "/ColorSpace /DeviceRGB /BitsPerComponent 8 /Filter /DCTDecode /Decode [1 0 1 0 1 0]";
    let source = open(one_image((80, 60), grey, &fixtures::jpeg(&picture)));
    let negative = rgb_at(40, 30, 80, 60).map(|value| 255 - value);
    assert!(near(pixel(&source.decode(0).unwrap().pix, 40, 30), negative, 8));
}
