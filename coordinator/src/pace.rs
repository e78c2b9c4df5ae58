//! How fast jobs move, and when they will be done.

use std::collections::{HashMap, VecDeque};
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use pagemill_backends::store::{JobRow, JobStatus};
use pagemill_domain::ids::JobId;

use crate::Coordinator;

/// The pace is that of the last minutes: long enough for slow pages, short enough to follow workers that come and go.
const PACE_WINDOW: Duration = Duration::from_mins(5);

/// Looks that are remembered of a job: one every five seconds of the window.
const LOOKS_MAX: usize = 64;

/// The pages that active jobs had done, at the looks of the last minutes.
#[derive(Debug, Default)]
pub(crate) struct JobPaces {
    jobs: HashMap<JobId, VecDeque<(Instant, u64)>>,
}

impl JobPaces {
    /// Takes in how many pages each active job has done; others are forgotten.
    pub(crate) fn observe(&mut self, jobs: impl IntoIterator<Item = (JobId, u64)>, now: Instant) {
        let mut active = HashMap::new();
        for (job, pages_done) in jobs {
            let mut looks = self.jobs.remove(&job).unwrap_or_default();
            // Pages that became undone (a re-drive): the pace is measured anew.
            if looks.back().is_some_and(|&(_, before)| before > pages_done) {
                looks.clear();
            }
            looks.push_back((now, pages_done));
            while looks.len() > LOOKS_MAX || looks.front().is_some_and(|(at, _)| now - *at > PACE_WINDOW) {
                looks.pop_front();
            }
            active.insert(job, looks);
        }
        self.jobs = active;
    }

    /// Pages a second, where some were done.
    pub(crate) fn pages_per_second(&self, job: JobId) -> Option<f64> {
        let looks = self.jobs.get(&job)?;
        let ((from, before), (to, after)) = (looks.front()?, looks.back()?);
        let seconds = to.duration_since(*from).as_secs_f64();
        (after > before && seconds > 0.0).then(|| (after - before) as f64 / seconds)
    }
}

impl Coordinator {
    pub(crate) fn observe_paces(&self, jobs: &[JobRow], now: Instant) {
        let done = jobs.iter().map(|job| (job.id, job.status.ledger.pages.terminal()));
        self.paces.lock().unwrap_or_else(PoisonError::into_inner).observe(done, now);
    }

    /// Seconds to the end of an open job at its present pace.
    pub(crate) fn eta_seconds(&self, job: JobId, status: &JobStatus) -> Option<f64> {
        let pace = self.paces.lock().unwrap_or_else(PoisonError::into_inner).pages_per_second(job)?;
        Some(pages_to_go(status) / pace)
    }
}

/// Pages that are not final, and those that sources not yet inspected will declare if they are like the others.
fn pages_to_go(status: &JobStatus) -> f64 {
    let (sources, pages) = (&status.ledger.sources, &status.ledger.pages);
    let sources_open = sources.submitted.saturating_sub(sources.terminal()) as f64;
    let pages_per_source = pages.declared as f64 / (sources.inspected.max(1)) as f64;
    pages.declared.saturating_sub(pages.terminal()) as f64 + sources_open * pages_per_source
}

#[cfg(test)]
mod tests {
    use pagemill_backends::store::JobState;
    use pagemill_domain::ledger::{Ledger, PageCounts, SourceCounts};

    use super::*;

    #[test]
    fn the_pace_is_that_of_the_last_minutes() {
        let mut paces = JobPaces::default();
        let (start, job) = (Instant::now(), JobId(1));
        let at = |seconds| start + Duration::from_secs(seconds);
        paces.observe([(job, 0)], at(0));
        assert_eq!(paces.pages_per_second(job), None);
        paces.observe([(job, 1_000)], at(10));
        assert_eq!(paces.pages_per_second(job), Some(100.0));
        for look in 1..=60 {
            paces.observe([(job, 1_000 + look * 50)], at(10 + look * 5));
        }
        assert_eq!(paces.pages_per_second(job), Some(10.0), "the fast start is forgotten");
        paces.observe([(job, 7)], at(320));
        assert_eq!(paces.pages_per_second(job), None, "a re-drive");
        paces.observe([], at(325));
        assert!(paces.jobs.is_empty(), "no longer active");
    }

    #[test]
    fn sources_that_are_not_inspected_count_as_the_others() {
        let sources = SourceCounts { submitted: 10, inspected: 4, rejected: 1, cancelled: 0 };
        let pages = PageCounts { declared: 40, recognised: 30, ..PageCounts::default() };
        let ledger = Ledger { sources, pages, ..Ledger::default() };
        let status = JobStatus {
            state: JobState::Sealed,
            ledger,
            faults: 0,
            losses: 0,
            outcomes_ignored: 0,
            cpu_ms: 0,
            pages_read: 0,
        };
        assert!((pages_to_go(&status) - 60.0).abs() < f64::EPSILON);
    }
}
