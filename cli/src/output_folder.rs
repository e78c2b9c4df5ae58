//! The output folder and the lock that keeps a second run out of it.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

use pagemill_domain::naming::STATE_FOLDER;
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use crate::failure::Failure;

/// An output folder that this process alone writes to. The kernel gives the lock back when the process ends, however it ends.
#[derive(Debug)]
pub(crate) struct OutputFolder {
    path: PathBuf,
    _lock: File,
}

impl OutputFolder {
    /// Makes the folder if need be, and locks it.
    pub(crate) fn open(path: &Path) -> Result<Self, Failure> {
        let state = path.join(STATE_FOLDER);
        fs::create_dir_all(&state).map_err(|error| unusable(path, &error))?;
        Self::lock(path, &state)
    }

    /// Locks a folder in which there was a run.
    pub(crate) fn open_existing(path: &Path) -> Result<Self, Failure> {
        let state = path.join(STATE_FOLDER);
        if !state.is_dir() {
            return Err(Failure::NotAnOutput(path.to_owned()));
        }
        Self::lock(path, &state)
    }

    fn lock(path: &Path, state: &Path) -> Result<Self, Failure> {
        let opened =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(state.join("lock"));
        let mut file = opened.map_err(|error| unusable(path, &error))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => {
                let process = holder(&mut file);
                return Err(Failure::OutputLocked { folder: path.to_owned(), process });
            }
            Err(error) => return Err(unusable(path, &error.into())),
        }
        let written = file.set_len(0).and_then(|()| file.rewind());
        written
            .and_then(|()| writeln!(file, "{}", std::process::id()))
            .map_err(|error| unusable(path, &error))?;
        let path = fs::canonicalize(path).map_err(|error| unusable(path, &error))?;
        Ok(Self { path, _lock: file })
    }

    /// The folder: an absolute path.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The file of the run's store; not there before the first run.
    pub(crate) fn store(&self) -> PathBuf {
        self.state().join("state.db")
    }

    /// The folder of the run's state.
    pub(crate) fn state(&self) -> PathBuf {
        self.path.join(STATE_FOLDER)
    }
}

fn unusable(folder: &Path, error: &std::io::Error) -> Failure {
    Failure::Output { folder: folder.to_owned(), why: error.to_string() }
}

/// The process number that the holder of the lock wrote.
fn holder(file: &mut File) -> Option<String> {
    let mut text = String::new();
    file.take(16).read_to_string(&mut text).ok()?;
    text.trim().parse::<u32>().ok().map(|id| id.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_run_is_kept_out_until_the_first_ends() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("a/b");
        let first = OutputFolder::open(&out).unwrap();
        let Failure::OutputLocked { process, .. } = OutputFolder::open(&out).unwrap_err() else { panic!() };
        assert_eq!(process, Some(std::process::id().to_string()));
        drop(first);
        assert_eq!(
            OutputFolder::open(&out).unwrap().state(),
            fs::canonicalize(&out).unwrap().join(".pagemill")
        );
    }

    #[test]
    fn a_file_is_no_output_folder() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, b"").unwrap();
        assert!(matches!(OutputFolder::open(&file), Err(Failure::Output { .. })));
        assert!(matches!(OutputFolder::open_existing(folder.path()), Err(Failure::NotAnOutput(_))));
    }
}
