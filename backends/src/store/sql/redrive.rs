//! Having dead letters worked on again.

use std::collections::{BTreeMap, BTreeSet};

use pagemill_domain::ids::{JobId, PageId, SourceId};
use pagemill_domain::ladder::Step;
use pagemill_domain::outcome::Loss;
use pagemill_domain::scan::PageDefect;

use super::super::dialect::Connection;
use super::counters::{Counter, Counters};
use super::jobs::{self, wrong_state};
use super::pages::{self, Again};
use super::statement::{ROWS_PER_STATEMENT_MAX, ids, rows, statement};
use super::{arrange, forget};
use crate::store::{JobState, Redriven, StoreError};

pub(super) async fn redrive(
    db: &mut Connection,
    job: JobId,
    pages: &[PageId],
) -> Result<Redriven, StoreError> {
    let locked = jobs::lock(db, job).await?;
    match locked.state {
        JobState::Sealed | JobState::Closed => {}
        JobState::Draft => return Err(wrong_state(&locked, "nothing of it was worked on yet; seal it")),
        JobState::Cancelled => return Err(wrong_state(&locked, "it was given up; submit it again")),
    }
    let mut redriven = Redriven::default();
    let mut counters = Counters::default();
    let mut documents_redriven = 0;
    if pages.is_empty() {
        loop {
            let taken = take_any(db, job).await?;
            if taken.is_empty() {
                break;
            }
            revive(db, job, &taken, &mut redriven, &mut counters).await?;
        }
        documents_redriven = revive_documents(db, job, &mut counters).await?;
    }
    for chunk in pages.chunks(ROWS_PER_STATEMENT_MAX) {
        let taken = take_named(db, job, chunk).await?;
        revive(db, job, &taken, &mut redriven, &mut counters).await?;
    }
    counters.write(db).await?;
    if redriven.pages + redriven.sources + documents_redriven > 0 {
        let update = "UPDATE job SET state = 'sealed', closed = NULL WHERE id = $1";
        statement("seal the job again", update).bind(job.0).run(db).await?;
    }
    Ok(redriven)
}

/// What was given up only because its source could not be had is tried again: whoever opens the job again has listed it.
pub(super) async fn revive_unavailable(
    db: &mut Connection,
    job: JobId,
    counters: &mut Counters,
) -> Result<(), StoreError> {
    let gone = PageDefect::Gone(String::new()).code();
    let unavailable = Loss::Unavailable { what: String::new() }.code();
    let reasons = rows(&[(gone,), (unavailable,)])?;
    loop {
        let delete = "DELETE FROM dead_letter WHERE (source, number) IN (SELECT page.source, page.number FROM dead_letter
            JOIN page ON page.source = dead_letter.source AND page.number = dead_letter.number
            WHERE dead_letter.job = $1 AND page.reason IN texts($2) ORDER BY page.source, page.number LIMIT $3)
            RETURNING source, number";
        let taken: Vec<(i64, i64)> = statement("take what could not be had", delete)
            .bind(job.0)
            .bind(&reasons)
            .bind(ROWS_PER_STATEMENT_MAX as i64)
            .all(db)
            .await?;
        if taken.is_empty() {
            break;
        }
        revive_pages(db, job, &taken, counters).await?;
    }
    revive_documents(db, job, counters).await?;
    Ok(())
}

/// Takes some dead letters of a job, until none is left.
async fn take_any(db: &mut Connection, job: JobId) -> Result<Vec<(i64, i64)>, StoreError> {
    let delete = "DELETE FROM dead_letter WHERE (source, number) IN (SELECT source, number FROM dead_letter
        WHERE job = $1 ORDER BY source, number LIMIT $2) RETURNING source, number";
    statement("take dead letters", delete).bind(job.0).bind(ROWS_PER_STATEMENT_MAX as i64).all(db).await
}

async fn take_named(
    db: &mut Connection,
    job: JobId,
    pages: &[PageId],
) -> Result<Vec<(i64, i64)>, StoreError> {
    let named: Vec<(i64, u32)> = pages.iter().map(|page| (page.source.0, page.number)).collect();
    let delete = "DELETE FROM dead_letter WHERE job = $2 AND (source, number) IN
        (SELECT CAST(value ->> 0 AS BIGINT), CAST(value ->> 1 AS BIGINT) FROM rows($1)) RETURNING source, number";
    statement("take dead letters", delete).bind(rows(&named)?).bind(job.0).all(db).await
}

/// Dead letters that were taken get a fresh ladder.
async fn revive(
    db: &mut Connection,
    job: JobId,
    taken: &[(i64, i64)],
    redriven: &mut Redriven,
    counters: &mut Counters,
) -> Result<(), StoreError> {
    let (sources, pages): (Vec<_>, Vec<_>) = taken.iter().partition(|(_, number)| *number == 0);
    let rejected: Vec<(i64, String)> =
        sources.into_iter().map(|(source, _)| (source, "rejected".to_owned())).collect();
    forget::inspect_again(db, job, &rejected, counters).await?;
    redriven.sources += rejected.len() as u64;
    redriven.pages += revive_pages(db, job, &pages, counters).await?;
    Ok(())
}

async fn revive_pages(
    db: &mut Connection,
    job: JobId,
    dead: &[(i64, i64)],
    counters: &mut Counters,
) -> Result<u64, StoreError> {
    if dead.is_empty() {
        return Ok(0);
    }
    let update = "UPDATE page SET state = 'pending', faults = 0, losses = 0, reason = NULL, detail = NULL
        FROM rows($1) WHERE source = CAST(value ->> 0 AS BIGINT) AND number = CAST(value ->> 1 AS BIGINT)
        AND state = 'dead' RETURNING source, number";
    let revived: Vec<(i64, i64)> = statement("revive pages", update).bind(rows(dead)?).all(db).await?;
    let mut by_source: BTreeMap<i64, i64> = BTreeMap::new();
    let mut again = Vec::with_capacity(revived.len());
    for &(source, number) in &revived {
        *by_source.entry(source).or_default() += 1;
        let page = PageId { source: SourceId(source), number: number as u32 };
        again.push(Again { job, page, step: Step::Retry });
    }
    counters.add(job, Counter::PagesDead, -(revived.len() as i64));
    pages::queue_again(db, &again).await?;
    open_documents(db, job, &by_source, counters).await?;
    Ok(revived.len() as u64)
}

/// Opens the documents of revived pages again: they wait for so many pages of each source.
async fn open_documents(
    db: &mut Connection,
    job: JobId,
    pages: &BTreeMap<i64, i64>,
    counters: &mut Counters,
) -> Result<(), StoreError> {
    let select = "SELECT DISTINCT document.id, document.state FROM source JOIN document ON document.id = source.document
        WHERE source.id IN ids($1)";
    let before: Vec<(i64, String)> =
        statement("find documents", select).bind(ids(pages.keys().copied())?).all(db).await?;
    for (_, state) in &before {
        arrange::count_out(job, state, counters);
    }
    let documents: BTreeSet<i64> = before.into_iter().map(|(document, _)| document).collect();
    arrange::forget_assembling(db, job, &documents.into_iter().collect::<Vec<_>>()).await?;
    let opened = pages::pages_by_document(db, pages).await?;
    let update = "UPDATE document SET state = 'open', losses = 0, pages_open = pages_open + CAST(value ->> 1 AS BIGINT)
        FROM rows($1) WHERE document.id = CAST(value ->> 0 AS BIGINT)";
    statement("open documents again", update).bind(rows(&opened)?).run(db).await?;
    Ok(())
}

/// Documents that could not be assembled are tried again.
async fn revive_documents(
    db: &mut Connection,
    job: JobId,
    counters: &mut Counters,
) -> Result<u64, StoreError> {
    let update = "UPDATE document SET state = 'open', losses = 0 WHERE job = $1 AND state = 'failed'";
    let revived = statement("revive documents", update).bind(job.0).run(db).await?;
    counters.add(job, Counter::DocumentsFailed, -revived.cast_signed());
    Ok(revived)
}
