//! Taking back shards: those whose worker is gone, those that nobody took, those of a job that is given up.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use pagemill_domain::ids::{JobId, PageId, ShardAttempt, ShardId, SourceId};
use pagemill_domain::ladder::{Step, next_step};
use pagemill_domain::limits::Limits;
use pagemill_domain::outcome::Loss;
use pagemill_domain::shard::Shard;

use super::super::dialect::Connection;
use super::contents::{self, LockedShard, ShardColumns, ShardContents};
use super::counters::{Counter, Counters};
use super::pages::{Again, End};
use super::statement::{ids, rows, statement};
use super::{assembled, inspected, jobs, messages, pages};
use crate::store::{JobState, Reclaim, StoreError};

pub(super) async fn reclaim(
    db: &mut Connection,
    which: Reclaim<'_>,
    limits: &Limits,
) -> Result<Vec<Shard>, StoreError> {
    let wanted: Option<HashMap<i64, u32>> = match which {
        Reclaim::All => None,
        Reclaim::These(dispatches) => Some(dispatches.iter().map(attempt_of).collect()),
    };
    let named: Vec<i64> = match &wanted {
        Some(wanted) => wanted.keys().copied().collect(),
        None => all_open(db).await?,
    };
    let jobs = jobs::lock_of_shards(db, named.iter().copied()).await?;
    let mut shards = contents::lock(db, named).await?;
    shards.retain(|shard| {
        let is_current = wanted.as_ref().is_none_or(|wanted| wanted.get(&shard.id.0) == Some(&shard.attempt));
        is_current && jobs.get(&shard.job).is_some_and(|job| job.state == JobState::Sealed)
    });
    let mut counters = Counters::default();
    let (again, gone) = lose(db, shards, limits, &mut counters).await?;
    contents::delete(db, gone).await?;
    counters.write(db).await?;
    let again = advance(db, again).await?;
    messages::build(db, &jobs, again).await
}

fn attempt_of(dispatch: &ShardAttempt) -> (i64, u32) {
    (dispatch.shard.0, dispatch.attempt.0)
}

async fn all_open(db: &mut Connection) -> Result<Vec<i64>, StoreError> {
    let open: Vec<(i64,)> = statement("list open shards", "SELECT id FROM shard").all(db).await?;
    Ok(open.into_iter().map(|(id,)| id).collect())
}

/// Counts a loss for all that the shards hold; returns those that go on as they were, and the others.
async fn lose(
    db: &mut Connection,
    shards: Vec<LockedShard>,
    limits: &Limits,
    counters: &mut Counters,
) -> Result<(Vec<LockedShard>, Vec<i64>), StoreError> {
    let (mut sources, mut documents) = (BTreeMap::new(), BTreeMap::new());
    let mut recognise = Vec::new();
    let mut gone = Vec::new();
    for shard in shards {
        match &shard.contents {
            ShardContents::Recognise(_) => {
                recognise.push(shard);
                continue;
            }
            ShardContents::Inspect(held) => sources.extend(held.iter().map(|&source| (source, shard.job))),
            ShardContents::Assemble(document) => {
                documents.insert(*document, shard.job);
            }
        }
        gone.push(shard.id.0);
    }
    inspected::lose(db, &sources, &Loss::Interrupted.to_string(), limits, counters).await?;
    assembled::lose(db, &documents, limits, counters).await?;
    let (again, dissolved) = lose_pages(db, recognise, limits, counters).await?;
    gone.extend(dissolved);
    Ok((again, gone))
}

async fn lose_pages(
    db: &mut Connection,
    shards: Vec<LockedShard>,
    limits: &Limits,
    counters: &mut Counters,
) -> Result<(Vec<LockedShard>, Vec<i64>), StoreError> {
    let counted = count_losses(db, &shards).await?;
    let stale = stale_sources(db, &shards).await?;
    let (mut whole, mut gone, mut ends, mut again) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for shard in shards {
        let alone = shard.contents.pages().count() == 1;
        let mut is_whole = true;
        let mut steps = Vec::new();
        for (source, number, degraded) in shard.contents.pages() {
            let Some(&(faults, losses)) = counted.get(&(source, number)) else {
                is_whole = false;
                continue;
            };
            counters.add(shard.job, Counter::Losses, 1);
            let step = next_step(faults, losses, limits);
            // A source that is being inspected again may have other content by now: its pages wait for the answer.
            is_whole &= !stale.contains(&source) && (step == Step::Retry || (alone && step != Step::Dead));
            let page = PageId { source: SourceId(source), number };
            steps.push((page, if degraded && step != Step::Dead { Step::Degraded } else { step }));
        }
        if is_whole {
            whole.push(shard);
            continue;
        }
        gone.push(shard.id.0);
        for (page, step) in steps {
            let (job, loss) = (shard.job, Loss::Interrupted);
            match step {
                Step::Dead => ends.push(End::dead(job, page, loss.code(), &loss.to_string())),
                step => again.push(Again { job, page, step }),
            }
        }
    }
    pages::end(db, &ends, counters).await?;
    pages::queue_again(db, &again).await?;
    Ok((whole, gone))
}

/// Adds a loss to each pending page of the shards; returns their faults and losses.
async fn count_losses(
    db: &mut Connection,
    shards: &[LockedShard],
) -> Result<HashMap<(i64, u32), (u32, u32)>, StoreError> {
    let held: Vec<(i64, u32)> = shards
        .iter()
        .flat_map(|shard| shard.contents.pages().map(|(source, number, _)| (source, number)))
        .collect();
    let update = "UPDATE page SET losses = losses + 1 FROM rows($1) WHERE source = CAST(value ->> 0 AS BIGINT)
        AND number = CAST(value ->> 1 AS BIGINT) AND state = 'pending' RETURNING source, number, faults, losses";
    let counted: Vec<(i64, i64, i64, i64)> =
        statement("count failures", update).bind(rows(&held)?).all(db).await?;
    Ok(counted
        .into_iter()
        .map(|(source, number, faults, losses)| ((source, number as u32), (faults as u32, losses as u32)))
        .collect())
}

/// Sources of the shards that are being inspected again.
async fn stale_sources(db: &mut Connection, shards: &[LockedShard]) -> Result<BTreeSet<i64>, StoreError> {
    let held: BTreeSet<i64> =
        shards.iter().flat_map(|shard| shard.contents.pages().map(|(source, ..)| source)).collect();
    let select = "SELECT id FROM source WHERE state <> 'inspected'
        AND id IN ids($1)";
    let stale: Vec<(i64,)> = statement("find stale sources", select).bind(ids(held)?).all(db).await?;
    Ok(stale.into_iter().map(|(id,)| id).collect())
}

async fn advance(db: &mut Connection, mut shards: Vec<LockedShard>) -> Result<Vec<LockedShard>, StoreError> {
    if shards.is_empty() {
        return Ok(shards);
    }
    let update = "UPDATE shard SET attempt = attempt + 1, beats = 0, worker = NULL
        WHERE id IN ids($1)";
    statement("advance attempts", update).bind(ids(shards.iter().map(|shard| shard.id.0))?).run(db).await?;
    for shard in &mut shards {
        shard.attempt += 1;
    }
    Ok(shards)
}

/// Shards that no worker took: what they hold waits again.
pub(super) async fn hand_back(db: &mut Connection, shards: &[ShardId]) -> Result<(), StoreError> {
    let named: Vec<i64> = shards.iter().map(|shard| shard.0).collect();
    jobs::lock_of_shards(db, named.iter().copied()).await?;
    let shards = contents::lock(db, named).await?;
    dissolve(db, &shards).await
}

/// Forgets the open shards of a job, which is locked: what comes of them is ignored.
pub(super) async fn forget_shards(db: &mut Connection, job: JobId) -> Result<(), StoreError> {
    let select =
        "SELECT id, job, attempt, express, contents FROM shard WHERE job = $1 ORDER BY id FOR UPDATE";
    let rows: Vec<ShardColumns> = statement("find the job's shards", select).bind(job.0).all(db).await?;
    let shards: Vec<LockedShard> = rows.into_iter().map(ShardColumns::read).collect::<Result<_, _>>()?;
    dissolve(db, &shards).await
}

async fn dissolve(db: &mut Connection, shards: &[LockedShard]) -> Result<(), StoreError> {
    contents::delete(db, shards.iter().map(|shard| shard.id.0)).await?;
    let (mut again, mut documents) = (Vec::new(), Vec::new());
    for shard in shards {
        again.extend(shard.contents.pages().map(|(source, number, degraded)| Again {
            job: shard.job,
            page: PageId { source: SourceId(source), number },
            step: if degraded { Step::Degraded } else { Step::Retry },
        }));
        if let ShardContents::Assemble(document) = shard.contents {
            documents.push(document);
        }
    }
    pages::queue_again(db, &again).await?;
    inspected::hand_back(db, shards.iter().flat_map(|shard| shard.contents.sources()).copied()).await?;
    assembled::hand_back(db, &documents).await
}
