//! When a coordinator may take the leadership over.

use std::time::{Duration, Instant};

use pagemill_backends::store::LeaderLease;

use super::attention::Attention;
use crate::LeaseConfig;

/// The holder of a lease that its leader gave up in good order.
pub(crate) const NOBODY: &str = "";

/// Watches the lease. It compares no clocks: a leader is silent when its beat stands still while this process looks on.
#[derive(Debug)]
pub(crate) struct Challenger {
    silence_max: Duration,
    attention: Attention,
    seen: Option<(i64, i64)>,
    silence: Duration,
}

impl Challenger {
    pub(crate) fn new(leases: &LeaseConfig) -> Self {
        Self {
            silence_max: leases.leader_silence_max,
            attention: Attention::new(leases.leader_tick),
            seen: None,
            silence: Duration::ZERO,
        }
    }

    /// Takes in a look at the lease; returns whether it may be seized.
    pub(crate) fn sees_free(&mut self, lease: &LeaderLease, now: Instant) -> bool {
        let passed = self.attention.look(now);
        let seen = (lease.epoch, lease.beat);
        if self.seen.replace(seen) == Some(seen) {
            self.silence += passed;
        } else {
            self.silence = Duration::ZERO;
        }
        lease.holder == NOBODY || self.silence >= self.silence_max
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lease(epoch: i64, beat: i64, holder: &str) -> LeaderLease {
        LeaderLease { epoch, beat, holder: holder.into() }
    }

    #[test]
    fn only_a_silence_that_was_watched_frees_the_lease() {
        let mut challenger = Challenger::new(&LeaseConfig::default());
        let start = Instant::now();
        let mut sees = |seconds, beat| {
            challenger.sees_free(&lease(1, beat, "other"), start + Duration::from_secs(seconds))
        };
        assert!((0..5).all(|second| !sees(second, 1)), "silent for four seconds");
        assert!(!sees(5, 2), "it lives");
        assert!((6..10).all(|second| !sees(second, 2)));
        assert!(!sees(100, 2), "this process was stopped itself");
        assert!(sees(101, 2), "silent for five seconds that were watched");
    }

    #[test]
    fn a_lease_of_nobody_is_free_at_once() {
        let mut challenger = Challenger::new(&LeaseConfig::default());
        assert!(challenger.sees_free(&lease(0, 0, NOBODY), Instant::now()));
    }
}
