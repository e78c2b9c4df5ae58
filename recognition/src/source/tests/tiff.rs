use leptess::capi;
use pagemill_domain::page_image::PixelFormat;
use pagemill_domain::scan::Dpi;

use super::fixtures::{TiffBuilder, bitonal_raster, black_at, colour_raster, grey_raster, jpeg, rgb_at};
use super::*;

/// A file by libtiff, `format` one of Leptonica's `IFF_TIFF_…`.
fn libtiff(pix: &Pix, format: u32) -> Vec<u8> {
    g4::tiff_file(pix, format).unwrap()
}

/// A file of one page in one strip.
fn one_page(size: (u32, u32), bits: &[u16], photometric: u16, compression: u16, strip: &[u8]) -> Vec<u8> {
    let mut file = TiffBuilder::new(false);
    file.page(size, bits, photometric, compression, strip);
    file.finish()
}

fn row_of(file: Vec<u8>, width: u32) -> Vec<[u8; 3]> {
    let scan = open(file).decode(0).unwrap();
    (0..width).map(|x| pixel(&scan.pix, x, 0)).collect()
}

#[test]
fn what_libtiff_writes_reads_back() {
    let bitonal = bitonal_raster(101, 67).to_pix().unwrap();
    let colour = colour_raster(101, 67).to_pix().unwrap();
    let grey = grey_raster(101, 67).to_pix().unwrap();
    let (any, fax) = (
        [capi::IFF_TIFF, capi::IFF_TIFF_LZW, capi::IFF_TIFF_ZIP],
        [capi::IFF_TIFF_PACKBITS, capi::IFF_TIFF_RLE, capi::IFF_TIFF_G3, capi::IFF_TIFF_G4],
    );
    let cases = any
        .iter()
        .flat_map(|format| [(&bitonal, format), (&colour, format), (&grey, format)])
        .chain(fax.iter().map(|format| (&bitonal, format)));
    for (pix, format) in cases {
        let source = open(libtiff(pix, *format));
        assert_eq!(source.facts().kind, SourceKind::Tiff);
        let scan = source.decode(0).unwrap();
        assert_eq!(scan.pix.depth(), pix.depth(), "format {format}");
        for (x, y) in [(0, 0), (100, 66), (49, 32), (51, 32), (3, 60), (100, 0)] {
            assert_eq!(pixel(&scan.pix, x, y), pixel(pix, x, y), "format {format} at {x} {y}");
        }
    }
}

#[test]
fn bitonal_pages_are_delivered_in_t6() {
    let source = open(libtiff(&bitonal_raster(101, 67).to_pix().unwrap(), capi::IFF_TIFF_LZW));
    let image = source.deliver(0, Deliverable::Pdf14).unwrap();
    assert_eq!(
        (image.coding.clone(), &image.pixels),
        (Coding::G4, &PixelFormat::Bitonal { black_is_one: true })
    );
    let strip = stream(&image, &[]).to_vec();
    let scan = open(one_page((101, 67), &[1], 0, 4, &strip)).decode(0).unwrap();
    for (x, y) in [(0, 0), (49, 32), (51, 32), (3, 60), (100, 66)] {
        assert_eq!(pixel(&scan.pix, x, y)[0] == 0, black_at(x, y, 101, 67), "{x} {y}");
    }
}

#[test]
fn both_polarities_of_one_bit() {
    let strip = [0b1100_0000];
    let white_is_zero = row_of(one_page((4, 1), &[1], 0, 1, &strip), 4);
    assert_eq!(white_is_zero, [[0; 3], [0; 3], [255; 3], [255; 3]]);
    let black_is_zero = row_of(one_page((4, 1), &[1], 1, 1, &strip), 4);
    assert_eq!(black_is_zero, [[255; 3], [255; 3], [0; 3], [0; 3]]);
}

#[test]
fn colours_follow_the_colour_rules() {
    assert_eq!(row_of(one_page((2, 1), &[4], 1, 1, &[0x0f]), 2), [[0; 3], [255; 3]]);
    assert_eq!(row_of(one_page((1, 1), &[8], 0, 1, &[10]), 1), [[245; 3]]);
    assert_eq!(row_of(one_page((1, 1), &[16], 1, 1, &[0xff, 0x12]), 1), [[0x12; 3]]);
    assert_eq!(row_of(one_page((1, 1), &[16; 3], 2, 1, &[9, 1, 9, 2, 9, 3]), 1), [[1, 2, 3]]);
    assert_eq!(row_of(one_page((1, 1), &[8; 4], 5, 1, &[0, 255, 255, 0]), 1), [[255, 0, 0]]);
    assert_eq!(row_of(one_page((1, 1), &[8; 3], 8, 1, &[255, 0, 0]), 1), [[255; 3]]);
}

#[test]
fn alpha_is_flattened_by_its_kind() {
    for (kind, expected) in [(1, [137, 127, 127]), (2, [132, 127, 127]), (0, [10, 0, 0])] {
        let mut file = TiffBuilder::new(true);
        file.page((1, 1), &[8; 4], 2, 1, &[10, 0, 0, 128]).short(338, &[kind]);
        assert_eq!(row_of(file.finish(), 1), [expected], "kind {kind}");
    }
}

#[test]
fn palettes_keep_their_colours() {
    let mut file = TiffBuilder::new(false);
    let mut table = [0_u16; 48];
    (table[1], table[16 + 1], table[32 + 1]) = (0xffff, 0x8000, 0);
    file.page((2, 1), &[4], 3, 1, &[0x10]).short(320, &table);
    let source = open(file.finish());
    let scan = source.decode(0).unwrap();
    assert_eq!((pixel(&scan.pix, 0, 0), pixel(&scan.pix, 1, 0)), ([255, 128, 0], [0; 3]));
    let image = source.deliver(0, Deliverable::Pdf14).unwrap();
    assert!(matches!(image.pixels, PixelFormat::Palette { bits: 4, .. }));
}

#[test]
fn planes_predictors_and_tiles_read_right() {
    let mut planes = TiffBuilder::new(false);
    let offsets: Vec<u32> = [[1, 2], [3, 4], [5, 6]].iter().map(|plane| planes.append(plane)).collect();
    planes.page((2, 1), &[8; 3], 2, 1, &[]).short(284, &[2]).long(273, &offsets).long(279, &[2; 3]);
    assert_eq!(row_of(planes.finish(), 2), [[1, 3, 5], [2, 4, 6]]);

    let mut deep = TiffBuilder::new(true);
    deep.page((2, 1), &[16], 1, 1, &[0x10, 0xff, 0x01, 0x01]).short(317, &[2]);
    assert_eq!(row_of(deep.finish(), 2), [[0x10; 3], [0x12; 3]]);

    let mut tiles = TiffBuilder::new(false);
    let offsets: Vec<u32> = (0..2_u8).map(|tile| tiles.append(&[tile; 256])).collect();
    tiles.page((20, 3), &[8], 1, 1, &[]);
    tiles.short(322, &[16]).short(323, &[16]).long(324, &offsets).long(325, &[256; 2]);
    let row = row_of(tiles.finish(), 20);
    assert_eq!((row[0], row[15], row[16], row[19]), ([0; 3], [0; 3], [1; 3], [1; 3]));
}

#[test]
fn bits_in_reverse_order_are_turned() {
    let mut file = TiffBuilder::new(false);
    file.page((8, 1), &[1], 0, 1, &[0b0000_0001]).short(266, &[2]);
    assert_eq!(row_of(file.finish(), 2), [[0; 3], [255; 3]]);
}

#[test]
fn jpeg_strips_are_joined_and_a_single_one_passes_through() {
    let top = jpeg(&colour_raster(64, 32));
    let single = one_page((64, 32), &[8; 3], 6, 7, &top);
    let source = open(single.clone());
    let image = source.deliver(0, Deliverable::Pdf14).unwrap();
    assert_eq!(image.coding, Coding::Jpeg);
    assert!(matches!(image.bytes, ImageBytes::Source { .. }));
    assert!(stream(&image, &single) == top);

    let mut two = TiffBuilder::new(false);
    let offsets = [two.append(&top), two.append(&top)];
    two.page((64, 64), &[8; 3], 6, 7, &[]).long(278, &[32]);
    two.long(273, &offsets).long(279, &[top.len() as u32; 2]);
    let source = open(two.finish());
    let scan = source.decode(0).unwrap();
    for y in [0, 31, 32, 63] {
        assert!(near(pixel(&scan.pix, 40, y), rgb_at(40, y % 32, 64, 32), 16), "{y}");
    }
    assert!(matches!(source.deliver(0, Deliverable::Tiff).unwrap().bytes, ImageBytes::Owned(_)));
}

#[test]
fn every_page_has_its_own_size_resolution_and_orientation() {
    let mut file = TiffBuilder::new(true);
    file.page((2, 1), &[8], 1, 1, &[7, 9]).rational(282, 200).rational(283, 100).short(274, &[6]);
    file.end_page();
    file.page((1, 1), &[8], 1, 1, &[3]).short(254, &[1]);
    file.end_page();
    file.page((3, 1), &[8], 1, 1, &[1, 2, 3]).rational(282, 118).short(296, &[3]);
    let source = open(file.finish());
    let [turned, plain] = source.facts().pages.as_slice() else { panic!("{:?}", source.facts()) };
    assert_eq!((turned.width, turned.height), (1, 2));
    assert_eq!(turned.dpi, Dpi { x_milli: 100_000, y_milli: 200_000 });
    assert_eq!((plain.width, plain.dpi.coarser()), (3, 300));
    let scan = source.decode(0).unwrap();
    assert_eq!((pixel(&scan.pix, 0, 0)[0], pixel(&scan.pix, 0, 1)[0]), (7, 9));
    assert_eq!(pixel(&source.decode(1).unwrap().pix, 2, 0)[0], 3);
}

#[test]
fn endless_and_broken_chains_of_pages_end() {
    let page = |file: &mut TiffBuilder| {
        file.page((1, 1), &[8], 1, 1, &[3]);
        file.end_page()
    };
    let mut endless = TiffBuilder::new(false);
    let first = page(&mut endless);
    page(&mut endless);
    endless.link_to(first);
    assert_eq!(open(endless.finish()).facts().pages.len(), 2);

    let mut broken = TiffBuilder::new(false);
    page(&mut broken);
    broken.link_to(1_000_000);
    let source = open(broken.finish());
    let defects: Vec<_> = source.facts().pages.iter().map(|page| page.defect.clone()).collect();
    assert_eq!(defects, [None, Some(PageDefect::Missing)]);
    assert_eq!(source.decode(1).err(), Some(PageDefect::Missing));

    let mut many = TiffBuilder::new(false);
    for _ in 0..5 {
        page(&mut many);
    }
    let limits = Limits { pages_per_source_max: 4, ..Limits::default() };
    let refused = Source::open(Arc::new(many.finish()), &limits).err();
    assert_eq!(refused, Some(Rejection::TooManyPages { pages: 5 }));
}

#[test]
fn bombs_and_damage_are_typed() {
    let huge = one_page((35_000, 35_000), &[1], 0, 4, &[0; 16]);
    let defect = PageDefect::TooManyPixels { pixels: 35_000 * 35_000 };
    assert_eq!(open(huge).decode(0).err(), Some(defect));
    for compression in [1, 5, 8, 32_773] {
        let short = open(one_page((5_000, 5_000), &[8], 1, compression, &[0; 16]));
        assert!(matches!(short.decode(0), Err(PageDefect::Damaged(_))), "{compression}");
    }
    let old_jpeg = open(one_page((8, 8), &[8], 1, 6, &[0; 16]));
    assert!(matches!(only_page(&old_jpeg).defect, Some(PageDefect::Unsupported(_))));
    for length in [0, u32::MAX] {
        let mut negative = TiffBuilder::new(false);
        negative.page((8, 8), &[8], 1, 1, &[0; 64]).long(279, &[length]);
        let source = open(negative.finish());
        assert!(matches!(only_page(&source).defect, Some(PageDefect::Damaged(_))), "{length}");
    }
    let g4 = libtiff(&bitonal_raster(800, 600).to_pix().unwrap(), capi::IFF_TIFF_G4);
    let mut damaged = g4.clone();
    damaged[20..60].fill(0x55);
    assert!(matches!(open(damaged).decode(0), Err(PageDefect::Damaged(_))));
    assert!(matches!(rejection(&g4[..9]), Rejection::Damaged(_)));
}
