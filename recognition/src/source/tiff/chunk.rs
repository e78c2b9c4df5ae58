//! Decoding the strips and tiles of a TIFF page.

use std::borrow::Cow;
use std::io::Read;

use pagemill_domain::scan::PageDefect;

use super::directory::Tiff;
use super::layout::{Compression, Layout};
use crate::channels::Channels;
use crate::source::ccitt::decode_rows;
use crate::source::colour::{Colour, Samples};
use crate::source::raster::Raster;

impl Layout {
    /// Decodes the page's samples; not for JPEG. The page's size was checked before.
    pub(crate) fn decode(&self, tiff: &Tiff) -> Result<Raster, PageDefect> {
        self.check(tiff)?;
        let planes = if self.planar { self.channels } else { 1 };
        let mut decoded = Vec::with_capacity(planes);
        for plane in 0..planes {
            decoded.push(self.decode_plane(tiff, plane)?);
        }
        let mut rows = if self.planar { self.interleave(&decoded)? } else { decoded.swap_remove(0) };
        if self.bits == 16 && !tiff.is_big_endian() {
            rows.as_chunks_mut::<2>().0.iter_mut().for_each(|pair| pair.swap(0, 1));
        }
        let samples = Samples {
            width: self.image.width,
            height: self.image.height,
            bits: self.bits,
            colour: self.colour.clone(),
            alpha: self.alpha,
            channels: self.channels,
            rows,
        };
        samples.into_raster()
    }

    /// The channels of a page whose strips are rows of red, green and blue bytes. The page's size was checked before.
    pub(crate) fn decode_channels(&self, tiff: &Tiff) -> Result<Option<Channels>, PageDefect> {
        let is_plain_colour = self.colour == Colour::Rgb && (self.bits, self.channels) == (8, 3);
        if !is_plain_colour || self.planar || self.is_jpeg() || self.chunk_width != self.image.width {
            return Ok(None);
        }
        self.check(tiff)?;
        let mut channels = Channels::of_width(self.image.width as usize, self.image.height as usize);
        for strip in 0..self.chunks_down() {
            let rows = self.chunk_height.min(self.image.height - strip * self.chunk_height);
            let chunk = self.decode_chunk(tiff, strip as usize, rows)?;
            channels.add_rows(&chunk[..rows as usize * self.row_bytes(self.chunk_width)]);
        }
        Ok(Some(channels))
    }

    /// Channels that are stored side by side.
    fn channels_together(&self) -> usize {
        if self.planar { 1 } else { self.channels }
    }

    fn row_bytes(&self, width: u32) -> usize {
        (width as usize * self.channels_together() * usize::from(self.bits)).div_ceil(8)
    }

    fn decode_plane(&self, tiff: &Tiff, plane: usize) -> Result<Vec<u8>, PageDefect> {
        let (across, down) = (self.chunks_across(), self.chunks_down());
        let page_row_bytes = self.row_bytes(self.image.width);
        let chunk_row_bytes = self.row_bytes(self.chunk_width);
        if across > 1
            && !(self.chunk_width as usize * self.channels_together() * usize::from(self.bits))
                .is_multiple_of(8)
        {
            return Err(PageDefect::Unsupported("TIFF tiles that do not end on a byte".into()));
        }
        let mut page = vec![0; page_row_bytes * self.image.height as usize];
        for tile_row in 0..down {
            for column in 0..across {
                let index = plane * (across * down) as usize + (tile_row * across + column) as usize;
                let top = tile_row * self.chunk_height;
                let rows_in_page = self.chunk_height.min(self.image.height - top);
                // A last strip is cut, a last tile is padded.
                let rows = if across == 1 { rows_in_page } else { self.chunk_height };
                let chunk = self.decode_chunk(tiff, index, rows)?;
                let left = column as usize * chunk_row_bytes;
                let copied = chunk_row_bytes.min(page_row_bytes - left);
                for (y, row) in chunk.chunks_exact(chunk_row_bytes).take(rows_in_page as usize).enumerate() {
                    let start = (top as usize + y) * page_row_bytes + left;
                    page[start..start + copied].copy_from_slice(&row[..copied]);
                }
            }
        }
        Ok(page)
    }

    /// One strip or tile: `rows` rows of the chunk's width.
    fn decode_chunk<'a>(
        &self,
        tiff: &Tiff<'a>,
        index: usize,
        rows: u32,
    ) -> Result<Cow<'a, [u8]>, PageDefect> {
        let damaged = |what: &str| PageDefect::Damaged(format!("TIFF: strip {index} {what}"));
        let (offset, length) = self.chunks[index];
        let stored = tiff.range(offset, length).ok_or_else(|| damaged("lies outside of the file"))?;
        let stored = if self.bits_reversed && self.bits < 8 {
            Cow::Owned(stored.iter().map(|byte| byte.reverse_bits()).collect())
        } else {
            Cow::Borrowed(stored)
        };
        let wanted = self.row_bytes(self.chunk_width) * rows as usize;
        let mut samples = match &self.compression {
            Compression::None => stored,
            Compression::PackBits => Cow::Owned(unpack_bits(&stored, wanted)),
            Compression::Lzw => Cow::Owned(lzw(&stored, wanted)),
            Compression::Deflate => Cow::Owned(inflate(&stored, wanted)),
            Compression::Fax(_) if self.bits != 1 || self.channels != 1 => {
                return Err(PageDefect::Unsupported("CCITT coding of more than one bit a pixel".into()));
            }
            Compression::Fax(coding) => Cow::Owned(decode_rows(&stored, *coding, self.chunk_width, rows)?),
            Compression::Jpeg { .. } => return Err(damaged("is JPEG")),
        };
        if samples.len() < wanted {
            return Err(damaged("ends early"));
        }
        if self.differences {
            self.add_up(samples.to_mut(), tiff.is_big_endian())?;
        }
        Ok(samples)
    }

    /// Undoes predictor 2 (TIFF 6.0 section 14).
    fn add_up(&self, samples: &mut [u8], big_endian: bool) -> Result<(), PageDefect> {
        let step = self.channels_together();
        for row in samples.chunks_exact_mut(self.row_bytes(self.chunk_width)) {
            match self.bits {
                8 => (step..row.len()).for_each(|at| row[at] = row[at].wrapping_add(row[at - step])),
                16 => add_up_words(row.as_chunks_mut::<2>().0, step, big_endian),
                bits => return Err(PageDefect::Unsupported(format!("TIFF predictor 2 on {bits} bits"))),
            }
        }
        Ok(())
    }

    /// From one image a channel to one image of all channels.
    fn interleave(&self, planes: &[Vec<u8>]) -> Result<Vec<u8>, PageDefect> {
        let sample_bytes = match self.bits {
            8 => 1,
            16 => 2,
            bits => return Err(PageDefect::Unsupported(format!("TIFF planes of {bits} bits"))),
        };
        let length = planes.iter().map(Vec::len).sum();
        let mut rows = vec![0; length];
        for (channel, plane) in planes.iter().enumerate() {
            let pixels = rows.chunks_exact_mut(sample_bytes * planes.len());
            for (pixel, sample) in pixels.zip(plane.chunks_exact(sample_bytes)) {
                pixel[channel * sample_bytes..][..sample_bytes].copy_from_slice(sample);
            }
        }
        Ok(rows)
    }
}

fn add_up_words(row: &mut [[u8; 2]], step: usize, big_endian: bool) {
    let read =
        |bytes: [u8; 2]| if big_endian { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) };
    for at in step..row.len() {
        let sum = read(row[at]).wrapping_add(read(row[at - step]));
        row[at] = if big_endian { sum.to_be_bytes() } else { sum.to_le_bytes() };
    }
}

/// `PackBits` (TIFF 6.0 section 9), at most `wanted` bytes.
fn unpack_bits(stored: &[u8], wanted: usize) -> Vec<u8> {
    let mut samples = Vec::with_capacity(wanted);
    let mut rest = stored;
    while let ([head, tail @ ..], true) = (rest, samples.len() < wanted) {
        let head = head.cast_signed();
        let used = match (head, tail) {
            (-128, _) => 0,
            (0.., _) => {
                let literal = &tail[..tail.len().min(head as usize + 1)];
                samples.extend_from_slice(literal);
                literal.len()
            }
            (_, [repeated, ..]) => {
                samples.extend(std::iter::repeat_n(*repeated, (1 - isize::from(head)) as usize));
                1
            }
            (_, []) => 0,
        };
        rest = &tail[used..];
    }
    samples.truncate(wanted);
    samples
}

/// LZW as TIFF 6.0 section 13 defines it, at most `wanted` bytes.
fn lzw(stored: &[u8], wanted: usize) -> Vec<u8> {
    let mut samples = vec![0; wanted];
    let mut decoder = weezl::decode::Decoder::with_tiff_size_switch(weezl::BitOrder::Msb, 8);
    let (mut read, mut written) = (0, 0);
    while written < wanted {
        let step = decoder.decode_bytes(&stored[read..], &mut samples[written..]);
        read += step.consumed_in;
        written += step.consumed_out;
        let stalled = step.consumed_in == 0 && step.consumed_out == 0;
        if stalled || !matches!(step.status, Ok(weezl::LzwStatus::Ok)) {
            break;
        }
    }
    samples.truncate(written);
    samples
}

/// A zlib stream, at most `wanted` bytes.
fn inflate(stored: &[u8], wanted: usize) -> Vec<u8> {
    let mut samples = Vec::with_capacity(wanted);
    let decoder = flate2::read::ZlibDecoder::new(stored);
    // What can be inflated before an error counts; the caller sees whether it is enough.
    let _ = decoder.take(wanted as u64).read_to_end(&mut samples);
    samples
}
