//! How jobs stand: read from their counters, whatever they hold.

use pagemill_domain::ids::JobId;
use pagemill_domain::job::Urgency;
use pagemill_domain::ledger::{DocumentCounts, Ledger, PageCounts, SourceCounts};
use pagemill_domain::schedule::Demand;

use super::super::dialect::Connection;
use super::statement::{from_json, statement};
use crate::store::{JobFilter, JobRow, JobState, JobStatus, StoreError, StoreFigures};

#[derive(sqlx::FromRow)]
struct LedgerColumns {
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
}

impl LedgerColumns {
    const fn read(&self) -> Ledger {
        Ledger {
            sources: SourceCounts {
                submitted: self.sources_submitted.cast_unsigned(),
                inspected: self.sources_inspected.cast_unsigned(),
                rejected: self.sources_rejected.cast_unsigned(),
                cancelled: self.sources_cancelled.cast_unsigned(),
            },
            pages: PageCounts {
                declared: self.pages_declared.cast_unsigned(),
                recognised: self.pages_recognised.cast_unsigned(),
                blank: self.pages_blank.cast_unsigned(),
                kept: self.pages_kept.cast_unsigned(),
                dead: self.pages_dead.cast_unsigned(),
                cancelled: self.pages_cancelled.cast_unsigned(),
            },
            documents: DocumentCounts {
                arranged: self.documents_arranged.cast_unsigned(),
                delivered: self.documents_delivered.cast_unsigned(),
                failed: self.documents_failed.cast_unsigned(),
            },
        }
    }
}

#[derive(sqlx::FromRow)]
struct JobColumns {
    id: i64,
    tenant: String,
    key: String,
    state: String,
    recipe: String,
    priority: i64,
    deadline: Option<i64>,
    created: i64,
    closed: Option<i64>,
    faults: i64,
    losses: i64,
    outcomes_ignored: i64,
    cpu_ms: i64,
    pages_read: i64,
    #[sqlx(flatten)]
    ledger: LedgerColumns,
}

impl JobColumns {
    fn status(&self) -> Result<JobStatus, StoreError> {
        Ok(JobStatus {
            state: state(self.state.clone())?,
            ledger: self.ledger.read(),
            faults: self.faults.cast_unsigned(),
            losses: self.losses.cast_unsigned(),
            outcomes_ignored: self.outcomes_ignored.cast_unsigned(),
            cpu_ms: self.cpu_ms.cast_unsigned(),
            pages_read: self.pages_read.cast_unsigned(),
        })
    }

    fn read(self) -> Result<JobRow, StoreError> {
        let status = self.status()?;
        Ok(JobRow {
            id: JobId(self.id),
            tenant: self.tenant,
            key: self.key,
            recipe: from_json("recipe", &self.recipe)?,
            urgency: urgency(self.priority, self.deadline),
            created_unix_seconds: self.created,
            closed_unix_seconds: self.closed,
            status,
        })
    }
}

pub(super) fn state(name: String) -> Result<JobState, StoreError> {
    JobState::from_name(&name).ok_or(StoreError::Unreadable { what: "a job's state", found: name })
}

const fn urgency(priority: i64, deadline_unix_seconds: Option<i64>) -> Urgency {
    Urgency { priority: priority as u8, deadline_unix_seconds }
}

async fn columns(db: &mut Connection, job: JobId) -> Result<JobColumns, StoreError> {
    let row: Option<JobColumns> =
        statement("read a job", "SELECT * FROM job WHERE id = $1").bind(job.0).optional(db).await?;
    row.ok_or(StoreError::NoSuchJob(job))
}

pub(super) async fn read(db: &mut Connection, job: JobId) -> Result<JobStatus, StoreError> {
    columns(db, job).await?.status()
}

pub(super) async fn job(db: &mut Connection, job: JobId) -> Result<JobRow, StoreError> {
    columns(db, job).await?.read()
}

pub(super) async fn find(db: &mut Connection, tenant: &str, key: &str) -> Result<Option<JobId>, StoreError> {
    let select = "SELECT id FROM job WHERE tenant = $1 AND key = $2";
    let found: Option<(i64,)> = statement("find a job", select).bind(tenant).bind(key).optional(db).await?;
    Ok(found.map(|(id,)| JobId(id)))
}

pub(super) async fn list(
    db: &mut Connection,
    filter: &JobFilter,
    after: JobId,
    rows_max: u32,
) -> Result<Vec<JobRow>, StoreError> {
    // Two texts: with one, finished jobs would be read to be passed over.
    let select = if filter.open_only {
        "SELECT * FROM job WHERE id > $1 AND ($2 IS NULL OR tenant = $2) AND state IN ('draft', 'sealed')
            ORDER BY id LIMIT $3"
    } else {
        "SELECT * FROM job WHERE id > $1 AND ($2 IS NULL OR tenant = $2) ORDER BY id LIMIT $3"
    };
    let rows: Vec<JobColumns> = statement("list jobs", select)
        .bind(after.0)
        .bind(&filter.tenant)
        .bind(i64::from(rows_max))
        .all(db)
        .await?;
    rows.into_iter().map(JobColumns::read).collect()
}

#[derive(sqlx::FromRow)]
struct DemandColumns {
    id: i64,
    tenant: String,
    priority: i64,
    deadline: Option<i64>,
    pages_open: i64,
    sources_open: i64,
    documents_open: i64,
    pages_declared: i64,
    shards_in_flight: i64,
}

impl DemandColumns {
    fn read(self) -> Demand {
        Demand {
            job: JobId(self.id),
            tenant: self.tenant,
            urgency: urgency(self.priority, self.deadline),
            pages_open: self.pages_open.cast_unsigned(),
            sources_open: self.sources_open.cast_unsigned(),
            documents_open: self.documents_open.cast_unsigned(),
            pages_declared: self.pages_declared.cast_unsigned(),
            shards_in_flight: self.shards_in_flight as usize,
        }
    }
}

/// Of the shards only those on their way are counted; the window bounds them.
pub(super) async fn demands(db: &mut Connection, rows_max: u32) -> Result<Vec<Demand>, StoreError> {
    let select = "SELECT id, tenant, priority, deadline, pages_declared,
        pages_declared - pages_recognised - pages_blank - pages_kept - pages_dead AS pages_open,
        sources_submitted - sources_inspected - sources_rejected AS sources_open,
        documents_arranged - documents_delivered - documents_failed AS documents_open,
        (SELECT count(*) FROM shard WHERE shard.job = job.id) AS shards_in_flight
        FROM job WHERE state = 'sealed' ORDER BY priority DESC, deadline NULLS LAST, id LIMIT $1";
    let rows: Vec<DemandColumns> =
        statement("list demands", select).bind(i64::from(rows_max)).all(db).await?;
    Ok(rows.into_iter().map(DemandColumns::read).collect())
}

#[derive(sqlx::FromRow)]
struct FigureColumns {
    #[sqlx(flatten)]
    ledger: LedgerColumns,
    sources_pending: i64,
    pages_pending: i64,
    documents_pending: i64,
    outcomes_ignored: i64,
    oldest_pending: Option<i64>,
}

/// The sum of a counter over all jobs: the unfinished ones, and what the finished ones add up to.
macro_rules! of_all_jobs {
    ($($column:literal),*) => {
        concat!($("CAST(coalesce(sum(", $column, "), 0) AS BIGINT) + (SELECT ", $column, " FROM total) AS ", $column, ", "),*)
    };
}

const FIGURES: &str = concat!(
    "SELECT ",
    of_all_jobs!(
        "sources_submitted",
        "sources_inspected",
        "sources_rejected",
        "sources_cancelled",
        "pages_declared",
        "pages_recognised",
        "pages_blank",
        "pages_kept",
        "pages_dead",
        "pages_cancelled",
        "documents_arranged",
        "documents_delivered",
        "documents_failed",
        "outcomes_ignored"
    ),
    "CAST(coalesce(sum(CASE WHEN state = 'sealed' THEN sources_submitted - sources_inspected - sources_rejected
        ELSE 0 END), 0) AS BIGINT) AS sources_pending,
    CAST(coalesce(sum(CASE WHEN state = 'sealed' THEN pages_declared - pages_recognised - pages_blank - pages_kept
        - pages_dead ELSE 0 END), 0) AS BIGINT) AS pages_pending,
    CAST(coalesce(sum(CASE WHEN state = 'sealed' THEN documents_arranged - documents_delivered - documents_failed
        ELSE 0 END), 0) AS BIGINT) AS documents_pending,
    min(CASE WHEN state = 'sealed' AND (sources_submitted > sources_inspected + sources_rejected
        OR pages_declared > pages_recognised + pages_blank + pages_kept + pages_dead
        OR documents_arranged > documents_delivered + documents_failed) THEN created END) AS oldest_pending
    FROM job WHERE state IN ('draft', 'sealed')"
);

pub(super) async fn figures(db: &mut Connection) -> Result<StoreFigures, StoreError> {
    let row: FigureColumns = statement("sum jobs up", FIGURES).one(db).await?;
    Ok(StoreFigures {
        ledger: row.ledger.read(),
        sources_pending: row.sources_pending.cast_unsigned(),
        pages_pending: row.pages_pending.cast_unsigned(),
        documents_pending: row.documents_pending.cast_unsigned(),
        outcomes_ignored: row.outcomes_ignored.cast_unsigned(),
        oldest_pending_unix_seconds: row.oldest_pending,
    })
}
