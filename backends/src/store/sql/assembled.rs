//! What becomes of documents: delivered, or assembled again.

use std::collections::BTreeMap;

use pagemill_domain::ids::JobId;
use pagemill_domain::ladder::{Step, next_step};
use pagemill_domain::limits::Limits;
use pagemill_domain::outcome::{Artifact, DocumentResult, Gap, Report};

use super::super::dialect::Connection;
use super::apply::Taken;
use super::contents::ShardContents;
use super::counters::{Counter, Counters};
use super::statement::{ROWS_PER_STATEMENT_MAX, ids, rows, statement, to_json};
use crate::store::StoreError;

struct Delivered<'a> {
    job: JobId,
    document: i64,
    artifacts: &'a [Artifact],
    gaps: &'a [Gap],
}

/// Applies the outcomes of assemble shards. One that says nothing of its document is handed back.
pub(super) async fn take(
    db: &mut Connection,
    taken: &[Taken<'_>],
    limits: &Limits,
    counters: &mut Counters,
) -> Result<(), StoreError> {
    let (mut delivered, mut lost, mut untold) = (Vec::new(), BTreeMap::new(), Vec::new());
    let mut failed = Vec::new();
    for Taken { shard, outcome } in taken {
        let ShardContents::Assemble(document) = shard.contents else { continue };
        match &outcome.report {
            Report::Assembled(report) if report.document.0 == document => match &report.result {
                DocumentResult::Delivered { artifacts, gaps } => {
                    delivered.push(Delivered { job: shard.job, document, artifacts, gaps });
                }
                DocumentResult::Defect(_) => failed.push((document, shard.job)),
                DocumentResult::Lost(_) => {
                    lost.insert(document, shard.job);
                }
            },
            _ => untold.push(document),
        }
    }
    deliver(db, &delivered, counters).await?;
    lose(db, &lost, limits, counters).await?;
    give_up(db, &failed, counters).await?;
    hand_back(db, &untold).await
}

async fn deliver(
    db: &mut Connection,
    delivered: &[Delivered<'_>],
    counters: &mut Counters,
) -> Result<(), StoreError> {
    if delivered.is_empty() {
        return Ok(());
    }
    let named = ids(delivered.iter().map(|delivered| delivered.document))?;
    let delete = "DELETE FROM artifact WHERE document IN ids($1)";
    statement("replace artifacts", delete).bind(named).run(db).await?;
    let (mut artifacts, mut gaps) = (Vec::new(), Vec::new());
    for Delivered { job, document, artifacts: files, gaps: found } in delivered {
        for file in *files {
            let format = to_json("format", &file.format)?;
            artifacts.push((
                document,
                job.0,
                &file.name,
                format,
                file.bytes.cast_signed(),
                file.hash.to_string(),
            ));
        }
        gaps.push((document, to_json("gaps", found)?));
        counters.add(*job, Counter::DocumentsDelivered, 1);
    }
    for chunk in artifacts.chunks(ROWS_PER_STATEMENT_MAX) {
        let insert = "INSERT INTO artifact (document, job, name, format, bytes, hash)
            SELECT CAST(value ->> 0 AS BIGINT), CAST(value ->> 1 AS BIGINT), value ->> 2, value ->> 3,
            CAST(value ->> 4 AS BIGINT), value ->> 5 FROM rows($1)";
        statement("record artifacts", insert).bind(rows(chunk)?).run(db).await?;
    }
    let update = "UPDATE document SET state = 'delivered', gaps = value ->> 1 FROM rows($1)
        WHERE document.id = CAST(value ->> 0 AS BIGINT)";
    statement("record documents", update).bind(rows(&gaps)?).run(db).await?;
    Ok(())
}

/// Documents that could not be assembled are tried again until `losses_max`.
pub(super) async fn lose(
    db: &mut Connection,
    documents: &BTreeMap<i64, JobId>,
    limits: &Limits,
    counters: &mut Counters,
) -> Result<(), StoreError> {
    if documents.is_empty() {
        return Ok(());
    }
    let update = "UPDATE document SET state = 'open', losses = losses + 1
        WHERE id IN ids($1) RETURNING id, losses";
    let counted: Vec<(i64, i64)> =
        statement("count failures", update).bind(ids(documents.keys().copied())?).all(db).await?;
    let dead = counted
        .into_iter()
        .filter(|&(_, losses)| next_step(0, losses as u32, limits) == Step::Dead)
        .filter_map(|(document, _)| documents.get(&document).map(|&job| (document, job)));
    give_up(db, &dead.collect::<Vec<_>>(), counters).await
}

/// These documents are not tried again before somebody re-drives them.
async fn give_up(
    db: &mut Connection,
    documents: &[(i64, JobId)],
    counters: &mut Counters,
) -> Result<(), StoreError> {
    if documents.is_empty() {
        return Ok(());
    }
    for &(_, job) in documents {
        counters.add(job, Counter::DocumentsFailed, 1);
    }
    let update = "UPDATE document SET state = 'failed' WHERE id IN ids($1)";
    let given_up = ids(documents.iter().map(|&(document, _)| document))?;
    statement("give documents up", update).bind(given_up).run(db).await?;
    Ok(())
}

/// Has documents that no worker came to assembled later.
pub(super) async fn hand_back(db: &mut Connection, documents: &[i64]) -> Result<(), StoreError> {
    if documents.is_empty() {
        return Ok(());
    }
    let update = "UPDATE document SET state = 'open' WHERE state = 'assembling'
        AND id IN ids($1)";
    statement("hand documents back", update).bind(ids(documents.iter().copied())?).run(db).await?;
    Ok(())
}
