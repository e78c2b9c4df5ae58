//! Taking back shards whose worker is gone.

use pagemill_domain::ids::{Attempt, DocumentId, JobId, PageId, ShardId, SourceId};
use pagemill_domain::ladder::{Step, next_step};
use pagemill_domain::limits::Limits;
use pagemill_domain::outcome::Loss;
use pagemill_domain::recipe::Recipe;
use pagemill_domain::shard::Shard;
use sqlx::SqliteConnection;

use super::super::StoreError;
use super::dispatch::{PageGroup, ShardContents, work};
use super::{collect, database, from_json, inspected};

#[derive(sqlx::FromRow)]
struct OpenShard {
    id: i64,
    job: i64,
    attempt: u32,
    contents: String,
    recipe: String,
}

pub(super) async fn reclaim_shards(
    db: &mut SqliteConnection,
    limits: &Limits,
) -> Result<Vec<Shard>, StoreError> {
    let open: Vec<OpenShard> = sqlx::query_as(
        "SELECT shard.id, shard.job, shard.attempt, shard.contents, job.recipe FROM shard
         JOIN job ON job.id = shard.job WHERE job.state = 'sealed' ORDER BY shard.id",
    )
    .fetch_all(&mut *db)
    .await
    .map_err(database("list open shards"))?;
    let mut again = Vec::new();
    for shard in open {
        let contents: ShardContents = from_json("shard", &shard.contents)?;
        if lose(db, JobId(shard.job), &contents, limits).await? {
            again.push(advance(db, shard, contents).await?);
        } else {
            sqlx::query("DELETE FROM shard WHERE id = $1")
                .bind(shard.id)
                .execute(&mut *db)
                .await
                .map_err(database("dissolve a shard"))?;
        }
    }
    Ok(again)
}

/// Shards that no worker took: what they hold waits again.
pub(super) async fn hand_back_shards(
    db: &mut SqliteConnection,
    shards: &[ShardId],
) -> Result<(), StoreError> {
    for shard in shards {
        let contents: Option<String> =
            sqlx::query_scalar("DELETE FROM shard WHERE id = $1 RETURNING contents")
                .bind(shard.0)
                .fetch_optional(&mut *db)
                .await
                .map_err(database("hand back a shard"))?;
        let Some(contents) = contents else { continue };
        let contents: ShardContents = from_json("shard", &contents)?;
        collect::hand_back_pages(db, &contents, &[]).await?;
        collect::hand_back_sources(db, &contents).await?;
        if let ShardContents::Assemble(document) = contents {
            sqlx::query("UPDATE document SET state = 'open' WHERE id = $1 AND state = 'assembling'")
                .bind(document)
                .execute(&mut *db)
                .await
                .map_err(database("hand back a document"))?;
        }
    }
    Ok(())
}

async fn advance(
    db: &mut SqliteConnection,
    shard: OpenShard,
    contents: ShardContents,
) -> Result<Shard, StoreError> {
    sqlx::query("UPDATE shard SET attempt = attempt + 1 WHERE id = $1")
        .bind(shard.id)
        .execute(&mut *db)
        .await
        .map_err(database("advance a shard's attempt"))?;
    Ok(Shard {
        id: ShardId(shard.id),
        attempt: Attempt(shard.attempt + 1),
        job: JobId(shard.job),
        express: false,
        recipe: from_json::<Recipe>("recipe", &shard.recipe)?,
        work: work(db, contents).await?,
    })
}

/// Counts a loss for all that the shard holds; returns whether it goes on as it was.
async fn lose(
    db: &mut SqliteConnection,
    job: JobId,
    contents: &ShardContents,
    limits: &Limits,
) -> Result<bool, StoreError> {
    match contents {
        ShardContents::Recognise(groups) => lose_pages(db, job, groups, limits).await,
        ShardContents::Assemble(document) => {
            collect::lose_document(db, job, DocumentId(*document), limits).await?;
            Ok(false)
        }
        ShardContents::Inspect(sources) => {
            for &source in sources {
                lose_source(db, job, SourceId(source), limits).await?;
            }
            Ok(false)
        }
    }
}

async fn lose_source(
    db: &mut SqliteConnection,
    job: JobId,
    source: SourceId,
    limits: &Limits,
) -> Result<(), StoreError> {
    let counts: Option<(u32, u32)> =
        sqlx::query_as("SELECT faults, losses FROM source WHERE id = $1 AND state = 'inspecting'")
            .bind(source.0)
            .fetch_optional(&mut *db)
            .await
            .map_err(database("find a source"))?;
    if let Some((faults, losses)) = counts {
        let reason = Loss::Interrupted.to_string();
        inspected::try_again(db, job, source, (faults, losses + 1), &reason, limits).await?;
    }
    Ok(())
}

async fn lose_pages(
    db: &mut SqliteConnection,
    job: JobId,
    groups: &[PageGroup],
    limits: &Limits,
) -> Result<bool, StoreError> {
    let pages: Vec<(PageId, bool)> = groups
        .iter()
        .flat_map(|group| {
            group
                .pages
                .iter()
                .map(|&number| (PageId { source: SourceId(group.source), number }, group.degraded))
        })
        .collect();
    let alone = pages.len() == 1;
    let mut whole = true;
    let mut counted = Vec::with_capacity(pages.len());
    for (page, degraded) in pages {
        let update =
            "UPDATE page SET losses = losses + 1 WHERE source = $1 AND number = $2 RETURNING faults, losses,
                      (SELECT state = 'inspected' FROM source WHERE source.id = page.source)";
        let counted_page: Option<(u32, u32, bool)> = sqlx::query_as(update)
            .bind(page.source.0)
            .bind(page.number)
            .fetch_optional(&mut *db)
            .await
            .map_err(database("count a failure"))?;
        let Some((faults, losses, source_is_current)) = counted_page else {
            whole = false;
            continue;
        };
        let step = next_step(faults, losses, limits);
        // A source that is being inspected again may have other content by now: its pages wait for the answer.
        whole &= source_is_current && (step == Step::Retry || (alone && step != Step::Dead));
        counted.push((page, if degraded && step != Step::Dead { Step::Degraded } else { step }));
    }
    sqlx::query("UPDATE job SET losses = losses + $2 WHERE id = $1")
        .bind(job.0)
        .bind(counted.len() as i64)
        .execute(&mut *db)
        .await
        .map_err(database("count a failure"))?;
    if whole {
        return Ok(true);
    }
    for (page, step) in counted {
        match step {
            Step::Dead => {
                let loss = Loss::Interrupted;
                collect::give_up(db, job, page, loss.code(), &loss.to_string()).await?;
            }
            step => collect::queue_again(db, page, step).await?,
        }
    }
    Ok(false)
}
