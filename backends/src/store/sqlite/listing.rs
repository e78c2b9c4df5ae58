//! Reading what the store holds, page by page.

use pagemill_domain::ids::{DocumentId, JobId};
use pagemill_domain::ledger::{DocumentCounts, Ledger, PageCounts, SourceCounts};
use pagemill_domain::outcome::{Artifact, Fingerprint};
use pagemill_domain::page::PageState;
use pagemill_domain::scan::Dpi;
use sqlx::{Executor, Sqlite, SqlitePool};

use super::super::{DocumentRow, JobState, JobStatus, PageCursor, PageRow, SourceRow, StoreError};
use super::{database, from_json};

#[derive(sqlx::FromRow)]
struct JobColumns {
    state: String,
    sources_submitted: i64,
    sources_inspected: i64,
    sources_rejected: i64,
    sources_cancelled: i64,
    pages_declared: i64,
    pages_recognised: i64,
    pages_blank: i64,
    pages_kept: i64,
    pages_dead: i64,
    pages_cancelled: i64,
    documents_arranged: i64,
    documents_delivered: i64,
    documents_failed: i64,
    faults: i64,
    losses: i64,
    outcomes_ignored: i64,
    cpu_ms: i64,
    pages_read: i64,
}

pub(super) async fn status<'c>(
    db: impl Executor<'c, Database = Sqlite>,
    job: JobId,
) -> Result<JobStatus, StoreError> {
    let row: Option<JobColumns> = sqlx::query_as("SELECT * FROM job WHERE id = $1")
        .bind(job.0)
        .fetch_optional(db)
        .await
        .map_err(database("read a job"))?;
    let row = row.ok_or(StoreError::NoSuchJob(job))?;
    let state = match row.state.as_str() {
        "draft" => JobState::Draft,
        "sealed" => JobState::Sealed,
        "closed" => JobState::Closed,
        "cancelled" => JobState::Cancelled,
        _ => return Err(StoreError::Unreadable { what: "a job's state", found: row.state }),
    };
    Ok(JobStatus {
        state,
        ledger: Ledger {
            sources: SourceCounts {
                submitted: row.sources_submitted.cast_unsigned(),
                inspected: row.sources_inspected.cast_unsigned(),
                rejected: row.sources_rejected.cast_unsigned(),
                cancelled: row.sources_cancelled.cast_unsigned(),
            },
            pages: PageCounts {
                declared: row.pages_declared.cast_unsigned(),
                recognised: row.pages_recognised.cast_unsigned(),
                blank: row.pages_blank.cast_unsigned(),
                kept: row.pages_kept.cast_unsigned(),
                dead: row.pages_dead.cast_unsigned(),
                cancelled: row.pages_cancelled.cast_unsigned(),
            },
            documents: DocumentCounts {
                arranged: row.documents_arranged.cast_unsigned(),
                delivered: row.documents_delivered.cast_unsigned(),
                failed: row.documents_failed.cast_unsigned(),
            },
        },
        faults: row.faults.cast_unsigned(),
        losses: row.losses.cast_unsigned(),
        outcomes_ignored: row.outcomes_ignored.cast_unsigned(),
        cpu_ms: row.cpu_ms.cast_unsigned(),
        pages_read: row.pages_read.cast_unsigned(),
    })
}

#[derive(sqlx::FromRow)]
struct SourceColumns {
    id: i64,
    path: String,
    hash: Option<String>,
    kind: Option<String>,
    pages: u32,
    bytes: i64,
    signed: bool,
    rejection: Option<String>,
}

pub(super) async fn sources(
    db: &SqlitePool,
    job: JobId,
    after: i64,
    rows_max: u32,
) -> Result<Vec<SourceRow>, StoreError> {
    let rows: Vec<SourceColumns> = sqlx::query_as(
        "SELECT id, path, hash, kind, pages, bytes, signed, rejection FROM source
         WHERE job = $1 AND id > $2 ORDER BY id LIMIT $3",
    )
    .bind(job.0)
    .bind(after)
    .bind(rows_max)
    .fetch_all(db)
    .await
    .map_err(database("list sources"))?;
    rows.into_iter()
        .map(|row| {
            Ok(SourceRow {
                id: row.id,
                path: row.path,
                hash: row.hash,
                kind: row
                    .kind
                    .map(|kind| from_json("a source's kind", &format!("\"{kind}\"")))
                    .transpose()?,
                pages: row.pages,
                bytes: row.bytes.cast_unsigned(),
                signed: row.signed,
                rejection: row.rejection.map(|json| from_json("a rejection", &json)).transpose()?,
            })
        })
        .collect()
}

#[derive(sqlx::FromRow)]
struct PageColumns {
    source: i64,
    path: String,
    document: Option<String>,
    number: u32,
    width: u32,
    height: u32,
    dpi_x_milli: u32,
    dpi_y_milli: u32,
    dpi_rule: String,
    state: String,
    faults: u32,
    losses: u32,
    reason: Option<String>,
    detail: Option<String>,
    summary: Option<String>,
}

pub(super) async fn pages(
    db: &SqlitePool,
    job: JobId,
    after: PageCursor,
    rows_max: u32,
) -> Result<Vec<PageRow>, StoreError> {
    let rows: Vec<PageColumns> = sqlx::query_as(
        "SELECT page.source, source.path, document.name AS document, page.number, page.width, page.height,
         page.dpi_x_milli, page.dpi_y_milli, page.dpi_rule, page.state, page.faults, page.losses, page.reason,
         page.detail, page.summary FROM source JOIN page ON page.source = source.id
         LEFT JOIN document ON document.id = source.document
         WHERE source.job = $1 AND source.id >= $2 AND (source.id > $2 OR page.number > $3)
         ORDER BY source.id, page.number LIMIT $4",
    )
    .bind(job.0)
    .bind(after.source)
    .bind(after.number)
    .bind(rows_max)
    .fetch_all(db)
    .await
    .map_err(database("list pages"))?;
    rows.into_iter().map(page_row).collect()
}

fn page_row(row: PageColumns) -> Result<PageRow, StoreError> {
    let state = PageState::from_name(&row.state);
    Ok(PageRow {
        source: row.source,
        path: row.path,
        document: row.document,
        number: row.number,
        width: row.width,
        height: row.height,
        dpi: Dpi { x_milli: row.dpi_x_milli, y_milli: row.dpi_y_milli },
        dpi_rule: from_json("a page's dpi rule", &row.dpi_rule)?,
        state: state.ok_or(StoreError::Unreadable { what: "a page's state", found: row.state })?,
        faults: row.faults,
        losses: row.losses,
        reason: row.reason,
        detail: row.detail,
        summary: row.summary.map(|json| from_json("a page's summary", &json)).transpose()?,
    })
}

#[derive(sqlx::FromRow)]
struct DocumentColumns {
    id: i64,
    name: String,
    state: String,
    gaps: String,
}

#[derive(sqlx::FromRow)]
struct ArtifactColumns {
    name: String,
    format: String,
    bytes: i64,
    hash: String,
}

pub(super) async fn documents(
    db: &SqlitePool,
    job: JobId,
    after: i64,
    rows_max: u32,
) -> Result<Vec<DocumentRow>, StoreError> {
    let rows: Vec<DocumentColumns> = sqlx::query_as(
        "SELECT id, name, state, gaps FROM document WHERE job = $1 AND id > $2 ORDER BY id LIMIT $3",
    )
    .bind(job.0)
    .bind(after)
    .bind(rows_max)
    .fetch_all(db)
    .await
    .map_err(database("list documents"))?;
    let mut documents = Vec::with_capacity(rows.len());
    for row in rows {
        documents.push(DocumentRow {
            id: DocumentId(row.id),
            name: row.name,
            failed: row.state == "failed",
            artifacts: artifacts(db, row.id).await?,
            gaps: from_json("a document's gaps", &row.gaps)?,
        });
    }
    Ok(documents)
}

async fn artifacts(db: &SqlitePool, document: i64) -> Result<Vec<Artifact>, StoreError> {
    let rows: Vec<ArtifactColumns> =
        sqlx::query_as("SELECT name, format, bytes, hash FROM artifact WHERE document = $1 ORDER BY name")
            .bind(document)
            .fetch_all(db)
            .await
            .map_err(database("list artifacts"))?;
    rows.into_iter()
        .map(|row| {
            let hash = row.hash.parse();
            Ok(Artifact {
                format: from_json("an artifact's format", &row.format)?,
                name: row.name,
                bytes: row.bytes.cast_unsigned(),
                hash: hash
                    .map_err(|_| StoreError::Unreadable { what: "an artifact's hash", found: row.hash })?,
            })
        })
        .collect()
}

pub(super) async fn fingerprints(db: &SqlitePool, job: JobId) -> Result<Vec<Fingerprint>, StoreError> {
    let rows: Vec<String> = sqlx::query_scalar(
        "SELECT fingerprint FROM fingerprint WHERE EXISTS (SELECT 1 FROM page JOIN source ON source.id = page.source
         WHERE source.job = $1 AND page.fingerprint = fingerprint.fingerprint) ORDER BY fingerprint",
    )
    .bind(job.0)
    .fetch_all(db)
    .await
    .map_err(database("list fingerprints"))?;
    Ok(rows.into_iter().map(Fingerprint).collect())
}
