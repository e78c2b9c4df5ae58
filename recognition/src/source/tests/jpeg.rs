use super::fixtures::{
    colour_raster, exif, grey_raster, inks_jpeg, jpeg, rgb_at, with_segment, without_segment,
};
use super::*;
use pagemill_domain::geometry::{Orientation, Turn};
use pagemill_domain::page_image::PixelFormat;
use pagemill_domain::scan::{Dpi, DpiRule};

use crate::prepare::channel;
use crate::prepare::grey::Grey;
use crate::scan::SheetSamples;

fn jfif(unit: u8, x: u16, y: u16) -> Vec<u8> {
    let [x, y] = [x.to_be_bytes(), y.to_be_bytes()];
    [b"JFIF\0\x01\x01".as_slice(), &[unit], &x, &y, &[0, 0]].concat()
}

/// Without the JFIF segment that libjpeg writes.
fn bare(raster: &raster::Raster) -> Vec<u8> {
    without_segment(&jpeg(raster), 0xe0)
}

#[test]
fn pixels_and_original_bytes_come_out() {
    for raster in [colour_raster(80, 48), grey_raster(80, 48)] {
        let file = jpeg(&raster);
        let source = open(file.clone());
        let page = only_page(&source);
        assert_eq!((source.facts().kind, page.width, page.height), (SourceKind::Jpeg, 80, 48));
        let scan = source.decode(0).unwrap();
        let expected = raster.to_pix().unwrap();
        for (x, y) in [(0, 0), (79, 0), (40, 24), (5, 47)] {
            assert!(near(pixel(&scan.pix, x, y), pixel(&expected, x, y), 12), "{x} {y}");
        }
        for deliverable in [Deliverable::Pdf14, Deliverable::Pdf17, Deliverable::Jpeg, Deliverable::Tiff] {
            let image = source.deliver(0, deliverable).unwrap();
            assert_eq!(image.coding, Coding::Jpeg);
            assert_eq!(image.bytes, ImageBytes::Source { offset: 0, length: file.len() as u64 });
        }
    }
}

#[test]
fn all_eight_orientations_are_obeyed() {
    let (width, height) = (96, 48);
    let file = jpeg(&colour_raster(width, height));
    // Where the stored top left corner is to be seen, and where the stored top right one is (EXIF's table).
    let (right, bottom) = (width - 1, height - 1);
    let corners = [
        (1, (0, 0), (right, 0)),
        (2, (right, 0), (0, 0)),
        (3, (right, bottom), (0, bottom)),
        (4, (0, bottom), (right, bottom)),
        (5, (0, 0), (0, right)),
        (6, (bottom, 0), (bottom, right)),
        (7, (bottom, right), (bottom, 0)),
        (8, (0, right), (0, 0)),
    ];
    for (tag, top_left, top_right) in corners {
        let source = open(with_segment(&file, 0xe1, &exif(tag, 200)));
        let page = only_page(&source);
        let scan = source.decode(0).unwrap();
        assert_eq!((scan.pix.width(), scan.pix.height()), (page.width, page.height), "{tag}");
        assert_eq!(page.width, if tag < 5 { width } else { height }, "{tag}");
        let stored = [(top_left, rgb_at(0, 0, width, height)), (top_right, rgb_at(right, 0, width, height))];
        for ((x, y), expected) in stored {
            assert!(near(pixel(&scan.pix, x, y), expected, 16), "{tag}: {:?}", pixel(&scan.pix, x, y));
        }
        let image = source.deliver(0, Deliverable::Pdf17).unwrap();
        assert_eq!(image.orientation, Orientation::from_tag(tag));
        assert_eq!((image.width, image.height), (width, height));
    }
}

#[test]
fn resolution_comes_from_jfif_then_exif_then_a_named_rule() {
    let raster = colour_raster(200, 283);
    let file = bare(&raster);
    let facts = |file: Vec<u8>| {
        let page = only_page(&open(file)).clone();
        (page.dpi, page.dpi_rule)
    };
    assert_eq!(
        facts(with_segment(&file, 0xe0, &jfif(1, 200, 100))).0,
        Dpi { x_milli: 200_000, y_milli: 100_000 }
    );
    assert_eq!(
        facts(with_segment(&file, 0xe0, &jfif(2, 118, 118))),
        (Dpi::from_f64(299.72, 299.72), DpiRule::Declared)
    );
    assert_eq!(facts(with_segment(&file, 0xe1, &exif(1, 240))), (Dpi::square(240), DpiRule::Declared));
    let both = with_segment(&with_segment(&file, 0xe1, &exif(1, 240)), 0xe0, &jfif(1, 72, 72));
    assert_eq!(facts(both).0, Dpi::square(240));
    for unit in [0, 1, 2] {
        assert_eq!(facts(with_segment(&file, 0xe0, &jfif(unit, 1, 1))).1, DpiRule::AssumedDefault);
    }
    assert_eq!(facts(file).1, DpiRule::AssumedDefault);
}

#[test]
fn resolution_turns_with_the_page() {
    let file = with_segment(&bare(&colour_raster(64, 32)), 0xe1, &exif(6, 300));
    let file = with_segment(&file, 0xe0, &jfif(1, 200, 100));
    let source = open(file);
    let stored = Dpi { x_milli: 200_000, y_milli: 100_000 };
    assert_eq!(only_page(&source).dpi, stored.swapped());
    assert_eq!(only_page(&source).orientation.turn, Turn::Right);
    assert_eq!(source.decode(0).unwrap().dpi, stored.swapped());
    assert_eq!(source.deliver(0, Deliverable::Pdf17).unwrap().dpi, stored);
}

#[test]
fn truncation_is_damage_but_a_missing_end_mark_is_none() {
    let file = jpeg(&colour_raster(160, 160));
    let cut = open(file[..file.len() * 2 / 3].to_vec());
    assert!(matches!(cut.decode(0), Err(PageDefect::Damaged(_))));
    open(file[..file.len() - 2].to_vec()).decode(0).unwrap();
    open([&file, b"trailing bytes".as_slice()].concat()).decode(0).unwrap();
    assert!(matches!(rejection(&file[..40]), Rejection::Damaged(_)));
}

#[test]
fn padding_before_the_end_mark_costs_no_sample() {
    for progressive in [false, true] {
        let mut file = Vec::new();
        let mut encoder = jpeg_encoder::Encoder::new(&mut file, 90);
        encoder.set_progressive(progressive);
        encoder.encode(&colour_raster(64, 48).rows, 64, 48, jpeg_encoder::ColorType::Rgb).unwrap();
        let padded = [&file[..file.len() - 2], &[0; 20], &[0xff, 0xd9]].concat();
        let (plain, padded) = (open(file).decode(0).unwrap(), open(padded).decode(0).unwrap());
        assert_eq!(plain.pix.words(), padded.pix.words(), "{progressive}");
    }
}

#[test]
fn a_huge_declared_size_is_refused_before_decoding() {
    let mut file = jpeg(&colour_raster(64, 64));
    let frame = file.windows(2).position(|pair| pair == [0xff, 0xc0]).unwrap();
    file[frame + 5..frame + 9].copy_from_slice(&[0xff, 0xff, 0xff, 0xff]);
    let source = open(file);
    let defect = PageDefect::TooManyPixels { pixels: 65_535 * 65_535 };
    assert_eq!(only_page(&source).defect, Some(defect.clone()));
    assert_eq!(source.decode(0).err(), Some(defect.clone()));
    assert_eq!(source.deliver(0, Deliverable::Pdf17).err(), Some(defect));
}

#[test]
fn what_no_decoder_reads_is_unsupported() {
    for (at, value) in [(1, 0xc3), (4, 12), (9, 2)] {
        let mut file = jpeg(&colour_raster(64, 64));
        let frame = file.windows(2).position(|pair| pair == [0xff, 0xc0]).unwrap();
        file[frame + at] = value;
        let source = open(file);
        assert!(matches!(only_page(&source).defect, Some(PageDefect::Unsupported(_))), "{at}");
        assert!(matches!(source.decode(0), Err(PageDefect::Unsupported(_))));
        assert!(matches!(source.deliver(0, Deliverable::Pdf17), Err(PageDefect::Unsupported(_))));
    }
}

#[test]
fn grey_pages_stay_grey() {
    let source = open(jpeg(&grey_raster(33, 17)));
    assert_eq!(source.decode(0).unwrap().pix.depth(), 8);
    assert_eq!(source.deliver(0, Deliverable::Pdf14).unwrap().pixels, PixelFormat::Grey { bits: 8 });
}

#[test]
fn inks_become_light_and_are_coded_anew() {
    const ADOBE: u8 = 0xee;
    let red = [0, 255, 255, 0];
    let inverted = red.map(|ink| 255 - ink);
    let files = [
        inks_jpeg(red, jpeg_encoder::ColorType::Cmyk),
        inks_jpeg(red, jpeg_encoder::ColorType::CmykAsYcck),
        without_segment(&inks_jpeg(inverted, jpeg_encoder::ColorType::Cmyk), ADOBE),
    ];
    for (case, file) in files.into_iter().enumerate() {
        let source = open(file);
        let scan = source.decode(0).unwrap();
        assert!(near(pixel(&scan.pix, 8, 8), [255, 0, 0], 6), "case {case}: {:?}", pixel(&scan.pix, 8, 8));
        let image = source.deliver(0, Deliverable::Pdf17).unwrap();
        assert_eq!((&image.coding, &image.pixels), (&Coding::Jpeg, &PixelFormat::Rgb));
        let ImageBytes::Owned(coded) = image.bytes else { panic!("coded anew") };
        assert!(near(pixel(&open(coded).decode(0).unwrap().pix, 8, 8), [255, 0, 0], 8), "case {case}");
    }
}

#[test]
fn progressive_files_pass_through() {
    let mut file = Vec::new();
    let mut encoder = jpeg_encoder::Encoder::new(&mut file, 90);
    encoder.set_progressive(true);
    encoder.encode(&colour_raster(64, 48).rows, 64, 48, jpeg_encoder::ColorType::Rgb).unwrap();
    let source = open(file.clone());
    assert!(near(pixel(&source.decode(0).unwrap().pix, 40, 20), rgb_at(40, 20, 64, 48), 10));
    assert!(stream(&source.deliver(0, Deliverable::Pdf14).unwrap(), &file) == file);
}

/// How far two pictures are from each other, on average.
fn difference(one: &Grey, other: &Grey) -> f64 {
    assert_eq!((one.width, one.height), (other.width, other.height));
    let sum: u64 = one.samples.iter().zip(&other.samples).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
    sum as f64 / one.samples.len() as f64
}

#[test]
fn a_page_is_read_from_its_planes_however_they_are_sampled() {
    use jpeg_encoder::SamplingFactor::{F_1_1, F_1_2, F_2_1, F_2_2, F_4_1, F_4_2};
    let (width, height) = (61, 47);
    for (sampling, is_known) in
        [(F_1_1, true), (F_2_1, true), (F_2_2, true), (F_1_2, true), (F_4_1, true), (F_4_2, false)]
    {
        let mut file = Vec::new();
        let mut encoder = jpeg_encoder::Encoder::new(&mut file, 95);
        encoder.set_sampling_factor(sampling);
        let rows = colour_raster(width, height).rows;
        encoder.encode(&rows, width as u16, height as u16, jpeg_encoder::ColorType::Rgb).unwrap();
        let source = open(file);
        let sheet = source.sheet(0).unwrap();
        assert_eq!(matches!(sheet.samples, SheetSamples::Planes(_)), is_known, "{sampling:?}");
        let scan = source.decode(0).unwrap();
        let found = difference(&sheet.samples.darkest(), &channel::darkest(&scan.pix));
        assert!(found < 5.0, "{sampling:?}: {found}");
        assert_eq!(sheet.dpi, scan.dpi);
    }
}

#[test]
fn grey_planes_are_the_pixels_and_others_are_left_to_decoding() {
    let source = open(jpeg(&grey_raster(61, 47)));
    let (mut sheet, scan) = (source.sheet(0).unwrap(), source.decode(0).unwrap());
    assert!(matches!(sheet.samples, SheetSamples::Planes(_)));
    assert_eq!(sheet.samples.take_brightest(), Grey::from_pix(&scan.pix));

    let turned = open(with_segment(&jpeg(&colour_raster(64, 48)), 0xe1, &exif(6, 200)));
    let inks = open(inks_jpeg([9, 9, 9, 9], jpeg_encoder::ColorType::Cmyk));
    for source in [turned, inks] {
        let (sheet, scan) = (source.sheet(0).unwrap(), source.decode(0).unwrap());
        assert!(matches!(sheet.samples, SheetSamples::Pix(_)));
        assert_eq!((sheet.samples.width(), sheet.samples.height()), (scan.pix.width(), scan.pix.height()));
    }
}

#[test]
fn damage_is_found_in_planes_as_in_pixels() {
    let whole = jpeg(&colour_raster(64, 48));
    let source = open(whole[..whole.len() / 2].to_vec());
    let found = source.sheet(0).err();
    assert!(matches!(found, Some(PageDefect::Damaged(_))), "{found:?}");
    assert_eq!(found, source.decode(0).err());
}
