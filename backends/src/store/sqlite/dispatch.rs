//! Cutting shards from what waits, and building the messages of those that are open.

use std::collections::BTreeMap;

use pagemill_domain::hash::ContentHash;
use pagemill_domain::ids::{Attempt, DocumentId, JobId, ShardId, SourceId};
use pagemill_domain::ladder::Step;
use pagemill_domain::page::PageState;
use pagemill_domain::recipe::Recipe;
use pagemill_domain::scan::Dpi;
use pagemill_domain::shard::{
    DocumentPlan, FileStamp, PagesOfSource, PlannedPage, PlannedSource, Shard, SourceRef, Work,
};
use serde::{Deserialize, Serialize};
use sqlx::SqliteConnection;

use super::super::{ShardSizes, StoreError};
use super::{database, from_json, to_json};

/// What an open shard's row says of its contents.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum ShardContents {
    Inspect(Vec<i64>),
    Recognise(Vec<PageGroup>),
    Assemble(i64),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct PageGroup {
    pub(super) source: i64,
    pub(super) pages: Vec<u32>,
    pub(super) degraded: bool,
}

pub(super) fn assemble_contents(document: DocumentId) -> Result<String, StoreError> {
    to_json("shard", &ShardContents::Assemble(document.0))
}

/// Cuts shards for up to `room` slots, job by job: first what completes a document, then half of the room for
/// inspecting, so that totals are known early while pages already flow.
pub(super) async fn cut_shards(
    db: &mut SqliteConnection,
    room: usize,
    sizes: ShardSizes,
) -> Result<Vec<Shard>, StoreError> {
    let jobs: Vec<(i64, String)> =
        sqlx::query_as("SELECT id, recipe FROM job WHERE state = 'sealed' ORDER BY id")
            .fetch_all(&mut *db)
            .await
            .map_err(database("list active jobs"))?;
    let mut shards = Vec::new();
    for (job, recipe) in jobs {
        let (job, recipe) = (JobId(job), from_json("recipe", &recipe)?);
        let left = |shards: &Vec<Shard>| room.saturating_sub(shards.len());
        let mut contents = cut_assemble(db, job, left(&shards)).await?;
        let inspect_room = left(&shards).saturating_sub(contents.len()).div_ceil(2);
        contents.extend(cut_inspect(db, job, inspect_room, sizes.sources).await?);
        let recognise_room = left(&shards).saturating_sub(contents.len());
        contents.extend(cut_recognise(db, job, recognise_room, sizes.pages).await?);
        for contents in contents {
            shards.push(open_shard(db, job, &recipe, contents).await?);
        }
    }
    Ok(shards)
}

async fn cut_assemble(
    db: &mut SqliteConnection,
    job: JobId,
    room: usize,
) -> Result<Vec<ShardContents>, StoreError> {
    let documents: Vec<i64> = sqlx::query_scalar(
        "UPDATE document SET state = 'assembling' WHERE id IN (SELECT id FROM document WHERE job = $1 AND
         state = 'open' AND pages_open = 0 AND NOT EXISTS (SELECT 1 FROM source WHERE source.document = document.id
         AND source.state <> 'inspected') ORDER BY id LIMIT $2) RETURNING id",
    )
    .bind(job.0)
    .bind(room as i64)
    .fetch_all(&mut *db)
    .await
    .map_err(database("choose documents to assemble"))?;
    Ok(documents.into_iter().map(ShardContents::Assemble).collect())
}

async fn cut_inspect(
    db: &mut SqliteConnection,
    job: JobId,
    room: usize,
    sources_per_shard: u32,
) -> Result<Vec<ShardContents>, StoreError> {
    let mut sources: Vec<i64> = sqlx::query_scalar(
        "UPDATE source SET state = 'inspecting' WHERE id IN (SELECT id FROM source WHERE job = $1 AND
         state = 'pending' ORDER BY id LIMIT $2) RETURNING id",
    )
    .bind(job.0)
    .bind(room as i64 * i64::from(sources_per_shard))
    .fetch_all(&mut *db)
    .await
    .map_err(database("choose sources to inspect"))?;
    sources.sort_unstable();
    Ok(sources
        .chunks(sources_per_shard.max(1) as usize)
        .map(|chunk| ShardContents::Inspect(chunk.to_vec()))
        .collect())
}

async fn cut_recognise(
    db: &mut SqliteConnection,
    job: JobId,
    room: usize,
    pages_per_shard: u32,
) -> Result<Vec<ShardContents>, StoreError> {
    let pages_wanted = room * pages_per_shard.max(1) as usize;
    let (mut pages, mut shards) = (Vec::new(), Vec::new());
    for (source, number, step) in take_retries(db, job, pages_wanted).await? {
        match from_json("step", &step)? {
            Step::Retry | Step::Dead => pages.push((source, number)),
            step @ (Step::Alone | Step::Degraded) => {
                let degraded = step == Step::Degraded;
                shards.push(ShardContents::Recognise(vec![PageGroup {
                    source,
                    pages: vec![number],
                    degraded,
                }]));
            }
        }
    }
    let fresh_wanted = pages_wanted.saturating_sub(pages.len() + shards.len());
    pages.extend(take_fresh(db, job, fresh_wanted).await?);
    pages.sort_unstable();
    shards.extend(
        pages.chunks(pages_per_shard.max(1) as usize).map(|chunk| ShardContents::Recognise(grouped(chunk))),
    );
    Ok(shards)
}

async fn take_retries(
    db: &mut SqliteConnection,
    job: JobId,
    pages_max: usize,
) -> Result<Vec<(i64, u32, String)>, StoreError> {
    let retries: Vec<(i64, u32, String)> = sqlx::query_as(
        "SELECT retry.source, retry.number, retry.step FROM retry JOIN source ON source.id = retry.source
         WHERE source.job = $1 AND source.state = 'inspected' ORDER BY retry.source, retry.number LIMIT $2",
    )
    .bind(job.0)
    .bind(pages_max as i64)
    .fetch_all(&mut *db)
    .await
    .map_err(database("choose pages to retry"))?;
    for (source, number, _) in &retries {
        sqlx::query("DELETE FROM retry WHERE source = $1 AND number = $2")
            .bind(source)
            .bind(number)
            .execute(&mut *db)
            .await
            .map_err(database("take a page to retry"))?;
    }
    Ok(retries)
}

async fn take_fresh(
    db: &mut SqliteConnection,
    job: JobId,
    pages_max: usize,
) -> Result<Vec<(i64, u32)>, StoreError> {
    let pages: Vec<(i64, u32)> = sqlx::query_as(
        "SELECT source.id, page.number FROM source JOIN page ON page.source = source.id WHERE source.job = $1
         AND source.cursor < source.cursor_end AND source.state = 'inspected' AND page.number > source.cursor
         AND page.state = 'pending' ORDER BY source.id, page.number LIMIT $2",
    )
    .bind(job.0)
    .bind(pages_max as i64)
    .fetch_all(&mut *db)
    .await
    .map_err(database("choose pages to recognise"))?;
    let cursors: BTreeMap<i64, u32> = pages.iter().copied().collect();
    for (source, cursor) in cursors {
        sqlx::query("UPDATE source SET cursor = $2 WHERE id = $1")
            .bind(source)
            .bind(cursor)
            .execute(&mut *db)
            .await
            .map_err(database("advance the page cursor"))?;
    }
    Ok(pages)
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

async fn open_shard(
    db: &mut SqliteConnection,
    job: JobId,
    recipe: &Recipe,
    contents: ShardContents,
) -> Result<Shard, StoreError> {
    let stage = match contents {
        ShardContents::Inspect(_) => "inspect",
        ShardContents::Recognise(_) => "recognise",
        ShardContents::Assemble(_) => "assemble",
    };
    let id = sqlx::query("INSERT INTO shard (job, stage, attempt, contents) VALUES ($1, $2, 1, $3)")
        .bind(job.0)
        .bind(stage)
        .bind(to_json("shard", &contents)?)
        .execute(&mut *db)
        .await
        .map_err(database("open a shard"))?
        .last_insert_rowid();
    let work = work(db, contents).await?;
    Ok(Shard { id: ShardId(id), attempt: Attempt(1), express: false, job, recipe: recipe.clone(), work })
}

/// Builds what a worker needs to know from what the shard's row says.
pub(super) async fn work(db: &mut SqliteConnection, contents: ShardContents) -> Result<Work, StoreError> {
    match contents {
        ShardContents::Inspect(ids) => {
            let mut sources = Vec::with_capacity(ids.len());
            for id in ids {
                sources.push(source_ref(db, id).await?);
            }
            Ok(Work::Inspect(sources))
        }
        ShardContents::Recognise(groups) => {
            let mut pages = Vec::with_capacity(groups.len());
            for group in groups {
                let source = source_ref(db, group.source).await?;
                pages.push(PagesOfSource { source, pages: group.pages, degraded: group.degraded });
            }
            Ok(Work::Recognise(pages))
        }
        ShardContents::Assemble(document) => plan(db, document).await.map(Work::Assemble),
    }
}

#[derive(sqlx::FromRow)]
struct SourceColumns {
    location: String,
    bytes: i64,
    modified_ns: i64,
    inode: i64,
    hash: Option<String>,
}

async fn source_ref(db: &mut SqliteConnection, id: i64) -> Result<SourceRef, StoreError> {
    let row: SourceColumns =
        sqlx::query_as("SELECT location, bytes, modified_ns, inode, hash FROM source WHERE id = $1")
            .bind(id)
            .fetch_one(&mut *db)
            .await
            .map_err(database("find a source"))?;
    let hash = row.hash.map(|hash| hash.parse::<ContentHash>().map_err(|_| hash)).transpose();
    Ok(SourceRef {
        id: SourceId(id),
        location: from_json("source location", &row.location)?,
        hash: hash.map_err(|found| StoreError::Unreadable { what: "a source's hash", found })?,
        stamp: FileStamp {
            bytes: row.bytes.cast_unsigned(),
            modified_ns: row.modified_ns,
            inode: row.inode.cast_unsigned(),
        },
    })
}

#[derive(sqlx::FromRow)]
struct PlannedPageColumns {
    number: u32,
    width: u32,
    height: u32,
    dpi_x_milli: u32,
    dpi_y_milli: u32,
    state: String,
    result: Option<String>,
}

async fn plan(db: &mut SqliteConnection, document: i64) -> Result<DocumentPlan, StoreError> {
    let name: String = sqlx::query_scalar("SELECT name FROM document WHERE id = $1")
        .bind(document)
        .fetch_one(&mut *db)
        .await
        .map_err(database("find a document"))?;
    let members: Vec<(i64, String)> =
        sqlx::query_as("SELECT id, kind FROM source WHERE document = $1 ORDER BY ordinal, id")
            .bind(document)
            .fetch_all(&mut *db)
            .await
            .map_err(database("list a document's sources"))?;
    let mut sources = Vec::with_capacity(members.len());
    for (id, _) in &members {
        sources
            .push(PlannedSource { source: source_ref(db, *id).await?, pages: planned_pages(db, *id).await? });
    }
    let all_kept = sources.iter().flat_map(|source| &source.pages).all(|page| page.state == PageState::Kept);
    let deliver_original = all_kept && matches!(&members[..], [(_, kind)] if kind == "pdf");
    Ok(DocumentPlan { id: DocumentId(document), name, sources, deliver_original })
}

async fn planned_pages(db: &mut SqliteConnection, source: i64) -> Result<Vec<PlannedPage>, StoreError> {
    let rows: Vec<PlannedPageColumns> = sqlx::query_as(
        "SELECT number, width, height, dpi_x_milli, dpi_y_milli, state, result FROM page WHERE source = $1 ORDER BY number",
    )
    .bind(source)
    .fetch_all(&mut *db)
    .await
    .map_err(database("list a document's pages"))?;
    rows.into_iter()
        .map(|row| {
            let state = PageState::from_name(&row.state);
            Ok(PlannedPage {
                number: row.number,
                width: row.width,
                height: row.height,
                dpi: Dpi { x_milli: row.dpi_x_milli, y_milli: row.dpi_y_milli },
                state: state.ok_or(StoreError::Unreadable { what: "a page's state", found: row.state })?,
                result: row.result.map(|result| from_json("result", &result)).transpose()?,
            })
        })
        .collect()
}
