//! Sources that were fetched, kept on disk for the next shard that needs them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::{File, OpenOptions};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use pagemill_domain::source_map::SourceMap;
use tempfile::{NamedTempFile, TempPath};

/// Files up to a sum of bytes; the one that was unused longest goes first. A file that is open survives its removal.
///
/// Beside them, one source that is larger than all of that: its shards come one after the other, and each would fetch
/// the whole again.
#[derive(Debug)]
pub(super) struct SourceCache {
    bytes_max: u64,
    held: Mutex<Held>,
    turns: Mutex<HashMap<String, Weak<Turn>>>,
}

/// Whose turn it is to fetch a source.
type Turn = tokio::sync::Mutex<()>;

#[derive(Debug, Default)]
struct Held {
    kept: HashMap<String, Kept>,
    /// The keys by their last use.
    order: BTreeMap<u64, String>,
    bytes: u64,
    uses: u64,
    /// The last source that was larger than the cache.
    oversized: Option<(String, TempPath)>,
}

/// A file that is held; dropping it removes it.
#[derive(Debug)]
struct Kept {
    path: TempPath,
    /// Bytes that it takes on the disk.
    bytes: u64,
    used: u64,
    /// What it has, if that is not all.
    part: Option<Part>,
}

/// What a file holds of a source of which only pages were fetched.
#[derive(Debug, Clone)]
pub(super) struct Part {
    pub(super) map: Arc<SourceMap>,
    /// The pages whose bytes are there.
    pub(super) pages: BTreeSet<u32>,
}

/// A file that holds a part of a source, open twice: a child must not be able to write to it.
#[derive(Debug)]
pub(super) struct PartFile {
    pub(super) to_read: File,
    pub(super) to_write: File,
    pub(super) part: Part,
}

impl SourceCache {
    pub(super) fn new(bytes_max: u64) -> Self {
        Self { bytes_max, held: Mutex::default(), turns: Mutex::default() }
    }

    /// Who locks it may fetch the source: others who want the same wait, and find it held.
    pub(super) fn turn(&self, key: &str) -> Arc<Turn> {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        turns.retain(|_, turn| turn.strong_count() > 0);
        if let Some(turn) = turns.get(key).and_then(Weak::upgrade) {
            return turn;
        }
        let turn = Arc::default();
        turns.insert(key.to_owned(), Arc::downgrade(&turn));
        turn
    }

    /// The source, if it is held.
    pub(super) fn open(&self, key: &str) -> Option<File> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, path)) = held.oversized.as_ref().filter(|(oversized, _)| oversized == key) {
            return File::open(path).ok();
        }
        let file = File::open(&held.kept.get(key)?.path);
        if file.is_ok() {
            held.touch(key);
        } else {
            // Somebody cleaned up the disk.
            held.remove(key);
        }
        file.ok()
    }

    /// Gives up what it holds: the disk is full.
    pub(super) fn make_room(&self) {
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = Held::default();
    }

    /// Puts a fetched source there.
    pub(super) fn keep(&self, key: &str, file: NamedTempFile, bytes: u64) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if bytes > self.bytes_max {
            held.oversized = Some((key.to_owned(), file.into_temp_path()));
            return;
        }
        held.remove(key);
        while held.bytes + bytes > self.bytes_max && held.remove_oldest() {}
        held.insert(key, Kept { path: file.into_temp_path(), bytes, used: 0, part: None });
    }

    /// The part of a source, if one is held.
    pub(super) fn open_part(&self, key: &str) -> Option<PartFile> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = held.kept.get(key)?;
        let open =
            || Some((File::open(&kept.path).ok()?, OpenOptions::new().write(true).open(&kept.path).ok()?));
        let Some(((to_read, to_write), part)) = open().zip(kept.part.clone()) else {
            held.remove(key);
            return None;
        };
        held.touch(key);
        Some(PartFile { to_read, to_write, part })
    }

    /// Puts a part of a source there.
    pub(super) fn keep_part(&self, key: &str, file: NamedTempFile, part: Part, bytes: u64) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.remove(key);
        held.insert(key, Kept { path: file.into_temp_path(), bytes, used: 0, part: Some(part) });
        held.shrink_to(self.bytes_max);
    }

    /// More pages of a part are there now. One that becomes larger than the cache begins anew.
    pub(super) fn add_pages(&self, key: &str, pages: &[u32], bytes: u64) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(kept) = held.kept.get_mut(key) else { return };
        kept.bytes += bytes;
        if let Some(part) = &mut kept.part {
            part.pages.extend(pages);
        }
        held.bytes += bytes;
        held.touch(key);
        held.shrink_to(self.bytes_max);
    }
}

impl Held {
    fn insert(&mut self, key: &str, kept: Kept) {
        self.bytes += kept.bytes;
        self.kept.insert(key.to_owned(), kept);
        self.touch(key);
    }

    fn shrink_to(&mut self, bytes_max: u64) {
        while self.bytes > bytes_max && self.remove_oldest() {}
    }

    fn touch(&mut self, key: &str) {
        self.uses += 1;
        if let Some(kept) = self.kept.get_mut(key) {
            self.order.remove(&kept.used);
            kept.used = self.uses;
            self.order.insert(kept.used, key.to_owned());
        }
    }

    fn remove(&mut self, key: &str) {
        if let Some(kept) = self.kept.remove(key) {
            self.order.remove(&kept.used);
            self.bytes -= kept.bytes;
        }
    }

    fn remove_oldest(&mut self) -> bool {
        let oldest = self.order.first_key_value().map(|(_, key)| key.clone());
        oldest.is_some_and(|key| {
            self.remove(&key);
            true
        })
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;

    fn fetched(bytes: &[u8]) -> NamedTempFile {
        let mut file = NamedTempFile::new().unwrap();
        file.write_all(bytes).unwrap();
        file
    }

    #[test]
    fn what_was_unused_longest_makes_room_and_open_files_survive() {
        let cache = SourceCache::new(10);
        cache.keep("a", fetched(b"aaaa"), 4);
        cache.keep("b", fetched(b"bbbb"), 4);
        let mut open = cache.open("b").unwrap();
        cache.open("a").unwrap();
        cache.keep("c", fetched(b"cccc"), 4);
        assert!(cache.open("b").is_none());
        assert!(cache.open("a").is_some() && cache.open("c").is_some());
        let mut text = String::new();
        open.read_to_string(&mut text).unwrap();
        assert_eq!(text, "bbbb");
    }

    #[test]
    fn of_sources_larger_than_the_cache_one_is_held_and_evicts_nobody() {
        let cache = SourceCache::new(10);
        cache.keep("a", fetched(b"aaaa"), 4);
        cache.keep("large", fetched(&[0; 11]), 11);
        assert!(cache.open("a").is_some() && cache.open("large").is_some());
        cache.keep("larger", fetched(&[0; 12]), 12);
        assert!(cache.open("large").is_none());
        assert!(cache.open("a").is_some() && cache.open("larger").is_some());
    }

    #[test]
    fn a_part_grows_and_makes_room_for_itself() {
        let part = |pages: &[u32]| Part {
            map: Arc::new(SourceMap { bytes: 100, pages: Vec::new() }),
            pages: pages.iter().copied().collect(),
        };
        let cache = SourceCache::new(10);
        cache.keep("a", fetched(b"aaaa"), 4);
        cache.keep_part("p", fetched(b"pp"), part(&[]), 2);
        cache.add_pages("p", &[3, 1], 4);
        assert!(cache.open("a").is_some(), "there is room for both");
        let mut open = cache.open_part("p").unwrap();
        assert_eq!(open.part.pages, [1, 3].into());
        open.to_write.write_all(b"q").unwrap();
        assert!(open.to_read.write_all(b"r").is_err(), "a child can't change it");
        let mut text = String::new();
        open.to_read.read_to_string(&mut text).unwrap();
        assert_eq!(text, "qp");
        cache.add_pages("p", &[2], 1);
        assert!(cache.open("a").is_none() && cache.open_part("p").is_some());
        cache.add_pages("p", &[4], 4);
        assert!(cache.open_part("p").is_none(), "larger than the cache: it begins anew");
        cache.add_pages("p", &[5], 4);
        cache.keep("b", fetched(&[0; 10]), 10);
        assert!(cache.open("b").is_some(), "nothing of it is counted any more");
    }

    #[test]
    fn a_full_disk_gets_room() {
        let cache = SourceCache::new(10);
        cache.keep("a", fetched(b"aaaa"), 4);
        cache.keep("large", fetched(&[0; 11]), 11);
        cache.make_room();
        assert!(cache.open("a").is_none() && cache.open("large").is_none());
        cache.keep("b", fetched(&[0; 10]), 10);
        assert!(cache.open("b").is_some());
    }

    #[test]
    fn a_file_that_somebody_removed_is_fetched_again() {
        let cache = SourceCache::new(10);
        let file = fetched(b"aaaa");
        let path = file.path().to_owned();
        cache.keep("a", file, 4);
        std::fs::remove_file(path).unwrap();
        assert!(cache.open("a").is_none());
        cache.keep("b", fetched(&[0; 10]), 10);
        assert!(cache.open("b").is_some());
    }

    #[test]
    fn two_who_want_the_same_have_one_turn() {
        let cache = SourceCache::new(10);
        let first = cache.turn("a");
        let held = first.try_lock().unwrap();
        assert!(cache.turn("a").try_lock().is_err());
        assert!(cache.turn("b").try_lock().is_ok());
        drop(held);
        assert!(cache.turn("a").try_lock().is_ok());
    }
}
