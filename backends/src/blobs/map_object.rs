//! How a source's map is stored: a line of JSON that tells it, then the shared bytes themselves, so that whoever has the map has
//! all of the source but the bulk of its pages.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use pagemill_domain::hash::{ContentHash, ContentHasher};
use pagemill_domain::source_map::{ByteRange, SHARED_BYTES_MAX, SourceMap};

/// Bytes that are hashed at once.
const HASH_PIECE_BYTES: usize = 1 << 20;

/// The object that holds a map and the shared bytes, in the order of [`SourceMap::shared`].
pub fn map_object(map: &SourceMap, shared: &[u8]) -> Result<Vec<u8>, serde_json::Error> {
    let mut object = serde_json::to_vec(map)?;
    object.push(b'\n');
    object.extend_from_slice(shared);
    Ok(object)
}

/// What such an object holds; `None` where it is none.
pub(super) fn read(object: &[u8]) -> Option<(SourceMap, &[u8])> {
    let end = object.iter().position(|byte| *byte == b'\n')?;
    let map: SourceMap = serde_json::from_slice(&object[..end]).ok()?;
    let shared = &object[end + 1..];
    let bytes: u64 = map.shared().iter().map(|range| range.length).sum();
    (bytes <= SHARED_BYTES_MAX && bytes == shared.len() as u64).then_some((map, shared))
}

/// The hash of ranges of a file, one after the other, as a map tells it of each page.
pub fn hash_of_ranges(file: &File, ranges: &[ByteRange]) -> io::Result<ContentHash> {
    let mut hasher = ContentHasher::default();
    let mut piece = vec![0; HASH_PIECE_BYTES];
    for range in ranges {
        let mut offset = range.offset;
        while offset < range.end() {
            let length = (range.end() - offset).min(HASH_PIECE_BYTES as u64) as usize;
            file.read_exact_at(&mut piece[..length], offset)?;
            hasher.update(&piece[..length]);
            offset += length as u64;
        }
    }
    Ok(hasher.finish())
}

#[cfg(test)]
mod tests {
    use pagemill_domain::source_map::PageBytes;

    use super::*;

    #[test]
    fn a_map_comes_back_with_its_shared_bytes() {
        let page =
            PageBytes { ranges: vec![ByteRange { offset: 2, length: 5 }], hash: ContentHash::of(b"bulk") };
        let map = SourceMap { bytes: 10, pages: vec![page] };
        let object = map_object(&map, b"ab\nde").unwrap();
        assert_eq!(read(&object), Some((map.clone(), b"ab\nde".as_slice())));
        assert_eq!(read(&map_object(&map, b"short").unwrap()[..9]), None);
        assert_eq!(read(&map_object(&map, b"four").unwrap()), None, "shared bytes are missing");
    }
}
