//! CCITT fax coding (ITU-T T.4 and T.6): strips of a TIFF, images of a PDF.

use hayro_ccitt::{DecodeSettings, Decoder, DecoderContext, EncodingMode, decode};
use pagemill_domain::scan::PageDefect;

/// How rows are coded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FaxCoding {
    /// Which of the three codes.
    pub(crate) scheme: Scheme,
    /// Each row starts on a byte.
    pub(crate) byte_aligned: bool,
    /// An end-of-block mark may end the image before its last row.
    pub(crate) end_of_block: bool,
}

/// A code of T.4 or T.6.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scheme {
    /// T.4 one-dimensional (MH).
    OneDimensional,
    /// T.4 two-dimensional (MR).
    TwoDimensional,
    /// T.6 (MMR).
    Group4,
}

/// Decodes `rows` rows of `columns` pixels; set bits are the code's black. Rows that an end mark leaves out are
/// white. A damaged T.4 row costs that row, as T.4 means it; damage in T.6 costs all that follows, so it is an error.
pub(crate) fn decode_rows(
    bytes: &[u8],
    coding: FaxCoding,
    columns: u32,
    rows: u32,
) -> Result<Vec<u8>, PageDefect> {
    let encoding = match coding.scheme {
        Scheme::OneDimensional => EncodingMode::Group3_1D,
        Scheme::TwoDimensional => EncodingMode::Group3_2D,
        Scheme::Group4 => EncodingMode::Group4,
    };
    let settings = DecodeSettings {
        columns,
        rows,
        end_of_block: coding.end_of_block,
        end_of_line: false,
        rows_are_byte_aligned: coding.byte_aligned,
        encoding,
        strict: coding.scheme == Scheme::Group4,
    };
    let mut bitmap = Bitmap::new(columns, rows);
    let decoded = decode(bytes, &mut bitmap, &mut DecoderContext::new(settings));
    if bitmap.decoded_rows == 0 || (decoded.is_err() && bitmap.decoded_rows < rows) {
        let detail = format!("CCITT: only {} of {rows} rows can be decoded", bitmap.decoded_rows);
        return Err(PageDefect::Damaged(detail));
    }
    Ok(bitmap.bits)
}

/// Rows of bits, white at first.
struct Bitmap {
    bits: Vec<u8>,
    row_bytes: usize,
    columns: u32,
    rows: u32,
    decoded_rows: u32,
}

impl Bitmap {
    fn new(columns: u32, rows: u32) -> Self {
        let row_bytes = columns.div_ceil(8) as usize;
        Self { bits: vec![0; row_bytes * rows as usize], row_bytes, columns, rows, decoded_rows: 0 }
    }
}

impl Decoder for Bitmap {
    fn push_row(&mut self, changes: &[u32]) {
        if self.decoded_rows >= self.rows {
            return;
        }
        let start = self.decoded_rows as usize * self.row_bytes;
        let row = &mut self.bits[start..start + self.row_bytes];
        for run in changes.chunks(2) {
            let end = run.get(1).copied().unwrap_or(self.columns);
            blacken(row, run[0] as usize, end as usize);
        }
        self.decoded_rows += 1;
    }
}

/// Sets the bits from `start` to `end`, which are not equal.
fn blacken(row: &mut [u8], start: usize, end: usize) {
    let (first, last) = (start / 8, (end - 1) / 8);
    let first_mask = 0xff_u8 >> (start % 8);
    let last_mask = 0xff_u8 << (7 - (end - 1) % 8);
    if first == last {
        row[first] |= first_mask & last_mask;
    } else {
        row[first] |= first_mask;
        row[first + 1..last].fill(0xff);
        row[last] |= last_mask;
    }
}
