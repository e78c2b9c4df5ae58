//! How long others may be silent before they count as gone.

use std::time::Duration;

/// A worker that beat within this time is live, whatever its leases are: two coordinators' clocks differ a little.
const WORKER_LIVE_MIN: Duration = Duration::from_secs(30);

/// How a coordinator notices that another coordinator, a worker or a message is gone. All times are its own: it
/// compares no clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeaseConfig {
    /// How often a leader looks at the shards' beats.
    pub tick: Duration,
    /// How often a leader moves its own beat, and the others look at it.
    pub leader_tick: Duration,
    /// A leader whose beat stands still for this long is replaced.
    pub leader_silence_max: Duration,
    /// A shard whose beats stand still for this long is lost.
    pub shard_silence_max: Duration,
    /// A shard that no worker named for this long, though slots are free, is sent again.
    pub unclaimed_max: Duration,
    /// A draft that was opened so long ago and never sealed is removed. Filling a large one may take days.
    pub draft_age_max: Duration,
    /// A worker that is silent for this long is forgotten.
    pub worker_silence_max: Duration,
}

impl Default for LeaseConfig {
    fn default() -> Self {
        Self {
            tick: Duration::from_secs(2),
            // Another leads at most `leader_silence_max` and two ticks after a leader died.
            leader_tick: Duration::from_secs(1),
            leader_silence_max: Duration::from_secs(5),
            shard_silence_max: Duration::from_secs(20),
            unclaimed_max: Duration::from_mins(1),
            draft_age_max: Duration::from_hours(7 * 24),
            worker_silence_max: Duration::from_hours(1),
        }
    }
}

impl LeaseConfig {
    /// A worker that beat within this time is live: it is counted, and shown as such. Longer than its shards are its own.
    #[must_use]
    pub fn worker_live_max(&self) -> Duration {
        WORKER_LIVE_MIN.max(self.shard_silence_max * 3 / 2)
    }
}
