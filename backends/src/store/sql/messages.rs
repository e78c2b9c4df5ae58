//! Building the messages of open shards: all that a worker needs to know.

use std::collections::{BTreeMap, HashMap};

use pagemill_domain::hash::ContentHash;
use pagemill_domain::ids::{Attempt, DocumentId, JobId, ShardId, SourceId};
use pagemill_domain::page::PageState;
use pagemill_domain::scan::Dpi;
use pagemill_domain::shard::{
    DocumentPlan, FileStamp, PagesOfSource, PlannedPage, PlannedSource, Shard, SourceRef, Work,
};

use super::super::dialect::Connection;
use super::contents::{self, LockedShard, ShardContents};
use super::jobs::{self, LockedJob};
use super::statement::{from_json, ids, statement};
use crate::store::StoreError;

/// The messages of open shards as they are now.
pub(super) async fn of_open(db: &mut Connection, shards: &[ShardId]) -> Result<Vec<Shard>, StoreError> {
    let named: Vec<i64> = shards.iter().map(|shard| shard.0).collect();
    let jobs = jobs::lock_of_shards(db, named.iter().copied()).await?;
    let shards = contents::lock(db, named).await?;
    build(db, &jobs, shards).await
}

pub(super) async fn build(
    db: &mut Connection,
    jobs: &BTreeMap<JobId, LockedJob>,
    shards: Vec<LockedShard>,
) -> Result<Vec<Shard>, StoreError> {
    let mut plans = plans(db, &shards).await?;
    let sources = source_refs(db, &shards).await?;
    let source = |id: i64| sources.get(&id).cloned().ok_or(missing("a shard's source", id));
    let mut messages = Vec::with_capacity(shards.len());
    for shard in shards {
        let work = match shard.contents {
            ShardContents::Inspect(ids) => {
                Work::Inspect(ids.into_iter().map(source).collect::<Result<_, _>>()?)
            }
            ShardContents::Recognise(groups) => {
                let pages = groups.into_iter().map(|group| {
                    let (source, pages, degraded) = (source(group.source)?, group.pages, group.degraded);
                    Ok(PagesOfSource { source, pages, degraded })
                });
                Work::Recognise(pages.collect::<Result<_, StoreError>>()?)
            }
            ShardContents::Assemble(id) => {
                Work::Assemble(plans.remove(&id).ok_or(missing("a shard's document", id))?)
            }
        };
        let job = jobs.get(&shard.job).ok_or(StoreError::NoSuchJob(shard.job))?;
        messages.push(Shard {
            id: shard.id,
            attempt: Attempt(shard.attempt),
            job: shard.job,
            express: shard.express,
            recipe: job.recipe.clone(),
            work,
        });
    }
    Ok(messages)
}

fn missing(what: &'static str, id: i64) -> StoreError {
    StoreError::Unreadable { what, found: format!("no row {id}") }
}

#[derive(sqlx::FromRow)]
struct SourceColumns {
    id: i64,
    location: String,
    bytes: i64,
    modified_ns: i64,
    inode: i64,
    hash: Option<String>,
    map: Option<String>,
}

impl SourceColumns {
    fn read(self) -> Result<SourceRef, StoreError> {
        let hash = self.hash.map(|hash| hash.parse::<ContentHash>().map_err(|_| hash)).transpose();
        Ok(SourceRef {
            id: SourceId(self.id),
            location: from_json("source location", &self.location)?,
            hash: hash.map_err(|found| StoreError::Unreadable { what: "a source's hash", found })?,
            stamp: FileStamp {
                bytes: self.bytes.cast_unsigned(),
                modified_ns: self.modified_ns,
                inode: self.inode.cast_unsigned(),
            },
            map: self.map.map(|map| from_json("a source's map", &map)).transpose()?,
        })
    }
}

/// The sources that inspect and recognise shards name.
async fn source_refs(
    db: &mut Connection,
    shards: &[LockedShard],
) -> Result<HashMap<i64, SourceRef>, StoreError> {
    let named = shards.iter().flat_map(|shard| {
        let inspected = shard.contents.sources().iter().copied();
        let groups =
            if let ShardContents::Recognise(groups) = &shard.contents { groups.as_slice() } else { &[] };
        inspected.chain(groups.iter().map(|group| group.source))
    });
    let mut named: Vec<i64> = named.collect();
    named.sort_unstable();
    named.dedup();
    if named.is_empty() {
        return Ok(HashMap::new());
    }
    let select = "SELECT id, location, bytes, modified_ns, inode, hash, map FROM source
        WHERE id IN ids($1)";
    let rows: Vec<SourceColumns> = statement("find sources", select).bind(ids(named)?).all(db).await?;
    rows.into_iter().map(|row| row.read().map(|source| (source.id.0, source))).collect()
}

#[derive(sqlx::FromRow)]
struct MemberColumns {
    document: i64,
    name: String,
    kind: String,
    #[sqlx(flatten)]
    source: SourceColumns,
}

/// The plans of the documents that assemble shards name.
async fn plans(
    db: &mut Connection,
    shards: &[LockedShard],
) -> Result<HashMap<i64, DocumentPlan>, StoreError> {
    let named: Vec<i64> = shards
        .iter()
        .filter_map(|shard| match shard.contents {
            ShardContents::Assemble(document) => Some(document),
            _ => None,
        })
        .collect();
    if named.is_empty() {
        return Ok(HashMap::new());
    }
    let select = "SELECT source.document, document.name, source.kind, source.id, source.location, source.bytes,
        source.modified_ns, source.inode, source.hash, source.map FROM source JOIN document ON document.id = source.document
        WHERE source.document IN ids($1)
        ORDER BY source.document, source.ordinal, source.id";
    let members: Vec<MemberColumns> =
        statement("list documents' sources", select).bind(ids(named)?).all(db).await?;
    let mut pages = planned_pages(db, members.iter().map(|member| member.source.id)).await?;
    let mut kinds: HashMap<i64, Vec<String>> = HashMap::new();
    let mut plans: HashMap<i64, DocumentPlan> = HashMap::new();
    for MemberColumns { document, name, kind, source } in members {
        let source = source.read()?;
        let pages = pages.remove(&source.id.0).unwrap_or_default();
        let plan = plans.entry(document).or_insert_with(|| DocumentPlan {
            id: DocumentId(document),
            name,
            sources: Vec::new(),
            deliver_original: false,
        });
        plan.sources.push(PlannedSource { source, pages });
        kinds.entry(document).or_default().push(kind);
    }
    for (document, plan) in &mut plans {
        let mut pages = plan.sources.iter().flat_map(|source| &source.pages);
        plan.deliver_original = kinds.get(document).is_some_and(|kinds| *kinds == ["pdf"])
            && pages.all(|page| page.state == PageState::Kept);
    }
    Ok(plans)
}

#[derive(sqlx::FromRow)]
struct PlannedPageColumns {
    source: i64,
    number: i64,
    width: i64,
    height: i64,
    dpi_x_milli: i64,
    dpi_y_milli: i64,
    state: String,
    result: Option<String>,
}

/// The pages of these sources, in order.
async fn planned_pages(
    db: &mut Connection,
    sources: impl Iterator<Item = i64>,
) -> Result<HashMap<i64, Vec<PlannedPage>>, StoreError> {
    let select = "SELECT source, number, width, height, dpi_x_milli, dpi_y_milli, state, result FROM page
        WHERE source IN ids($1) ORDER BY source, number";
    let rows: Vec<PlannedPageColumns> =
        statement("list documents' pages", select).bind(ids(sources)?).all(db).await?;
    let mut pages: HashMap<i64, Vec<PlannedPage>> = HashMap::new();
    for row in rows {
        let state = PageState::from_name(&row.state);
        pages.entry(row.source).or_default().push(PlannedPage {
            number: row.number as u32,
            width: row.width as u32,
            height: row.height as u32,
            dpi: Dpi { x_milli: row.dpi_x_milli as u32, y_milli: row.dpi_y_milli as u32 },
            state: state.ok_or(StoreError::Unreadable { what: "a page's state", found: row.state })?,
            result: row.result.map(|result| from_json("result", &result)).transpose()?,
        });
    }
    Ok(pages)
}
