//! Scaling: how many workers the work in hand asks for.
//!
//! One rule serves jobs with and without a deadline: every job is *due* at some time. Jobs are taken in the order in
//! which they are due; what is due by a time, divided by the time that is left, is the pace that it takes. Backlog alone
//! would be a bad guide: it falls while the work goes well, and would take the workers away before the end.

use std::collections::VecDeque;

/// What a job still needs, and by when.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Due {
    /// Pages that are not final.
    pub pages: u64,
    /// Until it is to be done; negative where that has passed.
    pub seconds_left: f64,
}

/// The work in hand.
#[derive(Debug, Clone, PartialEq)]
pub struct Load {
    /// Every job that is worked on.
    pub dues: Vec<Due>,
    /// Seconds that a page takes in one slot, as measured.
    pub page_seconds: f64,
}

/// How workers are wanted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ScalingPolicy {
    /// Slots of one worker.
    pub slots_per_worker: u32,
    /// Workers that are wanted however little there is to do.
    pub workers_min: u32,
    /// Workers that are wanted at most.
    pub workers_max: u32,
    /// A job without a deadline is due so long after it was opened.
    pub patience_seconds: f64,
    /// How much faster than just in time: pages differ, nodes fail.
    pub headroom: f64,
    /// From asking for a worker to its first page: a pod is scheduled, an image pulled, models are loaded.
    pub start_seconds: f64,
    /// Workers go only when fewer were wanted all this time.
    pub calm_seconds: f64,
}

/// Nothing is asked to be done in less: the workers for it would come when it is over.
const SECONDS_LEFT_MIN: f64 = 120.0;

impl Default for ScalingPolicy {
    fn default() -> Self {
        Self {
            slots_per_worker: 4,
            workers_min: 0,
            workers_max: 64,
            patience_seconds: 3_600.0,
            headroom: 1.2,
            start_seconds: 60.0,
            calm_seconds: 600.0,
        }
    }
}

/// Workers that `load` asks for right now.
#[must_use]
pub fn workers_needed(load: &Load, policy: &ScalingPolicy) -> u32 {
    let mut dues = load.dues.clone();
    dues.sort_by(|a, b| a.seconds_left.total_cmp(&b.seconds_left));
    let (mut pages, mut slots) = (0_u64, 0.0_f64);
    for due in &dues {
        pages = pages.saturating_add(due.pages);
        let seconds = (due.seconds_left - policy.start_seconds).max(SECONDS_LEFT_MIN);
        slots = slots.max(pages as f64 * load.page_seconds * policy.headroom / seconds);
    }
    // A page can't be shared between slots; and where anything is open, somebody must be there to finish it.
    let slots = slots.min(pages as f64).max(if dues.is_empty() { 0.0 } else { 1.0 });
    let workers = (slots / f64::from(policy.slots_per_worker.max(1))).ceil() as u32;
    workers.clamp(policy.workers_min, policy.workers_max.max(policy.workers_min))
}

/// Workers wanted over time: up at once, down only after a calm.
#[derive(Debug, Clone, Default)]
pub struct Scaler {
    /// When so many were needed, falling: what a later and larger need outweighs is not kept, so it holds at most
    /// `workers_max` entries.
    needs: VecDeque<(f64, u32)>,
}

impl Scaler {
    /// A scaler that takes over where so many workers live: it sends none of them away before the first calm.
    #[must_use]
    pub fn taking_over(workers: u32, now_seconds: f64) -> Self {
        Self { needs: VecDeque::from([(now_seconds, workers)]) }
    }

    /// Workers wanted at `now_seconds` of any clock that only goes forward.
    pub fn wanted(&mut self, now_seconds: f64, load: &Load, policy: &ScalingPolicy) -> u32 {
        let needed = workers_needed(load, policy);
        while self.needs.back().is_some_and(|(_, earlier)| *earlier <= needed) {
            self.needs.pop_back();
        }
        self.needs.push_back((now_seconds, needed));
        while self.needs.front().is_some_and(|(when, _)| now_seconds - when > policy.calm_seconds) {
            self.needs.pop_front();
        }
        let wanted = self.needs.front().map_or(needed, |(_, most)| *most);
        wanted.clamp(policy.workers_min, policy.workers_max.max(policy.workers_min))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const POLICY: ScalingPolicy = ScalingPolicy {
        slots_per_worker: 2,
        workers_min: 0,
        workers_max: 50,
        patience_seconds: 3_600.0,
        headroom: 1.0,
        start_seconds: 0.0,
        calm_seconds: 300.0,
    };

    fn load(dues: &[(u64, f64)]) -> Load {
        let dues = dues.iter().map(|&(pages, seconds_left)| Due { pages, seconds_left }).collect();
        Load { dues, page_seconds: 1.0 }
    }

    #[test]
    fn nothing_to_do_wants_nobody_and_one_page_wants_one() {
        assert_eq!(workers_needed(&load(&[]), &POLICY), 0);
        assert_eq!(workers_needed(&load(&[(1, 3_600.0)]), &POLICY), 1);
        // Its pages are done, its document is not.
        assert_eq!(workers_needed(&load(&[(0, 3_600.0)]), &POLICY), 1);
    }

    #[test]
    fn a_deadline_is_kept_whatever_is_due_before_it() {
        assert_eq!(workers_needed(&load(&[(36_000, 3_600.0)]), &POLICY), 5);
        // 7,200 in the first hour, 36,000 in all in the second: the first hour is the tighter one.
        assert_eq!(workers_needed(&load(&[(28_800, 7_200.0), (7_200, 3_600.0)]), &POLICY), 3);
        assert_eq!(workers_needed(&load(&[(28_800, 7_200.0), (28_800, 3_600.0)]), &POLICY), 4);
    }

    #[test]
    fn what_is_late_is_bounded_by_the_limit_and_by_its_pages() {
        assert_eq!(workers_needed(&load(&[(1_000_000, -5.0)]), &POLICY), 50);
        assert_eq!(workers_needed(&load(&[(3, -5.0)]), &POLICY), 1);
    }

    #[test]
    fn up_at_once_down_after_a_calm() {
        let mut scaler = Scaler::default();
        let (busy, quiet) = (load(&[(36_000, 3_600.0)]), load(&[(100, 3_600.0)]));
        assert_eq!(scaler.wanted(0.0, &quiet, &POLICY), 1);
        assert_eq!(scaler.wanted(10.0, &busy, &POLICY), 5);
        assert_eq!(scaler.wanted(20.0, &quiet, &POLICY), 5);
        assert_eq!(scaler.wanted(310.0, &quiet, &POLICY), 5);
        assert_eq!(scaler.wanted(311.0, &quiet, &POLICY), 1);
        assert_eq!(scaler.wanted(900.0, &load(&[]), &POLICY), 0);
    }

    #[test]
    fn a_new_leader_sends_nobody_away_before_it_has_looked() {
        let mut scaler = Scaler::taking_over(9, 0.0);
        assert_eq!(scaler.wanted(1.0, &load(&[(100, 3_600.0)]), &POLICY), 9);
        assert_eq!(scaler.wanted(302.0, &load(&[(100, 3_600.0)]), &POLICY), 1);
    }

    proptest! {
        /// Whatever the load, what is wanted stays between the limits, covers the need, and the memory stays small.
        #[test]
        fn wanted_covers_the_need_within_its_limits(
            steps in prop::collection::vec((0_u64..500_000, -100.0..90_000.0_f64, 1.0..200.0_f64), 1..200),
        ) {
            let policy = ScalingPolicy { workers_min: 1, ..POLICY };
            let (mut scaler, mut now) = (Scaler::default(), 0.0);
            for (pages, seconds_left, step) in steps {
                now += step;
                let load = load(&[(pages, seconds_left)]);
                let wanted = scaler.wanted(now, &load, &policy);
                prop_assert!(wanted >= workers_needed(&load, &policy));
                prop_assert!((1..=50).contains(&wanted));
                prop_assert!(scaler.needs.len() <= 50);
            }
        }
    }
}
