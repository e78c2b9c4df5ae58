//! Sources that workers read where they are: files below configured folders, objects below configured prefixes.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::{Component, Path, PathBuf};
use std::str::FromStr;

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

use super::{BlobError, io_error};

/// Below what sources are served by reference. Nothing is, where none is configured.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SourceRoots {
    /// Absolute folders.
    pub folders: Vec<PathBuf>,
    /// Prefixes of objects.
    pub objects: Vec<ObjectAddress>,
}

/// An object's address, or the prefix of many.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectAddress {
    /// Its bucket.
    pub bucket: String,
    /// Its key, without slashes at its ends; empty for a whole bucket.
    pub key: String,
}

impl SourceRoots {
    /// Opens a file below one of the folders. No link may lead out of it, and none may be absolute.
    pub(super) fn open(&self, path: &Path) -> Result<File, BlobError> {
        let not_served =
            || BlobError::NotServed(format!("{} is not below a source root (source_roots)", path.display()));
        let plain = path.components().all(|part| matches!(part, Component::RootDir | Component::Normal(_)));
        let root = self.folders.iter().find(|root| plain && path.starts_with(root)).ok_or_else(not_served)?;
        let below = path.strip_prefix(root).map_err(|_| not_served())?;
        if below.as_os_str().is_empty() {
            return Err(not_served());
        }
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = rustix::fs::openat(CWD, root, flags, Mode::empty())
            .map_err(|error| io_error("open", path)(error.into()))?;
        match open_beneath(&folder, below) {
            Ok(file) if file.metadata().is_ok_and(|metadata| metadata.is_file()) => Ok(file),
            Ok(_) => Err(BlobError::NotServed(format!("{} is not a regular file", path.display()))),
            Err(Errno::XDEV | Errno::LOOP) => Err(not_served()),
            Err(Errno::NOENT) => Err(BlobError::Missing(format!("file {}", path.display()))),
            Err(error) => Err(io_error("open", path)(error.into())),
        }
    }
}

/// Without ever waiting: a named pipe among the sources must not stop a worker.
fn open_beneath(folder: &OwnedFd, below: &Path) -> Result<File, Errno> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let stay = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    rustix::fs::openat2(folder, below, flags, Mode::empty(), stay).map(File::from)
}

impl ObjectAddress {
    /// Whether the address lies at or below `prefix`.
    pub(super) fn is_below(&self, prefix: &Self) -> bool {
        let rest = self.key.strip_prefix(prefix.key.as_str());
        self.bucket == prefix.bucket
            && rest.is_some_and(|rest| prefix.key.is_empty() || rest.is_empty() || rest.starts_with('/'))
    }
}

impl FromStr for ObjectAddress {
    type Err = BlobError;

    /// Reads `s3://bucket/key`.
    fn from_str(text: &str) -> Result<Self, BlobError> {
        let bad = || BlobError::Misconfigured(format!("{text}: an object's address is s3://bucket/key"));
        let (bucket, key) = match text.strip_prefix("s3://").ok_or_else(bad)?.split_once('/') {
            Some((bucket, key)) => (bucket, key.trim_matches('/')),
            None => (text.trim_start_matches("s3://"), ""),
        };
        let bucket_ok = (1..=255).contains(&bucket.len())
            && bucket.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
        // A path of this kind has no `.`, no `..` and no empty part.
        let key_ok = key.is_empty() || object_store::path::Path::parse(key).is_ok();
        if bucket_ok && key_ok { Ok(Self { bucket: bucket.into(), key: key.into() }) } else { Err(bad()) }
    }
}

impl FromStr for SourceRoots {
    type Err = BlobError;

    /// Reads folders and `s3://bucket/prefix`, with `:` between them.
    fn from_str(text: &str) -> Result<Self, BlobError> {
        let mut roots = Self::default();
        let mut parts = text.split(':').filter(|part| !part.is_empty()).peekable();
        while let Some(part) = parts.next() {
            if let Some(rest) = parts.next_if(|rest| part == "s3" && rest.starts_with("//")) {
                roots.objects.push(format!("s3:{rest}").parse()?);
            } else if part.starts_with('/') && !part.split('/').any(|part| part == "..") {
                roots.folders.push(part.into());
            } else {
                return Err(BlobError::Misconfigured(format!("source root {part} is not an absolute path")));
            }
        }
        Ok(roots)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn only_files_below_a_root_are_served() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("scans");
        fs::create_dir_all(root.join("inner")).unwrap();
        fs::create_dir_all(folder.path().join("scans-secret")).unwrap();
        for file in ["secret.jpg", "scans/a.jpg", "scans/inner/b.jpg", "scans-secret/c.jpg"] {
            fs::write(folder.path().join(file), b"x").unwrap();
        }
        symlink("../secret.jpg", root.join("out.jpg")).unwrap();
        symlink(folder.path().join("secret.jpg"), root.join("absolute.jpg")).unwrap();
        symlink("..", root.join("up")).unwrap();
        symlink("inner/b.jpg", root.join("in.jpg")).unwrap();
        symlink("round.jpg", root.join("round.jpg")).unwrap();
        let roots = SourceRoots { folders: vec![root.clone()], ..SourceRoots::default() };
        for served in ["a.jpg", "inner/b.jpg", "in.jpg"] {
            assert!(roots.open(&root.join(served)).is_ok(), "{served}");
        }
        let hidden = [
            "out.jpg",
            "absolute.jpg",
            "up/secret.jpg",
            "../secret.jpg",
            "inner/../a.jpg",
            "round.jpg",
            "inner",
            "",
        ];
        for refused in hidden {
            let answer = roots.open(&root.join(refused));
            assert!(matches!(answer, Err(BlobError::NotServed(_))), "{refused}: {answer:?}");
        }
        let sibling = folder.path().join("scans-secret/c.jpg");
        assert!(matches!(roots.open(&sibling), Err(BlobError::NotServed(_))));
        assert!(matches!(SourceRoots::default().open(&root.join("a.jpg")), Err(BlobError::NotServed(_))));
        let gone = roots.open(&root.join("none.jpg")).unwrap_err();
        assert!(matches!(gone, BlobError::Missing(_)) && gone.is_gone());
        let unmounted = folder.path().join("unmounted");
        let roots = SourceRoots { folders: vec![unmounted.clone()], ..SourceRoots::default() };
        assert!(!roots.open(&unmounted.join("inner/a.jpg")).unwrap_err().is_gone(), "its disk may be back");
    }

    #[test]
    fn a_named_pipe_below_a_root_is_refused_without_waiting() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("scan.jpg");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let roots = SourceRoots { folders: vec![folder.path().into()], ..SourceRoots::default() };
        assert!(matches!(roots.open(&pipe), Err(BlobError::NotServed(_))));
    }

    #[test]
    fn roots_are_read_from_a_setting() {
        let roots: SourceRoots = "/srv/scans:s3://archive/incoming/:/mnt/b".parse().unwrap();
        assert_eq!(roots.folders, [PathBuf::from("/srv/scans"), PathBuf::from("/mnt/b")]);
        assert_eq!(roots.objects, [ObjectAddress { bucket: "archive".into(), key: "incoming".into() }]);
        assert_eq!("".parse::<SourceRoots>().unwrap(), SourceRoots::default());
        for bad in ["scans", "/srv/../etc", "s3://", "s3://b/../x", "s3:x"] {
            assert!(bad.parse::<SourceRoots>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_prefix_ends_at_a_slash() {
        let at = |text: &str| text.parse::<ObjectAddress>().unwrap();
        assert!(at("s3://b/in/x.jpg").is_below(&at("s3://b/in")));
        assert!(at("s3://b/in/x.jpg").is_below(&at("s3://b")));
        assert!(!at("s3://b/inner/x.jpg").is_below(&at("s3://b/in")));
        assert!(!at("s3://c/in/x.jpg").is_below(&at("s3://b/in")));
    }
}
