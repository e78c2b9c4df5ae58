//! Scans for tests: parts of the samples, so that a run takes seconds, and files that are not what they seem.

use image::codecs::jpeg::{JpegEncoder, PixelDensity};
use image::{DynamicImage, ExtendedColorType, GrayImage};

use crate::root;

/// A sample as it is.
pub fn sample(name: &str) -> Vec<u8> {
    std::fs::read(root().join("samples").join(name)).unwrap()
}

/// Height of [`strip`]s in pixels: some lines of text.
const STRIP_HEIGHT: u32 = 420;

/// Part `number` of a sample page, as a grey JPEG of 300 dpi.
pub fn strip(page: &str, number: u32) -> Vec<u8> {
    let image = image::load_from_memory(&sample(&format!("{page}.jpg"))).unwrap();
    jpeg(&image.crop_imm(0, number * STRIP_HEIGHT, image.width(), STRIP_HEIGHT).to_luma8())
}

/// `count` strips with names that sort as they count.
pub fn strips(count: u32) -> Vec<(String, Vec<u8>)> {
    let pages = ["d02-1", "d03-1"];
    (0..count)
        .map(|number| {
            let page = pages[number as usize % pages.len()];
            (format!("{}.jpg", number + 1), strip(page, 1 + number / 2 % 6))
        })
        .collect()
}

/// An empty page, white as paper is.
pub fn blank() -> Vec<u8> {
    jpeg(&GrayImage::from_fn(1240, 1754, |x, y| image::Luma([246 + ((x * 7 + y * 13) % 5) as u8])))
}

/// An image as a JPEG of 300 dpi.
pub fn jpeg(image: &GrayImage) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = JpegEncoder::new_with_quality(&mut bytes, 85);
    encoder.set_pixel_density(PixelDensity::dpi(300));
    encoder.encode(image, image.width(), image.height(), ExtendedColorType::L8).unwrap();
    bytes
}

/// An image as a PNG.
pub fn png(image: GrayImage) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    DynamicImage::from(image).write_to(&mut bytes, image::ImageFormat::Png).unwrap();
    bytes.into_inner()
}

/// A PNG whose header declares `side` × `side` pixels and whose data hold none.
pub fn png_bomb(side: u32) -> Vec<u8> {
    let mut bytes = png(GrayImage::new(1, 1));
    // IHDR: 8 bytes of signature, 4 of length, 4 of type, then width and height, and its checksum after 13 bytes.
    bytes[16..20].copy_from_slice(&side.to_be_bytes());
    bytes[20..24].copy_from_slice(&side.to_be_bytes());
    let checksum = crc32fast::hash(&bytes[12..29]);
    bytes[29..33].copy_from_slice(&checksum.to_be_bytes());
    bytes
}
