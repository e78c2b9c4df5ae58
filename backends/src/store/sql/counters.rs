//! The counters of jobs: they move in the transaction that moves what they count.

use std::collections::BTreeMap;

use pagemill_domain::ids::JobId;
use pagemill_domain::page::PageState;

use super::super::dialect::Connection;
use super::statement::{rows, statement};
use crate::store::StoreError;

/// A column of `job` that counts, in the order of [`Counters::write`]'s statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Counter {
    SourcesSubmitted,
    SourcesInspected,
    SourcesRejected,
    PagesDeclared,
    PagesRecognised,
    PagesBlank,
    PagesKept,
    PagesDead,
    DocumentsArranged,
    DocumentsDelivered,
    DocumentsFailed,
    Faults,
    Losses,
    OutcomesIgnored,
    CpuMs,
    PagesRead,
}

const COUNTERS: usize = Counter::PagesRead as usize + 1;

impl Counter {
    /// Where pages of a state are counted; those that are pending or cancelled follow from the others.
    pub(super) const fn of_page(state: PageState) -> Option<Self> {
        match state {
            PageState::Recognised => Some(Self::PagesRecognised),
            PageState::Blank => Some(Self::PagesBlank),
            PageState::Kept => Some(Self::PagesKept),
            PageState::Dead => Some(Self::PagesDead),
            PageState::Pending | PageState::Cancelled => None,
        }
    }
}

/// What a transaction adds to the counters of jobs and to the pages that each fingerprint read.
#[derive(Debug, Default)]
pub(super) struct Counters {
    jobs: BTreeMap<i64, [i64; COUNTERS]>,
    fingerprints: BTreeMap<(i64, i64), i64>,
}

impl Counters {
    pub(super) fn add(&mut self, job: JobId, counter: Counter, by: i64) {
        self.jobs.entry(job.0).or_default()[counter as usize] += by;
    }

    /// Pages of a job that this fingerprint read.
    pub(super) fn add_read_by(&mut self, job: JobId, fingerprint: i64, by: i64) {
        *self.fingerprints.entry((job.0, fingerprint)).or_default() += by;
    }

    pub(super) async fn write(self, db: &mut Connection) -> Result<(), StoreError> {
        let moved: Vec<Vec<i64>> = self
            .jobs
            .iter()
            .filter(|(_, counts)| counts.iter().any(|&by| by != 0))
            .map(|(&job, counts)| std::iter::once(job).chain(*counts).collect())
            .collect();
        if !moved.is_empty() {
            statement("count", MOVE_COUNTERS).bind(rows(&moved)?).run(db).await?;
        }
        let read: Vec<(i64, i64, i64)> = self
            .fingerprints
            .into_iter()
            .filter(|&(_, pages)| pages != 0)
            .map(|((job, fingerprint), pages)| (job, fingerprint, pages))
            .collect();
        if !read.is_empty() {
            statement("count pages by fingerprint", MOVE_FINGERPRINTS).bind(rows(&read)?).run(db).await?;
        }
        Ok(())
    }
}

const MOVE_COUNTERS: &str = "UPDATE job SET
    sources_submitted = sources_submitted + CAST(value ->> 1 AS BIGINT),
    sources_inspected = sources_inspected + CAST(value ->> 2 AS BIGINT),
    sources_rejected = sources_rejected + CAST(value ->> 3 AS BIGINT),
    pages_declared = pages_declared + CAST(value ->> 4 AS BIGINT),
    pages_recognised = pages_recognised + CAST(value ->> 5 AS BIGINT),
    pages_blank = pages_blank + CAST(value ->> 6 AS BIGINT),
    pages_kept = pages_kept + CAST(value ->> 7 AS BIGINT),
    pages_dead = pages_dead + CAST(value ->> 8 AS BIGINT),
    documents_arranged = documents_arranged + CAST(value ->> 9 AS BIGINT),
    documents_delivered = documents_delivered + CAST(value ->> 10 AS BIGINT),
    documents_failed = documents_failed + CAST(value ->> 11 AS BIGINT),
    faults = faults + CAST(value ->> 12 AS BIGINT),
    losses = losses + CAST(value ->> 13 AS BIGINT),
    outcomes_ignored = outcomes_ignored + CAST(value ->> 14 AS BIGINT),
    cpu_ms = cpu_ms + CAST(value ->> 15 AS BIGINT),
    pages_read = pages_read + CAST(value ->> 16 AS BIGINT)
    FROM rows($1) WHERE job.id = CAST(value ->> 0 AS BIGINT)";

const MOVE_FINGERPRINTS: &str = "INSERT INTO job_fingerprint (job, fingerprint, pages)
    SELECT CAST(value ->> 0 AS BIGINT), CAST(value ->> 1 AS BIGINT), CAST(value ->> 2 AS BIGINT)
    FROM rows($1) WHERE TRUE
    ON CONFLICT (job, fingerprint) DO UPDATE SET pages = job_fingerprint.pages + excluded.pages";
