//! Lossless rows repacked: PNG filters them, TIFF knows differences between neighbours only. No sample changes.

use std::io::{self, Read, Write};

use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use pagemill_domain::page_image::PixelFormat;

use crate::document::{SourcedImage, WriteError};

/// Bytes of a row. Two rows are held, and the compressed page; 200 million pixels in a single row are no scan.
const ROW_BYTES_MAX: u64 = 64 << 20;

/// Whether rows of such samples are differenced: TIFF's predictor 2 is defined for whole bytes, and helps only where
/// neighbours are alike by value.
pub(super) const fn is_differenced(pixels: &PixelFormat) -> bool {
    matches!(pixels, PixelFormat::Rgb | PixelFormat::Grey { bits: 8 })
}

/// The image's rows, unfiltered, differenced where [`is_differenced`], and compressed again.
pub(super) fn repacked(page: u32, sourced: SourcedImage<'_>) -> Result<Vec<u8>, WriteError> {
    let image = sourced.image;
    let bits = u64::from(image.pixels.bits()) * u64::from(image.pixels.samples());
    let row_bytes = (u64::from(image.width) * bits).div_ceil(8);
    if row_bytes > ROW_BYTES_MAX {
        return Err(WriteError::Image { page, problem: "a row of more than 64 MiB" });
    }
    let step = (bits as usize).div_ceil(8);
    let mut decoder = ZlibDecoder::new(sourced.reader(page));
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    let mut above = vec![0; row_bytes as usize];
    let mut row = above.clone();
    for _ in 0..image.height {
        let mut filter = [0];
        read(page, &mut decoder, &mut filter)?;
        read(page, &mut decoder, &mut row)?;
        unfilter(filter[0], &mut row, &above, step)
            .ok_or(WriteError::Image { page, problem: "rows of a PNG filter that does not exist" })?;
        if is_differenced(&image.pixels) {
            let mut differences = row.clone();
            for index in (step..row.len()).rev() {
                differences[index] = row[index].wrapping_sub(row[index - step]);
            }
            encoder.write_all(&differences)?;
        } else {
            encoder.write_all(&row)?;
        }
        std::mem::swap(&mut above, &mut row);
    }
    Ok(encoder.finish()?)
}

fn read(page: u32, decoder: &mut impl Read, bytes: &mut [u8]) -> Result<(), WriteError> {
    decoder.read_exact(bytes).map_err(|error| match error.downcast::<WriteError>() {
        Ok(error) => error,
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            WriteError::Image { page, problem: "lossless rows that end too early" }
        }
        Err(_) => WriteError::Image { page, problem: "lossless rows that are damaged" },
    })
}

/// Undoes a row's filter (PNG specification, § 9.2). `step` is the distance to the pixel on the left, in bytes.
fn unfilter(filter: u8, row: &mut [u8], above: &[u8], step: usize) -> Option<()> {
    for index in 0..row.len() {
        let left = if index >= step { row[index - step] } else { 0 };
        let up = above[index];
        let guess = match filter {
            0 => 0,
            1 => left,
            2 => up,
            3 => u8::midpoint(left, up),
            4 => paeth(left, up, if index >= step { above[index - step] } else { 0 }),
            _ => return None,
        };
        row[index] = row[index].wrapping_add(guess);
    }
    Some(())
}

/// The neighbour that is nearest to left + up − corner; ties go in this order.
fn paeth(left: u8, up: u8, corner: u8) -> u8 {
    let estimate = i16::from(left) + i16::from(up) - i16::from(corner);
    let distance = |value: u8| (estimate - i16::from(value)).abs();
    if distance(left) <= distance(up) && distance(left) <= distance(corner) {
        left
    } else if distance(up) <= distance(corner) {
        up
    } else {
        corner
    }
}
