//! Result objects: the page texts of a shard, one after the other.
//!
//! Each page's part is a zstd frame of its JSON (`docs/formats.md`), so that it can be read alone and by later versions.

use std::io;

use pagemill_domain::hash::ContentHash;
use pagemill_domain::page_text::PageText;
use pagemill_domain::shard::{DocumentPlan, ResultRef};

use crate::error::Halt;
use crate::slot::Bench;

/// zstd's own default: smaller gains little on a page's 10 to 100 KiB and costs several times the CPU.
const ZSTD_LEVEL: i32 = 3;

/// Bytes that a page's text may have, unpacked: what comes back from a store is not trusted to be small.
const PAGE_TEXT_BYTES_MAX: usize = 64 << 20;

/// A shard's result object while it grows.
#[derive(Debug, Default)]
pub(crate) struct ResultObject {
    bytes: Vec<u8>,
}

/// A page's part in a [`ResultObject`] that has no name yet.
#[derive(Debug)]
pub(crate) struct Part {
    offset: u64,
    length: u64,
    hash: ContentHash,
}

impl ResultObject {
    /// Adds a page's text.
    pub(crate) fn add(&mut self, text: &PageText) -> io::Result<Part> {
        let packed = zstd::bulk::compress(&serde_json::to_vec(text)?, ZSTD_LEVEL)?;
        let part = Part {
            offset: self.bytes.len() as u64,
            length: packed.len() as u64,
            hash: ContentHash::of(&packed),
        };
        self.bytes.extend_from_slice(&packed);
        Ok(part)
    }

    /// The object's bytes; `None` where no page was added.
    pub(crate) fn into_bytes(self) -> Option<Vec<u8>> {
        (!self.bytes.is_empty()).then_some(self.bytes)
    }
}

impl Part {
    /// The part within the object that was stored as `blob`.
    pub(crate) fn of(self, blob: ContentHash) -> ResultRef {
        ResultRef { blob, offset: self.offset, length: self.length, hash: self.hash }
    }
}

/// A document's plan that was too large for a message. One that can't be read names no document to report on: its
/// shard is forgotten, and the coordinator finds that nobody has it.
pub(crate) fn stored_plan(bench: &Bench, stored: &ResultRef) -> Result<DocumentPlan, Halt> {
    let unreadable = |error: &dyn std::fmt::Display| {
        tracing::error!(%error, "a document's plan can't be read");
        Halt::Forget
    };
    let json = bench.fetch(|| bench.blobs().get_result(stored))?.map_err(|error| unreadable(&error))?;
    serde_json::from_slice(&json).map_err(|error| unreadable(&error))
}

/// A page's text from its part of a result object.
pub(crate) fn decode(part: &[u8]) -> io::Result<PageText> {
    let json = zstd::bulk::decompress(part, PAGE_TEXT_BYTES_MAX)?;
    Ok(serde_json::from_slice(&json)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_page_comes_back_alone() {
        let mut object = ResultObject::default();
        let texts = [1, 2].map(|width| PageText { width, ..PageText::default() });
        let parts = texts.clone().map(|text| object.add(&text).unwrap());
        let bytes = object.into_bytes().unwrap();
        for (part, text) in parts.into_iter().zip(texts) {
            let place = part.of(ContentHash::of(&bytes));
            let part = &bytes[place.offset as usize..][..place.length as usize];
            assert_eq!(ContentHash::of(part), place.hash);
            assert_eq!(decode(part).unwrap(), text);
        }
        assert!(decode(b"rubbish").is_err());
    }
}
