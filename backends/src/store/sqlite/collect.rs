//! Applying outcomes: taken once, whatever is delivered how often.

use std::collections::BTreeSet;

use pagemill_domain::ids::{DocumentId, JobId, PageId, SourceId};
use pagemill_domain::ladder::{Step, next_step};
use pagemill_domain::limits::Limits;
use pagemill_domain::outcome::{DocumentReport, DocumentResult, Outcome, PageReport, PageResult, Report};
use pagemill_domain::page::{PageState, PageSummary};
use pagemill_domain::recipe::Recipe;
use pagemill_domain::shard::ResultRef;
use sqlx::SqliteConnection;

use super::super::{Applied, StoreError};
use super::dispatch::ShardContents;
use super::{arrange, database, from_json, inspected, to_json};

#[derive(sqlx::FromRow)]
struct OpenShard {
    job: i64,
    attempt: i64,
    contents: String,
    recipe: String,
}

pub(super) async fn apply(
    db: &mut SqliteConnection,
    outcomes: &[Outcome],
    limits: &Limits,
) -> Result<Applied, StoreError> {
    let mut applied = Applied::default();
    let mut jobs_inspected = BTreeSet::new();
    for outcome in outcomes {
        let open: Option<OpenShard> = sqlx::query_as(
            "SELECT shard.job, shard.attempt, shard.contents, job.recipe FROM shard JOIN job ON job.id = shard.job
             WHERE shard.id = $1",
        )
        .bind(outcome.shard.0)
        .fetch_optional(&mut *db)
        .await
        .map_err(database("find a shard"))?;
        let Some(open) = open else {
            applied.duplicate += 1;
            continue;
        };
        if open.attempt != i64::from(outcome.attempt.0) {
            applied.stale += 1;
            ignore(db, JobId(open.job)).await?;
            continue;
        }
        take(db, &open, outcome, limits).await?;
        if matches!(outcome.report, Report::Inspected(_)) {
            jobs_inspected.insert(JobId(open.job));
        }
        applied.taken += 1;
    }
    for job in jobs_inspected {
        arrange::sources(db, job).await?;
    }
    Ok(applied)
}

async fn take(
    db: &mut SqliteConnection,
    open: &OpenShard,
    outcome: &Outcome,
    limits: &Limits,
) -> Result<(), StoreError> {
    let job = JobId(open.job);
    sqlx::query("DELETE FROM shard WHERE id = $1")
        .bind(outcome.shard.0)
        .execute(&mut *db)
        .await
        .map_err(database("close a shard"))?;
    sqlx::query("UPDATE job SET cpu_ms = cpu_ms + $2, pages_read = pages_read + $3 WHERE id = $1")
        .bind(job.0)
        .bind(outcome.cpu_ms.cast_signed())
        .bind(pages_read(&outcome.report))
        .execute(&mut *db)
        .await
        .map_err(database("count work"))?;
    match &outcome.report {
        Report::Inspected(reports) => {
            let recipe: Recipe = from_json("recipe", &open.recipe)?;
            for report in reports {
                inspected::apply(db, job, &recipe, report, limits).await?;
            }
            hand_back_sources(db, &from_json("shard", &open.contents)?).await
        }
        Report::Recognised(reports) => {
            record_fingerprint(db, &outcome.fingerprint.0).await?;
            for report in reports {
                take_page(db, job, report, &outcome.fingerprint.0, limits).await?;
            }
            hand_back_pages(db, &from_json("shard", &open.contents)?, reports).await
        }
        Report::Assembled(report) => take_document(db, job, report, limits).await,
    }
}

/// Pages that an outcome brings to an end, whichever.
fn pages_read(report: &Report) -> i64 {
    let Report::Recognised(pages) = report else { return 0 };
    let ended = pages.iter().filter(|page| {
        matches!(
            page.result,
            PageResult::Recognised { .. } | PageResult::Blank { .. } | PageResult::Defect(_)
        )
    });
    ended.count() as i64
}

async fn ignore(db: &mut SqliteConnection, job: JobId) -> Result<(), StoreError> {
    sqlx::query("UPDATE job SET outcomes_ignored = outcomes_ignored + 1 WHERE id = $1")
        .bind(job.0)
        .execute(&mut *db)
        .await
        .map_err(database("count an ignored outcome"))?;
    Ok(())
}

async fn record_fingerprint(db: &mut SqliteConnection, fingerprint: &str) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO fingerprint (fingerprint) VALUES ($1) ON CONFLICT DO NOTHING")
        .bind(fingerprint)
        .execute(&mut *db)
        .await
        .map_err(database("record a fingerprint"))?;
    Ok(())
}

async fn take_page(
    db: &mut SqliteConnection,
    job: JobId,
    report: &PageReport,
    fingerprint: &str,
    limits: &Limits,
) -> Result<(), StoreError> {
    let page = PageId { source: report.source, number: report.number };
    match &report.result {
        PageResult::Recognised { result, summary } => {
            finish_read(db, job, page, PageState::Recognised, Some(result), summary, fingerprint).await
        }
        PageResult::Blank { summary } => {
            finish_read(db, job, page, PageState::Blank, None, summary, fingerprint).await
        }
        PageResult::Defect(defect) => give_up(db, job, page, defect.code(), &defect.to_string()).await,
        PageResult::Fault(fault) => {
            fail_page(db, job, page, (1, 0), (fault.code(), &fault.to_string()), limits).await
        }
        PageResult::Lost(loss) => {
            fail_page(db, job, page, (0, 1), (loss.code(), &loss.to_string()), limits).await
        }
    }
}

async fn finish_read(
    db: &mut SqliteConnection,
    job: JobId,
    page: PageId,
    state: PageState,
    result: Option<&ResultRef>,
    summary: &PageSummary,
    fingerprint: &str,
) -> Result<(), StoreError> {
    let update = "UPDATE page SET state = $3, result = $4, summary = $5, fingerprint = $6
                  WHERE source = $1 AND number = $2 AND state = 'pending'";
    let updated = sqlx::query(update)
        .bind(page.source.0)
        .bind(page.number)
        .bind(state.name())
        .bind(result.map(|result| to_json("result", result)).transpose()?)
        .bind(to_json("summary", summary)?)
        .bind(fingerprint)
        .execute(&mut *db)
        .await
        .map_err(database("record a page"))?;
    count_final(db, job, page.source, state, updated.rows_affected()).await
}

/// A page that is given up, with the stable code and the words of the reason.
pub(super) async fn give_up(
    db: &mut SqliteConnection,
    job: JobId,
    page: PageId,
    code: &str,
    words: &str,
) -> Result<(), StoreError> {
    let update = "UPDATE page SET state = 'dead', reason = $3, detail = $4
                  WHERE source = $1 AND number = $2 AND state = 'pending'";
    let updated = sqlx::query(update)
        .bind(page.source.0)
        .bind(page.number)
        .bind(code)
        .bind(words)
        .execute(&mut *db)
        .await
        .map_err(database("give up a page"))?;
    count_final(db, job, page.source, PageState::Dead, updated.rows_affected()).await
}

/// Counts so many (faults, losses) and takes the ladder's next step.
pub(super) async fn fail_page(
    db: &mut SqliteConnection,
    job: JobId,
    page: PageId,
    (more_faults, more_losses): (u32, u32),
    (code, words): (&str, &str),
    limits: &Limits,
) -> Result<(), StoreError> {
    let update = "UPDATE page SET faults = faults + $3, losses = losses + $4, reason = $5, detail = $6
                  WHERE source = $1 AND number = $2 AND state = 'pending' RETURNING faults, losses";
    let counted: Option<(u32, u32)> = sqlx::query_as(update)
        .bind(page.source.0)
        .bind(page.number)
        .bind(more_faults)
        .bind(more_losses)
        .bind(code)
        .bind(words)
        .fetch_optional(&mut *db)
        .await
        .map_err(database("count a failure"))?;
    let Some((faults, losses)) = counted else { return Ok(()) };
    sqlx::query("UPDATE job SET faults = faults + $2, losses = losses + $3 WHERE id = $1")
        .bind(job.0)
        .bind(more_faults)
        .bind(more_losses)
        .execute(&mut *db)
        .await
        .map_err(database("count a failure"))?;
    match next_step(faults, losses, limits) {
        Step::Dead => give_up(db, job, page, code, words).await,
        step => queue_again(db, page, step).await,
    }
}

/// Puts a page before all pages that were not dispatched yet.
pub(super) async fn queue_again(
    db: &mut SqliteConnection,
    page: PageId,
    step: Step,
) -> Result<(), StoreError> {
    let insert = "INSERT INTO retry (source, number, step) VALUES ($1, $2, $3)
                  ON CONFLICT (source, number) DO UPDATE SET step = excluded.step";
    sqlx::query(insert)
        .bind(page.source.0)
        .bind(page.number)
        .bind(to_json("step", &step)?)
        .execute(&mut *db)
        .await
        .map_err(database("queue a page again"))?;
    Ok(())
}

async fn count_final(
    db: &mut SqliteConnection,
    job: JobId,
    source: SourceId,
    state: PageState,
    pages: u64,
) -> Result<(), StoreError> {
    let update = match state {
        PageState::Recognised => "UPDATE job SET pages_recognised = pages_recognised + $2 WHERE id = $1",
        PageState::Blank => "UPDATE job SET pages_blank = pages_blank + $2 WHERE id = $1",
        PageState::Dead => "UPDATE job SET pages_dead = pages_dead + $2 WHERE id = $1",
        PageState::Pending | PageState::Kept | PageState::Cancelled => return Ok(()),
    };
    if pages == 0 {
        return Ok(());
    }
    sqlx::query(update)
        .bind(job.0)
        .bind(pages.cast_signed())
        .execute(&mut *db)
        .await
        .map_err(database("count pages"))?;
    let close = "UPDATE document SET pages_open = pages_open - $2 WHERE id = (SELECT document FROM source WHERE id = $1)";
    sqlx::query(close)
        .bind(source.0)
        .bind(pages.cast_signed())
        .execute(&mut *db)
        .await
        .map_err(database("count open pages"))?;
    Ok(())
}

/// Pages that the worker did not come to: no failure of theirs, and none is counted.
pub(super) async fn hand_back_pages(
    db: &mut SqliteConnection,
    contents: &ShardContents,
    reports: &[PageReport],
) -> Result<(), StoreError> {
    let ShardContents::Recognise(groups) = contents else { return Ok(()) };
    let reported: BTreeSet<(i64, u32)> =
        reports.iter().map(|report| (report.source.0, report.number)).collect();
    for group in groups {
        for &number in group.pages.iter().filter(|&&number| !reported.contains(&(group.source, number))) {
            let page = PageId { source: SourceId(group.source), number };
            queue_again(db, page, if group.degraded { Step::Degraded } else { Step::Retry }).await?;
        }
    }
    Ok(())
}

/// Sources that the worker did not come to.
pub(super) async fn hand_back_sources(
    db: &mut SqliteConnection,
    contents: &ShardContents,
) -> Result<(), StoreError> {
    let ShardContents::Inspect(sources) = contents else { return Ok(()) };
    for source in sources {
        sqlx::query("UPDATE source SET state = 'pending' WHERE id = $1 AND state = 'inspecting'")
            .bind(source)
            .execute(&mut *db)
            .await
            .map_err(database("hand back a source"))?;
    }
    Ok(())
}

async fn take_document(
    db: &mut SqliteConnection,
    job: JobId,
    report: &DocumentReport,
    limits: &Limits,
) -> Result<(), StoreError> {
    match &report.result {
        DocumentResult::Delivered { artifacts, gaps } => {
            sqlx::query("DELETE FROM artifact WHERE document = $1")
                .bind(report.document.0)
                .execute(&mut *db)
                .await
                .map_err(database("replace artifacts"))?;
            for artifact in artifacts {
                sqlx::query(
                    "INSERT INTO artifact (document, name, format, bytes, hash) VALUES ($1, $2, $3, $4, $5)",
                )
                .bind(report.document.0)
                .bind(&artifact.name)
                .bind(to_json("format", &artifact.format)?)
                .bind(artifact.bytes.cast_signed())
                .bind(artifact.hash.to_string())
                .execute(&mut *db)
                .await
                .map_err(database("record an artifact"))?;
            }
            let update = "UPDATE document SET state = 'delivered', gaps = $2 WHERE id = $1";
            sqlx::query(update)
                .bind(report.document.0)
                .bind(to_json("gaps", gaps)?)
                .execute(&mut *db)
                .await
                .map_err(database("record a document"))?;
            sqlx::query("UPDATE job SET documents_delivered = documents_delivered + 1 WHERE id = $1")
                .bind(job.0)
                .execute(&mut *db)
                .await
                .map_err(database("count documents"))?;
            Ok(())
        }
        DocumentResult::Lost(_) => lose_document(db, job, report.document, limits).await,
    }
}

/// A document that could not be assembled is tried again until `losses_max`.
pub(super) async fn lose_document(
    db: &mut SqliteConnection,
    job: JobId,
    document: DocumentId,
    limits: &Limits,
) -> Result<(), StoreError> {
    let losses: u32 = sqlx::query_scalar(
        "UPDATE document SET state = 'open', losses = losses + 1 WHERE id = $1 RETURNING losses",
    )
    .bind(document.0)
    .fetch_one(&mut *db)
    .await
    .map_err(database("count a failure"))?;
    if next_step(0, losses, limits) == Step::Dead {
        sqlx::query("UPDATE document SET state = 'failed' WHERE id = $1")
            .bind(document.0)
            .execute(&mut *db)
            .await
            .map_err(database("give up a document"))?;
        sqlx::query("UPDATE job SET documents_failed = documents_failed + 1 WHERE id = $1")
            .bind(job.0)
            .execute(&mut *db)
            .await
            .map_err(database("count documents"))?;
    }
    Ok(())
}
