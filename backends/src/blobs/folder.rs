//! Blobs in a folder: results below a state folder, artifacts under their names, sources read in place.
//!
//! Whatever appears under its final name was written elsewhere, synced and renamed, so a crash leaves either the whole
//! file or none.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use pagemill_domain::hash::ContentHash;
use pagemill_domain::outcome::Artifact;
use pagemill_domain::shard::{ResultRef, SourceLocation};
use tempfile::NamedTempFile;

use super::{BlobError, BlobName, Blobs, OpenedSource, Upload, check_artifact_name, io_error, pieces};

/// Blobs in a folder.
#[derive(Debug, Clone)]
pub struct FolderBlobs {
    artifacts: PathBuf,
    results: PathBuf,
    staging: PathBuf,
}

/// An artifact that is being written.
#[derive(Debug)]
pub struct Staging(pub(super) NamedTempFile);

impl Staging {
    /// The file to write to.
    pub fn file(&mut self) -> &mut File {
        self.0.as_file_mut()
    }
}

impl FolderBlobs {
    /// Artifacts below `artifacts`, everything else below `state`, which must lie on the same file system. What an
    /// earlier run left half-written is removed.
    pub fn open(artifacts: &Path, state: &Path) -> Result<Self, BlobError> {
        let blobs = Self {
            artifacts: artifacts.into(),
            results: state.join("results"),
            staging: state.join("staging"),
        };
        if blobs.staging.exists() {
            fs::remove_dir_all(&blobs.staging)
                .map_err(io_error("remove unfinished files in", &blobs.staging))?;
        }
        for folder in [&blobs.artifacts, &blobs.results, &blobs.staging] {
            fs::create_dir_all(folder).map_err(io_error("create folder", folder))?;
        }
        Ok(blobs)
    }

    /// Two levels, so that no folder holds millions of entries.
    fn result_path(&self, hash: ContentHash) -> PathBuf {
        let name = hash.to_string();
        self.results.join(&name[..2]).join(&name)
    }

    fn artifact_path(&self, name: &str) -> Result<PathBuf, BlobError> {
        check_artifact_name(name)?;
        Ok(self.artifacts.join(name))
    }

    fn new_staging(&self) -> Result<NamedTempFile, BlobError> {
        // The mode that the user's umask gives any new file, not the private one of temporary files.
        let mode = fs::Permissions::from_mode(0o666);
        let mut builder = tempfile::Builder::new();
        builder
            .permissions(mode)
            .tempfile_in(&self.staging)
            .map_err(io_error("create a file in", &self.staging))
    }
}

#[async_trait]
impl Blobs for FolderBlobs {
    async fn put_result(&self, bytes: Vec<u8>) -> Result<ContentHash, BlobError> {
        let hash = ContentHash::of(&bytes);
        let path = self.result_path(hash);
        // A file of that name is whole: it can only have come by rename.
        if !path.exists() {
            let mut file = self.new_staging()?;
            file.write_all(&bytes).map_err(io_error("write", &path))?;
            persist(file, &path)?;
        }
        Ok(hash)
    }

    async fn get_result(&self, result: &ResultRef) -> Result<Vec<u8>, BlobError> {
        let path = self.result_path(result.blob);
        let mut file = File::open(&path).map_err(io_error("open", &path))?;
        let end = file.metadata().map_err(io_error("look at", &path))?.len();
        if result.offset.checked_add(result.length).is_none_or(|result_end| result_end > end) {
            return Err(BlobError::Damaged(result.blob));
        }
        file.seek(SeekFrom::Start(result.offset)).map_err(io_error("read", &path))?;
        let mut bytes = Vec::new();
        file.take(result.length).read_to_end(&mut bytes).map_err(io_error("read", &path))?;
        if ContentHash::of(&bytes) == result.hash { Ok(bytes) } else { Err(BlobError::Damaged(result.blob)) }
    }

    async fn open_source(
        &self,
        location: &SourceLocation,
        _hash: Option<ContentHash>,
    ) -> Result<OpenedSource, BlobError> {
        match location {
            SourceLocation::File(path) => {
                let file = open_regular(path).map_err(io_error("open", path))?;
                Ok(OpenedSource::whole(file, false))
            }
            SourceLocation::Blob { hash, .. } => Err(not_served(&format!("uploaded source {hash}"))),
            SourceLocation::Object(address) => Err(not_served(address)),
        }
    }

    async fn stage_artifact(&self) -> Result<Staging, BlobError> {
        self.new_staging().map(Staging)
    }

    async fn commit_artifact(
        &self,
        staging: Staging,
        name: &str,
        _hash: ContentHash,
    ) -> Result<(), BlobError> {
        let path = self.artifact_path(name)?;
        persist(staging.0, &path)
    }

    async fn artifact_bytes(&self, artifact: &Artifact) -> Result<Option<u64>, BlobError> {
        let path = self.artifact_path(&artifact.name)?;
        match fs::symlink_metadata(&path) {
            Ok(metadata) => Ok(metadata.is_file().then_some(metadata.len())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(io_error("look at", &path)(error)),
        }
    }

    async fn remove_artifact(&self, name: &str) -> Result<(), BlobError> {
        let path = self.artifact_path(name)?;
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(io_error("remove", &path)(error)),
            _ => Ok(()),
        }
    }

    async fn read_artifact(
        &self,
        artifact: &Artifact,
        offset: u64,
    ) -> Result<BoxStream<'static, Result<Bytes, BlobError>>, BlobError> {
        let path = self.artifact_path(&artifact.name)?;
        let file = File::open(&path).map_err(io_error("open", &path))?;
        Ok(pieces::of_file(file, offset..u64::MAX, io_error("read", &path)))
    }

    async fn missing_sources(
        &self,
        _tenant: &str,
        hashes: &[ContentHash],
    ) -> Result<Vec<ContentHash>, BlobError> {
        Ok(hashes.to_vec())
    }

    async fn begin_upload(
        &self,
        _tenant: &str,
        _hash: ContentHash,
        _bytes: u64,
    ) -> Result<Box<dyn Upload>, BlobError> {
        Err(not_served("an upload"))
    }

    fn old_blobs(&self, _put_before: SystemTime) -> BoxStream<'static, Result<BlobName, BlobError>> {
        Box::pin(futures::stream::empty())
    }

    async fn check_blob(&self, name: &BlobName) -> Result<u64, BlobError> {
        Err(not_served(&format!("check of {name}")))
    }

    async fn remove_blob(&self, name: &BlobName) -> Result<(), BlobError> {
        Err(not_served(&format!("removal of {name}")))
    }
}

fn not_served(what: &str) -> BlobError {
    BlobError::NotServed(format!("{what}: an output folder holds artifacts; sources are read in place"))
}

/// Opens a regular file without ever waiting: a named pipe among the inputs must not stop a worker.
fn open_regular(path: &Path) -> io::Result<File> {
    let flags = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"))
    }
}

/// Syncs the file, renames it, and syncs the folder that names it.
fn persist(file: NamedTempFile, path: &Path) -> Result<(), BlobError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(io_error("create folder", folder))?;
    file.as_file().sync_all().map_err(io_error("sync", path))?;
    file.persist(path).map_err(|error| io_error("rename to", path)(error.error))?;
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(io_error("sync folder", folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn keeps_the_promises_of_blobs() {
        let folder = tempfile::tempdir().unwrap();
        let blobs = FolderBlobs::open(folder.path(), &folder.path().join(".pagemill")).unwrap();
        super::super::conformance::run(&blobs).await;
    }

    #[tokio::test]
    async fn a_half_written_artifact_is_gone_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join(".pagemill");
        let blobs = FolderBlobs::open(folder.path(), &state).unwrap();
        let mut staging = blobs.stage_artifact().await.unwrap();
        staging.file().write_all(b"half").unwrap();
        let _killed = staging.0.keep().unwrap();
        assert_eq!(fs::read_dir(state.join("staging")).unwrap().count(), 1);
        FolderBlobs::open(folder.path(), &state).unwrap();
        assert_eq!(fs::read_dir(state.join("staging")).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn a_named_pipe_is_refused_without_waiting() {
        let folder = tempfile::tempdir().unwrap();
        let blobs = FolderBlobs::open(folder.path(), &folder.path().join(".pagemill")).unwrap();
        let pipe = folder.path().join("scan.jpg");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
        assert!(made.success());
        assert!(blobs.open_source(&SourceLocation::File(pipe), None).await.is_err());
    }
}
