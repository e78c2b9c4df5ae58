use std::io::Read;

use ::png::{BitDepth, ColorType, PixelDimensions, Unit};
use pagemill_domain::page_image::PixelFormat;
use pagemill_domain::scan::{Dpi, DpiRule};

use super::fixtures::{bitonal_raster, black_at, colour_raster, grey_png, png, rgb_at};
use super::*;
use crate::prepare::channel;
use crate::scan::SheetSamples;

fn rgb_png(width: u32, height: u32) -> Vec<u8> {
    png((width, height), ColorType::Rgb, BitDepth::Eight, &colour_raster(width, height).rows, |_| {})
}

#[test]
fn pixels_come_out_and_rows_pass_through() {
    let file = rgb_png(50, 30);
    let source = open(file.clone());
    let scan = source.decode(0).unwrap();
    for (x, y) in [(0, 0), (49, 29), (20, 7)] {
        assert_eq!(pixel(&scan.pix, x, y), rgb_at(x, y, 50, 30));
    }
    let image = source.deliver(0, Deliverable::Pdf14).unwrap();
    assert_eq!((image.coding.clone(), &image.pixels), (Coding::FlatePng, &PixelFormat::Rgb));
    assert!(matches!(image.bytes, ImageBytes::Source { .. }));
    let mut rows = Vec::new();
    flate2::read::ZlibDecoder::new(stream(&image, &file)).read_to_end(&mut rows).unwrap();
    assert_eq!(rows.len(), 30 * (1 + 50 * 3));
    assert!(matches!(source.deliver(0, Deliverable::Tiff).unwrap().coding, Coding::FlateTiff { .. }));
    assert_eq!(source.deliver(0, Deliverable::Jpeg).unwrap().coding, Coding::Jpeg);
}

#[test]
fn colour_is_read_from_its_rows_as_from_decoded_pixels() {
    let source = open(rgb_png(53, 31));
    let (mut sheet, scan) = (source.sheet(0).unwrap(), source.decode(0).unwrap());
    assert!(matches!(sheet.samples, SheetSamples::Channels(_)));
    assert_eq!((sheet.samples.width(), sheet.samples.height(), sheet.dpi), (53, 31, scan.dpi));
    assert_eq!(sheet.samples.darkest(), channel::darkest(&scan.pix));
    assert_eq!(sheet.samples.take_brightest(), channel::brightest(&scan.pix));
}

#[test]
fn one_bit_becomes_a_bitonal_page() {
    let raster = bitonal_raster(100, 60);
    let rows: Vec<u8> = raster.rows.iter().map(|byte| !byte).collect();
    let source = open(png((100, 60), ColorType::Grayscale, BitDepth::One, &rows, |_| {}));
    let scan = source.decode(0).unwrap();
    assert_eq!(scan.pix.depth(), 1);
    for (x, y) in [(0, 0), (49, 29), (50, 29), (99, 0), (3, 50), (99, 59)] {
        let expected = if black_at(x, y, 100, 60) { 0 } else { 255 };
        assert_eq!(pixel(&scan.pix, x, y), [expected; 3], "{x} {y}");
    }
    let image = source.deliver(0, Deliverable::Pdf14).unwrap();
    assert_eq!((image.coding, image.pixels), (Coding::G4, PixelFormat::Bitonal { black_is_one: true }));
}

#[test]
fn palettes_keep_their_colours() {
    let palette = [255, 255, 255, 200, 0, 0, 0, 0, 90];
    let rows = [0b00_01_10_01];
    let file = png((4, 1), ColorType::Indexed, BitDepth::Two, &rows, |encoder| {
        encoder.set_palette(palette.to_vec());
        encoder.set_trns(vec![255, 255, 0]);
    });
    let source = open(file);
    let scan = source.decode(0).unwrap();
    let colours: Vec<[u8; 3]> = (0..4).map(|x| pixel(&scan.pix, x, 0)).collect();
    // The last entry is transparent: white.
    assert_eq!(colours, [[255; 3], [200, 0, 0], [255; 3], [200, 0, 0]]);
    let image = source.deliver(0, Deliverable::Pdf17).unwrap();
    let entries = vec![255, 255, 255, 200, 0, 0, 255, 255, 255];
    assert_eq!(image.pixels, PixelFormat::Palette { bits: 2, entries });
}

#[test]
fn a_depth_that_png_does_not_have_is_damage() {
    for (mut file, depth) in [(grey_png(8, 8), 0), (grey_png(8, 8), 3), (rgb_png(8, 8), 4)] {
        file[24] = depth;
        let answer = open(file).deliver(0, Deliverable::Pdf17);
        assert!(matches!(answer, Err(PageDefect::Damaged(_))), "{depth}: {answer:?}");
    }
}

#[test]
fn alpha_and_sixteen_bits_follow_the_colour_rules() {
    let rgba = [10, 20, 30, 255, 0, 0, 0, 0];
    let source = open(png((2, 1), ColorType::Rgba, BitDepth::Eight, &rgba, |_| {}));
    let scan = source.decode(0).unwrap();
    assert_eq!((pixel(&scan.pix, 0, 0), pixel(&scan.pix, 1, 0)), ([10, 20, 30], [255; 3]));
    assert!(matches!(source.deliver(0, Deliverable::Pdf14).unwrap().bytes, ImageBytes::Owned(_)));

    let deep = [0x12, 0xff, 0xab, 0x00];
    let source = open(png((2, 1), ColorType::Grayscale, BitDepth::Sixteen, &deep, |_| {}));
    let scan = source.decode(0).unwrap();
    assert_eq!((pixel(&scan.pix, 0, 0)[0], pixel(&scan.pix, 1, 0)[0]), (0x12, 0xab));
    let image = source.deliver(0, Deliverable::Pdf14).unwrap();
    assert_eq!(image.pixels, PixelFormat::Grey { bits: 8 });
}

#[test]
fn a_transparent_colour_becomes_white() {
    let file = png((2, 1), ColorType::Grayscale, BitDepth::Eight, &[7, 8], |encoder| {
        encoder.set_trns(vec![0, 7]);
    });
    let scan = open(file).decode(0).unwrap();
    assert_eq!((pixel(&scan.pix, 0, 0)[0], pixel(&scan.pix, 1, 0)[0]), (255, 8));
}

#[test]
fn resolution_comes_from_pixels_per_metre() {
    let density = |unit| {
        let dimensions = PixelDimensions { xppu: 11_811, yppu: 5_906, unit };
        let file = png((4, 4), ColorType::Grayscale, BitDepth::Eight, &[0; 16], |encoder| {
            encoder.set_pixel_dims(Some(dimensions));
        });
        let page = only_page(&open(file)).clone();
        (page.dpi, page.dpi_rule)
    };
    assert_eq!(density(Unit::Meter), (Dpi { x_milli: 299_999, y_milli: 150_012 }, DpiRule::Declared));
    assert_eq!(density(Unit::Unspecified).1, DpiRule::AssumedDefault);
}

#[test]
fn bombs_are_refused_by_their_header() {
    let mut file = grey_png(4, 4);
    file[16..24].copy_from_slice(&[0, 0, 0x88, 0xb8, 0, 0, 0x88, 0xb8]);
    let source = open(file);
    let defect = PageDefect::TooManyPixels { pixels: 35_000 * 35_000 };
    assert_eq!(only_page(&source).defect, Some(defect.clone()));
    assert_eq!(source.decode(0).err(), Some(defect));
}

#[test]
fn damage_is_a_defect_of_the_page() {
    let file = rgb_png(50, 30);
    let cut = open(file[..file.len() / 2].to_vec());
    assert!(matches!(cut.decode(0), Err(PageDefect::Damaged(_))));
    assert!(matches!(cut.sheet(0), Err(PageDefect::Damaged(_))));
    let mut bad_checksum = file.clone();
    let data = file.windows(4).position(|name| name == b"IDAT").unwrap();
    bad_checksum[data + 20] ^= 1;
    let bad_checksum = open(bad_checksum);
    assert!(matches!(bad_checksum.decode(0), Err(PageDefect::Damaged(_))));
    assert!(matches!(bad_checksum.sheet(0), Err(PageDefect::Damaged(_))));
    assert!(matches!(rejection(&file[..20]), Rejection::Damaged(_)));
    let mut empty = file;
    empty[16..20].fill(0);
    assert!(matches!(only_page(&open(empty)).defect, Some(PageDefect::Damaged(_))));
}
