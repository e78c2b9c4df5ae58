//! The life of a job: opened, sealed, closed, cancelled.

use std::collections::{BTreeMap, BTreeSet};

use pagemill_domain::ids::JobId;
use pagemill_domain::job::NewJob;
use pagemill_domain::recipe::Recipe;

use super::super::dialect::Connection;
use super::counters::Counters;
use super::statement::{from_json, ids, statement, to_json};
use super::{arrange, forget, reclaim, redrive, status};
use crate::store::{JobState, StoreError};

/// Drafts that one call removes.
const DRAFTS_PER_CALL_MAX: i64 = 16;

/// A job whose row this transaction holds.
#[derive(Debug)]
pub(super) struct LockedJob {
    pub(super) id: JobId,
    pub(super) state: JobState,
    pub(super) generation: i64,
    pub(super) recipe: Recipe,
}

#[derive(sqlx::FromRow)]
struct LockedColumns {
    id: i64,
    state: String,
    generation: i64,
    recipe: String,
}

impl LockedColumns {
    fn read(self) -> Result<LockedJob, StoreError> {
        Ok(LockedJob {
            id: JobId(self.id),
            state: status::state(self.state)?,
            generation: self.generation,
            recipe: from_json("recipe", &self.recipe)?,
        })
    }
}

/// Holds one job's row until the transaction is over: nobody else writes to what belongs to it.
pub(super) async fn lock(db: &mut Connection, job: JobId) -> Result<LockedJob, StoreError> {
    let select = "SELECT id, state, generation, recipe FROM job WHERE id = $1 FOR UPDATE";
    let row: Option<LockedColumns> = statement("lock the job", select).bind(job.0).optional(db).await?;
    row.ok_or(StoreError::NoSuchJob(job))?.read()
}

/// Holds the rows of several jobs, in the order of their numbers so that nobody waits in a circle.
pub(super) async fn lock_all(
    db: &mut Connection,
    jobs: impl IntoIterator<Item = i64>,
) -> Result<BTreeMap<JobId, LockedJob>, StoreError> {
    let select = "SELECT id, state, generation, recipe FROM job
        WHERE id IN ids($1) ORDER BY id FOR UPDATE";
    locked(statement("lock jobs", select).bind(ids(jobs)?).all(db).await?)
}

/// Holds the rows of the jobs of open shards.
pub(super) async fn lock_of_shards(
    db: &mut Connection,
    shards: impl IntoIterator<Item = i64>,
) -> Result<BTreeMap<JobId, LockedJob>, StoreError> {
    let select = "SELECT id, state, generation, recipe FROM job WHERE id IN (SELECT job FROM shard
        WHERE shard.id IN ids($1)) ORDER BY id FOR UPDATE";
    locked(statement("lock the shards' jobs", select).bind(ids(shards)?).all(db).await?)
}

/// Holds the rows of these jobs and of those of open shards.
pub(super) async fn lock_with_shards(
    db: &mut Connection,
    jobs: &BTreeSet<i64>,
    shards: impl IntoIterator<Item = i64>,
) -> Result<BTreeMap<JobId, LockedJob>, StoreError> {
    let select = "SELECT job FROM shard WHERE shard.id IN ids($1)";
    let open: Vec<(i64,)> = statement("find the shards' jobs", select).bind(ids(shards)?).all(db).await?;
    lock_all(db, open.into_iter().map(|(job,)| job).chain(jobs.iter().copied()).collect::<BTreeSet<_>>())
        .await
}

fn locked(rows: Vec<LockedColumns>) -> Result<BTreeMap<JobId, LockedJob>, StoreError> {
    rows.into_iter().map(|row| row.read().map(|job| (job.id, job))).collect()
}

pub(super) async fn open(db: &mut Connection, job: &NewJob) -> Result<JobId, StoreError> {
    let insert = "INSERT INTO job (tenant, key, state, generation, recipe, recipe_key, reading_key, priority, deadline,
        created) VALUES ($1, $2, 'draft', 1, $3, $4, $5, $6, $7, $8) ON CONFLICT (tenant, key) DO NOTHING RETURNING id";
    let opened: Option<(i64,)> = statement("open the job", insert)
        .bind(&job.tenant)
        .bind(&job.key)
        .bind(to_json("recipe", &job.recipe)?)
        .bind(job.recipe.key().to_string())
        .bind(job.recipe.reading_key().to_string())
        .bind(i64::from(job.urgency.priority))
        .bind(job.urgency.deadline_unix_seconds)
        .bind(job.now_unix_seconds)
        .optional(db)
        .await?;
    if let Some((id,)) = opened {
        return Ok(JobId(id));
    }
    let select = "SELECT id, recipe_key, reading_key FROM job WHERE tenant = $1 AND key = $2 FOR UPDATE";
    let (id, recipe_key, reading_key): (i64, String, String) =
        statement("find the job", select).bind(&job.tenant).bind(&job.key).one(db).await?;
    if job.reopen {
        reopen(db, JobId(id), job, &recipe_key, &reading_key).await?;
    }
    Ok(JobId(id))
}

/// A draft again: what another recipe decided is forgotten.
async fn reopen(
    db: &mut Connection,
    id: JobId,
    job: &NewJob,
    recipe_key_before: &str,
    reading_key_before: &str,
) -> Result<(), StoreError> {
    let (recipe_key, reading_key) = (job.recipe.key().to_string(), job.recipe.reading_key().to_string());
    let update = "UPDATE job SET state = 'draft', generation = generation + 1, recipe = $2, recipe_key = $3,
        reading_key = $4, priority = $5, deadline = $6, closed = NULL, sources_cancelled = 0, pages_cancelled = 0
        WHERE id = $1";
    statement("open the job again", update)
        .bind(id.0)
        .bind(to_json("recipe", &job.recipe)?)
        .bind(&recipe_key)
        .bind(&reading_key)
        .bind(i64::from(job.urgency.priority))
        .bind(job.urgency.deadline_unix_seconds)
        .run(db)
        .await?;
    let mut counters = Counters::default();
    if reading_key_before != reading_key {
        arrange::forget_all(db, id, &mut counters).await?;
        counters.write(db).await?;
        return forget_reading(db, id).await;
    }
    if recipe_key_before != recipe_key {
        arrange::forget_all(db, id, &mut counters).await?;
        let locked = lock(db, id).await?;
        arrange::sources(db, &locked, &mut counters).await?;
    }
    counters.write(db).await
}

/// Another reading recipe: every source is inspected and read again.
async fn forget_reading(db: &mut Connection, job: JobId) -> Result<(), StoreError> {
    for sql in [
        "DELETE FROM shard WHERE job = $1",
        "DELETE FROM retry WHERE job = $1",
        "DELETE FROM dead_letter WHERE job = $1",
        "DELETE FROM job_fingerprint WHERE job = $1",
        "DELETE FROM page WHERE source IN (SELECT id FROM source WHERE job = $1)",
        "UPDATE source SET state = 'pending', hash = NULL, map = NULL, pages = 0, cursor = 0, cursor_end = 0, rejection = NULL,
         faults = 0, losses = 0 WHERE job = $1",
        "UPDATE job SET sources_inspected = 0, sources_rejected = 0, pages_declared = 0, pages_recognised = 0,
         pages_blank = 0, pages_kept = 0, pages_dead = 0, faults = 0, losses = 0 WHERE id = $1",
    ] {
        statement("forget the earlier reading", sql).bind(job.0).run(db).await?;
    }
    Ok(())
}

pub(super) async fn seal(db: &mut Connection, id: JobId) -> Result<(), StoreError> {
    let job = lock(db, id).await?;
    match job.state {
        JobState::Draft => {}
        JobState::Sealed | JobState::Closed => return Ok(()),
        JobState::Cancelled => return Err(wrong_state(&job, "it was given up; submit it under another key")),
    }
    if job.generation > 1 {
        let mut counters = Counters::default();
        withdraw_gone(db, &job, &mut counters).await?;
        redrive::revive_unavailable(db, id, &mut counters).await?;
        counters.write(db).await?;
    }
    statement("seal the job", "UPDATE job SET state = 'sealed' WHERE id = $1").bind(id.0).run(db).await?;
    Ok(())
}

/// Takes sources out that were not listed again and never delivered.
async fn withdraw_gone(
    db: &mut Connection,
    job: &LockedJob,
    counters: &mut Counters,
) -> Result<(), StoreError> {
    let select =
        "SELECT source.id, source.state FROM source LEFT JOIN document ON document.id = source.document
        WHERE source.job = $1 AND source.generation < $2 AND coalesce(document.state, '') <> 'delivered'";
    let gone: Vec<(i64, String)> =
        statement("find withdrawn sources", select).bind(job.id.0).bind(job.generation).all(db).await?;
    forget::withdraw(db, job.id, &gone, counters).await
}

pub(super) async fn close(
    db: &mut Connection,
    id: JobId,
    now_unix_seconds: i64,
) -> Result<Option<Vec<String>>, StoreError> {
    lock(db, id).await?;
    let status = status::read(db, id).await?;
    if status.state != JobState::Sealed || !status.ledger.is_complete() {
        return Ok(None);
    }
    statement("close the job", "UPDATE job SET state = 'closed', closed = $2 WHERE id = $1")
        .bind(id.0)
        .bind(now_unix_seconds)
        .run(db)
        .await?;
    let select = "SELECT name FROM superseded WHERE job = $1 AND NOT EXISTS (SELECT 1 FROM artifact
        WHERE artifact.job = superseded.job AND artifact.name = superseded.name) ORDER BY name";
    let superseded: Vec<(String,)> =
        statement("list superseded artifacts", select).bind(id.0).all(db).await?;
    statement("clear superseded artifacts", "DELETE FROM superseded WHERE job = $1")
        .bind(id.0)
        .run(db)
        .await?;
    Ok(Some(superseded.into_iter().map(|(name,)| name).collect()))
}

/// Whatever a cancelled job still has pending counts as cancelled; its rows are left as they are.
pub(super) async fn cancel(db: &mut Connection, id: JobId, now_unix_seconds: i64) -> Result<(), StoreError> {
    let job = lock(db, id).await?;
    match job.state {
        JobState::Draft | JobState::Sealed => {}
        JobState::Cancelled => return Ok(()),
        JobState::Closed => return Err(wrong_state(&job, "it is finished; there is nothing to give up")),
    }
    reclaim::forget_shards(db, id).await?;
    let update = "UPDATE job SET state = 'cancelled', closed = $2,
        sources_cancelled = sources_submitted - sources_inspected - sources_rejected,
        pages_cancelled = pages_declared - pages_recognised - pages_blank - pages_kept - pages_dead WHERE id = $1";
    statement("cancel the job", update).bind(id.0).bind(now_unix_seconds).run(db).await?;
    Ok(())
}

pub(super) async fn expire_drafts(
    db: &mut Connection,
    opened_before_unix_seconds: i64,
) -> Result<u64, StoreError> {
    let select =
        "SELECT id FROM job WHERE state = 'draft' AND generation = 1 AND created < $1 ORDER BY id LIMIT $2
        FOR UPDATE";
    let drafts: Vec<(i64,)> = statement("find old drafts", select)
        .bind(opened_before_unix_seconds)
        .bind(DRAFTS_PER_CALL_MAX)
        .all(db)
        .await?;
    for (draft,) in &drafts {
        // A draft has no pages: nothing of it was inspected.
        for sql in [
            "DELETE FROM source WHERE job = $1",
            "DELETE FROM name WHERE job = $1",
            "DELETE FROM job WHERE id = $1",
        ] {
            statement("remove an old draft", sql).bind(draft).run(db).await?;
        }
    }
    Ok(drafts.len() as u64)
}

pub(super) fn wrong_state(job: &LockedJob, refused: &'static str) -> StoreError {
    StoreError::WrongState { job: job.id, state: job.state.name(), refused }
}
