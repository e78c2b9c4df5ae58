use leptess::capi;
use pagemill_domain::page_image::PixelFormat;
use pagemill_domain::scan::Dpi;

use super::fixtures::{
    TiffBuilder, bitonal_raster, black_at, colour_raster, grey_raster, inks_jpeg, jpeg, rgb_at,
    without_segment,
};
use super::*;
use crate::prepare::channel;
use crate::scan::SheetSamples;

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
        let mut sheet = source.sheet(0).unwrap();
        assert_eq!(matches!(sheet.samples, SheetSamples::Channels(_)), pix.depth() == 32, "format {format}");
        assert_eq!(sheet.samples.darkest(), channel::darkest(&scan.pix), "format {format}");
        assert_eq!(sheet.samples.take_brightest(), channel::brightest(&scan.pix), "format {format}");
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
fn dithered_pictures_do_not_grow() {
    let rows: Vec<u8> = (0..100_u32)
        .flat_map(|y| (0..32_u32).map(move |x| if (x + y) % 2 == 0 { 0x5a } else { 0xa5 }))
        .collect();
    let source = open(one_page((256, 100), &[1], 1, 1, &rows));
    let image = source.deliver(0, Deliverable::Pdf14).unwrap();
    assert_eq!(image.coding, Coding::FlatePng);
    assert_eq!(image.pixels, PixelFormat::Bitonal { black_is_one: false });
    assert!(stream(&image, &[]).len() < rows.len() / 4);
    assert_eq!(source.deliver(0, Deliverable::Tiff).unwrap().coding, Coding::G4);
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

    let strips = [jpeg(&colour_raster(64, 32)), jpeg(&colour_raster(64, 32)), jpeg(&colour_raster(64, 21))];
    let page = of_jpeg_strips((64, 85), 32, &strips);
    let source = open(page);
    let scan = source.decode(0).unwrap();
    for (y, height) in [(0, 32), (30, 32), (34, 32), (62, 32), (66, 21), (84, 21)] {
        assert!(near(pixel(&scan.pix, 40, y), rgb_at(40, y % 32, 64, height), 24), "{y}");
    }
    // Joined, the very samples of the file are delivered.
    let image = source.deliver(0, Deliverable::Tiff).unwrap();
    let delivered = open(stream(&image, &[]).to_vec()).decode(0).unwrap();
    assert_eq!(delivered.pix.words(), scan.pix.words());
    assert!(stream(&image, &[]).len() < strips.iter().map(Vec::len).sum());
}

fn of_jpeg_strips(size: (u32, u32), rows: u32, strips: &[Vec<u8>]) -> Vec<u8> {
    let mut file = TiffBuilder::new(false);
    let offsets: Vec<u32> = strips.iter().map(|strip| file.append(strip)).collect();
    let lengths: Vec<u32> = strips.iter().map(|strip| strip.len() as u32).collect();
    file.page(size, &[8; 3], 6, 7, &[]).long(278, &[rows]).long(273, &offsets).long(279, &lengths);
    file.finish()
}

#[test]
fn jpeg_strips_that_do_not_go_together_are_coded_anew() {
    let mut other = Vec::new();
    let encoder = jpeg_encoder::Encoder::new(&mut other, 40);
    encoder.encode(&colour_raster(64, 32).rows, 64, 32, jpeg_encoder::ColorType::Rgb).unwrap();
    let strips = [jpeg(&colour_raster(64, 32)), other];
    let source = open(of_jpeg_strips((64, 64), 32, &strips));
    let scan = source.decode(0).unwrap();
    for y in [1, 30, 33, 62] {
        assert!(near(pixel(&scan.pix, 40, y), rgb_at(40, y % 32, 64, 32), 24), "{y}");
    }
    let image = source.deliver(0, Deliverable::Pdf14).unwrap();
    assert_eq!((image.coding, image.width, image.height), (Coding::Jpeg, 64, 64));
}

#[test]
fn jpeg_strips_of_inks_and_of_rgb_follow_the_tags() {
    // TIFF does not invert inks, whatever Adobe's JPEG files do.
    let inks = without_segment(&inks_jpeg([255, 0, 0, 255], jpeg_encoder::ColorType::Cmyk), 0xee);
    let scan = open(one_page((16, 16), &[8; 4], 5, 7, &inks)).decode(0).unwrap();
    assert!(near(pixel(&scan.pix, 8, 8), [255, 0, 0], 6), "{:?}", pixel(&scan.pix, 8, 8));

    // The same three components, taken for YCbCr and for RGB.
    let strip = without_segment(&jpeg(&colour_raster(64, 32)), 0xe0);
    let colour = |photometric| {
        let source = open(one_page((64, 32), &[8; 3], photometric, 7, &strip));
        let pass = source.deliver(0, Deliverable::Pdf14).unwrap();
        let delivered = open(stream(&pass, &one_page((64, 32), &[8; 3], photometric, 7, &strip)).to_vec());
        let decoded = pixel(&source.decode(0).unwrap().pix, 60, 30);
        assert_eq!(decoded, pixel(&delivered.decode(0).unwrap().pix, 60, 30), "{photometric}");
        decoded
    };
    assert!(near(colour(6), rgb_at(60, 30, 64, 32), 12));
    assert!(!near(colour(2), rgb_at(60, 30, 64, 32), 60));
}

#[test]
fn tables_that_strips_share_are_put_in() {
    // Splits a JPEG into an abbreviated table stream and an abbreviated image, as TIFF's technical note 2 wants.
    let whole = without_segment(&jpeg(&grey_raster(64, 32)), 0xe0);
    let table_at = |marker| whole.windows(2).position(|pair| pair == [0xff, marker]).unwrap();
    let (quantisation, frame, huffman, scan) =
        (table_at(0xdb), table_at(0xc0), table_at(0xc4), table_at(0xda));
    assert!(quantisation < frame && frame < huffman && huffman < scan);
    let tables = [&whole[..frame], &whole[huffman..scan], &[0xff, 0xd9]].concat();
    let strip = [&whole[..2], &whole[frame..huffman], &whole[scan..]].concat();
    let mut file = TiffBuilder::new(true);
    file.page((64, 32), &[8], 1, 7, &strip).bytes(347, &tables);
    let source = open(file.finish());
    assert_eq!(
        pixel(&source.decode(0).unwrap().pix, 40, 9),
        pixel(&open(whole).decode(0).unwrap().pix, 40, 9)
    );
    let image = source.deliver(0, Deliverable::Pdf14).unwrap();
    assert!(matches!(image.bytes, ImageBytes::Owned(_)));
    open(stream(&image, &[]).to_vec()).decode(0).unwrap();
}

#[test]
fn wide_offsets_are_read() {
    // BigTIFF: a header of 16 bytes, then a directory of 20-byte entries.
    let mut file = b"II+\0\x08\0\0\0\x10\0\0\0\0\0\0\0".to_vec();
    let entries: [(u16, u64); 7] =
        [(256, 2), (257, 1), (258, 8), (262, 1), (273, 16 + 8 + 7 * 20 + 8), (278, 1), (279, 2)];
    file.extend(7_u64.to_le_bytes());
    for (tag, value) in entries {
        file.extend(tag.to_le_bytes());
        file.extend(16_u16.to_le_bytes());
        file.extend(1_u64.to_le_bytes());
        file.extend(value.to_le_bytes());
    }
    file.extend([0; 8]);
    file.extend([5, 6]);
    assert_eq!(row_of(file, 2), [[5; 3], [6; 3]]);
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
fn a_file_of_thumbnails_has_them_for_pages() {
    let mut file = TiffBuilder::new(true);
    file.page((1, 1), &[8], 1, 1, &[3]).short(254, &[1]);
    assert_eq!(row_of(file.finish(), 1), [[3; 3]]);
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
