//! The simulated cluster: jobs, workers, and the clock.

use pagemill_domain::plan::SLOT_USE;
use pagemill_domain::scaling::{Due, Load, Scaler, ScalingPolicy};

/// Seconds of a step: as often as KEDA asks.
pub(crate) const STEP_SECONDS: f64 = 15.0;

/// A job as it comes in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Submission {
    /// When, in seconds since midnight.
    pub(crate) at: f64,
    /// Its pages.
    pub(crate) pages: f64,
    /// Its deadline, in seconds since midnight.
    pub(crate) due: Option<f64>,
    /// What its pages take; the scaler has to find out.
    pub(crate) page_seconds: f64,
}

/// A job that is done.
pub(crate) struct Finished {
    pub(crate) submission: Submission,
    /// When, in seconds since midnight.
    pub(crate) at: f64,
}

/// Who decides about workers.
pub(crate) enum Fleet {
    /// The scaler, as KEDA would follow it.
    Scaled(ScalingPolicy),
    /// So many, from the start.
    Fixed(u32),
}

/// The cluster at one moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    pub(crate) at: f64,
    pub(crate) pages_waiting: f64,
    pub(crate) wanted: u32,
    pub(crate) running: u32,
}

pub(crate) struct World {
    submissions: Vec<Submission>,
    open: Vec<(Submission, f64)>,
    pub(crate) finished: Vec<Finished>,
    fleet: Fleet,
    scaler: Scaler,
    /// When each worker reads its first page.
    workers: Vec<f64>,
    page_seconds_measured: f64,
    pub(crate) slot_seconds_paid: f64,
    pub(crate) slot_seconds_worked: f64,
    now: f64,
}

impl World {
    pub(crate) fn new(submissions: Vec<Submission>, fleet: Fleet) -> Self {
        Self {
            submissions,
            open: Vec::new(),
            finished: Vec::new(),
            fleet,
            scaler: Scaler::default(),
            workers: Vec::new(),
            // What an unmeasured engine is taken for.
            page_seconds_measured: 1.0,
            slot_seconds_paid: 0.0,
            slot_seconds_worked: 0.0,
            now: 0.0,
        }
    }

    /// Goes on until then; a record of every step.
    pub(crate) fn run_until(&mut self, end: f64) -> Vec<Moment> {
        let mut record = Vec::new();
        while self.now < end && !(self.is_done() && matches!(self.fleet, Fleet::Fixed(_))) {
            self.submit();
            let wanted = self.wanted();
            self.resize(wanted);
            record.push(Moment {
                at: self.now,
                pages_waiting: self.open.iter().map(|(_, left)| left).sum(),
                wanted,
                running: self.running(),
            });
            self.work();
            self.now += STEP_SECONDS;
        }
        record
    }

    fn is_done(&self) -> bool {
        self.open.is_empty() && self.submissions.is_empty()
    }

    fn submit(&mut self) {
        let come = self.submissions.partition_point(|job| job.at <= self.now);
        self.open.extend(self.submissions.drain(..come).map(|job| (job, job.pages)));
        // The schedule's order: deadlines first.
        self.open.sort_by(|(a, _), (b, _)| {
            a.due.unwrap_or(f64::MAX).total_cmp(&b.due.unwrap_or(f64::MAX)).then(a.at.total_cmp(&b.at))
        });
    }

    fn wanted(&mut self) -> u32 {
        let policy = match self.fleet {
            Fleet::Fixed(workers) => return workers,
            Fleet::Scaled(policy) => policy,
        };
        let due = |job: &Submission| job.due.unwrap_or(job.at + policy.patience_seconds);
        let dues = self
            .open
            .iter()
            .map(|(job, left)| Due { pages: left.ceil() as u64, seconds_left: due(job) - self.now });
        let load = Load { dues: dues.collect(), page_seconds: self.page_seconds_measured };
        self.scaler.wanted(self.now, &load, &policy)
    }

    /// Workers come after their start; those that go finish the page in hand, which costs nothing.
    fn resize(&mut self, wanted: u32) {
        let ready = self.now + ScalingPolicy::default().start_seconds;
        self.workers.resize(wanted as usize, ready);
    }

    fn running(&self) -> u32 {
        self.workers.iter().filter(|ready| **ready <= self.now).count() as u32
    }

    /// One step of all slots: as `domain::schedule` does it, one place in eight goes by fairness, the others by deadline.
    fn work(&mut self) {
        let slots = f64::from(ScalingPolicy::default().slots_per_worker);
        self.slot_seconds_paid += self.workers.len() as f64 * slots * STEP_SECONDS;
        let seconds = f64::from(self.running()) * slots * STEP_SECONDS * SLOT_USE;
        let left = self.spend(seconds / 8.0, |job| job.due.is_none());
        self.spend(seconds * 7.0 / 8.0 + left, |_| true);
        self.finish();
    }

    /// Spends slot-seconds on those jobs, one after the other; what is left of them.
    fn spend(&mut self, mut seconds: f64, which: impl Fn(&Submission) -> bool) -> f64 {
        for (job, left) in self.open.iter_mut().filter(|(job, _)| which(job)) {
            let done = left.min(seconds / job.page_seconds);
            let spent = done * job.page_seconds;
            *left -= done;
            seconds -= spent;
            self.slot_seconds_worked += spent;
            if done > 0.0 {
                // As `domain::sharding::Pace` follows its shards.
                self.page_seconds_measured += (job.page_seconds - self.page_seconds_measured) * 0.2;
            }
        }
        seconds
    }

    fn finish(&mut self) {
        let at = self.now + STEP_SECONDS;
        let (done, open) = std::mem::take(&mut self.open).into_iter().partition(|(_, left)| *left < 1e-6);
        self.open = open;
        let done: Vec<(Submission, f64)> = done;
        self.finished.extend(done.into_iter().map(|(submission, _)| Finished { submission, at }));
    }
}
