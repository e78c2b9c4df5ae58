//! Waiting between attempts, longer each time.

use std::time::Duration;

/// The first wait.
const WAIT_MIN: Duration = Duration::from_millis(100);

/// The longest wait: a service that is back is noticed within this.
const WAIT_MAX: Duration = Duration::from_secs(5);

/// The waits between attempts at the same thing.
#[derive(Debug, Default)]
pub(crate) struct BackOff {
    attempts: u32,
}

impl BackOff {
    /// How long to wait before the next attempt.
    pub(crate) fn next_wait(&mut self) -> Duration {
        let wait = WAIT_MIN.saturating_mul(1 << self.attempts.min(16)).min(WAIT_MAX);
        self.attempts += 1;
        wait
    }

    /// Whether the next failure is the first one: the one that is worth a warning.
    pub(crate) const fn is_first(&self) -> bool {
        self.attempts == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_their_bound() {
        let mut back_off = BackOff::default();
        assert!(back_off.is_first());
        let waits: Vec<u128> = (0..8).map(|_| back_off.next_wait().as_millis()).collect();
        assert_eq!(waits, [100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000]);
        assert!(!back_off.is_first());
    }
}
