//! Sources of which only some pages are fetched.

use std::os::unix::fs::FileExt;

use pagemill_domain::source_map::{ByteRange, PageBytes, SourceMap};

use super::*;
use crate::blobs::{OpenedSource, map_object};

const PAGE_BYTES: u64 = 100_000;

/// Bytes before each page and behind the last.
const SHARED_BYTES: u64 = 50;

/// The bytes of a source of four pages, different for each `seed`.
fn source(seed: u64) -> Vec<u8> {
    (0..4 * (SHARED_BYTES + PAGE_BYTES) + SHARED_BYTES).map(|at| (at * at / 7 + at + seed) as u8).collect()
}

fn page(number: u64) -> ByteRange {
    ByteRange { offset: number * (SHARED_BYTES + PAGE_BYTES) - PAGE_BYTES, length: PAGE_BYTES }
}

fn part(bytes: &[u8], range: ByteRange) -> &[u8] {
    &bytes[range.offset as usize..range.end() as usize]
}

/// Stores the map that this content would have.
async fn store_map(blobs: &dyn Blobs, bytes: &[u8]) -> ResultRef {
    let bulk = |number| {
        let range = page(number);
        PageBytes { ranges: vec![range], hash: ContentHash::of(part(bytes, range)) }
    };
    let map = SourceMap { bytes: bytes.len() as u64, pages: (1..=4).map(bulk).collect() };
    let shared: Vec<u8> = map.shared().into_iter().flat_map(|range| part(bytes, range).to_vec()).collect();
    let object = map_object(&map, &shared).unwrap();
    result(blobs.put_result(object.clone()).await.unwrap(), &object)
}

fn content(opened: &OpenedSource, bytes: u64) -> Vec<u8> {
    let mut content = vec![0; bytes as usize];
    opened.file.read_exact_at(&mut content, 0).unwrap();
    content
}

pub(super) async fn pages_are_fetched_alone(blobs: &dyn Blobs) {
    let bytes = source(1);
    let hash = upload(blobs, "a", &bytes).await.unwrap();
    let location = SourceLocation::Blob { tenant: "a".into(), hash };
    let map = store_map(blobs, &bytes).await;
    let before = blobs.source_bytes_fetched();
    for (pages, holes, fetched) in [
        (vec![2], vec![page(1), page(3), page(4)], PAGE_BYTES + map.length),
        (vec![2], vec![page(1), page(3), page(4)], PAGE_BYTES + map.length),
        (vec![2, 4], vec![page(1), page(3)], 2 * PAGE_BYTES + map.length),
        // What stands between near pages comes along.
        (vec![1, 2, 3, 9], vec![], 4 * PAGE_BYTES + map.length),
    ] {
        let opened = blobs.open_pages(&location, hash, &map, &pages).await.unwrap();
        let mut expected = bytes.clone();
        for hole in &holes {
            expected[hole.offset as usize..hole.end() as usize].fill(0);
        }
        assert!(content(&opened, bytes.len() as u64) == expected, "{pages:?}");
        assert_eq!((opened.hash_checked, opened.holes), (true, holes));
        assert_eq!(blobs.source_bytes_fetched() - before, fetched, "{pages:?}");
    }
    // Who has the whole needs no parts.
    let whole = open(blobs, "a", hash).await.unwrap();
    let fetched = blobs.source_bytes_fetched();
    let other_map = ResultRef { hash: ContentHash::of(b"other"), ..map };
    let opened = blobs.open_pages(&location, hash, &other_map, &[1]).await.unwrap();
    assert!(opened.holes.is_empty() && content(&opened, bytes.len() as u64) == whole);
    assert_eq!(blobs.source_bytes_fetched(), fetched);
}

pub(super) async fn a_page_that_is_not_what_was_mapped_is_not_served(blobs: &dyn Blobs) {
    let bytes = source(2);
    let hash = upload(blobs, "a", &bytes).await.unwrap();
    let location = SourceLocation::Blob { tenant: "a".into(), hash };
    let missing = result(ContentHash::of(b"no map"), b"no map");
    for map in [store_map(blobs, &source(3)).await, missing] {
        let opened = blobs.open_pages(&location, hash, &map, &[1]).await.unwrap();
        assert!(
            opened.holes.is_empty() && content(&opened, bytes.len() as u64) == bytes,
            "the whole is opened"
        );
    }
}
