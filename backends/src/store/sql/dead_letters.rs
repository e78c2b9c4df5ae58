//! Dead letters: dead pages, and rejected sources as number 0. They have a table of their own, so that finding them
//! reads nothing else.

use pagemill_domain::ids::JobId;
use pagemill_domain::scan::Rejection;

use super::super::dialect::Connection;
use super::statement::{ROWS_PER_STATEMENT_MAX, from_json, rows, statement};
use crate::store::{DeadLetter, DeadLetterFilter, PageCursor, StoreError};

/// Adds pages or sources, as source, number and job.
pub(super) async fn add(db: &mut Connection, dead: &[(i64, i64, i64)]) -> Result<(), StoreError> {
    for chunk in dead.chunks(ROWS_PER_STATEMENT_MAX) {
        let insert = "INSERT INTO dead_letter (source, number, job, tenant)
            SELECT CAST(value ->> 0 AS BIGINT), CAST(value ->> 1 AS BIGINT), job.id, job.tenant
            FROM rows($1) JOIN job ON job.id = CAST(value ->> 2 AS BIGINT) WHERE TRUE ON CONFLICT DO NOTHING";
        statement("record dead letters", insert).bind(rows(chunk)?).run(db).await?;
    }
    Ok(())
}

#[derive(sqlx::FromRow)]
struct DeadColumns {
    job: i64,
    source: i64,
    number: i64,
    path: String,
    rejection: Option<String>,
    source_faults: i64,
    source_losses: i64,
    page_faults: Option<i64>,
    page_losses: Option<i64>,
    reason: Option<String>,
    detail: Option<String>,
}

impl DeadColumns {
    fn read(self) -> Result<DeadLetter, StoreError> {
        let rejection: Option<Rejection> = match (self.number, &self.rejection) {
            (0, Some(json)) => Some(from_json("a rejection", json)?),
            _ => None,
        };
        let (reason, detail) = match rejection {
            Some(rejection) => (rejection.code().to_owned(), rejection.to_string()),
            None => (self.reason.unwrap_or_default(), self.detail.unwrap_or_default()),
        };
        Ok(DeadLetter {
            job: JobId(self.job),
            source: self.source,
            path: self.path,
            number: self.number as u32,
            faults: self.page_faults.unwrap_or(self.source_faults) as u32,
            losses: self.page_losses.unwrap_or(self.source_losses) as u32,
            reason,
            detail,
        })
    }
}

/// The listing with a condition; `$1` and `$2` are the cursor, `$3` bounds the rows.
macro_rules! list_where {
    ($condition:literal) => {
        concat!(
            "SELECT dead_letter.job, dead_letter.source, dead_letter.number, source.path, source.rejection,
             source.faults AS source_faults, source.losses AS source_losses, page.faults AS page_faults,
             page.losses AS page_losses, page.reason, page.detail
             FROM dead_letter JOIN source ON source.id = dead_letter.source
             LEFT JOIN page ON page.source = dead_letter.source AND page.number = dead_letter.number
             WHERE (dead_letter.source, dead_letter.number) > ($1, $2) AND ",
            $condition,
            " ORDER BY dead_letter.source, dead_letter.number LIMIT $3"
        )
    };
}

pub(super) async fn list(
    db: &mut Connection,
    filter: &DeadLetterFilter,
    after: PageCursor,
    rows_max: u32,
) -> Result<Vec<DeadLetter>, StoreError> {
    let select = |sql| {
        let cursor = (after.source, i64::from(after.number));
        statement("list dead letters", sql).bind(cursor.0).bind(cursor.1).bind(i64::from(rows_max))
    };
    let select = match (filter.job, &filter.tenant) {
        (None, None) => select(list_where!("TRUE")),
        (None, Some(tenant)) => select(list_where!("dead_letter.tenant = $4")).bind(tenant),
        (Some(job), None) => select(list_where!("dead_letter.job = $4")).bind(job.0),
        (Some(job), Some(tenant)) => {
            select(list_where!("dead_letter.job = $4 AND dead_letter.tenant = $5")).bind(job.0).bind(tenant)
        }
    };
    let rows: Vec<DeadColumns> = select.all(db).await?;
    rows.into_iter().map(DeadColumns::read).collect()
}
