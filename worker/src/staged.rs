//! Artifacts while they are written: staged, hashed on the way, committed together at the end.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::sync::{Arc, Mutex, PoisonError};

use pagemill_backends::blobs::{BlobError, Staging};
use pagemill_domain::hash::ContentHasher;
use pagemill_domain::outcome::Artifact;
use pagemill_domain::recipe::Format;

use crate::slot::Bench;

/// Bytes that are gathered before they go to the file.
const BUFFER_BYTES: usize = 256 << 10;

/// A file that is being written.
pub(crate) struct StagedArtifact {
    format: Format,
    name: String,
    staging: Staging,
    sum: Arc<Mutex<Sum>>,
}

#[derive(Default)]
struct Sum {
    hasher: ContentHasher,
    bytes: u64,
}

/// Where a format's writer writes to: the file, and the hash of all that goes there.
pub(crate) struct StagedWriter {
    out: BufWriter<File>,
    sum: Arc<Mutex<Sum>>,
}

impl StagedArtifact {
    /// A place for the artifact `name`, and what writes to it.
    pub(crate) fn new(
        bench: &Bench,
        format: Format,
        name: String,
    ) -> Result<(Self, StagedWriter), BlobError> {
        let mut staging = bench.wait(bench.blobs().stage_artifact())?;
        let file = staging.file().try_clone().map_err(|source| BlobError::Io {
            action: "open again",
            path: name.clone().into(),
            source,
        })?;
        let sum = Arc::<Mutex<Sum>>::default();
        let writer = StagedWriter { out: BufWriter::with_capacity(BUFFER_BYTES, file), sum: sum.clone() };
        Ok((Self { format, name, staging, sum }, writer))
    }

    /// Bytes that were written so far.
    pub(crate) fn bytes(&self) -> u64 {
        self.sum.lock().unwrap_or_else(PoisonError::into_inner).bytes
    }

    /// Makes the file durable and visible. Its writer must have been flushed and dropped.
    pub(crate) fn commit(self, bench: &Bench) -> Result<Artifact, BlobError> {
        let sum = std::mem::take(&mut *self.sum.lock().unwrap_or_else(PoisonError::into_inner));
        let hash = sum.hasher.finish();
        bench.wait(bench.blobs().commit_artifact(self.staging, &self.name, hash))?;
        Ok(Artifact { format: self.format, name: self.name, bytes: sum.bytes, hash })
    }
}

impl Write for StagedWriter {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        let count = self.out.write(piece)?;
        let mut sum = self.sum.lock().unwrap_or_else(PoisonError::into_inner);
        sum.hasher.update(&piece[..count]);
        sum.bytes += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
