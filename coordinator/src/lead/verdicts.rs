//! Which shards have lost their worker, and which were never claimed.

use std::collections::HashSet;
use std::time::Duration;

use pagemill_backends::store::OpenShard;
use pagemill_domain::ids::{ShardAttempt, ShardId};

use super::window::{Flight, Sending, Window};
use crate::LeaseConfig;

/// The longest time after which an unclaimed shard is sent again.
const UNCLAIMED_LONGEST: Duration = Duration::from_hours(1);

/// What is to be done about open shards.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Verdicts {
    /// Their worker fell silent, or their message is one that no queue takes: the next attempt begins. What is lost again
    /// and again is taken apart, and given up in the end.
    pub(crate) lost: Vec<ShardAttempt>,
    /// No worker took them though slots are free: the message is gone, and is sent again as it was.
    pub(crate) unclaimed: Vec<ShardId>,
}

impl Window {
    /// Begins a look at the open shards; what is sent from now on may be missing in what it finds.
    pub(crate) fn begin_look(&mut self) -> u64 {
        self.looks += 1;
        self.looks
    }

    /// Takes in what look number `look` found after so much time had `passed` (as far as it counts).
    pub(crate) fn judge(
        &mut self,
        open: &[OpenShard],
        look: u64,
        passed: Duration,
        leases: &LeaseConfig,
    ) -> Verdicts {
        let ids: HashSet<ShardId> = open.iter().map(|shard| shard.dispatch.shard).collect();
        self.flights.retain(|id, flight| flight.look >= look || ids.contains(id));
        let slots_are_free = 2 * self.slots.busy < self.slots.all;
        let mut verdicts = Verdicts::default();
        let mut strangers = HashSet::new();
        for shard in open {
            let id = shard.dispatch.shard;
            let Some(flight) = self.flights.get_mut(&id) else {
                // Answered a moment ago; or cut by a transaction whose answer never came, if it is there next time too.
                if self.strangers.contains(&id) {
                    self.flights.insert(id, Flight::of(shard, look, Sending::Failed));
                } else {
                    strangers.insert(id);
                }
                continue;
            };
            if flight.attempt < shard.dispatch.attempt {
                // Advanced by a transaction whose answer never came.
                *flight = Flight::of(shard, look, Sending::Failed);
            } else if flight.attempt == shard.dispatch.attempt {
                match flight.judge(shard.beats, passed, slots_are_free, leases) {
                    Some(Verdict::Lost) => verdicts.lost.push(shard.dispatch),
                    Some(Verdict::Unclaimed) => verdicts.unclaimed.push(id),
                    None => {}
                }
            }
        }
        self.strangers = strangers;
        verdicts
    }
}

enum Verdict {
    Lost,
    Unclaimed,
}

impl Flight {
    fn judge(
        &mut self,
        beats: u64,
        passed: Duration,
        slots_are_free: bool,
        leases: &LeaseConfig,
    ) -> Option<Verdict> {
        if self.sending == Sending::Impossible {
            return Some(Verdict::Lost);
        }
        if self.beats != beats {
            self.beats = beats;
            self.silence = Duration::ZERO;
            return None;
        }
        if beats > 0 {
            self.silence += passed;
            return (self.silence >= leases.shard_silence_max).then_some(Verdict::Lost);
        }
        if self.sending != Sending::Done || !slots_are_free {
            return None;
        }
        self.silence += passed;
        let unclaimed_max = self.unclaimed_max.unwrap_or(leases.unclaimed_max);
        if self.silence < unclaimed_max {
            return None;
        }
        self.silence = Duration::ZERO;
        self.unclaimed_max = Some((unclaimed_max * 2).min(UNCLAIMED_LONGEST));
        Some(Verdict::Unclaimed)
    }
}

#[cfg(test)]
mod tests {
    use pagemill_domain::ids::{Attempt, JobId};
    use pagemill_domain::shard::Stage;

    use super::super::window::Slots;
    use super::*;

    const TICK: Duration = Duration::from_secs(2);

    fn open(shard: i64, attempt: u32, beats: u64) -> OpenShard {
        OpenShard {
            dispatch: ShardAttempt { shard: ShardId(shard), attempt: Attempt(attempt) },
            job: JobId(1),
            stage: Stage::Recognise,
            express: false,
            beats,
            worker: None,
        }
    }

    fn look(window: &mut Window, shards: &[OpenShard], passed: Duration) -> Verdicts {
        let look = window.begin_look();
        window.judge(shards, look, passed, &LeaseConfig::default())
    }

    fn inherited(shards: &[OpenShard]) -> Window {
        let mut window = Window::default();
        window.inherit(shards, &LeaseConfig::default());
        window
    }

    #[test]
    fn a_worker_that_falls_silent_loses_its_shard() {
        let mut window = inherited(&[open(1, 1, 5)]);
        for _ in 0..9 {
            assert_eq!(look(&mut window, &[open(1, 1, 5)], TICK), Verdicts::default());
        }
        assert_eq!(look(&mut window, &[open(1, 1, 6)], TICK), Verdicts::default(), "it beat");
        for _ in 0..9 {
            assert_eq!(look(&mut window, &[open(1, 1, 6)], TICK), Verdicts::default());
        }
        assert_eq!(look(&mut window, &[open(1, 1, 6)], Duration::ZERO), Verdicts::default(), "broker down");
        assert_eq!(look(&mut window, &[open(1, 1, 6)], TICK).lost, [open(1, 1, 6).dispatch]);
    }

    #[test]
    fn what_nobody_claims_is_sent_again_only_while_slots_are_free() {
        let mut window = inherited(&[open(1, 1, 0)]);
        let looks_until_unclaimed = |window: &mut Window| {
            (1..200).find(|_| !look(window, &[open(1, 1, 0)], TICK).unclaimed.is_empty())
        };
        window.set_slots(Slots { all: 4, busy: 4 });
        assert_eq!(looks_until_unclaimed(&mut window), None);
        window.set_slots(Slots { all: 4, busy: 1 });
        assert_eq!(looks_until_unclaimed(&mut window), Some(2), "inherited: may never have been sent");
        assert_eq!(looks_until_unclaimed(&mut window), Some(4), "each time it waits twice as long");
    }

    #[test]
    fn what_no_queue_takes_is_lost_at_once() {
        let mut window = inherited(&[open(1, 1, 0)]);
        window.published(open(1, 1, 0).dispatch, Sending::Impossible);
        assert_eq!(look(&mut window, &[open(1, 1, 0)], TICK).lost, [open(1, 1, 0).dispatch]);
        assert!(window.unpublished().is_empty(), "trying the same again changes nothing");
    }

    #[test]
    fn a_shard_whose_cutting_was_never_confirmed_is_found() {
        let mut window = Window::default();
        look(&mut window, &[open(7, 1, 0)], TICK);
        assert!(window.unpublished().is_empty(), "it may have been answered a moment ago");
        look(&mut window, &[open(7, 1, 0)], TICK);
        assert_eq!(window.unpublished(), [ShardId(7)]);
        look(&mut window, &[open(7, 2, 0)], TICK);
        assert_eq!(window.unpublished(), [ShardId(7)], "advanced by somebody");
        look(&mut window, &[], TICK);
        assert!(window.is_empty(), "gone from the store");
    }
}
