//! Mapping a large source while it is here as a whole, so that the workers that read its pages need not fetch all of it.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use pagemill_backends::blobs::{hash_of_ranges, map_object};
use pagemill_domain::hash::ContentHash;
use pagemill_domain::scan::SourceFacts;
use pagemill_domain::shard::{ResultRef, SourceLocation, SourceRef};
use pagemill_domain::source_map::{ByteRange, PageBytes, SourceMap};
use pagemill_recognition::boxed::client::SourceFile;

use crate::error::Halt;
use crate::slot::Bench;

/// Stores the map of an inspected source; `None` where it has none, or where nothing is gained by one. That it could not be
/// made costs nobody anything but bytes.
pub(crate) fn store(
    bench: &mut Bench,
    source: &SourceRef,
    boxed: &SourceFile,
    file: &File,
    facts: &SourceFacts,
) -> Result<Option<ResultRef>, Halt> {
    let is_fetched = !matches!(source.location, SourceLocation::File(_));
    let is_large = boxed.bytes() >= bench.config().limits.mapped_source_bytes_min;
    if !(is_fetched && is_large && facts.pages.len() > 1) {
        return Ok(None);
    }
    let answered = bench.client()?.map(boxed);
    bench.spend(answered.cost);
    let ranges = match answered.result {
        Ok(Some(ranges)) if ranges.len() == facts.pages.len() => ranges,
        Ok(_) => return Ok(None),
        Err(error) => {
            tracing::info!(%error, "a source can't be mapped");
            return Ok(None);
        }
    };
    let object = match object(file, boxed.bytes(), ranges) {
        Ok(Some(object)) => object,
        Ok(None) => return Ok(None),
        Err(error) => {
            tracing::warn!(%error, "a source can't be mapped");
            return Ok(None);
        }
    };
    let (length, hash) = (object.len() as u64, ContentHash::of(&object));
    let blob = bench.persist(|| bench.blobs().put_result(object.clone()))?;
    Ok(Some(ResultRef { blob, offset: 0, length, hash }))
}

/// The object to store: the map, with the bytes that all pages share. `None` where it would be of no use.
fn object(file: &File, bytes: u64, pages: Vec<Vec<ByteRange>>) -> io::Result<Option<Vec<u8>>> {
    let page = |ranges: Vec<ByteRange>| Ok(PageBytes { hash: hash_of_ranges(file, &ranges)?, ranges });
    let pages = pages.into_iter().map(page).collect::<io::Result<_>>()?;
    let map = SourceMap { bytes, pages };
    if !map.is_useful() {
        return Ok(None);
    }
    Ok(Some(map_object(&map, &read(file, &map.shared())?)?))
}

fn read(file: &File, ranges: &[ByteRange]) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    for range in ranges {
        let start = bytes.len();
        bytes.resize(start + range.length as usize, 0);
        file.read_exact_at(&mut bytes[start..], range.offset)?;
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_map_is_stored_with_what_all_pages_share() {
        let mut file = tempfile::tempfile().unwrap();
        let bytes: Vec<u8> = (0..100).collect();
        file.write_all(&bytes).unwrap();
        let range = |offset, length| ByteRange { offset, length };
        let object = object(&file, 100, vec![vec![range(10, 40)], vec![range(50, 20), range(72, 20)]]);
        let object = object.unwrap().unwrap();
        let shared = [&bytes[..10], &bytes[70..72], &bytes[92..]].concat();
        assert!(object.ends_with(&[b"\n", shared.as_slice()].concat()));
        let hash = ContentHash::of(&[&bytes[50..70], &bytes[72..92]].concat());
        assert!(String::from_utf8_lossy(&object).contains(&hash.to_string()));
    }

    #[test]
    fn what_is_shared_for_the_most_part_is_not_mapped() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&[7; 100]).unwrap();
        let pages = vec![vec![ByteRange { offset: 0, length: 10 }]; 2];
        assert!(object(&file, 100, pages).unwrap().is_none());
    }
}
