//! Cutting shards from what waits.

use std::collections::BTreeMap;

use pagemill_domain::ids::{JobId, ShardId};
use pagemill_domain::ladder::Step;
use pagemill_domain::shard::Shard;

use super::super::dialect::Connection;
use super::contents::{LockedShard, PageGroup, ShardContents};
use super::statement::{ROWS_PER_STATEMENT_MAX, from_json, ids, rows, statement, to_json};
use super::{jobs, messages};
use crate::store::{JobState, ShardOrder, StoreError};

/// Pages of all the documents that one cut sends to be assembled: their plans are in memory together. A single
/// document may have more.
const PLANNED_PAGES_PER_CUT_MAX: i64 = 20_000;

/// Sources that are looked at together when pages are chosen.
const SOURCES_PER_LOOK: usize = 512;

/// A shard that is about to be opened.
struct NewShard {
    job: JobId,
    express: bool,
    contents: ShardContents,
}

/// Cuts shards as ordered: first what completes a document, then half of the room for inspecting, so that totals are
/// known early while pages already flow.
pub(super) async fn cut(db: &mut Connection, orders: &[ShardOrder]) -> Result<Vec<Shard>, StoreError> {
    let jobs = jobs::lock_all(db, orders.iter().map(|order| order.job.0)).await?;
    let mut planned_left = PLANNED_PAGES_PER_CUT_MAX;
    let mut cut = Vec::new();
    for order in orders {
        if jobs.get(&order.job).is_none_or(|job| job.state != JobState::Sealed) {
            continue;
        }
        let mut contents = cut_assemble(db, order.job, order.shards_max, &mut planned_left).await?;
        let inspect_room = order.shards_max.saturating_sub(contents.len()).div_ceil(2);
        contents.extend(cut_inspect(db, order.job, inspect_room, order.sizes.sources).await?);
        let recognise_room = order.shards_max.saturating_sub(contents.len());
        contents.extend(cut_recognise(db, order.job, recognise_room, order.sizes.pages).await?);
        let (job, express) = (order.job, order.express);
        cut.extend(contents.into_iter().map(|contents| NewShard { job, express, contents }));
    }
    let opened = open(db, cut).await?;
    messages::build(db, &jobs, opened).await
}

async fn cut_assemble(
    db: &mut Connection,
    job: JobId,
    room: usize,
    planned_left: &mut i64,
) -> Result<Vec<ShardContents>, StoreError> {
    if room == 0 || *planned_left <= 0 {
        return Ok(Vec::new());
    }
    let select = "SELECT id, (SELECT CAST(coalesce(sum(pages), 0) AS BIGINT) FROM source
        WHERE source.document = document.id) FROM document WHERE job = $1 AND state = 'open' AND pages_open = 0
        AND NOT EXISTS (SELECT 1 FROM source WHERE source.document = document.id AND source.state <> 'inspected')
        ORDER BY id LIMIT $2";
    let ready: Vec<(i64, i64)> =
        statement("choose documents to assemble", select).bind(job.0).bind(room as i64).all(db).await?;
    let mut chosen = Vec::new();
    for (document, pages) in ready {
        if *planned_left <= 0 {
            break;
        }
        *planned_left -= pages;
        chosen.push(document);
    }
    if chosen.is_empty() {
        return Ok(Vec::new());
    }
    let update = "UPDATE document SET state = 'assembling'
        WHERE id IN ids($1)";
    statement("take documents to assemble", update).bind(ids(chosen.iter().copied())?).run(db).await?;
    Ok(chosen.into_iter().map(ShardContents::Assemble).collect())
}

async fn cut_inspect(
    db: &mut Connection,
    job: JobId,
    room: usize,
    sources_per_shard: u32,
) -> Result<Vec<ShardContents>, StoreError> {
    if room == 0 {
        return Ok(Vec::new());
    }
    let update = "UPDATE source SET state = 'inspecting' WHERE id IN (SELECT id FROM source WHERE job = $1
        AND state = 'pending' ORDER BY id LIMIT $2) RETURNING id";
    let sources: Vec<(i64,)> = statement("choose sources to inspect", update)
        .bind(job.0)
        .bind(room as i64 * i64::from(sources_per_shard.max(1)))
        .all(db)
        .await?;
    let mut sources: Vec<i64> = sources.into_iter().map(|(id,)| id).collect();
    sources.sort_unstable();
    Ok(sources
        .chunks(sources_per_shard.max(1) as usize)
        .map(|chunk| ShardContents::Inspect(chunk.to_vec()))
        .collect())
}

async fn cut_recognise(
    db: &mut Connection,
    job: JobId,
    room: usize,
    pages_per_shard: u32,
) -> Result<Vec<ShardContents>, StoreError> {
    let pages_per_shard = pages_per_shard.max(1) as usize;
    if room == 0 {
        return Ok(Vec::new());
    }
    let (mut pages, mut shards) = take_retries(db, job, room, pages_per_shard).await?;
    let fresh_wanted = (room - shards.len()) * pages_per_shard - pages.len();
    pages.extend(take_fresh(db, job, fresh_wanted).await?);
    pages.sort_unstable();
    shards.extend(pages.chunks(pages_per_shard).map(|chunk| ShardContents::Recognise(grouped(chunk))));
    Ok(shards)
}

/// Pages to be read again: those that may go in company, and the shards of those that go alone. Together they fill
/// `room` shards at most.
async fn take_retries(
    db: &mut Connection,
    job: JobId,
    room: usize,
    pages_per_shard: usize,
) -> Result<(Vec<(i64, u32)>, Vec<ShardContents>), StoreError> {
    let select =
        "SELECT retry.source, retry.number, retry.step FROM retry JOIN source ON source.id = retry.source
        WHERE retry.job = $1 AND source.state = 'inspected' ORDER BY retry.source, retry.number LIMIT $2";
    let waiting: Vec<(i64, i64, String)> = statement("choose pages to retry", select)
        .bind(job.0)
        .bind((room * pages_per_shard) as i64)
        .all(db)
        .await?;
    let (mut pages, mut shards, mut taken) = (Vec::new(), Vec::new(), Vec::new());
    for (source, number, step) in waiting {
        let step: Step = from_json("step", &step)?;
        let is_alone = matches!(step, Step::Alone | Step::Degraded);
        let pages_after = pages.len() + usize::from(!is_alone);
        if shards.len() + usize::from(is_alone) + pages_after.div_ceil(pages_per_shard) > room {
            break;
        }
        taken.push((source, number));
        let number = number as u32;
        if is_alone {
            let group = PageGroup { source, pages: vec![number], degraded: step == Step::Degraded };
            shards.push(ShardContents::Recognise(vec![group]));
        } else {
            pages.push((source, number));
        }
    }
    for chunk in taken.chunks(ROWS_PER_STATEMENT_MAX) {
        let delete = "DELETE FROM retry WHERE job = $2 AND (source, number) IN
            (SELECT CAST(value ->> 0 AS BIGINT), CAST(value ->> 1 AS BIGINT) FROM rows($1))";
        statement("take pages to retry", delete).bind(rows(chunk)?).bind(job.0).run(db).await?;
    }
    Ok((pages, shards))
}

/// Pages that were never dispatched, in the order of sources and numbers, as each source's cursor tells.
async fn take_fresh(
    db: &mut Connection,
    job: JobId,
    pages_wanted: usize,
) -> Result<Vec<(i64, u32)>, StoreError> {
    let mut pages = Vec::new();
    while pages.len() < pages_wanted {
        let ranges = advance_cursors(db, job, pages_wanted - pages.len()).await?;
        if ranges.is_empty() {
            break;
        }
        let select = "SELECT page.source, page.number FROM rows($1) JOIN page
            ON page.source = CAST(value ->> 0 AS BIGINT) AND page.number > CAST(value ->> 1 AS BIGINT)
            AND page.number <= CAST(value ->> 2 AS BIGINT) WHERE page.state = 'pending'";
        let found: Vec<(i64, i64)> =
            statement("choose pages to recognise", select).bind(rows(&ranges)?).all(db).await?;
        pages.extend(found.into_iter().map(|(source, number)| (source, number as u32)));
    }
    Ok(pages)
}

/// Moves the cursors of the next sources over so many pages; returns each source with its cursor before and after.
async fn advance_cursors(
    db: &mut Connection,
    job: JobId,
    pages_wanted: usize,
) -> Result<Vec<(i64, i64, i64)>, StoreError> {
    let select = "SELECT id, cursor, cursor_end FROM source WHERE job = $1 AND cursor < cursor_end
        AND state = 'inspected' ORDER BY id LIMIT $2";
    let next: Vec<(i64, i64, i64)> = statement("choose sources to recognise", select)
        .bind(job.0)
        .bind(pages_wanted.min(SOURCES_PER_LOOK) as i64)
        .all(db)
        .await?;
    let mut left = pages_wanted as i64;
    let mut ranges = Vec::new();
    for (source, cursor, cursor_end) in next {
        if left == 0 {
            break;
        }
        let end = cursor_end.min(cursor + left);
        left -= end - cursor;
        ranges.push((source, cursor, end));
    }
    if !ranges.is_empty() {
        let update = "UPDATE source SET cursor = CAST(value ->> 2 AS BIGINT) FROM rows($1)
            WHERE source.id = CAST(value ->> 0 AS BIGINT)";
        statement("advance page cursors", update).bind(rows(&ranges)?).run(db).await?;
    }
    Ok(ranges)
}

fn grouped(pages: &[(i64, u32)]) -> Vec<PageGroup> {
    pages
        .chunk_by(|(one, _), (other, _)| one == other)
        .map(|group| PageGroup {
            source: group[0].0,
            pages: group.iter().map(|&(_, number)| number).collect(),
            degraded: false,
        })
        .collect()
}

/// Records the shards as open, attempt 1.
async fn open(db: &mut Connection, cut: Vec<NewShard>) -> Result<Vec<LockedShard>, StoreError> {
    let mut contents_of: BTreeMap<String, NewShard> = BTreeMap::new();
    let mut given = Vec::with_capacity(cut.len());
    for shard in cut {
        let contents = to_json("shard", &shard.contents)?;
        given.push((shard.job.0, shard.contents.stage().name(), shard.express, contents.clone()));
        contents_of.insert(contents, shard);
    }
    let mut opened = Vec::with_capacity(given.len());
    for chunk in given.chunks(ROWS_PER_STATEMENT_MAX) {
        let insert = "INSERT INTO shard (job, stage, attempt, express, contents)
            SELECT CAST(value ->> 0 AS BIGINT), value ->> 1, 1, CAST(value ->> 2 AS BOOLEAN), value ->> 3
            FROM rows($1) RETURNING id, contents";
        let rows: Vec<(i64, String)> = statement("open shards", insert).bind(rows(chunk)?).all(db).await?;
        for (id, contents) in rows {
            // No source, page or document is in two shards, so contents tell shards apart.
            let Some(NewShard { job, express, contents }) = contents_of.remove(&contents) else { continue };
            opened.push(LockedShard { id: ShardId(id), job, attempt: 1, express, contents });
        }
    }
    opened.sort_unstable_by_key(|shard| shard.id);
    Ok(opened)
}
