//! What becomes of pages: read, given up, or queued again.

use std::collections::BTreeMap;

use pagemill_domain::ids::{JobId, PageId, SourceId};
use pagemill_domain::ladder::{Step, next_step};
use pagemill_domain::limits::Limits;
use pagemill_domain::outcome::{PageReport, PageResult, Report};
use pagemill_domain::page::{PageState, PageSummary};
use pagemill_domain::shard::ResultRef;

use super::super::dialect::Connection;
use super::apply::Taken;
use super::counters::{Counter, Counters};
use super::dead_letters;
use super::statement::{ROWS_PER_STATEMENT_MAX, ids, rows, statement, storable, to_json};
use crate::store::StoreError;

/// The end of a page's way.
pub(super) struct End {
    pub(super) job: JobId,
    pub(super) page: PageId,
    pub(super) state: PageState,
    /// Columns of the page's row, as they are stored.
    pub(super) result: Option<String>,
    pub(super) summary: Option<String>,
    pub(super) read_by: Option<i64>,
    pub(super) reason: Option<&'static str>,
    pub(super) detail: Option<String>,
}

/// A failure that is counted.
struct Failure {
    job: JobId,
    page: PageId,
    faults: u32,
    losses: u32,
    code: &'static str,
    words: String,
}

/// A page that waits again, before all pages that were not dispatched yet.
pub(super) struct Again {
    pub(super) job: JobId,
    pub(super) page: PageId,
    pub(super) step: Step,
}

/// What a batch of outcomes says of pages.
#[derive(Default)]
struct Reported {
    ends: Vec<End>,
    failures: Vec<Failure>,
    again: Vec<Again>,
}

/// Applies the outcomes of recognise shards. Pages that a worker did not come to wait again, and none is counted.
pub(super) async fn take(
    db: &mut Connection,
    taken: &[Taken<'_>],
    limits: &Limits,
    counters: &mut Counters,
) -> Result<(), StoreError> {
    let fingerprints = record_fingerprints(db, taken).await?;
    let mut reported = Reported::default();
    for Taken { shard, outcome } in taken {
        let read_by = fingerprints.get(outcome.fingerprint.0.as_str()).copied();
        let mut unreported: BTreeMap<(i64, u32), bool> =
            shard.contents.pages().map(|(source, number, degraded)| ((source, number), degraded)).collect();
        let reports = if let Report::Recognised(reports) = &outcome.report { &reports[..] } else { &[] };
        for report in reports {
            // What the shard did not hold is nobody's business.
            if unreported.remove(&(report.source.0, report.number)).is_some() {
                reported.add(shard.job, report, read_by)?;
            }
        }
        reported.again.extend(unreported.into_iter().map(|((source, number), degraded)| Again {
            job: shard.job,
            page: PageId { source: SourceId(source), number },
            step: if degraded { Step::Degraded } else { Step::Retry },
        }));
    }
    let Reported { mut ends, failures, mut again } = reported;
    fail(db, &failures, limits, &mut ends, &mut again, counters).await?;
    end(db, &ends, counters).await?;
    queue_again(db, &again).await
}

impl Reported {
    fn add(&mut self, job: JobId, report: &PageReport, read_by: Option<i64>) -> Result<(), StoreError> {
        let page = PageId { source: report.source, number: report.number };
        match &report.result {
            PageResult::Recognised { result, summary } => {
                self.ends.push(read(job, page, PageState::Recognised, Some(result), summary, read_by)?);
            }
            PageResult::Blank { summary } => {
                self.ends.push(read(job, page, PageState::Blank, None, summary, read_by)?);
            }
            PageResult::Defect(defect) => {
                self.ends.push(End::dead(job, page, defect.code(), &defect.to_string()));
            }
            PageResult::Fault(fault) => {
                let (code, words) = (fault.code(), fault.to_string());
                self.failures.push(Failure { job, page, faults: 1, losses: 0, code, words });
            }
            PageResult::Lost(loss) => {
                let (code, words) = (loss.code(), loss.to_string());
                self.failures.push(Failure { job, page, faults: 0, losses: 1, code, words });
            }
        }
        Ok(())
    }
}

fn read(
    job: JobId,
    page: PageId,
    state: PageState,
    result: Option<&ResultRef>,
    summary: &PageSummary,
    read_by: Option<i64>,
) -> Result<End, StoreError> {
    Ok(End {
        job,
        page,
        state,
        result: result.map(|result| to_json("result", result)).transpose()?,
        summary: Some(to_json("summary", summary)?),
        read_by,
        reason: None,
        detail: None,
    })
}

impl End {
    /// Given up, with the stable code and the words of the reason.
    pub(super) fn dead(job: JobId, page: PageId, code: &'static str, words: &str) -> Self {
        Self {
            job,
            page,
            state: PageState::Dead,
            result: None,
            summary: None,
            read_by: None,
            reason: Some(code),
            detail: Some(storable(words)),
        }
    }
}

/// The rows of the fingerprints that pages were read with.
async fn record_fingerprints(
    db: &mut Connection,
    taken: &[Taken<'_>],
) -> Result<BTreeMap<String, i64>, StoreError> {
    let mut named: Vec<(&str,)> = taken
        .iter()
        .filter(|taken| matches!(taken.outcome.report, Report::Recognised(_)))
        .map(|taken| (taken.outcome.fingerprint.0.as_str(),))
        .collect();
    named.sort_unstable();
    named.dedup();
    if named.is_empty() {
        return Ok(BTreeMap::new());
    }
    let named = rows(&named)?;
    let insert = "INSERT INTO fingerprint (fingerprint) SELECT value ->> 0 FROM rows($1)
        WHERE value ->> 0 NOT IN (SELECT fingerprint FROM fingerprint) ON CONFLICT DO NOTHING";
    statement("record fingerprints", insert).bind(&named).run(db).await?;
    let select = "SELECT fingerprint, id FROM fingerprint WHERE fingerprint IN texts($1)";
    let known: Vec<(String, i64)> = statement("find fingerprints", select).bind(&named).all(db).await?;
    Ok(known.into_iter().collect())
}

/// Records the ends of pages that are pending; others are left alone.
pub(super) async fn end(
    db: &mut Connection,
    ends: &[End],
    counters: &mut Counters,
) -> Result<(), StoreError> {
    let jobs: BTreeMap<i64, JobId> = ends.iter().map(|end| (end.page.source.0, end.job)).collect();
    let mut closed: BTreeMap<i64, i64> = BTreeMap::new();
    let mut dead = Vec::new();
    for chunk in ends.chunks(ROWS_PER_STATEMENT_MAX) {
        for (source, number, state, read_by) in end_chunk(db, chunk).await? {
            let (Some(&job), Some(state)) = (jobs.get(&source), PageState::from_name(&state)) else {
                continue;
            };
            *closed.entry(source).or_default() += 1;
            if let Some(counter) = Counter::of_page(state) {
                counters.add(job, counter, 1);
            }
            if let Some(read_by) = read_by {
                counters.add_read_by(job, read_by, 1);
            }
            if state == PageState::Dead {
                dead.push((source, number, job.0));
            }
        }
    }
    dead_letters::add(db, &dead).await?;
    close_pages(db, &closed).await
}

async fn end_chunk(
    db: &mut Connection,
    ends: &[End],
) -> Result<Vec<(i64, i64, String, Option<i64>)>, StoreError> {
    let given: Vec<_> = ends
        .iter()
        .map(|end| {
            let page = (end.page.source.0, end.page.number, end.state.name());
            (page.0, page.1, page.2, &end.result, &end.summary, end.read_by, end.reason, &end.detail)
        })
        .collect();
    let update = "UPDATE page SET state = value ->> 2, result = value ->> 3, summary = value ->> 4,
        read_by = CAST(value ->> 5 AS BIGINT), reason = coalesce(value ->> 6, reason),
        detail = coalesce(value ->> 7, detail) FROM rows($1) WHERE source = CAST(value ->> 0 AS BIGINT)
        AND number = CAST(value ->> 1 AS BIGINT) AND state = 'pending' RETURNING source, number, state, read_by";
    statement("record pages", update).bind(rows(&given)?).all(db).await
}

/// Counts so many pages of each source out of what its document waits for.
async fn close_pages(db: &mut Connection, closed: &BTreeMap<i64, i64>) -> Result<(), StoreError> {
    for chunk in pages_by_document(db, closed).await?.chunks(ROWS_PER_STATEMENT_MAX) {
        let update = "UPDATE document SET pages_open = pages_open - CAST(value ->> 1 AS BIGINT) FROM rows($1)
            WHERE document.id = CAST(value ->> 0 AS BIGINT)";
        statement("count open pages", update).bind(rows(chunk)?).run(db).await?;
    }
    Ok(())
}

/// Counts of pages by source, as counts by document; sources without one are left out.
pub(super) async fn pages_by_document(
    db: &mut Connection,
    pages: &BTreeMap<i64, i64>,
) -> Result<Vec<(i64, i64)>, StoreError> {
    if pages.is_empty() {
        return Ok(Vec::new());
    }
    let select = "SELECT id, document FROM source WHERE id IN ids($1) AND document IS NOT NULL";
    let documents: Vec<(i64, i64)> =
        statement("find documents", select).bind(ids(pages.keys().copied())?).all(db).await?;
    let mut counts: BTreeMap<i64, i64> = BTreeMap::new();
    for (source, document) in documents {
        *counts.entry(document).or_default() += pages.get(&source).copied().unwrap_or_default();
    }
    Ok(counts.into_iter().collect())
}

/// Counts failures and takes the ladder's next step for each page.
async fn fail(
    db: &mut Connection,
    failures: &[Failure],
    limits: &Limits,
    ends: &mut Vec<End>,
    again: &mut Vec<Again>,
    counters: &mut Counters,
) -> Result<(), StoreError> {
    let by_page: BTreeMap<PageId, &Failure> =
        failures.iter().map(|failure| (failure.page, failure)).collect();
    for chunk in failures.chunks(ROWS_PER_STATEMENT_MAX) {
        let given: Vec<_> = chunk
            .iter()
            .map(|failure| {
                let page = (failure.page.source.0, failure.page.number);
                (page.0, page.1, failure.faults, failure.losses, failure.code, storable(&failure.words))
            })
            .collect();
        let update = "UPDATE page SET faults = faults + CAST(value ->> 2 AS BIGINT),
            losses = losses + CAST(value ->> 3 AS BIGINT), reason = value ->> 4, detail = value ->> 5
            FROM rows($1) WHERE source = CAST(value ->> 0 AS BIGINT) AND number = CAST(value ->> 1 AS BIGINT)
            AND state = 'pending' RETURNING source, number, faults, losses";
        let counted: Vec<(i64, i64, i64, i64)> =
            statement("count failures", update).bind(rows(&given)?).all(db).await?;
        for (source, number, faults, losses) in counted {
            let page = PageId { source: SourceId(source), number: number as u32 };
            let Some(failure) = by_page.get(&page) else { continue };
            counters.add(failure.job, Counter::Faults, failure.faults.into());
            counters.add(failure.job, Counter::Losses, failure.losses.into());
            match next_step(faults as u32, losses as u32, limits) {
                Step::Dead => ends.push(End::dead(failure.job, page, failure.code, &failure.words)),
                step => again.push(Again { job: failure.job, page, step }),
            }
        }
    }
    Ok(())
}

/// Has pending pages dispatched again.
pub(super) async fn queue_again(db: &mut Connection, again: &[Again]) -> Result<(), StoreError> {
    for chunk in again.chunks(ROWS_PER_STATEMENT_MAX) {
        let mut given = Vec::with_capacity(chunk.len());
        for Again { job, page, step } in chunk {
            given.push((job.0, page.source.0, page.number, to_json("step", step)?));
        }
        let insert = "INSERT INTO retry (job, source, number, step)
            SELECT CAST(value ->> 0 AS BIGINT), page.source, page.number, value ->> 3 FROM rows($1)
            JOIN page ON page.source = CAST(value ->> 1 AS BIGINT) AND page.number = CAST(value ->> 2 AS BIGINT)
            WHERE page.state = 'pending' ON CONFLICT (job, source, number) DO UPDATE SET step = excluded.step";
        statement("queue pages again", insert).bind(rows(&given)?).run(db).await?;
    }
    Ok(())
}
