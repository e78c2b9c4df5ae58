//! Images whose samples are stored as rows, compressed without loss.

use hayro_interpret::hayro_syntax::Filter;
use hayro_interpret::hayro_syntax::object::Stream;
use pagemill_domain::scan::PageDefect;

use super::payload::{inflate, last_filter};

/// How rows are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RowCoding {
    /// zlib.
    Flate,
    /// zlib of rows with PNG filters: what we write ourselves.
    FlatePng,
    /// Any other chain of filters; hayro undoes it.
    Other,
}

impl RowCoding {
    /// How a stream's rows are compressed; `None` where a filter is unknown.
    pub(super) fn of_stream(stream: &Stream<'_>) -> Option<Self> {
        let filters = stream.filters();
        let [Filter::FlateDecode] = filters.as_slice() else { return Some(Self::Other) };
        let (_, parameters) = last_filter(stream)?;
        Some(match parameters.get::<i32>("Predictor").unwrap_or(1) {
            1 => Self::Flate,
            10.. => Self::FlatePng,
            _ => Self::Other,
        })
    }

    /// Whether the predictor works on the image's own rows.
    pub(super) fn fits(self, stream: &Stream<'_>, width: u32, channels: usize, bits: u8) -> bool {
        if self != Self::FlatePng {
            return true;
        }
        let Some((_, parameters)) = last_filter(stream) else { return false };
        let number = |key: &str, default: u32| parameters.get::<u32>(key).unwrap_or(default);
        number("Colors", 1) as usize == channels
            && number("BitsPerComponent", 8) == u32::from(bits)
            && number("Columns", 1) == width
    }

    /// The packed rows, as many as there are; reads no more than they take. Of [`Self::Other`] the size was measured.
    pub(super) fn decode(
        self,
        stream: &Stream<'_>,
        (width, height): (u32, u32),
        channels: usize,
        bits: u8,
    ) -> Result<Vec<u8>, PageDefect> {
        let row_bytes = (width as usize * channels * usize::from(bits)).div_ceil(8);
        let bytes = |row: usize| (row * height as usize) as u64;
        match self {
            Self::Flate => Ok(inflate(&stream.raw_data(), bytes(row_bytes))),
            Self::FlatePng => {
                let filtered = inflate(&stream.raw_data(), bytes(row_bytes + 1));
                unfilter(&filtered, row_bytes, (channels * usize::from(bits)).div_ceil(8))
            }
            Self::Other => match stream.decoded_data() {
                Ok(data) => Ok(data.into_owned()),
                Err(error) => Err(PageDefect::Damaged(format!("PDF: an image's stream: {error:?}"))),
            },
        }
    }
}

/// Undoes PNG's filters (ISO/IEC 15948 section 9).
fn unfilter(filtered: &[u8], row_bytes: usize, pixel_bytes: usize) -> Result<Vec<u8>, PageDefect> {
    let mut rows = Vec::with_capacity(filtered.len());
    let mut above = vec![0; row_bytes];
    for line in filtered.chunks_exact(row_bytes + 1) {
        let mut row = line[1..].to_vec();
        for at in 0..row_bytes {
            let (left, corner) = match at.checked_sub(pixel_bytes) {
                Some(before) => (row[before], above[before]),
                None => (0, 0),
            };
            let predicted = match line[0] {
                0 => 0,
                1 => left,
                2 => above[at],
                3 => u8::midpoint(left, above[at]),
                4 => crate::source::flate::paeth(left, above[at], corner),
                other => return Err(PageDefect::Damaged(format!("PDF: row filter {other}"))),
            };
            row[at] = row[at].wrapping_add(predicted);
        }
        rows.extend_from_slice(&row);
        above = row;
    }
    Ok(rows)
}
