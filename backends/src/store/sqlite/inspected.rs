//! What inspecting a source changes: its pages enter the ledger, or leave it when its content changed.

use pagemill_domain::arrival::initial_state;
use pagemill_domain::hash::ContentHash;
use pagemill_domain::ids::{DocumentId, JobId, SourceId};
use pagemill_domain::ladder::{Step, next_step};
use pagemill_domain::limits::Limits;
use pagemill_domain::outcome::{SourceReport, SourceResult};
use pagemill_domain::page::PageState;
use pagemill_domain::recipe::Recipe;
use pagemill_domain::scan::{Rejection, SourceFacts};
use sqlx::SqliteConnection;

use super::super::StoreError;
use super::{arrange, database, to_json};

#[derive(sqlx::FromRow)]
struct InspectedSource {
    state: String,
    hash: Option<String>,
    pages: i64,
    faults: i64,
    losses: i64,
}

/// Applies what came of inspecting one source; one that isn't being inspected is left alone.
pub(super) async fn apply(
    db: &mut SqliteConnection,
    job: JobId,
    recipe: &Recipe,
    report: &SourceReport,
    limits: &Limits,
) -> Result<(), StoreError> {
    let source = report.source;
    let known: Option<InspectedSource> =
        sqlx::query_as("SELECT state, hash, pages, faults, losses FROM source WHERE id = $1 AND job = $2")
            .bind(source.0)
            .bind(job.0)
            .fetch_optional(&mut *db)
            .await
            .map_err(database("find a source"))?;
    let Some(known) = known.filter(|known| known.state == "inspecting") else { return Ok(()) };
    match &report.result {
        SourceResult::Inspected(facts) => {
            let same_content = known.pages > 0 && known.hash == report.hash.map(|hash| hash.to_string());
            if !same_content {
                forget_pages(db, job, source).await?;
                insert_pages(db, job, recipe, source, facts).await?;
            }
            accept(db, job, source, report.hash, facts).await
        }
        SourceResult::Rejected(rejection) => reject(db, job, source, rejection).await,
        SourceResult::Fault(fault) => {
            let (faults, losses) = (known.faults as u32 + 1, known.losses as u32);
            try_again(db, job, source, (faults, losses), &fault.to_string(), limits).await
        }
        SourceResult::Lost(loss) => {
            let (faults, losses) = (known.faults as u32, known.losses as u32 + 1);
            try_again(db, job, source, (faults, losses), &loss.to_string(), limits).await
        }
    }
}

/// Another try, or the end of its ladder.
pub(super) async fn try_again(
    db: &mut SqliteConnection,
    job: JobId,
    source: SourceId,
    (faults, losses): (u32, u32),
    reason: &str,
    limits: &Limits,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE source SET state = 'pending', faults = $2, losses = $3 WHERE id = $1")
        .bind(source.0)
        .bind(faults)
        .bind(losses)
        .execute(&mut *db)
        .await
        .map_err(database("count a failure"))?;
    if next_step(faults, losses, limits) == Step::Dead {
        reject(db, job, source, &Rejection::Poison(reason.into())).await?;
    }
    Ok(())
}

async fn insert_pages(
    db: &mut SqliteConnection,
    job: JobId,
    recipe: &Recipe,
    source: SourceId,
    facts: &SourceFacts,
) -> Result<(), StoreError> {
    let (mut kept, mut dead, mut cursor_end) = (0_i64, 0_i64, 0);
    for (number, page) in (1_u32..).zip(&facts.pages) {
        let state = initial_state(page, facts.signed, recipe.existing_text);
        match state {
            PageState::Pending => cursor_end = number,
            PageState::Dead => dead += 1,
            _ => kept += 1,
        }
        let defect = page.defect.as_ref().filter(|_| state == PageState::Dead);
        let insert = "INSERT INTO page (source, number, width, height, dpi_x_milli, dpi_y_milli, dpi_rule, state, reason,
                      detail) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
        sqlx::query(insert)
            .bind(source.0)
            .bind(number)
            .bind(page.width)
            .bind(page.height)
            .bind(page.dpi.x_milli)
            .bind(page.dpi.y_milli)
            .bind(to_json("dpi rule", &page.dpi_rule)?)
            .bind(state.name())
            .bind(defect.map(pagemill_domain::scan::PageDefect::code))
            .bind(defect.map(ToString::to_string))
            .execute(&mut *db)
            .await
            .map_err(database("add a page"))?;
    }
    sqlx::query("UPDATE source SET cursor = 0, cursor_end = $2 WHERE id = $1")
        .bind(source.0)
        .bind(cursor_end)
        .execute(&mut *db)
        .await
        .map_err(database("set the page cursor"))?;
    sqlx::query(
        "UPDATE job SET pages_declared = pages_declared + $2, pages_kept = pages_kept + $3,
         pages_dead = pages_dead + $4 WHERE id = $1",
    )
    .bind(job.0)
    .bind(facts.pages.len() as i64)
    .bind(kept)
    .bind(dead)
    .execute(&mut *db)
    .await
    .map_err(database("count pages"))?;
    Ok(())
}

async fn accept(
    db: &mut SqliteConnection,
    job: JobId,
    source: SourceId,
    hash: Option<ContentHash>,
    facts: &SourceFacts,
) -> Result<(), StoreError> {
    let update = "UPDATE source SET state = 'inspected', hash = $2, kind = $3, signed = $4, pages = $5, rejection = NULL
                  WHERE id = $1";
    sqlx::query(update)
        .bind(source.0)
        .bind(hash.map(|hash| hash.to_string()))
        .bind(to_json("source kind", &facts.kind)?.trim_matches('"'))
        .bind(facts.signed)
        .bind(facts.pages.len() as i64)
        .execute(&mut *db)
        .await
        .map_err(database("record a source"))?;
    count_source(db, job, "inspected", 1).await
}

async fn reject(
    db: &mut SqliteConnection,
    job: JobId,
    source: SourceId,
    rejection: &Rejection,
) -> Result<(), StoreError> {
    forget_pages(db, job, source).await?;
    sqlx::query("UPDATE source SET state = 'rejected', hash = NULL, pages = 0, rejection = $2 WHERE id = $1")
        .bind(source.0)
        .bind(to_json("rejection", rejection)?)
        .execute(&mut *db)
        .await
        .map_err(database("reject a source"))?;
    count_source(db, job, "rejected", 1).await
}

/// Sends a source to be inspected again: its stamp changed, or it was rejected. Its pages stay until its hash is known.
pub(super) async fn inspect_again(
    db: &mut SqliteConnection,
    job: JobId,
    source: i64,
) -> Result<(), StoreError> {
    count_out(db, job, source).await?;
    sqlx::query(
        "UPDATE source SET state = 'pending', faults = 0, losses = 0, rejection = NULL WHERE id = $1",
    )
    .bind(source)
    .execute(&mut *db)
    .await
    .map_err(database("inspect a source again"))?;
    Ok(())
}

/// Takes a source that is gone and was never delivered out of the job.
pub(super) async fn withdraw(db: &mut SqliteConnection, job: JobId, source: i64) -> Result<(), StoreError> {
    count_out(db, job, source).await?;
    forget_pages(db, job, SourceId(source)).await?;
    sqlx::query("DELETE FROM source WHERE id = $1")
        .bind(source)
        .execute(&mut *db)
        .await
        .map_err(database("withdraw a source"))?;
    sqlx::query("UPDATE job SET sources_submitted = sources_submitted - 1 WHERE id = $1")
        .bind(job.0)
        .execute(&mut *db)
        .await
        .map_err(database("count sources"))?;
    Ok(())
}

/// Takes a source's final state out of the counts.
async fn count_out(db: &mut SqliteConnection, job: JobId, source: i64) -> Result<(), StoreError> {
    let state: String = sqlx::query_scalar("SELECT state FROM source WHERE id = $1")
        .bind(source)
        .fetch_one(&mut *db)
        .await
        .map_err(database("find a source"))?;
    count_source(db, job, &state, -1).await
}

async fn count_source(db: &mut SqliteConnection, job: JobId, state: &str, by: i64) -> Result<(), StoreError> {
    let update = match state {
        "inspected" => "UPDATE job SET sources_inspected = sources_inspected + $2 WHERE id = $1",
        "rejected" => "UPDATE job SET sources_rejected = sources_rejected + $2 WHERE id = $1",
        _ => return Ok(()),
    };
    sqlx::query(update).bind(job.0).bind(by).execute(&mut *db).await.map_err(database("count sources"))?;
    Ok(())
}

/// Takes a source's pages, and the document that holds them, out of the job.
async fn forget_pages(db: &mut SqliteConnection, job: JobId, source: SourceId) -> Result<(), StoreError> {
    let document: Option<i64> = sqlx::query_scalar("SELECT document FROM source WHERE id = $1")
        .bind(source.0)
        .fetch_one(&mut *db)
        .await
        .map_err(database("find a document"))?;
    if let Some(document) = document {
        arrange::forget_document(db, job, DocumentId(document)).await?;
    }
    let update = "UPDATE job SET
        pages_declared = pages_declared - (SELECT count(*) FROM page WHERE source = $2),
        pages_recognised = pages_recognised - (SELECT count(*) FROM page WHERE source = $2 AND state = 'recognised'),
        pages_blank = pages_blank - (SELECT count(*) FROM page WHERE source = $2 AND state = 'blank'),
        pages_kept = pages_kept - (SELECT count(*) FROM page WHERE source = $2 AND state = 'kept'),
        pages_dead = pages_dead - (SELECT count(*) FROM page WHERE source = $2 AND state = 'dead')
        WHERE id = $1";
    sqlx::query(update)
        .bind(job.0)
        .bind(source.0)
        .execute(&mut *db)
        .await
        .map_err(database("count pages"))?;
    sqlx::query("DELETE FROM page WHERE source = $1")
        .bind(source.0)
        .execute(&mut *db)
        .await
        .map_err(database("forget pages"))?;
    sqlx::query("UPDATE source SET cursor = 0, cursor_end = 0 WHERE id = $1")
        .bind(source.0)
        .execute(&mut *db)
        .await
        .map_err(database("reset the page cursor"))?;
    Ok(())
}
