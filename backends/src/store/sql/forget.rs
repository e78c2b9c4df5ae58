//! Taking sources out of the counts, and their pages out of the ledger.

use std::collections::BTreeMap;

use pagemill_domain::ids::JobId;
use pagemill_domain::page::PageState;

use super::super::dialect::Connection;
use super::arrange;
use super::counters::{Counter, Counters};
use super::statement::{ids, rows, statement};
use crate::store::StoreError;

/// Sends sources to be inspected again: their stamps changed, or they were rejected. Each comes with its state. Their
/// pages stay until their hash is known.
pub(super) async fn inspect_again(
    db: &mut Connection,
    job: JobId,
    sources: &[(i64, String)],
    counters: &mut Counters,
) -> Result<(), StoreError> {
    if sources.is_empty() {
        return Ok(());
    }
    count_out(job, sources, counters);
    let named = ids(sources.iter().map(|(source, _)| *source))?;
    for sql in [
        "UPDATE source SET state = 'pending', faults = 0, losses = 0, rejection = NULL
         WHERE id IN ids($1)",
        "DELETE FROM dead_letter WHERE source IN ids($1) AND number = 0",
    ] {
        statement("inspect sources again", sql).bind(&named).run(db).await?;
    }
    Ok(())
}

/// Takes sources that are gone and were never delivered out of the job. Each comes with its state.
pub(super) async fn withdraw(
    db: &mut Connection,
    job: JobId,
    sources: &[(i64, String)],
    counters: &mut Counters,
) -> Result<(), StoreError> {
    if sources.is_empty() {
        return Ok(());
    }
    count_out(job, sources, counters);
    let listed: Vec<(JobId, i64)> = sources.iter().map(|(source, _)| (job, *source)).collect();
    pages(db, &listed, counters).await?;
    let named = ids(sources.iter().map(|(source, _)| *source))?;
    for sql in ["DELETE FROM dead_letter WHERE source IN ids($1)", "DELETE FROM source WHERE id IN ids($1)"] {
        statement("withdraw sources", sql).bind(&named).run(db).await?;
    }
    counters.add(job, Counter::SourcesSubmitted, -(sources.len() as i64));
    Ok(())
}

/// Takes the final states of sources out of the counts.
fn count_out(job: JobId, sources: &[(i64, String)], counters: &mut Counters) {
    for (_, state) in sources {
        match state.as_str() {
            "inspected" => counters.add(job, Counter::SourcesInspected, -1),
            "rejected" => counters.add(job, Counter::SourcesRejected, -1),
            _ => {}
        }
    }
}

/// Takes the pages of sources, and the documents that hold them, out of their jobs.
pub(super) async fn pages(
    db: &mut Connection,
    sources: &[(JobId, i64)],
    counters: &mut Counters,
) -> Result<(), StoreError> {
    let jobs: BTreeMap<i64, JobId> = sources.iter().map(|&(job, source)| (source, job)).collect();
    let named = ids(jobs.keys().copied())?;
    let select = "SELECT id, document FROM source WHERE (pages > 0 OR document IS NOT NULL)
        AND id IN ids($1)";
    let used: Vec<(i64, Option<i64>)> = statement("find documents", select).bind(&named).all(db).await?;
    if used.is_empty() {
        return Ok(());
    }
    let mut documents: BTreeMap<JobId, Vec<i64>> = BTreeMap::new();
    for (source, document) in &used {
        if let (Some(&job), Some(document)) = (jobs.get(source), document) {
            documents.entry(job).or_default().push(*document);
        }
    }
    for (job, documents) in &mut documents {
        documents.sort_unstable();
        documents.dedup();
        arrange::forget(db, *job, documents, counters).await?;
    }
    let retries: Vec<(i64, i64)> = sources.iter().map(|&(job, source)| (job.0, source)).collect();
    let delete = "DELETE FROM retry WHERE (job, source) IN
        (SELECT CAST(value ->> 0 AS BIGINT), CAST(value ->> 1 AS BIGINT) FROM rows($1))";
    statement("forget retries", delete).bind(rows(&retries)?).run(db).await?;
    for sql in [
        "DELETE FROM dead_letter WHERE source IN ids($1) AND number > 0",
        "UPDATE source SET pages = 0, cursor = 0, cursor_end = 0
         WHERE id IN ids($1)",
    ] {
        statement("forget pages", sql).bind(&named).run(db).await?;
    }
    let delete = "DELETE FROM page WHERE source IN ids($1)
        RETURNING source, state, read_by";
    let gone: Vec<(i64, String, Option<i64>)> =
        statement("forget pages", delete).bind(&named).all(db).await?;
    for (source, state, read_by) in gone {
        let Some(&job) = jobs.get(&source) else { continue };
        counters.add(job, Counter::PagesDeclared, -1);
        if let Some(counter) = PageState::from_name(&state).and_then(Counter::of_page) {
            counters.add(job, counter, -1);
        }
        if let Some(read_by) = read_by {
            counters.add_read_by(job, read_by, -1);
        }
    }
    Ok(())
}
