//! Which files of an output folder came there by a fetch: those may be replaced, others are somebody's.

use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use crate::failure::Failure;

/// The names of files that were fetched into a folder, ever: one a line.
pub(super) struct Fetched {
    file: Mutex<File>,
    /// Hashes of the names that were there at the beginning.
    names: HashSet<u64>,
}

impl Fetched {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
        let names = BufReader::new(File::open(path)?).lines().map(|name| Ok(beginning(&name?)));
        Ok(Self { names: names.collect::<io::Result<_>>()?, file: Mutex::new(file) })
    }

    /// Says that the file of that name at `path` is ours from now on; refuses to take somebody's.
    pub(super) fn claim(&self, name: &str, path: &Path) -> Result<(), Failure> {
        if self.names.contains(&beginning(name)) {
            return Ok(());
        }
        if fs::symlink_metadata(path).is_ok() {
            return Err(Failure::OutputTaken(path.to_owned()));
        }
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let written = file.write_all(format!("{name}\n").as_bytes());
        written.map_err(|error| Failure::Output { folder: path.to_owned(), why: error.to_string() })
    }
}

/// Two names that share it are one in a million million million.
fn beginning(name: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    name.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_fetched_may_be_replaced_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let (ours, theirs) = (folder.path().join("ours.pdf"), folder.path().join("theirs.pdf"));
        let record = folder.path().join("fetched");
        Fetched::open(&record).unwrap().claim("ours.pdf", &ours).unwrap();
        fs::write(&ours, b"").unwrap();
        fs::write(&theirs, b"").unwrap();
        let fetched = Fetched::open(&record).unwrap();
        fetched.claim("ours.pdf", &ours).unwrap();
        assert!(matches!(fetched.claim("theirs.pdf", &theirs), Err(Failure::OutputTaken(_))));
    }
}
