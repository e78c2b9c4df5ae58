//! Workers: their beats, what they hold and what they are told.

use std::collections::HashSet;

use pagemill_domain::ids::{ShardAttempt, WorkerId};

use super::super::dialect::Connection;
use super::statement::{ids, rows, statement, storable};
use crate::store::{BeatAnswer, Directive, StoreError, WorkerBeat, WorkerRow};

pub(super) async fn beat(db: &mut Connection, beat: &WorkerBeat) -> Result<BeatAnswer, StoreError> {
    let upsert = "INSERT INTO worker (name, version, fingerprint, slots, slots_busy, beat)
        VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (name) DO UPDATE SET version = excluded.version,
        fingerprint = excluded.fingerprint, slots = excluded.slots, slots_busy = excluded.slots_busy,
        beat = excluded.beat RETURNING directive";
    let (directive,): (String,) = statement("record a worker", upsert)
        .bind(storable(&beat.worker.0))
        .bind(storable(&beat.version))
        .bind(storable(&beat.fingerprint))
        .bind(i64::from(beat.slots))
        .bind(beat.busy.len() as i64)
        .bind(beat.now_unix_seconds)
        .one(db)
        .await?;
    let dropped = renew_leases(db, beat).await?;
    Ok(BeatAnswer { directive: directive_of(directive)?, dropped })
}

/// Adds one to the beats of the named shards whose attempt is current; returns the others.
async fn renew_leases(db: &mut Connection, beat: &WorkerBeat) -> Result<Vec<ShardAttempt>, StoreError> {
    if beat.busy.is_empty() {
        return Ok(Vec::new());
    }
    let named: Vec<(i64, u32)> = beat.busy.iter().map(|held| (held.shard.0, held.attempt.0)).collect();
    let lock = "SELECT id FROM shard WHERE (id, attempt) IN
        (SELECT CAST(value ->> 0 AS BIGINT), CAST(value ->> 1 AS BIGINT) FROM rows($1)) ORDER BY id FOR UPDATE";
    let current: Vec<(i64,)> =
        statement("find the worker's shards", lock).bind(rows(&named)?).all(db).await?;
    let current: HashSet<i64> = current.into_iter().map(|(id,)| id).collect();
    let renew = "UPDATE shard SET beats = beats + 1, worker = $2
        WHERE id IN ids($1)";
    statement("renew leases", renew)
        .bind(ids(current.iter().copied())?)
        .bind(storable(&beat.worker.0))
        .run(db)
        .await?;
    Ok(beat.busy.iter().filter(|held| !current.contains(&held.shard.0)).copied().collect())
}

pub(super) async fn direct(
    db: &mut Connection,
    worker: &WorkerId,
    directive: Directive,
) -> Result<bool, StoreError> {
    let update = "UPDATE worker SET directive = $2 WHERE name = $1";
    let told = statement("direct a worker", update).bind(&worker.0).bind(directive.name()).run(db).await?;
    Ok(told == 1)
}

pub(super) async fn list(
    db: &mut Connection,
    after: &str,
    rows_max: u32,
) -> Result<Vec<WorkerRow>, StoreError> {
    let select = "SELECT name, version, fingerprint, slots, slots_busy, directive, beat FROM worker
        WHERE name > $1 ORDER BY name LIMIT $2";
    let rows: Vec<(String, String, String, i64, i64, String, i64)> =
        statement("list workers", select).bind(after).bind(i64::from(rows_max)).all(db).await?;
    rows.into_iter()
        .map(|(name, version, fingerprint, slots, slots_busy, directive, beat_unix_seconds)| {
            Ok(WorkerRow {
                worker: WorkerId(name),
                version,
                fingerprint,
                slots: slots as u32,
                slots_busy: slots_busy as u32,
                directive: directive_of(directive)?,
                beat_unix_seconds,
            })
        })
        .collect()
}

pub(super) async fn forget(db: &mut Connection, silent_since_unix_seconds: i64) -> Result<u64, StoreError> {
    statement("forget workers", "DELETE FROM worker WHERE beat < $1")
        .bind(silent_since_unix_seconds)
        .run(db)
        .await
}

fn directive_of(name: String) -> Result<Directive, StoreError> {
    [Directive::Serve, Directive::Cordon, Directive::Drain]
        .into_iter()
        .find(|directive| directive.name() == name)
        .ok_or(StoreError::Unreadable { what: "a worker's directive", found: name })
}
