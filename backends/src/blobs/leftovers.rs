//! What a killed process left half-written in a shared folder: files beside the blob that they were to become, named like
//! it with `#` and a number. A bucket has none; its rule for incomplete uploads sees to theirs.

use std::fs;
use std::io;
use std::path::Path;
use std::time::SystemTime;

/// Removes those that were last written to before that time.
pub(super) fn remove(folder: &Path, written_before: SystemTime) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            remove(&entry.path(), written_before)?;
        } else if kind.is_file() && is_leftover(&entry.file_name().to_string_lossy()) {
            // It may be finished or removed at this very moment.
            let written = entry.metadata().and_then(|metadata| metadata.modified());
            if written.is_ok_and(|written| written < written_before) {
                let _ = fs::remove_file(entry.path());
            }
        }
    }
    Ok(())
}

fn is_leftover(name: &str) -> bool {
    let parts = name.split_once('#');
    parts.is_some_and(|(_, number)| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn only_old_leftovers_go() {
        let folder = tempfile::tempdir().unwrap();
        let shelf = folder.path().join("results/ab");
        fs::create_dir_all(&shelf).unwrap();
        for name in ["abcd", "abcd#1", "abcd#x", "abcd#"] {
            fs::write(shelf.join(name), b"half").unwrap();
        }
        remove(folder.path(), SystemTime::UNIX_EPOCH).unwrap();
        assert!(shelf.join("abcd#1").exists());
        remove(folder.path(), SystemTime::now() + Duration::from_mins(1)).unwrap();
        assert!(!shelf.join("abcd#1").exists());
        assert!(["abcd", "abcd#x", "abcd#"].iter().all(|name| shelf.join(name).exists()));
    }
}
