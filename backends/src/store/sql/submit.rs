//! Adding sources to a draft.

use std::collections::{BTreeMap, HashMap};

use pagemill_domain::ids::JobId;

use super::super::dialect::Connection;
use super::counters::{Counter, Counters};
use super::jobs::{self, LockedJob, wrong_state};
use super::statement::{ROWS_PER_STATEMENT_MAX, rows, statement, to_json};
use super::{forget, names};
use crate::store::{JobState, NewSource, StoreError};

pub(super) async fn add_sources(
    db: &mut Connection,
    job: JobId,
    sources: &[NewSource],
    sources_max: u64,
) -> Result<(), StoreError> {
    let job = jobs::lock(db, job).await?;
    if job.state != JobState::Draft {
        return Err(wrong_state(&job, "it takes no more sources; open another job"));
    }
    let mut counters = Counters::default();
    for chunk in sources.chunks(ROWS_PER_STATEMENT_MAX) {
        add_chunk(db, &job, chunk, &mut counters).await?;
    }
    counters.write(db).await?;
    let (submitted,): (i64,) = statement("count sources", "SELECT sources_submitted FROM job WHERE id = $1")
        .bind(job.id.0)
        .one(db)
        .await?;
    if submitted.cast_unsigned() > sources_max {
        return Err(StoreError::TooManySources(sources_max));
    }
    Ok(())
}

#[derive(sqlx::FromRow)]
struct KnownSource {
    id: i64,
    path: String,
    state: String,
    bytes: i64,
    modified_ns: i64,
    inode: i64,
}

impl KnownSource {
    fn is_unchanged(&self, source: &NewSource) -> bool {
        let stamp = source.stamp;
        (self.bytes.cast_unsigned(), self.modified_ns, self.inode.cast_unsigned())
            == (stamp.bytes, stamp.modified_ns, stamp.inode)
    }
}

async fn add_chunk(
    db: &mut Connection,
    job: &LockedJob,
    sources: &[NewSource],
    counters: &mut Counters,
) -> Result<(), StoreError> {
    let sources = latest_of_each_path(sources);
    let known = known_sources(db, job.id, &sources).await?;
    let (mut new, mut again, mut changed) = (Vec::new(), Vec::new(), Vec::new());
    for source in sources {
        let Some(known) = known.get(&source.path) else {
            new.push(source);
            continue;
        };
        // A rejected source is tried again each time: what stood in its way may be gone.
        if !known.is_unchanged(source) || known.state == "rejected" {
            changed.push((known.id, known.state.clone()));
        }
        again.push((known.id, source));
    }
    forget::inspect_again(db, job.id, &changed, counters).await?;
    update_known(db, job, &again).await?;
    insert_new(db, job, &new).await?;
    counters.add(job.id, Counter::SourcesSubmitted, new.len() as i64);
    Ok(())
}

/// A path that is listed twice counts once, as it was listed last.
fn latest_of_each_path(sources: &[NewSource]) -> Vec<&NewSource> {
    let mut places: HashMap<&str, usize> = HashMap::with_capacity(sources.len());
    let mut latest: Vec<&NewSource> = Vec::with_capacity(sources.len());
    for source in sources {
        if let Some(&place) = places.get(source.path.as_str()) {
            latest[place] = source;
        } else {
            places.insert(&source.path, latest.len());
            latest.push(source);
        }
    }
    latest
}

async fn known_sources(
    db: &mut Connection,
    job: JobId,
    sources: &[&NewSource],
) -> Result<BTreeMap<String, KnownSource>, StoreError> {
    let paths: Vec<(&str,)> = sources.iter().map(|source| (source.path.as_str(),)).collect();
    let select = "SELECT id, path, state, bytes, modified_ns, inode FROM source
        WHERE job = $1 AND path IN texts($2)";
    let known: Vec<KnownSource> =
        statement("find sources", select).bind(job.0).bind(rows(&paths)?).all(db).await?;
    Ok(known.into_iter().map(|source| (source.path.clone(), source)).collect())
}

async fn update_known(
    db: &mut Connection,
    job: &LockedJob,
    again: &[(i64, &NewSource)],
) -> Result<(), StoreError> {
    if again.is_empty() {
        return Ok(());
    }
    let mut given = Vec::with_capacity(again.len());
    for (id, source) in again {
        let stamp = source.stamp;
        given.push((
            id,
            to_json("source location", &source.location)?,
            stamp.bytes.cast_signed(),
            stamp.modified_ns,
            stamp.inode.cast_signed(),
        ));
    }
    let update = "UPDATE source SET location = value ->> 1, bytes = CAST(value ->> 2 AS BIGINT),
        modified_ns = CAST(value ->> 3 AS BIGINT), inode = CAST(value ->> 4 AS BIGINT), generation = $2
        FROM rows($1) WHERE source.id = CAST(value ->> 0 AS BIGINT)";
    statement("update sources", update).bind(rows(&given)?).bind(job.generation).run(db).await?;
    Ok(())
}

async fn insert_new(db: &mut Connection, job: &LockedJob, new: &[&NewSource]) -> Result<(), StoreError> {
    if new.is_empty() {
        return Ok(());
    }
    let names = names::give(db, job.id, new).await?;
    let mut given = Vec::with_capacity(new.len());
    for (source, (name, folder)) in new.iter().zip(names) {
        let stamp = source.stamp;
        given.push((
            &source.path,
            to_json("source location", &source.location)?,
            stamp.bytes.cast_signed(),
            stamp.modified_ns,
            stamp.inode.cast_signed(),
            name,
            folder,
        ));
    }
    let insert =
        "INSERT INTO source (job, generation, path, location, bytes, modified_ns, inode, name, folder, state)
        SELECT $2, $3, value ->> 0, value ->> 1, CAST(value ->> 2 AS BIGINT), CAST(value ->> 3 AS BIGINT),
        CAST(value ->> 4 AS BIGINT), value ->> 5, value ->> 6, 'pending' FROM rows($1)";
    statement("add sources", insert).bind(rows(&given)?).bind(job.id.0).bind(job.generation).run(db).await?;
    Ok(())
}
