//! Planning: what so many pages by such a time take. `docs/capacity.md` explains the formulas for people.

use serde::Serialize;

/// What is to be planned.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Wish {
    /// Pages to be read.
    pub pages: u64,
    /// From now until all is to be done.
    pub deadline_seconds: f64,
    /// Pages that one slot reads in a second, where it was measured on pages like these.
    pub pages_per_slot_second: Option<f64>,
    /// Slots of one worker: one core each.
    pub slots_per_worker: u32,
}

/// What it takes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Plan {
    /// Workers with which the deadline holds even at the slow end.
    pub workers: u32,
    /// Their slots; one core each.
    pub slots: u32,
    /// Core-hours of work; those of idle slots aside.
    pub core_hours: Range,
    /// From now until all is done, with that many workers.
    pub finish_seconds: Range,
    /// What has to be kept.
    pub storage: Storage,
}

/// What is likely, and what it lies between.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Range {
    /// If the pages are light.
    pub low: f64,
    /// If they are like those that were measured.
    pub likely: f64,
    /// If they are heavy.
    pub high: f64,
}

/// Bytes that have to be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Storage {
    /// Uploaded sources; none where they are read where they lie.
    pub sources_bytes: u64,
    /// Page texts.
    pub results_bytes: u64,
    /// Searchable PDF/A and text.
    pub artifacts_bytes: u64,
    /// Rows of the store, with their indexes.
    pub store_bytes: u64,
}

/// Why there is no plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// There is nothing to read.
    #[error("pages must be 1 to {PAGES_MAX}")]
    Pages,
    /// The rate isn't one.
    #[error("rate must be {RATE_MIN} to {RATE_MAX} pages a second in one slot")]
    Rate,
    /// A worker has no such number of slots.
    #[error("slots must be 1 to {SLOTS_PER_WORKER_MAX}")]
    Slots,
    /// No number of workers that Pagemill is made for does it.
    #[error(
        "the deadline takes more than {WORKERS_MAX} workers: it is {at_least_seconds} s with all of them"
    )]
    TooSoon {
        /// What so many workers would take.
        at_least_seconds: u64,
    },
}

/// CPU seconds a page, reading and PDF/A and text together: the whole run of README.md, "What it costs" (six samples of
/// 300 dpi, one core of an AMD EPYC Zen 5).
pub const PAGE_CPU_SECONDS: f64 = 0.95;

/// Share of its time that a slot works: two slots read 1.85 times as fast as one (README.md, same run).
pub const SLOT_USE: f64 = 0.92;

/// From asking for workers to the first page; as [`crate::scaling::ScalingPolicy::start_seconds`].
pub const START_SECONDS: f64 = 60.0;

/// How far the mean of one's own pages may lie from [`PAGE_CPU_SECONDS`] (docs/capacity.md, "Sources"); where the rate was
/// measured on one's own pages, [`MEASURED_SPREAD`] is left.
pub const UNMEASURED_SPREAD: (f64, f64) = (0.7, 1.6);

/// How far the rest of a job lies from what was measured on its beginning; machines that others use too included.
pub const MEASURED_SPREAD: (f64, f64) = (0.85, 1.15);

/// Bytes of a page's source: the mean of samples/, colour and grey JPEG of 300 dpi.
pub const SOURCE_BYTES_PER_PAGE: u64 = 1_480_000;

/// Bytes of a page's text with boxes and confidence, as kept.
pub const RESULT_BYTES_PER_PAGE: u64 = 9_500;

/// Bytes that a searchable PDF/A and a text add to the image of the page.
pub const TEXT_BYTES_PER_PAGE: u64 = 10_500;

/// Bytes of a page's row and its share of the source's and the document's, with indexes.
pub const STORE_BYTES_PER_PAGE: u64 = 1_600;

/// Pages of a plan.
pub const PAGES_MAX: u64 = 10_000_000_000;

/// Workers of a plan.
pub const WORKERS_MAX: u32 = 10_000;

/// Slots of a worker.
pub const SLOTS_PER_WORKER_MAX: u32 = 1_024;

/// Slowest rate, in pages a slot-second.
pub const RATE_MIN: f64 = 0.001;

/// Fastest rate, in pages a slot-second.
pub const RATE_MAX: f64 = 1_000.0;

/// What `wish` takes.
pub fn plan(wish: &Wish) -> Result<Plan, PlanError> {
    if !(1..=PAGES_MAX).contains(&wish.pages) {
        return Err(PlanError::Pages);
    }
    if !(1..=SLOTS_PER_WORKER_MAX).contains(&wish.slots_per_worker) {
        return Err(PlanError::Slots);
    }
    let page_seconds = page_seconds(wish.pages_per_slot_second)?;
    let work = page_seconds.times(wish.pages as f64);
    let workers = workers(work.high, wish)?;
    let slots = workers * wish.slots_per_worker;
    // Fewer pages than slots: a page is read by one.
    let slots_used = f64::from(slots).min(wish.pages as f64);
    let finish = |seconds: f64| START_SECONDS + seconds / (slots_used * SLOT_USE);
    Ok(Plan {
        workers,
        slots,
        core_hours: work.times(1.0 / 3_600.0),
        finish_seconds: Range { low: finish(work.low), likely: finish(work.likely), high: finish(work.high) },
        storage: storage(wish.pages),
    })
}

/// Seconds that a page takes in one slot.
fn page_seconds(measured: Option<f64>) -> Result<Range, PlanError> {
    let (likely, (low, high)) = match measured {
        None => (PAGE_CPU_SECONDS, UNMEASURED_SPREAD),
        Some(rate) if (RATE_MIN..=RATE_MAX).contains(&rate) => (1.0 / rate, MEASURED_SPREAD),
        Some(_) => return Err(PlanError::Rate),
    };
    Ok(Range { low: likely * low, likely, high: likely * high })
}

/// Workers that do so many slot-seconds of work in time.
fn workers(work_seconds: f64, wish: &Wish) -> Result<u32, PlanError> {
    let per_worker = f64::from(wish.slots_per_worker) * SLOT_USE;
    let too_soon = || {
        let at_least = START_SECONDS + work_seconds / (per_worker * f64::from(WORKERS_MAX));
        PlanError::TooSoon { at_least_seconds: at_least.ceil() as u64 }
    };
    let seconds = wish.deadline_seconds - START_SECONDS;
    if seconds <= 0.0 || seconds.is_nan() {
        return Err(too_soon());
    }
    let workers = (work_seconds / (per_worker * seconds)).ceil().max(1.0);
    if workers > f64::from(WORKERS_MAX) { Err(too_soon()) } else { Ok(workers as u32) }
}

const fn storage(pages: u64) -> Storage {
    Storage {
        sources_bytes: pages * SOURCE_BYTES_PER_PAGE,
        results_bytes: pages * RESULT_BYTES_PER_PAGE,
        artifacts_bytes: pages * (SOURCE_BYTES_PER_PAGE + TEXT_BYTES_PER_PAGE),
        store_bytes: pages * STORE_BYTES_PER_PAGE,
    }
}

impl Range {
    fn times(self, factor: f64) -> Self {
        Self { low: self.low * factor, likely: self.likely * factor, high: self.high * factor }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(pages: u64, hours: f64) -> Wish {
        Wish { pages, deadline_seconds: hours * 3_600.0, pages_per_slot_second: None, slots_per_worker: 4 }
    }

    #[test]
    fn a_million_pages_overnight() {
        let plan = plan(&wish(1_000_000, 8.0)).unwrap();
        // 1,000,000 × 0.95 s × 1.6 ÷ (4 × 0.92 × 28,740 s) = 14.4.
        assert_eq!((plan.workers, plan.slots), (15, 60));
        assert!((plan.core_hours.likely - 263.9).abs() < 0.1, "{:?}", plan.core_hours);
        assert!(plan.finish_seconds.high <= 8.0 * 3_600.0);
        assert!(plan.finish_seconds.low < plan.finish_seconds.likely);
        assert_eq!(plan.storage.sources_bytes, 1_480_000_000_000);
    }

    #[test]
    fn a_measured_rate_narrows_the_range_and_spares_workers() {
        let measured = Wish { pages_per_slot_second: Some(1.0 / 0.95), ..wish(1_000_000, 8.0) };
        let (measured, unmeasured) = (plan(&measured).unwrap(), plan(&wish(1_000_000, 8.0)).unwrap());
        assert!(measured.workers < unmeasured.workers);
        let width = |range: Range| (range.high - range.low) / range.likely;
        assert!(width(measured.core_hours) < width(unmeasured.core_hours));
    }

    #[test]
    fn one_worker_more_than_enough_is_never_planned() {
        for pages in [1, 1_000, 50_000, 1_234_567] {
            for hours in [0.5, 2.0, 24.0, 240.0] {
                let Ok(plan) = plan(&wish(pages, hours)) else { continue };
                assert!(plan.finish_seconds.high <= hours * 3_600.0 + 1e-6);
                let fewer = f64::from((plan.workers - 1) * 4) * SLOT_USE;
                let work = pages as f64 * PAGE_CPU_SECONDS * UNMEASURED_SPREAD.1;
                assert!(plan.workers == 1 || START_SECONDS + work / fewer > hours * 3_600.0);
            }
        }
    }

    #[test]
    fn what_can_not_be_is_said() {
        assert_eq!(plan(&wish(0, 1.0)), Err(PlanError::Pages));
        assert_eq!(plan(&Wish { pages_per_slot_second: Some(0.0), ..wish(1, 1.0) }), Err(PlanError::Rate));
        assert_eq!(plan(&Wish { slots_per_worker: 0, ..wish(1, 1.0) }), Err(PlanError::Slots));
        assert!(matches!(plan(&wish(1, 0.001)), Err(PlanError::TooSoon { .. })));
        let Err(PlanError::TooSoon { at_least_seconds }) = plan(&wish(PAGES_MAX, 1.0)) else { panic!() };
        assert!(at_least_seconds > 3_600);
    }
}
