//! How long a coordinator bears the silence of others. What depends on one another is checked together.

use std::time::Duration;

use pagemill_coordinator::LeaseConfig;
use serde::{Deserialize, Serialize};

use super::cluster::wrong;
use crate::failure::Failure;

/// `[leases]`: seconds, each counted by the coordinator's own clock. All coordinators of a cluster should have the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Leases {
    /// Between two looks of a leader at the shards' beats.
    tick_seconds: u32,
    /// Between two beats of a leader, and two looks at them.
    leader_tick_seconds: u32,
    /// A leader whose beat stands still for longer is replaced.
    leader_silence_seconds_max: u32,
    /// A shard whose beats stand still for longer begins its next attempt. Workers beat five times as often.
    shard_silence_seconds_max: u32,
    /// A shard that no worker named for longer, though slots are free, is sent again.
    unclaimed_seconds_max: u32,
    /// A worker that is silent for longer is forgotten.
    worker_silence_seconds_max: u32,
    /// A draft that is older is removed.
    draft_age_seconds_max: u32,
}

impl Default for Leases {
    fn default() -> Self {
        let LeaseConfig {
            tick,
            leader_tick,
            leader_silence_max,
            shard_silence_max,
            unclaimed_max,
            draft_age_max,
            worker_silence_max,
        } = LeaseConfig::default();
        let seconds = |time: Duration| time.as_secs() as u32;
        Self {
            tick_seconds: seconds(tick),
            leader_tick_seconds: seconds(leader_tick),
            leader_silence_seconds_max: seconds(leader_silence_max),
            shard_silence_seconds_max: seconds(shard_silence_max),
            unclaimed_seconds_max: seconds(unclaimed_max),
            worker_silence_seconds_max: seconds(worker_silence_max),
            draft_age_seconds_max: seconds(draft_age_max),
        }
    }
}

impl Leases {
    /// The same for a coordinator.
    pub(crate) fn config(&self) -> LeaseConfig {
        let time = |seconds: u32| Duration::from_secs(seconds.into());
        LeaseConfig {
            tick: time(self.tick_seconds),
            leader_tick: time(self.leader_tick_seconds),
            leader_silence_max: time(self.leader_silence_seconds_max),
            shard_silence_max: time(self.shard_silence_seconds_max),
            unclaimed_max: time(self.unclaimed_seconds_max),
            draft_age_max: time(self.draft_age_seconds_max),
            worker_silence_max: time(self.worker_silence_seconds_max),
        }
    }

    /// Refuses what would take the living for the dead: who is silent must have missed several looks.
    pub(super) fn check(&self) -> Result<(), Failure> {
        for (key, seconds) in [
            ("tick_seconds", self.tick_seconds),
            ("leader_tick_seconds", self.leader_tick_seconds),
            ("draft_age_seconds_max", self.draft_age_seconds_max),
        ] {
            if seconds == 0 {
                return Err(wrong(&format!("leases.{key}"), "must be 1 or more"));
            }
        }
        let tick = ("leases.tick_seconds", self.tick_seconds);
        let leader_tick = ("leases.leader_tick_seconds", self.leader_tick_seconds);
        let shard_silence = ("leases.shard_silence_seconds_max", self.shard_silence_seconds_max);
        for (key, seconds, (than, other)) in [
            ("leader_silence_seconds_max", self.leader_silence_seconds_max, leader_tick),
            ("shard_silence_seconds_max", self.shard_silence_seconds_max, tick),
            ("unclaimed_seconds_max", self.unclaimed_seconds_max, tick),
            ("worker_silence_seconds_max", self.worker_silence_seconds_max, shard_silence),
        ] {
            if u64::from(seconds) <= 2 * u64::from(other) {
                return Err(wrong(
                    &format!("leases.{key}"),
                    &format!("({seconds}) must be more than twice {than} ({other})"),
                ));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_hold_and_are_those_of_a_coordinator() {
        let leases = Leases::default();
        leases.check().unwrap();
        assert_eq!(leases.config(), LeaseConfig::default());
    }

    #[test]
    fn who_missed_a_single_look_is_never_gone() {
        for (leases, keys) in [
            (
                Leases { leader_silence_seconds_max: 2, ..Leases::default() },
                ["leases.leader_silence_seconds_max", "leases.leader_tick_seconds"],
            ),
            (
                Leases { tick_seconds: 10, ..Leases::default() },
                ["leases.shard_silence_seconds_max", "leases.tick_seconds"],
            ),
            (
                Leases { unclaimed_seconds_max: 4, ..Leases::default() },
                ["leases.unclaimed_seconds_max", "leases.tick_seconds"],
            ),
            (
                Leases { shard_silence_seconds_max: 1_800, ..Leases::default() },
                ["leases.worker_silence_seconds_max", "leases.shard_silence_seconds_max"],
            ),
        ] {
            let refusal = leases.check().unwrap_err().to_string();
            assert!(keys.iter().all(|key| refusal.contains(key)), "{refusal}");
        }
    }
}
