//! Time as this process saw it pass.

use std::time::{Duration, Instant};

/// Counts only the time that the process was there to see: a process that was stopped, or whose machine slept, can't
/// blame others for their silence meanwhile.
#[derive(Debug)]
pub(crate) struct Attention {
    gap_max: Duration,
    last: Option<Instant>,
}

impl Attention {
    /// Looks come every `tick`; a pause of more than two and a half of them was no attention.
    pub(crate) fn new(tick: Duration) -> Self {
        Self { gap_max: tick * 5 / 2, last: None }
    }

    /// The time since the last look, nothing where that was too long ago.
    pub(crate) fn look(&mut self, now: Instant) -> Duration {
        let gap = self.last.replace(now).map_or(Duration::ZERO, |last| now.saturating_duration_since(last));
        if gap > self.gap_max { Duration::ZERO } else { gap }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_that_nobody_saw_does_not_count() {
        let mut attention = Attention::new(Duration::from_secs(2));
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(attention.look(at(0)), Duration::ZERO);
        assert_eq!(attention.look(at(2)), Duration::from_secs(2));
        assert_eq!(attention.look(at(602)), Duration::ZERO);
        assert_eq!(attention.look(at(605)), Duration::from_secs(3));
    }
}
