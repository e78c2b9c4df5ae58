//! How many shards wait in which queue, as far as we know: what was counted a moment ago, less what we took since.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::super::Lanes;
use super::super::lanes::Lane;

/// How long a count is believed: an express shard waits no longer for the next look.
const BELIEVED: Duration = Duration::from_millis(20);

/// What is known to all slots of a worker.
#[derive(Default)]
pub(super) struct Depths(Mutex<Counted>);

#[derive(Default)]
struct Counted {
    waiting: [u32; Lane::COUNT],
    at: Option<Instant>,
    turn: usize,
}

impl Depths {
    /// Notes a count.
    pub(super) fn set(&self, waiting: [u32; Lane::COUNT]) {
        let mut counted = self.lock();
        counted.waiting = waiting;
        counted.at = Some(Instant::now());
    }

    /// The queue to look into, if one is known to hold something; that one is taken.
    pub(super) fn claim(&self, lanes: Lanes) -> Option<Lane> {
        let mut counted = self.lock();
        let lane = counted.best(lanes)?;
        counted.waiting[lane.index()] -= 1;
        counted.turn += 1;
        Some(lane)
    }

    /// Whether [`Self::claim`] would find one.
    pub(super) fn promise(&self, lanes: Lanes) -> bool {
        self.lock().best(lanes).is_some()
    }

    /// Notes that a queue was empty after all: others were faster.
    pub(super) fn clear(&self, lane: Lane) {
        self.lock().waiting[lane.index()] = 0;
    }

    fn lock(&self) -> MutexGuard<'_, Counted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counted {
    fn best(&self, lanes: Lanes) -> Option<Lane> {
        self.at.filter(|at| at.elapsed() < BELIEVED)?;
        Lane::order(lanes, self.turn).iter().copied().find(|lane| self.waiting[lane.index()] > 0)
    }
}

#[cfg(test)]
mod tests {
    use pagemill_domain::shard::Stage;

    use super::super::super::Lanes;
    use super::super::super::lanes::Lane;
    use super::Depths;

    #[test]
    fn gives_out_no_more_than_was_counted() {
        let depths = Depths::default();
        assert!(!depths.promise(Lanes::All), "nothing was counted yet");
        depths.set([1, 0, 1, 0]);
        assert_eq!(depths.claim(Lanes::Express), Some(Lane::Express));
        assert_eq!(depths.claim(Lanes::Express), None);
        assert_eq!(depths.claim(Lanes::All), Some(Lane::Stage(Stage::Recognise)));
        assert_eq!(depths.claim(Lanes::All), None);
        depths.set([0, 5, 0, 0]);
        depths.clear(Lane::Stage(Stage::Inspect));
        assert!(!depths.promise(Lanes::All), "others were faster");
    }

    #[test]
    fn believes_no_old_count() {
        let depths = Depths::default();
        depths.set([1; Lane::COUNT]);
        std::thread::sleep(2 * super::BELIEVED);
        assert_eq!(depths.claim(Lanes::All), None);
    }
}
