//! A folder of one process: what it is staging and what it caches. Workers may share a machine, so each has its own.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rustix::fs::{FlockOperation, flock};
use tempfile::{NamedTempFile, TempDir};

use super::{BlobError, io_error};

/// How the folders of processes begin.
const FOLDER_PREFIX: &str = "run-";

/// The file that a living process holds locked, in its folder.
const LOCK_NAME: &str = "lock";

/// A folder that goes with its process: at the latest when the next one starts beside it.
#[derive(Debug)]
pub(super) struct Scratch {
    folder: TempDir,
    _alive: File,
}

impl Scratch {
    /// A new folder below `parent`; those of dead processes are removed.
    pub(super) fn open(parent: &Path) -> Result<Self, BlobError> {
        fs::create_dir_all(parent).map_err(io_error("create folder", parent))?;
        let open = || -> io::Result<Self> {
            // Held until the new folder is locked: nobody takes it for a dead one's before.
            let gate = lock_file(parent)?;
            flock(&gate, FlockOperation::LockExclusive)?;
            remove_dead(parent)?;
            let folder = tempfile::Builder::new().prefix(FOLDER_PREFIX).tempdir_in(parent)?;
            let alive = lock_file(folder.path())?;
            flock(&alive, FlockOperation::NonBlockingLockExclusive)?;
            Ok(Self { folder, _alive: alive })
        };
        open().map_err(io_error("prepare the cache folder", parent))
    }

    /// A new empty file. The mode is what the user's umask gives any new file.
    pub(super) fn file(&self) -> Result<NamedTempFile, BlobError> {
        tempfile::Builder::new()
            .permissions(fs::Permissions::from_mode(0o666))
            .tempfile_in(self.folder.path())
            .map_err(io_error("create a file in", self.folder.path()))
    }
}

fn lock_file(folder: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).truncate(false).write(true).open(folder.join(LOCK_NAME))
}

/// Removes the folders whose processes hold no lock any more.
fn remove_dead(parent: &Path) -> io::Result<()> {
    for entry in fs::read_dir(parent)? {
        let entry = entry?;
        let is_scratch = entry.file_name().to_string_lossy().starts_with(FOLDER_PREFIX);
        if is_scratch && entry.file_type()?.is_dir() {
            let lock = lock_file(&entry.path())?;
            if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok() {
                fs::remove_dir_all(entry.path())?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folders(parent: &Path) -> usize {
        let entries = fs::read_dir(parent).unwrap();
        entries.filter(|entry| entry.as_ref().unwrap().file_type().unwrap().is_dir()).count()
    }

    #[test]
    fn folders_of_the_dead_go_and_those_of_the_living_stay() {
        let parent = tempfile::tempdir().unwrap();
        let dead = parent.path().join("run-dead");
        fs::create_dir(&dead).unwrap();
        fs::write(dead.join("half"), b"half").unwrap();
        let first = Scratch::open(parent.path()).unwrap();
        assert!(!dead.exists());
        let kept = first.file().unwrap();
        let second = Scratch::open(parent.path()).unwrap();
        assert!(kept.path().exists());
        assert_eq!(folders(parent.path()), 2);
        drop((first, kept, second));
        assert_eq!(folders(parent.path()), 0);
    }
}
