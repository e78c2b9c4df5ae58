//! Forming documents, and taking them apart again when what they were made of changes.

use pagemill_domain::ids::{DocumentId, JobId};
use pagemill_domain::natural_order::natural_key;
use pagemill_domain::recipe::Grouping;

use super::super::dialect::Connection;
use super::contents::ShardContents;
use super::counters::{Counter, Counters};
use super::jobs::{self, LockedJob};
use super::statement::{ids, rows, statement, to_json};
use crate::store::StoreError;

/// Forms the documents of inspected sources that stand alone.
pub(super) async fn sources(
    db: &mut Connection,
    job: &LockedJob,
    counters: &mut Counters,
) -> Result<(), StoreError> {
    let by_folder = job.recipe.group == Grouping::Folder;
    let insert = "INSERT INTO document (job, name, state, pages_open)
        SELECT job, name, 'open', (SELECT count(*) FROM page WHERE page.source = source.id AND page.state = 'pending')
        FROM source WHERE job = $1 AND state = 'inspected' AND document IS NULL
        AND NOT ($2 AND kind <> 'pdf' AND pages = 1) ORDER BY id";
    let arranged = statement("form documents", insert).bind(job.id.0).bind(by_folder).run(db).await?;
    if arranged == 0 {
        return Ok(());
    }
    let link = "UPDATE source SET ordinal = 0, document =
        (SELECT document.id FROM document WHERE document.job = source.job AND document.name = source.name)
        WHERE job = $1 AND state = 'inspected' AND document IS NULL AND NOT ($2 AND kind <> 'pdf' AND pages = 1)";
    statement("link sources to documents", link).bind(job.id.0).bind(by_folder).run(db).await?;
    counters.add(job.id, Counter::DocumentsArranged, arranged.cast_signed());
    Ok(())
}

/// Forms the documents of folders: single-page images, in natural order, once none of the folder's sources is open.
pub(super) async fn folders(db: &mut Connection, job: JobId) -> Result<u64, StoreError> {
    let job = jobs::lock(db, job).await?;
    if job.recipe.group != Grouping::Folder {
        return Ok(0);
    }
    let select = "SELECT DISTINCT folder FROM source AS member WHERE job = $1 AND state = 'inspected'
        AND document IS NULL AND NOT EXISTS (SELECT 1 FROM source WHERE source.job = member.job
        AND source.folder = member.folder AND source.state IN ('pending', 'inspecting')) ORDER BY folder";
    let ready: Vec<(String,)> = statement("find complete folders", select).bind(job.id.0).all(db).await?;
    let mut counters = Counters::default();
    for (folder,) in &ready {
        folder_document(db, job.id, folder, &mut counters).await?;
    }
    counters.write(db).await?;
    Ok(ready.len() as u64)
}

async fn folder_document(
    db: &mut Connection,
    job: JobId,
    folder: &str,
    counters: &mut Counters,
) -> Result<(), StoreError> {
    // A file that came later makes another document of its folder.
    let earlier: Option<(i64,)> =
        statement("find the folder's document", "SELECT id FROM document WHERE job = $1 AND name = $2")
            .bind(job.0)
            .bind(folder)
            .optional(db)
            .await?;
    if let Some((document,)) = earlier {
        forget(db, job, &[document], counters).await?;
    }
    let select = "SELECT id, path FROM source WHERE job = $1 AND folder = $2 AND state = 'inspected'
        AND document IS NULL";
    let mut members: Vec<(i64, String)> =
        statement("list the folder's sources", select).bind(job.0).bind(folder).all(db).await?;
    members.sort_by_cached_key(|(_, path)| natural_key(path));
    let insert =
        "INSERT INTO document (job, name, state, pages_open) VALUES ($1, $2, 'open', 0) RETURNING id";
    let (document,): (i64,) =
        statement("form the folder's document", insert).bind(job.0).bind(folder).one(db).await?;
    let order: Vec<(i64, i64)> = members.iter().map(|(source, _)| *source).zip(0..).collect();
    let link = "UPDATE source SET document = $2, ordinal = CAST(value ->> 1 AS BIGINT)
        FROM rows($1) WHERE source.id = CAST(value ->> 0 AS BIGINT)";
    statement("link sources to documents", link).bind(rows(&order)?).bind(document).run(db).await?;
    let count =
        "UPDATE document SET pages_open = (SELECT count(*) FROM page JOIN source ON source.id = page.source
        WHERE source.document = document.id AND page.state = 'pending') WHERE id = $1";
    statement("count open pages", count).bind(document).run(db).await?;
    counters.add(job, Counter::DocumentsArranged, 1);
    Ok(())
}

/// Has a document assembled again from what is known of its pages.
pub(super) async fn reassemble(db: &mut Connection, document: DocumentId) -> Result<(), StoreError> {
    let job: Option<(i64,)> = statement("find a document", "SELECT job FROM document WHERE id = $1")
        .bind(document.0)
        .optional(db)
        .await?;
    let Some((job,)) = job else { return Ok(()) };
    let job = jobs::lock(db, JobId(job)).await?;
    let update = "UPDATE document SET state = 'open' WHERE id = $1 AND state = 'delivered'";
    let opened = statement("open a document again", update).bind(document.0).run(db).await?;
    let mut counters = Counters::default();
    counters.add(job.id, Counter::DocumentsDelivered, -opened.cast_signed());
    counters.write(db).await
}

/// Takes documents apart: their artifacts are superseded, their sources free to be arranged anew.
pub(super) async fn forget(
    db: &mut Connection,
    job: JobId,
    documents: &[i64],
    counters: &mut Counters,
) -> Result<(), StoreError> {
    if documents.is_empty() {
        return Ok(());
    }
    forget_assembling(db, job, documents).await?;
    let named = ids(documents.iter().copied())?;
    for sql in [
        "INSERT INTO superseded (job, name) SELECT job, name FROM artifact
         WHERE document IN ids($1) ON CONFLICT DO NOTHING",
        "DELETE FROM artifact WHERE document IN ids($1)",
        "UPDATE source SET document = NULL WHERE document IN ids($1)",
    ] {
        statement("take documents apart", sql).bind(&named).run(db).await?;
    }
    let delete = "DELETE FROM document WHERE id IN ids($1) RETURNING state";
    let states: Vec<(String,)> = statement("take documents apart", delete).bind(&named).all(db).await?;
    for (state,) in states {
        counters.add(job, Counter::DocumentsArranged, -1);
        count_out(job, &state, counters);
    }
    Ok(())
}

/// Takes all documents of a job apart.
pub(super) async fn forget_all(
    db: &mut Connection,
    job: JobId,
    counters: &mut Counters,
) -> Result<(), StoreError> {
    let documents: Vec<(i64,)> =
        statement("list documents", "SELECT id FROM document WHERE job = $1").bind(job.0).all(db).await?;
    let documents: Vec<i64> = documents.into_iter().map(|(id,)| id).collect();
    forget(db, job, &documents, counters).await
}

/// Forgets the open shards that assemble these documents, so that what comes of them is ignored.
pub(super) async fn forget_assembling(
    db: &mut Connection,
    job: JobId,
    documents: &[i64],
) -> Result<(), StoreError> {
    let mut contents = Vec::with_capacity(documents.len());
    for &document in documents {
        contents.push((to_json("shard", &ShardContents::Assemble(document))?,));
    }
    let delete = "DELETE FROM shard WHERE job = $1 AND stage = 'assemble'
        AND contents IN texts($2)";
    statement("forget shards", delete).bind(job.0).bind(rows(&contents)?).run(db).await?;
    Ok(())
}

/// Takes a document's final state out of the counts.
pub(super) fn count_out(job: JobId, state: &str, counters: &mut Counters) {
    match state {
        "delivered" => counters.add(job, Counter::DocumentsDelivered, -1),
        "failed" => counters.add(job, Counter::DocumentsFailed, -1),
        _ => {}
    }
}
