//! The coded bytes of an embedded image.

use std::borrow::Cow;
use std::io::Read;

use hayro_interpret::hayro_syntax::object::{Array, Dict, Object, Stream};
use hayro_interpret::hayro_syntax::{Filter, Pdf};
use pagemill_domain::scan::PageDefect;

/// What an image stream holds before its last filter is undone.
pub(super) struct Payload<'a> {
    /// The bytes that the last filter reads.
    pub(super) bytes: Cow<'a, [u8]>,
    /// Where they stand in the file, if they stand there as they are (no other filter, no encryption).
    pub(super) stored: Option<(u64, u64)>,
}

/// The last filter of a stream and its parameters.
pub(super) fn last_filter<'a>(stream: &Stream<'a>) -> Option<(Filter, Dict<'a>)> {
    let filters = stream.filters();
    let last = *filters.last()?;
    let dict = stream.dict();
    let parameters = match dict.get::<Object>("DecodeParms").or_else(|| dict.get::<Object>("DP")) {
        Some(Object::Dict(parameters)) if filters.len() == 1 => parameters,
        Some(Object::Array(array)) => nth_dict(&array, filters.len() - 1),
        _ => Dict::empty(),
    };
    Some((last, parameters))
}

fn nth_dict<'a>(array: &Array<'a>, index: usize) -> Dict<'a> {
    array.iter::<Object>().nth(index).and_then(Object::into_dict).unwrap_or_default()
}

/// Undoes all filters but the last: plain zlib is all that is found there. Reads no more than `bytes_max`.
pub(super) fn of_stream<'a>(
    pdf: &'a Pdf,
    stream: &Stream<'a>,
    bytes_max: u64,
) -> Result<Payload<'a>, PageDefect> {
    let filters = stream.filters();
    let raw = stream.raw_data();
    match filters.split_last() {
        None | Some((_, [])) => {
            let stored = match &raw {
                Cow::Borrowed(slice) => position(pdf.data().as_ref(), slice),
                Cow::Owned(_) => None,
            };
            Ok(Payload { bytes: raw, stored })
        }
        Some((_, [Filter::FlateDecode])) => {
            Ok(Payload { bytes: inflate(&raw, bytes_max).into(), stored: None })
        }
        Some(_) => Err(PageDefect::Unsupported(format!("PDF: an image behind {filters:?}"))),
    }
}

/// Where `part` stands inside `whole`.
pub(super) fn position(whole: &[u8], part: &[u8]) -> Option<(u64, u64)> {
    let offset = part.as_ptr().addr().checked_sub(whole.as_ptr().addr())?;
    (offset + part.len() <= whole.len()).then_some((offset as u64, part.len() as u64))
}

/// The first `bytes_max` bytes that a zlib stream holds; what stands before damage counts.
pub(super) fn inflate(raw: &[u8], bytes_max: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    let decoder = flate2::read::ZlibDecoder::new(raw);
    // Whoever reads the bytes sees whether they are enough.
    let _ = decoder.take(bytes_max).read_to_end(&mut bytes);
    bytes
}
