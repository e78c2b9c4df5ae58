//! Reading what the store holds, a page of rows at a time.

use std::collections::HashMap;

use pagemill_domain::ids::{Attempt, DocumentId, JobId, PageId, ShardAttempt, ShardId, WorkerId};
use pagemill_domain::outcome::{Artifact, Fingerprint};
use pagemill_domain::page::PageState;
use pagemill_domain::scan::Dpi;
use pagemill_domain::shard::{ResultRef, Stage};

use super::super::dialect::Connection;
use super::statement::{from_json, ids, statement};
use crate::store::{DocumentRow, OpenShard, PageCursor, PageRow, SourceRow, StoreError};

#[derive(sqlx::FromRow)]
struct SourceColumns {
    id: i64,
    path: String,
    hash: Option<String>,
    kind: Option<String>,
    pages: i64,
    bytes: i64,
    signed: bool,
    rejection: Option<String>,
}

impl SourceColumns {
    fn read(self) -> Result<SourceRow, StoreError> {
        let kind = self.kind.map(|kind| from_json("a source's kind", &format!("\"{kind}\"")));
        Ok(SourceRow {
            id: self.id,
            path: self.path,
            hash: self.hash,
            kind: kind.transpose()?,
            pages: self.pages as u32,
            bytes: self.bytes.cast_unsigned(),
            signed: self.signed,
            rejection: self.rejection.map(|json| from_json("a rejection", &json)).transpose()?,
        })
    }
}

pub(super) async fn sources(
    db: &mut Connection,
    job: JobId,
    after: i64,
    rows_max: u32,
) -> Result<Vec<SourceRow>, StoreError> {
    let select = "SELECT id, path, hash, kind, pages, bytes, signed, rejection FROM source
        WHERE job = $1 AND id > $2 ORDER BY id LIMIT $3";
    let rows: Vec<SourceColumns> =
        statement("list sources", select).bind(job.0).bind(after).bind(i64::from(rows_max)).all(db).await?;
    rows.into_iter().map(SourceColumns::read).collect()
}

#[derive(sqlx::FromRow)]
struct PageColumns {
    source: i64,
    path: String,
    document: Option<String>,
    number: i64,
    width: i64,
    height: i64,
    dpi_x_milli: i64,
    dpi_y_milli: i64,
    dpi_rule: String,
    state: String,
    faults: i64,
    losses: i64,
    reason: Option<String>,
    detail: Option<String>,
    summary: Option<String>,
}

impl PageColumns {
    fn read(self) -> Result<PageRow, StoreError> {
        let state = PageState::from_name(&self.state);
        Ok(PageRow {
            source: self.source,
            path: self.path,
            document: self.document,
            number: self.number as u32,
            width: self.width as u32,
            height: self.height as u32,
            dpi: Dpi { x_milli: self.dpi_x_milli as u32, y_milli: self.dpi_y_milli as u32 },
            dpi_rule: from_json("a page's dpi rule", &self.dpi_rule)?,
            state: state.ok_or(StoreError::Unreadable { what: "a page's state", found: self.state })?,
            faults: self.faults as u32,
            losses: self.losses as u32,
            reason: self.reason,
            detail: self.detail,
            summary: self.summary.map(|json| from_json("a page's summary", &json)).transpose()?,
        })
    }
}

/// A listing of pages that starts from some tables; `$1` is the job, `$2` and `$3` the cursor, `$4` bounds the rows.
/// What a cancelled job left pending is cancelled.
macro_rules! list_pages {
    ($from:literal, $and:literal) => {
        concat!(
            "SELECT page.source, source.path, document.name AS document, page.number, page.width, page.height,
             page.dpi_x_milli, page.dpi_y_milli, page.dpi_rule, page.faults, page.losses, page.reason, page.detail,
             page.summary, CASE WHEN job.state = 'cancelled' AND page.state = 'pending' THEN 'cancelled'
             ELSE page.state END AS state FROM ",
            $from,
            " JOIN job ON job.id = source.job LEFT JOIN document ON document.id = source.document
             WHERE source.job = $1 AND page.source >= $2 AND (page.source > $2 OR page.number > $3) ",
            $and,
            " ORDER BY page.source, page.number LIMIT $4"
        )
    };
}

pub(super) async fn pages(
    db: &mut Connection,
    job: JobId,
    state: Option<PageState>,
    after: PageCursor,
    rows_max: u32,
) -> Result<Vec<PageRow>, StoreError> {
    let list = |sql| {
        let (source, number) = (after.source, i64::from(after.number));
        statement("list pages", sql).bind(job.0).bind(source).bind(number).bind(i64::from(rows_max))
    };
    let list = match state {
        None => list(list_pages!("source JOIN page ON page.source = source.id", "")),
        // Dead ones are rare among millions.
        Some(PageState::Dead) => list(list_pages!(
            "dead_letter JOIN page ON page.source = dead_letter.source AND page.number = dead_letter.number
             JOIN source ON source.id = page.source",
            "AND dead_letter.job = source.job"
        )),
        Some(PageState::Pending) => list(list_pages!(
            "source JOIN page ON page.source = source.id",
            "AND page.state = 'pending' AND job.state <> 'cancelled'"
        )),
        Some(PageState::Cancelled) => list(list_pages!(
            "source JOIN page ON page.source = source.id",
            "AND page.state = 'pending' AND job.state = 'cancelled'"
        )),
        Some(state) => {
            list(list_pages!("source JOIN page ON page.source = source.id", "AND page.state = $5"))
                .bind(state.name())
        }
    };
    let rows: Vec<PageColumns> = list.all(db).await?;
    rows.into_iter().map(PageColumns::read).collect()
}

pub(super) async fn page_result(
    db: &mut Connection,
    job: JobId,
    page: PageId,
) -> Result<Option<ResultRef>, StoreError> {
    let select = "SELECT page.result FROM page JOIN source ON source.id = page.source
        WHERE page.source = $1 AND page.number = $2 AND source.job = $3";
    let found: Option<(Option<String>,)> = statement("find a page's text", select)
        .bind(page.source.0)
        .bind(i64::from(page.number))
        .bind(job.0)
        .optional(db)
        .await?;
    found.and_then(|(result,)| result).map(|result| from_json("result", &result)).transpose()
}

#[derive(sqlx::FromRow)]
struct ArtifactColumns {
    document: i64,
    name: String,
    format: String,
    bytes: i64,
    hash: String,
}

impl ArtifactColumns {
    fn read(self) -> Result<Artifact, StoreError> {
        let hash = self.hash.parse();
        Ok(Artifact {
            format: from_json("an artifact's format", &self.format)?,
            name: self.name,
            bytes: self.bytes.cast_unsigned(),
            hash: hash
                .map_err(|_| StoreError::Unreadable { what: "an artifact's hash", found: self.hash })?,
        })
    }
}

pub(super) async fn documents(
    db: &mut Connection,
    job: JobId,
    after: i64,
    rows_max: u32,
) -> Result<Vec<DocumentRow>, StoreError> {
    let select = "SELECT id, name, state, gaps FROM document WHERE job = $1 AND id > $2 ORDER BY id LIMIT $3";
    let rows: Vec<(i64, String, String, String)> =
        statement("list documents", select).bind(job.0).bind(after).bind(i64::from(rows_max)).all(db).await?;
    let select = "SELECT document, name, format, bytes, hash FROM artifact
        WHERE document IN ids($1) ORDER BY document, name";
    let found: Vec<ArtifactColumns> =
        statement("list artifacts", select).bind(ids(rows.iter().map(|row| row.0))?).all(db).await?;
    let mut artifacts: HashMap<i64, Vec<Artifact>> = HashMap::new();
    for artifact in found {
        artifacts.entry(artifact.document).or_default().push(artifact.read()?);
    }
    rows.into_iter()
        .map(|(id, name, state, gaps)| {
            Ok(DocumentRow {
                id: DocumentId(id),
                name,
                failed: state == "failed",
                artifacts: artifacts.remove(&id).unwrap_or_default(),
                gaps: from_json("a document's gaps", &gaps)?,
            })
        })
        .collect()
}

pub(super) async fn artifact(
    db: &mut Connection,
    job: JobId,
    name: &str,
) -> Result<Option<Artifact>, StoreError> {
    let select = "SELECT document, name, format, bytes, hash FROM artifact WHERE job = $1 AND name = $2";
    let found: Option<ArtifactColumns> =
        statement("find an artifact", select).bind(job.0).bind(name).optional(db).await?;
    found.map(ArtifactColumns::read).transpose()
}

pub(super) async fn fingerprints(db: &mut Connection, job: JobId) -> Result<Vec<Fingerprint>, StoreError> {
    let select = "SELECT fingerprint.fingerprint FROM job_fingerprint JOIN fingerprint
        ON fingerprint.id = job_fingerprint.fingerprint WHERE job_fingerprint.job = $1 AND job_fingerprint.pages > 0";
    let rows: Vec<(String,)> = statement("list fingerprints", select).bind(job.0).all(db).await?;
    let mut fingerprints: Vec<Fingerprint> =
        rows.into_iter().map(|(fingerprint,)| Fingerprint(fingerprint)).collect();
    fingerprints.sort_unstable();
    Ok(fingerprints)
}

#[derive(sqlx::FromRow)]
struct ShardColumns {
    id: i64,
    job: i64,
    stage: String,
    attempt: i64,
    express: bool,
    beats: i64,
    worker: Option<String>,
}

impl ShardColumns {
    fn read(self) -> Result<OpenShard, StoreError> {
        let stage = Stage::ALL.into_iter().find(|stage| stage.name() == self.stage);
        Ok(OpenShard {
            dispatch: ShardAttempt { shard: ShardId(self.id), attempt: Attempt(self.attempt as u32) },
            job: JobId(self.job),
            stage: stage.ok_or(StoreError::Unreadable { what: "a shard's stage", found: self.stage })?,
            express: self.express,
            beats: self.beats.cast_unsigned(),
            worker: self.worker.map(WorkerId),
        })
    }
}

pub(super) async fn open_shards(db: &mut Connection) -> Result<Vec<OpenShard>, StoreError> {
    let select = "SELECT id, job, stage, attempt, express, beats, worker FROM shard ORDER BY id";
    let rows: Vec<ShardColumns> = statement("list open shards", select).all(db).await?;
    rows.into_iter().map(ShardColumns::read).collect()
}
