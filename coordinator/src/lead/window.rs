//! The window: the shards that are on their way, and how large the next ones are.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::Duration;

use pagemill_backends::store::{OpenShard, ShardOrder, ShardSizes};
use pagemill_domain::ids::{Attempt, JobId, ShardAttempt, ShardId};
use pagemill_domain::outcome::{Outcome, Report};
use pagemill_domain::schedule::{Demand, allot};
use pagemill_domain::shard::{Shard, Stage};
use pagemill_domain::sharding::{Pace, pages_per_last_shard, pages_per_shard};

use crate::{CoordinatorConfig, LeaseConfig, WindowRule};

/// Most shards that are on their way at once in a lane, whatever the workers say they can take.
const WINDOW_SHARDS_MAX: usize = 4_096;

/// How many ticks a shard of an earlier leader may stay unclaimed while slots are free: it may never have been sent.
const INHERITED_UNCLAIMED_TICKS: u32 = 2;

/// What a leader remembers of the shards that are on their way. It can be wrong for a tick or two; the store is right.
#[derive(Debug, Default)]
pub(crate) struct Window {
    pub(super) flights: HashMap<ShardId, Flight>,
    /// Open shards that this leader didn't know at the last look.
    pub(super) strangers: HashSet<ShardId>,
    paces: HashMap<JobId, Pace>,
    /// Jobs that gave fewer shards than ordered: not asked again before something about them changed.
    exhausted: HashSet<JobId>,
    pub(super) looks: u64,
    pub(super) slots: Slots,
}

/// The slots of the workers that beat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Slots {
    /// All.
    pub(crate) all: usize,
    /// Those with a shard.
    pub(crate) busy: usize,
}

/// A shard that is on its way.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Flight {
    pub(super) attempt: Attempt,
    pub(super) job: JobId,
    pub(super) stage: Stage,
    pub(super) express: bool,
    pub(super) sending: Sending,
    /// The look before which it was sent.
    pub(super) look: u64,
    pub(super) beats: u64,
    /// How long its beats have stood still.
    pub(super) silence: Duration,
    /// How long it may stay unclaimed; doubles each time that it is sent again. `None`: as the configuration says.
    pub(super) unclaimed_max: Option<Duration>,
}

/// Whether the queue answers for a shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sending {
    /// It is being published.
    Now,
    /// The queue has it.
    Done,
    /// The queue may not have it.
    Failed,
    /// The queue will never take it as it is.
    Impossible,
}

impl Window {
    /// Takes over the open shards that an earlier leader sent.
    pub(crate) fn inherit(&mut self, open: &[OpenShard], leases: &LeaseConfig) {
        let unclaimed_max = Some(leases.tick * INHERITED_UNCLAIMED_TICKS);
        self.flights = open
            .iter()
            .map(|shard| {
                (
                    shard.dispatch.shard,
                    Flight { unclaimed_max, ..Flight::of(shard, self.looks, Sending::Done) },
                )
            })
            .collect();
    }

    /// Shards were cut, or advanced, and are about to be published.
    pub(crate) fn sent(&mut self, shards: &[Shard]) {
        for shard in shards {
            let flight = Flight {
                attempt: shard.attempt,
                job: shard.job,
                stage: shard.work.stage(),
                express: shard.express,
                sending: Sending::Now,
                look: self.looks,
                beats: 0,
                silence: Duration::ZERO,
                unclaimed_max: None,
            };
            self.flights.insert(shard.id, flight);
        }
    }

    /// Publishing this dispatch ended.
    pub(crate) fn published(&mut self, dispatch: ShardAttempt, sending: Sending) {
        let flight = self.flights.get_mut(&dispatch.shard);
        if let Some(flight) = flight.filter(|flight| flight.attempt == dispatch.attempt) {
            flight.sending = sending;
        }
    }

    /// Shards that the queue may not have.
    pub(crate) fn unpublished(&self) -> Vec<ShardId> {
        let failed = self.flights.iter().filter(|(_, flight)| flight.sending == Sending::Failed);
        let mut failed: Vec<ShardId> = failed.map(|(shard, _)| *shard).collect();
        failed.sort_unstable();
        failed
    }

    /// An outcome was applied; returns its job where the shard was known.
    pub(crate) fn answered(&mut self, outcome: &Outcome) -> Option<JobId> {
        let flight = self.flights.get(&outcome.shard)?;
        let job = flight.job;
        if flight.attempt == outcome.attempt {
            self.flights.remove(&outcome.shard);
        }
        self.exhausted.remove(&job);
        if let Report::Recognised(pages) = &outcome.report {
            self.paces.entry(job).or_default().observe(pages.len() as u32, outcome.wall_ms);
        }
        Some(job)
    }

    /// These are on their way no more.
    pub(crate) fn forget(&mut self, shards: &[ShardId]) {
        for shard in shards {
            if let Some(flight) = self.flights.remove(shard) {
                self.exhausted.remove(&flight.job);
            }
        }
    }

    /// These dispatches are over, whatever comes after them; returns their jobs.
    pub(crate) fn give_up(&mut self, dispatches: &[ShardAttempt]) -> BTreeSet<JobId> {
        let mut jobs = BTreeSet::new();
        for dispatch in dispatches {
            let known = self.flights.get(&dispatch.shard).filter(|flight| flight.attempt == dispatch.attempt);
            if let Some(flight) = known {
                self.exhausted.remove(&flight.job);
                jobs.insert(flight.job);
                self.flights.remove(&dispatch.shard);
            }
        }
        jobs
    }

    /// A job is closed.
    pub(crate) fn close(&mut self, job: JobId) {
        self.paces.remove(&job);
        self.exhausted.remove(&job);
    }

    /// There is something new to cut from a job.
    pub(crate) fn ask_again(&mut self, job: JobId) {
        self.exhausted.remove(&job);
    }

    /// Something changed that is not known here: every job is asked again.
    pub(crate) fn look_everywhere(&mut self) {
        self.exhausted.clear();
    }

    /// Jobs that gave fewer shards than ordered are not asked again for now.
    pub(crate) fn note_unfilled(&mut self, orders: &[ShardOrder], cut: &[Shard]) {
        for order in orders {
            let filled = cut.iter().filter(|shard| shard.job == order.job).count();
            if filled < order.shards_max {
                self.exhausted.insert(order.job);
            }
        }
    }

    /// Whether nothing is on its way.
    pub(crate) fn is_empty(&self) -> bool {
        self.flights.is_empty()
    }

    /// Whether nothing of this job is on its way.
    pub(crate) fn is_empty_of(&self, job: JobId) -> bool {
        !self.flights.values().any(|flight| flight.job == job)
    }

    /// How many shards of each stage are on their way.
    pub(crate) fn by_stage(&self) -> Vec<(&'static str, usize)> {
        let count = |stage| self.flights.values().filter(|flight| flight.stage == stage).count();
        Stage::ALL.map(|stage| (stage.name(), count(stage))).to_vec()
    }

    /// What the workers can take.
    pub(crate) fn set_slots(&mut self, slots: Slots) {
        self.slots = slots;
    }

    /// What to cut next for the express lane, or for the others.
    pub(crate) fn orders(
        &self,
        demands: &[Demand],
        express: bool,
        config: &CoordinatorConfig,
    ) -> Vec<ShardOrder> {
        let window = self.size(config.window);
        let on_the_way = self.flights.values().filter(|flight| flight.express == express).count();
        let room = window.saturating_sub(on_the_way);
        if room == 0 {
            return Vec::new();
        }
        let mut held: HashMap<JobId, usize> = HashMap::new();
        for flight in self.flights.values() {
            *held.entry(flight.job).or_default() += 1;
        }
        let candidates: Vec<Demand> = demands
            .iter()
            .filter(|demand| demand.is_express() == express && !self.exhausted.contains(&demand.job))
            .map(|demand| Demand {
                shards_in_flight: held.get(&demand.job).copied().unwrap_or(0),
                ..demand.clone()
            })
            .collect();
        let pages_open: HashMap<JobId, u64> =
            candidates.iter().map(|demand| (demand.job, demand.pages_open)).collect();
        allot(&candidates, room)
            .into_iter()
            .map(|(job, shards_max)| ShardOrder {
                job,
                shards_max,
                sizes: self.sizes(job, pages_open.get(&job).copied().unwrap_or(0), window, express, config),
                express,
            })
            .collect()
    }

    fn size(&self, rule: WindowRule) -> usize {
        match rule {
            WindowRule::Fixed(shards) => shards,
            WindowRule::PerSlot { shards, shards_min } => (self.slots.all * shards).max(shards_min),
        }
        .min(WINDOW_SHARDS_MAX)
    }

    /// How large a job's next shards are when so many of its pages are open.
    fn sizes(
        &self,
        job: JobId,
        pages_open: u64,
        window: usize,
        express: bool,
        config: &CoordinatorConfig,
    ) -> ShardSizes {
        if express {
            return ShardSizes { sources: 1, pages: 1 };
        }
        let pace = self.paces.get(&job).copied().unwrap_or_default();
        let pages_max = config.limits.pages_per_shard_max;
        let pages = pages_per_shard(pace.page_seconds(), config.shard_seconds, pages_max);
        let pages = pages_per_last_shard(pages_open, window, pages);
        ShardSizes { sources: config.sources_per_inspect_shard, pages }
    }
}

impl Flight {
    /// An open shard as the store tells of it.
    pub(super) fn of(shard: &OpenShard, look: u64, sending: Sending) -> Self {
        Self {
            attempt: shard.dispatch.attempt,
            job: shard.job,
            stage: shard.stage,
            express: shard.express,
            sending,
            look,
            beats: shard.beats,
            silence: Duration::ZERO,
            unclaimed_max: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use pagemill_domain::job::Urgency;
    use pagemill_domain::limits::Limits;
    use pagemill_domain::outcome::{Fingerprint, Outcome, PageReport, PageResult};
    use pagemill_domain::recipe::Recipe;
    use pagemill_domain::shard::Work;

    use super::*;

    fn config() -> CoordinatorConfig {
        CoordinatorConfig {
            limits: Limits::default(),
            name: "test".into(),
            window: WindowRule::PerSlot { shards: 2, shards_min: 4 },
            shard_seconds: 20.0,
            sources_per_inspect_shard: 32,
            leases: None,
        }
    }

    fn demand(job: i64, pages: u64) -> Demand {
        Demand {
            job: JobId(job),
            tenant: "default".into(),
            urgency: Urgency::default(),
            pages_open: pages,
            sources_open: 0,
            documents_open: 1,
            pages_declared: pages,
            shards_in_flight: 0,
        }
    }

    fn shard(id: i64, job: i64, express: bool) -> Shard {
        let (id, job, work) = (ShardId(id), JobId(job), Work::Recognise(Vec::new()));
        Shard { id, attempt: Attempt(1), job, express, recipe: Recipe::default(), work }
    }

    fn outcome(shard: &Shard, pages: u32, wall_ms: u64) -> Outcome {
        let page = |number| {
            let result = PageResult::Blank { summary: pagemill_domain::page::PageSummary::default() };
            PageReport { source: pagemill_domain::ids::SourceId(1), number, result }
        };
        Outcome {
            shard: shard.id,
            attempt: shard.attempt,
            job: Some(shard.job),
            fingerprint: Fingerprint::default(),
            cpu_ms: 0,
            wall_ms,
            report: Report::Recognised((1..=pages).map(page).collect()),
        }
    }

    fn places(orders: &[ShardOrder]) -> Vec<(i64, usize)> {
        orders.iter().map(|order| (order.job.0, order.shards_max)).collect()
    }

    #[test]
    fn a_small_job_has_a_lane_of_its_own() {
        let mut window = Window::default();
        let demands = [demand(1, 1_000_000), demand(2, 1)];
        let bulk: Vec<Shard> = (1..=4).map(|id| shard(id, 1, false)).collect();
        window.sent(&bulk);
        assert_eq!(places(&window.orders(&demands, false, &config())), [], "the lane is full");
        let express = window.orders(&demands, true, &config());
        assert_eq!(places(&express), [(2, 4)]);
        assert_eq!(express[0].sizes, ShardSizes { sources: 1, pages: 1 });
    }

    #[test]
    fn the_window_follows_the_slots() {
        let mut window = Window::default();
        let demands = [demand(1, 1_000_000)];
        assert_eq!(places(&window.orders(&demands, false, &config())), [(1, 4)], "nobody works yet");
        window.set_slots(Slots { all: 16, busy: 0 });
        assert_eq!(places(&window.orders(&demands, false, &config())), [(1, 32)]);
        window.set_slots(Slots { all: 1_000_000, busy: 0 });
        assert_eq!(places(&window.orders(&demands, false, &config())), [(1, WINDOW_SHARDS_MAX)]);
    }

    #[test]
    fn a_job_that_has_no_more_leaves_its_places_to_others() {
        let mut window = Window::default();
        let demands = [demand(1, 1_000), demand(2, 1_000)];
        let orders = window.orders(&demands, false, &config());
        assert_eq!(places(&orders), [(1, 2), (2, 2)]);
        let cut = [shard(1, 1, false), shard(2, 2, false), shard(3, 2, false)];
        window.note_unfilled(&orders, &cut);
        window.sent(&cut);
        assert_eq!(places(&window.orders(&demands, false, &config())), [(2, 1)]);
        assert_eq!(window.answered(&outcome(&cut[0], 1, 10)), Some(JobId(1)));
        assert_eq!(places(&window.orders(&demands, false, &config())), [(1, 2)], "it may have more now");
        let orders = window.orders(&demands, false, &config());
        window.note_unfilled(&orders, &[]);
        assert_eq!(places(&window.orders(&demands, false, &config())), [(2, 2)]);
        window.ask_again(JobId(1));
        assert_eq!(places(&window.orders(&demands, false, &config())), [(1, 2)]);
    }

    #[test]
    fn shards_hold_the_work_that_was_measured() {
        let mut window = Window::default();
        let demands = [demand(1, 1_000_000)];
        let pages = |window: &Window| window.orders(&demands, false, &config())[0].sizes.pages;
        assert_eq!(pages(&window), 20, "a second a page, unmeasured");
        for id in 0..100 {
            let shard = shard(id, 1, false);
            window.sent(std::slice::from_ref(&shard));
            window.answered(&outcome(&shard, 10, 40_000));
        }
        assert_eq!(pages(&window), 5, "four seconds a page");
    }

    #[test]
    fn a_late_outcome_leaves_the_next_attempt_on_its_way() {
        let mut window = Window::default();
        let first = shard(1, 1, false);
        window.sent(std::slice::from_ref(&first));
        assert_eq!(window.give_up(&[first.dispatch()]), BTreeSet::from([JobId(1)]));
        window.sent(&[Shard { attempt: Attempt(2), ..first.clone() }]);
        window.answered(&outcome(&first, 1, 10));
        assert!(!window.is_empty());
        assert_eq!(window.give_up(&[first.dispatch()]), BTreeSet::new(), "that attempt is over already");
    }
}
