//! What is read from files, and read again when they change: tokens and certificates are replaced without a restart.

use std::fmt::Display;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Files are looked at this often at most.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A value that follows its files.
pub(crate) struct Followed<T> {
    files: Vec<PathBuf>,
    read: Box<dyn Fn() -> Result<T, String> + Send + Sync>,
    state: Mutex<State<T>>,
}

struct State<T> {
    looked: Instant,
    stamps: Vec<Option<Stamp>>,
    value: Arc<T>,
}

/// Tells a file from what it was: modification time in nanoseconds, size, inode (a mounted secret is swapped by a link).
type Stamp = (i64, i64, u64, u64);

impl<T> Followed<T> {
    /// Reads for the first time; later failures leave what was read before.
    pub(crate) fn read<E: Display>(
        files: Vec<PathBuf>,
        read: impl Fn() -> Result<T, E> + Send + Sync + 'static,
    ) -> Result<Self, E> {
        let stamps = stamps(&files);
        let value = Arc::new(read()?);
        let state = Mutex::new(State { looked: Instant::now(), stamps, value });
        Ok(Self { files, read: Box::new(move || read().map_err(|error| error.to_string())), state })
    }

    /// What the files say.
    pub(crate) fn get(&self) -> Arc<T> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.looked.elapsed() >= LOOK_EVERY {
            state.looked = Instant::now();
            self.look(&mut state);
        }
        state.value.clone()
    }

    fn look(&self, state: &mut State<T>) {
        let stamps = stamps(&self.files);
        if stamps == state.stamps {
            return;
        }
        // Remembered even where reading fails: a half-written pair is read again when its other half comes.
        state.stamps = stamps;
        let file = self.files.first().map(|file| file.display().to_string()).unwrap_or_default();
        match (self.read)() {
            Ok(value) => {
                state.value = Arc::new(value);
                tracing::info!(file, "read again after a change");
            }
            Err(why) => tracing::error!(file, why, "changed and can't be used: what was read before stays"),
        }
    }
}

fn stamps(files: &[PathBuf]) -> Vec<Option<Stamp>> {
    let stamp = |file: &PathBuf| {
        let found = file.metadata().ok()?;
        Some((found.mtime(), found.mtime_nsec(), found.size(), found.ino()))
    };
    files.iter().map(stamp).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_change_is_followed_and_a_defect_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("number");
        fs::write(&file, "1").unwrap();
        let path = file.clone();
        let read = move || fs::read_to_string(&path).unwrap().parse::<u32>();
        let followed = Followed::read(vec![file.clone()], read).unwrap();
        let later = || {
            let mut state = followed.state.lock().unwrap();
            state.looked = Instant::now().checked_sub(LOOK_EVERY).unwrap();
        };
        assert_eq!(*followed.get(), 1);
        fs::write(&file, "22").unwrap();
        later();
        assert_eq!(*followed.get(), 22);
        fs::write(&file, "none").unwrap();
        later();
        assert_eq!(*followed.get(), 22);
        fs::write(&file, "333").unwrap();
        later();
        assert_eq!(*followed.get(), 333);
    }

    #[test]
    fn what_can_not_be_read_at_first_is_refused() {
        let read = || "x".parse::<u32>();
        assert!(Followed::read(Vec::new(), read).is_err());
    }
}
