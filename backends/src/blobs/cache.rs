//! Sources that were fetched, kept on disk for the next shard that needs them.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::sync::{Arc, Mutex, PoisonError, Weak};

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
    bytes: u64,
    used: u64,
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
        held.bytes += bytes;
        held.kept.insert(key.to_owned(), Kept { path: file.into_temp_path(), bytes, used: 0 });
        held.touch(key);
    }
}

impl Held {
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
