//! How long to wait after a failure.

use std::time::Duration;

/// The first wait is this part of the time between two looks at the leader: 100 ms.
const FIRST_PART: u32 = 10;

/// The longest is so many times that time, 5 s: what was down for hours is noticed soon.
const LONGEST_TICKS: u32 = 5;

/// Waits that double.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    tries: u32,
}

impl Backoff {
    /// How long to wait now, where there is a look at the leader every `leader_tick`.
    pub(crate) fn next(&mut self, leader_tick: Duration) -> Duration {
        let wait = (leader_tick / FIRST_PART).saturating_mul(1 << self.tries.min(10));
        self.tries += 1;
        wait.min(leader_tick * LONGEST_TICKS)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_bound() {
        let mut backoff = Backoff::default();
        let tick = Duration::from_secs(1);
        let waits: Vec<u128> = (0..20).map(|_| backoff.next(tick).as_millis()).collect();
        assert_eq!((waits[..3].to_vec(), waits[19]), (vec![100, 200, 400], 5_000));
        backoff.reset();
        assert_eq!(backoff.next(tick), tick / 10);
    }
}
