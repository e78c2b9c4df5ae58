//! Patience with blobs: what must be stored is tried as long as it takes, what must be fetched for a while.

use std::time::{Duration, Instant};

use pagemill_backends::blobs::BlobError;

use crate::WorkerError;
use crate::back_off::BackOff;
use crate::error::Halt;
use crate::slot::Bench;

impl Bench {
    /// Does what must be done before the outcome, however long the blob store is away. The shard stays in hand.
    pub(crate) fn persist<T, F>(&self, mut attempt: impl FnMut() -> F) -> Result<T, Halt>
    where
        F: Future<Output = Result<T, BlobError>>,
    {
        let mut back_off = BackOff::default();
        loop {
            match self.wait(attempt()) {
                Err(error) if is_away(&error) => self.wait_for_blobs(&mut back_off, &error)?,
                done => return Ok(done?),
            }
        }
    }

    /// Fetches what a page needs, for at most `blob_wait_seconds_max` while the blob store is away and the worker
    /// isn't stopping. A full disk here ends a worker that is alone: every other page would fail as well.
    pub(crate) fn fetch<T, F>(&self, mut attempt: impl FnMut() -> F) -> Result<Result<T, BlobError>, Halt>
    where
        F: Future<Output = Result<T, BlobError>>,
    {
        let wait_max = Duration::from_secs(u64::from(self.config().limits.blob_wait_seconds_max));
        let (start, mut back_off) = (Instant::now(), BackOff::default());
        loop {
            match self.wait(attempt()) {
                Err(error) if error.is_disk_full() && !self.is_one_of_many() => return Err(error.into()),
                Err(error) if is_away(&error) && start.elapsed() < wait_max && !self.is_stopping() => {
                    self.wait_for_blobs(&mut back_off, &error)?;
                }
                fetched => return Ok(fetched),
            }
        }
    }

    /// Waits for room on this machine's disk; ends where nobody wants the shard any more.
    pub(crate) fn wait_for_room(&self, back_off: &mut BackOff, error: &WorkerError) -> Result<(), Halt> {
        if back_off.is_first() {
            tracing::error!(%error, "the disk is full; waiting for room");
        }
        self.pause(back_off.next_wait());
        self.check_wanted()
    }

    /// Waits before the next attempt; ends where nobody wants the shard any more.
    pub(crate) fn wait_for_blobs(&self, back_off: &mut BackOff, error: &BlobError) -> Result<(), Halt> {
        if back_off.is_first() {
            tracing::warn!(%error, "the blob store does not answer; trying again");
        } else {
            tracing::debug!(%error, "the blob store does not answer");
        }
        self.pause(back_off.next_wait());
        self.check_wanted()
    }
}

/// Whether the same may work later: rights are given back, and servers come back.
pub(crate) const fn is_away(error: &BlobError) -> bool {
    matches!(error, BlobError::Unavailable { .. } | BlobError::Refused { .. })
}
