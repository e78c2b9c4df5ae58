//! Paths in stored and sent messages: file names need not be UTF-8, JSON must be.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer, Serializer};

use super::{escape, unescape};

/// Writes a path as text that loses nothing.
pub fn serialize<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&escape(path.as_os_str().as_bytes()))
}

/// Reads a path as it was written.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<PathBuf, D::Error> {
    let text = String::deserialize(deserializer)?;
    Ok(PathBuf::from(OsString::from_vec(unescape(&text))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shard::SourceLocation;

    #[test]
    fn a_path_that_is_not_text_comes_back_as_it_was() {
        let path = PathBuf::from(OsString::from_vec(b"/scans/caf\xe9 100%.jpg".to_vec()));
        let location = SourceLocation::File(path);
        let json = serde_json::to_string(&location).unwrap();
        assert_eq!(json, r#"{"file":"/scans/caf%E9 100%25.jpg"}"#);
        assert_eq!(serde_json::from_str::<SourceLocation>(&json).unwrap(), location);
    }
}
