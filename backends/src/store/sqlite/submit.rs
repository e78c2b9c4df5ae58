//! Opening, filling, sealing and closing a job.

use pagemill_domain::ids::JobId;
use pagemill_domain::naming::{Stem, folder_stems, source_stems};
use pagemill_domain::recipe::Recipe;
use sqlx::SqliteConnection;

use super::super::{JobState, NewSource, StoreError};
use super::{arrange, database, inspected, listing, to_json};

pub(super) async fn open_job(
    db: &mut SqliteConnection,
    key: &str,
    recipe: &Recipe,
) -> Result<JobId, StoreError> {
    let (recipe_key, reading_key) = (recipe.key().to_string(), recipe.reading_key().to_string());
    let known: Option<(i64, String, String)> =
        sqlx::query_as("SELECT id, recipe_key, reading_key FROM job WHERE key = $1")
            .bind(key)
            .fetch_optional(&mut *db)
            .await
            .map_err(database("find the job"))?;
    let Some((id, known_recipe_key, known_reading_key)) = known else {
        let insert = "INSERT INTO job (key, state, generation, recipe, recipe_key, reading_key)
                      VALUES ($1, 'draft', 1, $2, $3, $4)";
        let inserted = sqlx::query(insert)
            .bind(key)
            .bind(to_json("recipe", recipe)?)
            .bind(recipe_key)
            .bind(reading_key)
            .execute(&mut *db)
            .await
            .map_err(database("open the job"))?;
        return Ok(JobId(inserted.last_insert_rowid()));
    };
    let update = "UPDATE job SET state = 'draft', generation = generation + 1, recipe = $2, recipe_key = $3,
                  reading_key = $4 WHERE id = $1";
    sqlx::query(update)
        .bind(id)
        .bind(to_json("recipe", recipe)?)
        .bind(&recipe_key)
        .bind(&reading_key)
        .execute(&mut *db)
        .await
        .map_err(database("open the job again"))?;
    if known_reading_key != reading_key {
        forget_reading(db, JobId(id)).await?;
    } else if known_recipe_key != recipe_key {
        arrange::forget_documents(db, JobId(id)).await?;
        arrange::sources(db, JobId(id)).await?;
    }
    Ok(JobId(id))
}

/// Another reading recipe: every source is inspected and read again.
async fn forget_reading(db: &mut SqliteConnection, job: JobId) -> Result<(), StoreError> {
    arrange::forget_documents(db, job).await?;
    for statement in [
        "DELETE FROM shard WHERE job = $1",
        "DELETE FROM page WHERE source IN (SELECT id FROM source WHERE job = $1)",
        "UPDATE source SET state = 'pending', hash = NULL, pages = 0, cursor = 0, cursor_end = 0, rejection = NULL,
         faults = 0, losses = 0 WHERE job = $1",
        "UPDATE job SET sources_inspected = 0, sources_rejected = 0, pages_declared = 0, pages_recognised = 0,
         pages_blank = 0, pages_kept = 0, pages_dead = 0, faults = 0, losses = 0 WHERE id = $1",
    ] {
        sqlx::query(statement).bind(job.0).execute(&mut *db).await.map_err(database("forget the earlier reading"))?;
    }
    Ok(())
}

pub(super) async fn add_sources(
    db: &mut SqliteConnection,
    job: JobId,
    sources: &[NewSource],
    sources_max: u64,
) -> Result<(), StoreError> {
    let mut added = 0;
    for source in sources {
        added += u64::from(add_source(db, job, source).await?);
    }
    let submitted: i64 = sqlx::query_scalar(
        "UPDATE job SET sources_submitted = sources_submitted + $2 WHERE id = $1 RETURNING sources_submitted",
    )
    .bind(job.0)
    .bind(added.cast_signed())
    .fetch_one(&mut *db)
    .await
    .map_err(database("count sources"))?;
    if submitted.cast_unsigned() > sources_max {
        return Err(StoreError::TooManySources(sources_max));
    }
    Ok(())
}

#[derive(sqlx::FromRow)]
struct KnownSource {
    id: i64,
    state: String,
    bytes: i64,
    modified_ns: i64,
    inode: i64,
}

/// Returns whether the source is new.
async fn add_source(db: &mut SqliteConnection, job: JobId, source: &NewSource) -> Result<bool, StoreError> {
    let known: Option<KnownSource> = sqlx::query_as(
        "SELECT id, state, bytes, modified_ns, inode FROM source WHERE job = $1 AND path = $2",
    )
    .bind(job.0)
    .bind(&source.path)
    .fetch_optional(&mut *db)
    .await
    .map_err(database("find a source"))?;
    let Some(known) = known else {
        insert_source(db, job, source).await?;
        return Ok(true);
    };
    let stamp = source.stamp;
    let unchanged = (known.bytes.cast_unsigned(), known.modified_ns, known.inode.cast_unsigned())
        == (stamp.bytes, stamp.modified_ns, stamp.inode);
    // A rejected source is tried again each time: what stood in its way may be gone.
    if !unchanged || known.state == "rejected" {
        inspected::inspect_again(db, job, known.id).await?;
    }
    let update = "UPDATE source SET location = $2, bytes = $3, modified_ns = $4, inode = $5,
                  generation = (SELECT generation FROM job WHERE id = source.job) WHERE id = $1";
    sqlx::query(update)
        .bind(known.id)
        .bind(to_json("source location", &source.location)?)
        .bind(stamp.bytes.cast_signed())
        .bind(stamp.modified_ns)
        .bind(stamp.inode.cast_signed())
        .execute(&mut *db)
        .await
        .map_err(database("update a source"))?;
    Ok(false)
}

async fn insert_source(db: &mut SqliteConnection, job: JobId, source: &NewSource) -> Result<(), StoreError> {
    let name = name_for(db, job, &format!("source:{}", source.path), source_stems(&source.path)).await?;
    let folder =
        name_for(db, job, &format!("folder:{}", source.folder), folder_stems(&source.folder)).await?;
    let insert =
        "INSERT INTO source (job, path, location, bytes, modified_ns, inode, generation, name, folder, state)
                  SELECT id, $2, $3, $4, $5, $6, generation, $7, $8, 'pending' FROM job WHERE id = $1";
    sqlx::query(insert)
        .bind(job.0)
        .bind(&source.path)
        .bind(to_json("source location", &source.location)?)
        .bind(source.stamp.bytes.cast_signed())
        .bind(source.stamp.modified_ns)
        .bind(source.stamp.inode.cast_signed())
        .bind(name)
        .bind(folder)
        .execute(&mut *db)
        .await
        .map_err(database("add a source"))?;
    Ok(())
}

/// The name that its owner has or now gets: the first of `stems` that nobody has.
async fn name_for(
    db: &mut SqliteConnection,
    job: JobId,
    owner: &str,
    stems: impl Iterator<Item = Stem>,
) -> Result<String, StoreError> {
    let known: Option<String> = sqlx::query_scalar("SELECT name FROM name WHERE job = $1 AND owner = $2")
        .bind(job.0)
        .bind(owner)
        .fetch_optional(&mut *db)
        .await
        .map_err(database("find a name"))?;
    if let Some(name) = known {
        return Ok(name);
    }
    for stem in stems {
        let insert = "INSERT INTO name (job, owner, folded, name) VALUES ($1, $2, $3, $4)
                      ON CONFLICT (job, folded) DO NOTHING";
        let inserted = sqlx::query(insert)
            .bind(job.0)
            .bind(owner)
            .bind(stem.key())
            .bind(stem.as_str())
            .execute(&mut *db)
            .await
            .map_err(database("give a name"))?;
        if inserted.rows_affected() == 1 {
            return Ok(stem.as_str().to_owned());
        }
    }
    Err(StoreError::Unreadable { what: "a free name", found: owner.into() })
}

pub(super) async fn seal(db: &mut SqliteConnection, job: JobId) -> Result<(), StoreError> {
    let gone: Vec<i64> = sqlx::query_scalar(
        "SELECT source.id FROM source JOIN job ON job.id = source.job
         LEFT JOIN document ON document.id = source.document
         WHERE job.id = $1 AND source.generation < job.generation AND coalesce(document.state, '') <> 'delivered'",
    )
    .bind(job.0)
    .fetch_all(&mut *db)
    .await
    .map_err(database("find withdrawn sources"))?;
    for source in gone {
        inspected::withdraw(db, job, source).await?;
    }
    sqlx::query("UPDATE job SET state = 'sealed' WHERE id = $1")
        .bind(job.0)
        .execute(&mut *db)
        .await
        .map_err(database("seal the job"))?;
    Ok(())
}

pub(super) async fn close(db: &mut SqliteConnection, job: JobId) -> Result<Option<Vec<String>>, StoreError> {
    let status = listing::status(&mut *db, job).await?;
    if status.state != JobState::Sealed || !status.ledger.is_complete() {
        return Ok(None);
    }
    sqlx::query("UPDATE job SET state = 'closed' WHERE id = $1")
        .bind(job.0)
        .execute(&mut *db)
        .await
        .map_err(database("close the job"))?;
    let superseded: Vec<String> = sqlx::query_scalar(
        "SELECT name FROM superseded WHERE job = $1 AND NOT EXISTS (SELECT 1 FROM artifact
         WHERE artifact.name = superseded.name) ORDER BY name",
    )
    .bind(job.0)
    .fetch_all(&mut *db)
    .await
    .map_err(database("list superseded artifacts"))?;
    sqlx::query("DELETE FROM superseded WHERE job = $1")
        .bind(job.0)
        .execute(&mut *db)
        .await
        .map_err(database("clear superseded artifacts"))?;
    Ok(Some(superseded))
}
