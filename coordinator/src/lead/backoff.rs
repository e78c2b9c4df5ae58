//! How long to wait after a failure.

use std::time::Duration;

/// The first wait.
const FIRST: Duration = Duration::from_millis(100);

/// The longest wait: what was down for hours is noticed within this time.
const LONGEST: Duration = Duration::from_secs(5);

/// Waits that double.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    tries: u32,
}

impl Backoff {
    /// How long to wait now.
    pub(crate) fn next(&mut self) -> Duration {
        let wait = FIRST.saturating_mul(1 << self.tries.min(10)).min(LONGEST);
        self.tries += 1;
        wait
    }

    /// Failures in a row.
    pub(crate) fn tries(&self) -> u32 {
        self.tries
    }

    /// It worked.
    pub(crate) fn reset(&mut self) {
        self.tries = 0;
    }
}
