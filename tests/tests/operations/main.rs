//! What an admin does to a cluster at work, each beside the same run without a cluster: backup and restore, a rolling
//! upgrade, a cluster that is locked down, and sources that many workers share.
#![allow(clippy::unwrap_used, reason = "a test that meets the unexpected fails")]

use std::time::Duration;

use pagemill_tests::baseline::Baseline;

mod backup;
mod from_nothing;
mod large_sources;
mod logs;
mod parts;
mod secured;
mod upgrade;

const FLAGS: [&str; 2] = ["--formats", "pdf,txt"];

/// Eight pages: some seconds of work for a worker.
static BASELINE: Baseline = Baseline::new(8, &FLAGS);

/// Longest wait for something that takes a moment, or a lease, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(90);
