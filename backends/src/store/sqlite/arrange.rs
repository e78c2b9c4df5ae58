//! Forming documents, and taking them apart again when what they were made of changes.

use pagemill_domain::ids::{DocumentId, JobId};
use pagemill_domain::natural_order::natural_key;
use pagemill_domain::recipe::{Grouping, Recipe};
use sqlx::SqliteConnection;

use super::super::StoreError;
use super::{database, from_json};

/// Forms the documents of inspected sources that stand alone.
pub(super) async fn sources(db: &mut SqliteConnection, job: JobId) -> Result<(), StoreError> {
    let by_folder = is_grouped_by_folder(db, job).await?;
    let insert = "INSERT INTO document (job, name, state, pages_open)
        SELECT job, name, 'open', (SELECT count(*) FROM page WHERE page.source = source.id AND page.state = 'pending')
        FROM source WHERE job = $1 AND state = 'inspected' AND document IS NULL
        AND NOT ($2 AND kind <> 'pdf' AND pages = 1) ORDER BY id";
    let arranged = sqlx::query(insert)
        .bind(job.0)
        .bind(by_folder)
        .execute(&mut *db)
        .await
        .map_err(database("form documents"))?
        .rows_affected();
    if arranged == 0 {
        return Ok(());
    }
    let link = "UPDATE source SET ordinal = 0, document =
        (SELECT document.id FROM document WHERE document.job = source.job AND document.name = source.name)
        WHERE job = $1 AND state = 'inspected' AND document IS NULL AND NOT ($2 AND kind <> 'pdf' AND pages = 1)";
    sqlx::query(link)
        .bind(job.0)
        .bind(by_folder)
        .execute(&mut *db)
        .await
        .map_err(database("link sources to documents"))?;
    count(db, job, arranged).await
}

/// Forms the documents of folders: single-page images, in natural order, once none of the folder's sources is open.
pub(super) async fn folders(db: &mut SqliteConnection, job: JobId) -> Result<u64, StoreError> {
    if !is_grouped_by_folder(db, job).await? {
        return Ok(0);
    }
    let ready: Vec<String> = sqlx::query_scalar(
        "SELECT DISTINCT folder FROM source AS member WHERE job = $1 AND state = 'inspected' AND document IS NULL
         AND NOT EXISTS (SELECT 1 FROM source WHERE source.job = member.job AND source.folder = member.folder
         AND source.state IN ('pending', 'inspecting')) ORDER BY folder",
    )
    .bind(job.0)
    .fetch_all(&mut *db)
    .await
    .map_err(database("find complete folders"))?;
    for folder in &ready {
        folder_document(db, job, folder).await?;
    }
    Ok(ready.len() as u64)
}

async fn folder_document(db: &mut SqliteConnection, job: JobId, folder: &str) -> Result<(), StoreError> {
    // A file that came later makes another document of its folder.
    let earlier: Option<i64> = sqlx::query_scalar("SELECT id FROM document WHERE job = $1 AND name = $2")
        .bind(job.0)
        .bind(folder)
        .fetch_optional(&mut *db)
        .await
        .map_err(database("find the folder's document"))?;
    if let Some(document) = earlier {
        forget_document(db, job, DocumentId(document)).await?;
    }
    let mut members: Vec<(i64, String)> = sqlx::query_as(
        "SELECT id, path FROM source WHERE job = $1 AND folder = $2 AND state = 'inspected' AND document IS NULL",
    )
    .bind(job.0)
    .bind(folder)
    .fetch_all(&mut *db)
    .await
    .map_err(database("list the folder's sources"))?;
    members.sort_by_cached_key(|(_, path)| natural_key(path));
    let document =
        sqlx::query("INSERT INTO document (job, name, state, pages_open) VALUES ($1, $2, 'open', 0)")
            .bind(job.0)
            .bind(folder)
            .execute(&mut *db)
            .await
            .map_err(database("form the folder's document"))?
            .last_insert_rowid();
    for (ordinal, (source, _)) in members.iter().enumerate() {
        sqlx::query("UPDATE source SET document = $2, ordinal = $3 WHERE id = $1")
            .bind(source)
            .bind(document)
            .bind(ordinal as i64)
            .execute(&mut *db)
            .await
            .map_err(database("link sources to documents"))?;
    }
    sqlx::query(
        "UPDATE document SET pages_open = (SELECT count(*) FROM page JOIN source ON source.id = page.source
         WHERE source.document = document.id AND page.state = 'pending') WHERE id = $1",
    )
    .bind(document)
    .execute(&mut *db)
    .await
    .map_err(database("count open pages"))?;
    count(db, job, 1).await
}

/// Has a document assembled again from what is known of its pages.
pub(super) async fn reassemble(db: &mut SqliteConnection, document: DocumentId) -> Result<(), StoreError> {
    let updated = sqlx::query(
        "UPDATE job SET documents_delivered = documents_delivered - 1 WHERE id =
         (SELECT job FROM document WHERE id = $1 AND state = 'delivered')",
    )
    .bind(document.0)
    .execute(&mut *db)
    .await
    .map_err(database("count documents"))?;
    if updated.rows_affected() == 1 {
        sqlx::query("UPDATE document SET state = 'open' WHERE id = $1")
            .bind(document.0)
            .execute(&mut *db)
            .await
            .map_err(database("open a document again"))?;
    }
    Ok(())
}

/// Takes one document apart: its artifacts are superseded, its sources free to be arranged anew.
pub(super) async fn forget_document(
    db: &mut SqliteConnection,
    job: JobId,
    document: DocumentId,
) -> Result<(), StoreError> {
    let contents = super::dispatch::assemble_contents(document)?;
    sqlx::query("DELETE FROM shard WHERE job = $1 AND stage = 'assemble' AND contents = $2")
        .bind(job.0)
        .bind(contents)
        .execute(&mut *db)
        .await
        .map_err(database("forget a shard"))?;
    forget_where(db, job, Some(document)).await
}

/// Takes all documents of a job apart.
pub(super) async fn forget_documents(db: &mut SqliteConnection, job: JobId) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM shard WHERE job = $1 AND stage = 'assemble'")
        .bind(job.0)
        .execute(&mut *db)
        .await
        .map_err(database("forget shards"))?;
    forget_where(db, job, None).await
}

async fn forget_where(
    db: &mut SqliteConnection,
    job: JobId,
    document: Option<DocumentId>,
) -> Result<(), StoreError> {
    for statement in [
        "INSERT OR IGNORE INTO superseded (job, name) SELECT document.job, artifact.name FROM artifact
         JOIN document ON document.id = artifact.document WHERE document.job = $1 AND document.id = coalesce($2, document.id)",
        "UPDATE source SET document = NULL WHERE job = $1 AND document = coalesce($2, document)",
        "UPDATE job SET documents_arranged = documents_arranged - (SELECT count(*) FROM document WHERE
         document.job = job.id AND document.id = coalesce($2, document.id)), documents_delivered = documents_delivered -
         (SELECT count(*) FROM document WHERE document.job = job.id AND document.id = coalesce($2, document.id)
         AND document.state = 'delivered'), documents_failed = documents_failed -
         (SELECT count(*) FROM document WHERE document.job = job.id AND document.id = coalesce($2, document.id)
         AND document.state = 'failed') WHERE id = $1",
        "DELETE FROM document WHERE job = $1 AND id = coalesce($2, id)",
    ] {
        sqlx::query(statement)
            .bind(job.0)
            .bind(document.map(|document| document.0))
            .execute(&mut *db)
            .await
            .map_err(database("take documents apart"))?;
    }
    Ok(())
}

async fn count(db: &mut SqliteConnection, job: JobId, arranged: u64) -> Result<(), StoreError> {
    sqlx::query("UPDATE job SET documents_arranged = documents_arranged + $2 WHERE id = $1")
        .bind(job.0)
        .bind(arranged.cast_signed())
        .execute(&mut *db)
        .await
        .map_err(database("count documents"))?;
    Ok(())
}

async fn is_grouped_by_folder(db: &mut SqliteConnection, job: JobId) -> Result<bool, StoreError> {
    let recipe: String = sqlx::query_scalar("SELECT recipe FROM job WHERE id = $1")
        .bind(job.0)
        .fetch_one(&mut *db)
        .await
        .map_err(database("read the recipe"))?;
    Ok(from_json::<Recipe>("recipe", &recipe)?.group == Grouping::Folder)
}
