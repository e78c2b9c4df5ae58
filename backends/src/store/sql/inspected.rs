//! What inspecting sources changes: their pages enter the ledger, or leave it when the content changed.

use std::collections::{BTreeMap, BTreeSet};

use pagemill_domain::arrival::initial_state;
use pagemill_domain::hash::ContentHash;
use pagemill_domain::ids::JobId;
use pagemill_domain::ladder::{Step, next_step};
use pagemill_domain::limits::Limits;
use pagemill_domain::outcome::{Report, SourceReport, SourceResult};
use pagemill_domain::page::PageState;
use pagemill_domain::recipe::Recipe;
use pagemill_domain::scan::{PageDefect, Rejection, SourceFacts};
use pagemill_domain::shard::ResultRef;

use super::super::dialect::Connection;
use super::apply::Taken;
use super::counters::{Counter, Counters};
use super::jobs::LockedJob;
use super::statement::{ROWS_PER_STATEMENT_MAX, ids, rows, statement, storable, to_json};
use super::{dead_letters, forget};
use crate::store::StoreError;

#[derive(sqlx::FromRow)]
struct InspectedSource {
    id: i64,
    hash: Option<String>,
    pages: i64,
    faults: i64,
    losses: i64,
}

/// A source whose headers were read.
struct Accepted<'a> {
    job: JobId,
    source: i64,
    hash: Option<ContentHash>,
    map: Option<&'a ResultRef>,
    facts: &'a SourceFacts,
    /// Whether its pages are known already, from the same content.
    known: bool,
}

/// A source that is refused.
struct Refused {
    job: JobId,
    source: i64,
    rejection: Rejection,
}

/// A source that failed, with its counts, the newest failure included.
pub(super) struct FailedSource {
    pub(super) job: JobId,
    pub(super) source: i64,
    pub(super) faults: u32,
    pub(super) losses: u32,
    pub(super) reason: String,
}

/// Applies the outcomes of inspect shards; returns the jobs that have newly inspected sources. Sources that a worker
/// did not come to wait again.
pub(super) async fn take(
    db: &mut Connection,
    jobs: &BTreeMap<JobId, LockedJob>,
    taken: &[Taken<'_>],
    limits: &Limits,
    counters: &mut Counters,
) -> Result<BTreeSet<JobId>, StoreError> {
    let held: Vec<i64> = taken.iter().flat_map(|taken| taken.shard.contents.sources()).copied().collect();
    if held.is_empty() {
        return Ok(BTreeSet::new());
    }
    let mut known = being_inspected(db, &held).await?;
    let (mut accepted, mut refused, mut failed) = (Vec::new(), Vec::new(), Vec::new());
    for Taken { shard, outcome } in taken {
        let Report::Inspected(reports) = &outcome.report else { continue };
        for report in reports {
            // What the shard did not hold is nobody's business.
            if !shard.contents.sources().contains(&report.source.0) {
                continue;
            }
            let Some(source) = known.remove(&report.source.0) else { continue };
            match &report.result {
                SourceResult::Inspected(facts) => {
                    accepted.push(accept(shard.job, &source, report, facts));
                }
                SourceResult::Rejected(rejection) => {
                    let rejection = rejection.clone();
                    refused.push(Refused { job: shard.job, source: source.id, rejection });
                }
                SourceResult::Fault(fault) => {
                    failed.push(source.failed(shard.job, (1, 0), fault.to_string()));
                }
                SourceResult::Lost(loss) => {
                    failed.push(source.failed(shard.job, (0, 1), loss.to_string()));
                }
            }
        }
    }
    hand_back(db, known.into_keys()).await?;
    try_again(db, failed, limits, &mut refused).await?;
    record_accepted(db, jobs, &accepted, counters).await?;
    refuse(db, &refused, counters).await?;
    Ok(accepted.iter().map(|accepted| accepted.job).collect())
}

async fn being_inspected(
    db: &mut Connection,
    sources: &[i64],
) -> Result<BTreeMap<i64, InspectedSource>, StoreError> {
    let select = "SELECT id, hash, pages, faults, losses FROM source
        WHERE id IN ids($1) AND state = 'inspecting'";
    let known: Vec<InspectedSource> =
        statement("find sources", select).bind(ids(sources.iter().copied())?).all(db).await?;
    Ok(known.into_iter().map(|source| (source.id, source)).collect())
}

fn accept<'a>(
    job: JobId,
    source: &InspectedSource,
    report: &'a SourceReport,
    facts: &'a SourceFacts,
) -> Accepted<'a> {
    let known = source.pages > 0 && source.hash == report.hash.map(|hash| hash.to_string());
    Accepted { job, source: source.id, hash: report.hash, map: report.map.as_ref(), facts, known }
}

impl InspectedSource {
    fn failed(&self, job: JobId, (faults, losses): (u32, u32), reason: String) -> FailedSource {
        FailedSource {
            job,
            source: self.id,
            faults: self.faults as u32 + faults,
            losses: self.losses as u32 + losses,
            reason,
        }
    }
}

/// Counts a loss for each source that was being inspected: its worker is gone.
pub(super) async fn lose(
    db: &mut Connection,
    sources: &BTreeMap<i64, JobId>,
    reason: &str,
    limits: &Limits,
    counters: &mut Counters,
) -> Result<(), StoreError> {
    let held: Vec<i64> = sources.keys().copied().collect();
    let known = being_inspected(db, &held).await?;
    let failed = known.values().filter_map(|source| {
        sources.get(&source.id).map(|&job| source.failed(job, (0, 1), reason.to_owned()))
    });
    let mut refused = Vec::new();
    try_again(db, failed.collect(), limits, &mut refused).await?;
    refuse(db, &refused, counters).await
}

/// Another try for each, or the end of its ladder.
async fn try_again(
    db: &mut Connection,
    failed: Vec<FailedSource>,
    limits: &Limits,
    refused: &mut Vec<Refused>,
) -> Result<(), StoreError> {
    let given: Vec<(i64, u32, u32)> =
        failed.iter().map(|source| (source.source, source.faults, source.losses)).collect();
    for chunk in given.chunks(ROWS_PER_STATEMENT_MAX) {
        let update = "UPDATE source SET state = 'pending', faults = CAST(value ->> 1 AS BIGINT),
            losses = CAST(value ->> 2 AS BIGINT) FROM rows($1) WHERE id = CAST(value ->> 0 AS BIGINT)";
        statement("count failures", update).bind(rows(chunk)?).run(db).await?;
    }
    let dead = failed
        .into_iter()
        .filter(|source| next_step(source.faults, source.losses, limits) == Step::Dead)
        .map(|FailedSource { job, source, reason, .. }| Refused {
            job,
            source,
            rejection: Rejection::Poison(storable(&reason)),
        });
    refused.extend(dead);
    Ok(())
}

/// Has sources that no worker came to inspected later.
pub(super) async fn hand_back(
    db: &mut Connection,
    sources: impl IntoIterator<Item = i64>,
) -> Result<(), StoreError> {
    let sources: Vec<i64> = sources.into_iter().collect();
    if sources.is_empty() {
        return Ok(());
    }
    let update = "UPDATE source SET state = 'pending' WHERE state = 'inspecting'
        AND id IN ids($1)";
    statement("hand sources back", update).bind(ids(sources)?).run(db).await?;
    Ok(())
}

async fn record_accepted(
    db: &mut Connection,
    jobs: &BTreeMap<JobId, LockedJob>,
    accepted: &[Accepted<'_>],
    counters: &mut Counters,
) -> Result<(), StoreError> {
    let changed: Vec<(JobId, i64)> =
        accepted.iter().filter(|source| !source.known).map(|source| (source.job, source.source)).collect();
    forget::pages(db, &changed, counters).await?;
    let mut pages = PageRows::default();
    for source in accepted {
        counters.add(source.job, Counter::SourcesInspected, 1);
        if let Some(job) = jobs.get(&source.job).filter(|_| !source.known) {
            pages.add_source(db, source, &job.recipe, counters).await?;
        }
    }
    pages.flush(db).await?;
    dead_letters::add(db, &pages.dead).await?;
    for chunk in accepted.chunks(ROWS_PER_STATEMENT_MAX) {
        update_accepted(db, chunk, &pages.cursor_ends).await?;
    }
    Ok(())
}

async fn update_accepted(
    db: &mut Connection,
    accepted: &[Accepted<'_>],
    cursor_ends: &BTreeMap<i64, u32>,
) -> Result<(), StoreError> {
    let mut given = Vec::with_capacity(accepted.len());
    for source in accepted {
        given.push((
            source.source,
            source.hash.map(|hash| hash.to_string()),
            to_json("source kind", &source.facts.kind)?.trim_matches('"').to_owned(),
            source.facts.signed,
            source.facts.pages.len(),
            cursor_ends.get(&source.source),
            source.map.map(|map| to_json("a source's map", map)).transpose()?,
        ));
    }
    // Without a new end the cursor stays where it is: the pages are the known ones.
    let update = "UPDATE source SET state = 'inspected', hash = value ->> 1, kind = value ->> 2,
        signed = CAST(value ->> 3 AS BOOLEAN), pages = CAST(value ->> 4 AS BIGINT), rejection = NULL,
        cursor = CASE WHEN value ->> 5 IS NULL THEN cursor ELSE 0 END,
        cursor_end = coalesce(CAST(value ->> 5 AS BIGINT), cursor_end), map = value ->> 6
        FROM rows($1) WHERE id = CAST(value ->> 0 AS BIGINT)";
    statement("record sources", update).bind(rows(&given)?).run(db).await?;
    Ok(())
}

type PageTuple = (i64, u32, u32, u32, u32, u32, String, &'static str, Option<&'static str>, Option<String>);

/// Pages on their way into the store, a statement's worth at a time.
#[derive(Default)]
struct PageRows {
    waiting: Vec<PageTuple>,
    dead: Vec<(i64, i64, i64)>,
    /// By source, the last page that is to be dispatched.
    cursor_ends: BTreeMap<i64, u32>,
}

impl PageRows {
    async fn add_source(
        &mut self,
        db: &mut Connection,
        source: &Accepted<'_>,
        recipe: &Recipe,
        counters: &mut Counters,
    ) -> Result<(), StoreError> {
        let mut cursor_end = 0;
        for (number, page) in (1_u32..).zip(&source.facts.pages) {
            let state = initial_state(page, source.facts.signed, recipe.existing_text);
            counters.add(source.job, Counter::PagesDeclared, 1);
            if let Some(counter) = Counter::of_page(state) {
                counters.add(source.job, counter, 1);
            }
            match state {
                PageState::Pending => cursor_end = number,
                PageState::Dead => self.dead.push((source.source, number.into(), source.job.0)),
                _ => {}
            }
            let defect = page.defect.as_ref().filter(|_| state == PageState::Dead);
            self.waiting.push((
                source.source,
                number,
                page.width,
                page.height,
                page.dpi.x_milli,
                page.dpi.y_milli,
                to_json("dpi rule", &page.dpi_rule)?,
                state.name(),
                defect.map(PageDefect::code),
                defect.map(|defect| storable(&defect.to_string())),
            ));
            if self.waiting.len() == ROWS_PER_STATEMENT_MAX {
                self.flush(db).await?;
            }
        }
        self.cursor_ends.insert(source.source, cursor_end);
        Ok(())
    }

    async fn flush(&mut self, db: &mut Connection) -> Result<(), StoreError> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let insert = "INSERT INTO page (source, number, width, height, dpi_x_milli, dpi_y_milli, dpi_rule, state, reason,
            detail) SELECT CAST(value ->> 0 AS BIGINT), CAST(value ->> 1 AS BIGINT), CAST(value ->> 2 AS BIGINT),
            CAST(value ->> 3 AS BIGINT), CAST(value ->> 4 AS BIGINT), CAST(value ->> 5 AS BIGINT), value ->> 6,
            value ->> 7, value ->> 8, value ->> 9 FROM rows($1)";
        statement("add pages", insert).bind(rows(&self.waiting)?).run(db).await?;
        self.waiting.clear();
        Ok(())
    }
}

async fn refuse(db: &mut Connection, refused: &[Refused], counters: &mut Counters) -> Result<(), StoreError> {
    if refused.is_empty() {
        return Ok(());
    }
    let sources: Vec<(JobId, i64)> = refused.iter().map(|source| (source.job, source.source)).collect();
    forget::pages(db, &sources, counters).await?;
    let mut given = Vec::with_capacity(refused.len());
    for source in refused {
        given.push((source.source, to_json("rejection", &source.rejection)?));
        counters.add(source.job, Counter::SourcesRejected, 1);
    }
    for chunk in given.chunks(ROWS_PER_STATEMENT_MAX) {
        let update = "UPDATE source SET state = 'rejected', hash = NULL, map = NULL, pages = 0, rejection = value ->> 1
            FROM rows($1) WHERE id = CAST(value ->> 0 AS BIGINT)";
        statement("reject sources", update).bind(rows(chunk)?).run(db).await?;
    }
    let dead: Vec<(i64, i64, i64)> = sources.iter().map(|&(JobId(job), source)| (source, 0, job)).collect();
    dead_letters::add(db, &dead).await
}
