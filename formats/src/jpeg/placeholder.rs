//! A white JPEG of a given size, written without an encoder and without holding a row.
//!
//! It stands for a page that can't be decoded. All its blocks are alike, so its Huffman tables need one code each: a
//! block takes two bits.

use std::io::{self, Write};

use pagemill_domain::scan::Dpi;

/// Longest side of a JPEG (ITU-T T.81, table B.2: 16 bits). A larger page is made smaller by a whole number.
const SIDE_PIXELS_MAX: u32 = 65_535;

/// Samples of a block's side.
const BLOCK: u32 = 8;

/// Writes the placeholder of a page of `width` × `height` pixels.
pub(super) fn write(out: &mut impl Write, width: u32, height: u32, dpi: Dpi) -> io::Result<()> {
    let divisor = width.max(height).div_ceil(SIDE_PIXELS_MAX).max(1);
    let (width, height) = ((width / divisor).max(1), (height / divisor).max(1));
    let density = |milli: u32| ((milli / divisor + 500) / 1000).clamp(1, 65_535) as u16;
    out.write_all(b"\xff\xd8")?;
    let mut jfif = b"JFIF\0\x01\x02\x01".to_vec();
    jfif.extend(density(dpi.x_milli).to_be_bytes());
    jfif.extend(density(dpi.y_milli).to_be_bytes());
    jfif.extend([0, 0]);
    segment(out, 0xE0, &jfif)?;
    // A quantiser of 127 × 8 makes the one difference of the scan (+1) white: 128 + 1016 / 8.
    segment(out, 0xDB, &[&[0][..], &[254; 64]].concat())?;
    let frame = [&[8][..], &(height as u16).to_be_bytes(), &(width as u16).to_be_bytes(), &[1, 1, 0x11, 0]];
    segment(out, 0xC0, &frame.concat())?;
    // DC: category 0 has the code 0, category 3 the code 10. AC: end of block has the code 0.
    segment(out, 0xC4, &table(0x00, &[1, 1], &[0, 3]))?;
    segment(out, 0xC4, &table(0x10, &[1], &[0]))?;
    segment(out, 0xDA, &[1, 1, 0x00, 0, 63, 0])?;
    scan(out, u64::from(width.div_ceil(BLOCK)) * u64::from(height.div_ceil(BLOCK)))?;
    out.write_all(b"\xff\xd9")
}

fn segment(out: &mut impl Write, marker: u8, content: &[u8]) -> io::Result<()> {
    out.write_all(&[0xFF, marker])?;
    out.write_all(&(content.len() as u16 + 2).to_be_bytes())?;
    out.write_all(content)
}

/// A Huffman table: how many codes of each length, and what they stand for.
fn table(class_and_number: u8, lengths: &[u8], values: &[u8]) -> Vec<u8> {
    let mut counts = [0; 16];
    counts[..lengths.len()].copy_from_slice(lengths);
    [&[class_and_number][..], &counts, values].concat()
}

/// The first block has the difference +4 (`10`, then the bits `100`), all others none (`0`); each ends at once (`0`).
fn scan(out: &mut impl Write, blocks: u64) -> io::Result<()> {
    let bits = 6 + (blocks - 1) * 2;
    // 10 100 0, then zeros; the last byte is filled up with ones (T.81 § F.1.2.3).
    let bytes = bits.div_ceil(8);
    let fill = (1_u8 << (bytes * 8 - bits)) - 1;
    let first = 0b1010_0000;
    if bytes == 1 {
        return out.write_all(&[first | fill]);
    }
    out.write_all(&[first])?;
    io::copy(&mut io::Read::take(io::repeat(0), bytes - 2), out)?;
    out.write_all(&[fill])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decoder_finds_a_white_page_of_the_size() {
        for (width, height) in [(1, 1), (8, 8), (17, 9), (1654, 2339), (100_000, 3)] {
            let mut bytes = Vec::new();
            write(&mut bytes, width, height, Dpi::square(200)).unwrap();
            let image =
                image::load_from_memory_with_format(&bytes, image::ImageFormat::Jpeg).unwrap().to_luma8();
            let divisor = width.max(height).div_ceil(65_535);
            assert_eq!(image.dimensions(), ((width / divisor).max(1), (height / divisor).max(1)));
            assert!(image.pixels().all(|pixel| pixel.0[0] >= 254), "{width} × {height}");
        }
    }
}
