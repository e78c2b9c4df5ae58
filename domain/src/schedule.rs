//! Scheduling: which jobs the next shards come from.
//!
//! The window is small, so every choice is made late: a job that comes in now competes at the next free place, however
//! much was submitted before it.

use std::collections::BTreeMap;

use crate::ids::JobId;
use crate::job::Urgency;

/// A job of at most so many pages travels page by page through the express queue.
pub const EXPRESS_PAGES_MAX: u64 = 16;

/// What a job has waiting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Demand {
    /// Which job.
    pub job: JobId,
    /// Whose.
    pub tenant: String,
    /// How it competes.
    pub urgency: Urgency,
    /// Pages that its inspected sources declared and that are not final.
    pub pages_open: u64,
    /// Sources that wait to be inspected, or are being inspected.
    pub sources_open: u64,
    /// Documents that are not delivered.
    pub documents_open: u64,
    /// Pages declared in all.
    pub pages_declared: u64,
    /// Its shards that are on their way.
    pub shards_in_flight: usize,
}

impl Demand {
    /// Whether anything may be cut from it.
    #[must_use]
    pub const fn waits(&self) -> bool {
        self.pages_open + self.sources_open + self.documents_open > 0
    }

    /// Whether it travels past the bulk. A job whose sources are still being inspected is judged by what it has so far.
    #[must_use]
    pub const fn is_express(&self) -> bool {
        self.pages_declared + self.sources_open <= EXPRESS_PAGES_MAX
    }
}

/// How many places each job gets of `room`, in the order in which they are to be filled.
///
/// Priority goes first, then whoever would miss a deadline; jobs that are equal share: tenants alike, and each tenant's
/// jobs alike, counting what is on its way already. A job that is lower still gets one place in eight, so that
/// nobody starves.
#[must_use]
pub fn allot(demands: &[Demand], room: usize) -> Vec<(JobId, usize)> {
    let mut waiting: Vec<&Demand> = demands.iter().filter(|demand| demand.waits()).collect();
    waiting.sort_by_key(|demand| rank(demand));
    let mut held = Held::of(demands);
    let mut allotted: Vec<(JobId, usize)> = Vec::new();
    for place in 0..room {
        let Some(best) = pick(&waiting, &held, place % STARVING_EVERY == STARVING_EVERY - 1) else { break };
        held.add(best);
        match allotted.iter_mut().find(|(job, _)| *job == best.job) {
            Some((_, places)) => *places += 1,
            None => allotted.push((best.job, 1)),
        }
    }
    allotted
}

/// Every so many places, one goes by fairness alone.
const STARVING_EVERY: usize = 8;

/// Smaller goes first.
fn rank(demand: &Demand) -> (u8, i64) {
    let lateness = demand.urgency.deadline_unix_seconds.unwrap_or(i64::MAX);
    (u8::MAX - demand.urgency.priority, lateness)
}

/// Places held, by tenant and by job.
struct Held<'a> {
    tenants: BTreeMap<&'a str, usize>,
    jobs: BTreeMap<JobId, usize>,
}

impl<'a> Held<'a> {
    fn of(demands: &'a [Demand]) -> Self {
        let mut held = Self { tenants: BTreeMap::new(), jobs: BTreeMap::new() };
        for demand in demands {
            *held.tenants.entry(&demand.tenant).or_default() += demand.shards_in_flight;
            held.jobs.insert(demand.job, demand.shards_in_flight);
        }
        held
    }

    fn add(&mut self, demand: &'a Demand) {
        *self.tenants.entry(&demand.tenant).or_default() += 1;
        *self.jobs.entry(demand.job).or_default() += 1;
    }

    fn share(&self, demand: &Demand) -> (usize, usize, JobId) {
        (self.tenants[demand.tenant.as_str()], self.jobs[&demand.job], demand.job)
    }
}

/// The job that gets the next place: of the most urgent ones, or of all, the one that holds least.
fn pick<'a>(waiting: &[&'a Demand], held: &Held<'_>, of_all: bool) -> Option<&'a Demand> {
    let first = rank(waiting.first()?);
    let candidates = waiting.iter().filter(|demand| of_all || rank(demand) == first);
    candidates.min_by_key(|demand| held.share(demand)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn demand(job: i64, tenant: &str, priority: u8, pages: u64) -> Demand {
        Demand {
            job: JobId(job),
            tenant: tenant.into(),
            urgency: Urgency { priority, deadline_unix_seconds: None },
            pages_open: pages,
            sources_open: 0,
            documents_open: 1,
            pages_declared: pages,
            shards_in_flight: 0,
        }
    }

    fn places(allotted: &[(JobId, usize)], job: i64) -> usize {
        allotted.iter().find(|(id, _)| *id == JobId(job)).map_or(0, |(_, places)| *places)
    }

    #[test]
    fn one_page_behind_a_million_is_next() {
        let mut million = demand(1, "a", 5, 1_000_000);
        million.shards_in_flight = 8;
        let one = demand(2, "a", 5, 1);
        assert!(one.is_express() && !million.is_express());
        assert_eq!(allot(&[million, one], 1), [(JobId(2), 1)]);
    }

    #[test]
    fn tenants_share_alike_however_many_jobs_they_have() {
        let jobs = [demand(1, "a", 5, 99), demand(2, "b", 5, 99), demand(3, "b", 5, 99)];
        let allotted = allot(&jobs, 16);
        assert_eq!(places(&allotted, 1), 8);
        assert_eq!(places(&allotted, 2) + places(&allotted, 3), 8);
    }

    #[test]
    fn priority_goes_first_and_starves_nobody() {
        let allotted = allot(&[demand(1, "a", 2, 99), demand(2, "b", 9, 99)], 16);
        assert_eq!((places(&allotted, 1), places(&allotted, 2)), (2, 14));
    }

    #[test]
    fn an_earlier_deadline_goes_first() {
        let mut late = demand(1, "a", 5, 99);
        late.urgency.deadline_unix_seconds = Some(2_000);
        let mut soon = demand(2, "b", 5, 99);
        soon.urgency.deadline_unix_seconds = Some(1_000);
        assert_eq!(allot(&[late, soon], 4), [(JobId(2), 4)]);
    }

    #[test]
    fn what_has_nothing_waiting_gets_nothing() {
        let mut idle = demand(1, "a", 9, 0);
        idle.documents_open = 0;
        assert_eq!(allot(&[idle], 4), []);
    }
}
