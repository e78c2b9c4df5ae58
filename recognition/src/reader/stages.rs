//! Where a page's CPU time goes.

use rustix::time::{ClockId, clock_gettime};

/// CPU milliseconds by stage, of the reading thread.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct StageCpu {
    /// Clean-up: channel, scaling, straightening, blank detection.
    pub prepare_ms: u32,
    /// Finding which way up the page lies.
    pub orientation_ms: u32,
    /// Lines, columns, tables, reading order.
    pub layout_ms: u32,
    /// The engine.
    pub recognise_ms: u32,
}

impl StageCpu {
    /// All stages together.
    #[must_use]
    pub const fn total_ms(&self) -> u32 {
        self.prepare_ms + self.orientation_ms + self.layout_ms + self.recognise_ms
    }
}

/// The CPU time of this thread since the last lap.
pub(super) struct CpuClock {
    last_us: u64,
}

impl CpuClock {
    pub(super) fn start() -> Self {
        Self { last_us: now_us() }
    }

    /// Whole milliseconds since the last lap; what rounding leaves over counts for the next.
    pub(super) fn lap_ms(&mut self) -> u32 {
        let passed_ms = (now_us().saturating_sub(self.last_us)) / 1000;
        self.last_us += passed_ms * 1000;
        passed_ms as u32
    }
}

fn now_us() -> u64 {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    now.tv_sec as u64 * 1_000_000 + now.tv_nsec as u64 / 1000
}
