//! What an open shard's row says of its contents.

use pagemill_domain::ids::{JobId, ShardId};
use pagemill_domain::shard::Stage;
use serde::{Deserialize, Serialize};

use super::super::dialect::Connection;
use super::statement::{from_json, ids, statement};
use crate::store::StoreError;

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

impl ShardContents {
    pub(super) const fn stage(&self) -> Stage {
        match self {
            Self::Inspect(_) => Stage::Inspect,
            Self::Recognise(_) => Stage::Recognise,
            Self::Assemble(_) => Stage::Assemble,
        }
    }

    /// Its pages as source, number and whether they are read degraded.
    pub(super) fn pages(&self) -> impl Iterator<Item = (i64, u32, bool)> + '_ {
        let groups = if let Self::Recognise(groups) = self { groups.as_slice() } else { &[] };
        groups
            .iter()
            .flat_map(|group| group.pages.iter().map(|&number| (group.source, number, group.degraded)))
    }

    /// The sources that it inspects.
    pub(super) fn sources(&self) -> &[i64] {
        if let Self::Inspect(sources) = self { sources } else { &[] }
    }
}

/// An open shard whose row this transaction holds.
#[derive(Debug)]
pub(super) struct LockedShard {
    pub(super) id: ShardId,
    pub(super) job: JobId,
    pub(super) attempt: u32,
    pub(super) express: bool,
    pub(super) contents: ShardContents,
}

#[derive(sqlx::FromRow)]
pub(super) struct ShardColumns {
    id: i64,
    job: i64,
    attempt: i64,
    express: bool,
    contents: String,
}

impl ShardColumns {
    pub(super) fn read(self) -> Result<LockedShard, StoreError> {
        Ok(LockedShard {
            id: ShardId(self.id),
            job: JobId(self.job),
            attempt: self.attempt as u32,
            express: self.express,
            contents: from_json("shard", &self.contents)?,
        })
    }
}

/// Those of these shards that are open, in the order of their numbers. Their jobs are locked already.
pub(super) async fn lock(
    db: &mut Connection,
    shards: impl IntoIterator<Item = i64>,
) -> Result<Vec<LockedShard>, StoreError> {
    let select = "SELECT id, job, attempt, express, contents FROM shard
        WHERE id IN ids($1) ORDER BY id FOR UPDATE";
    let rows: Vec<ShardColumns> = statement("find shards", select).bind(ids(shards)?).all(db).await?;
    rows.into_iter().map(ShardColumns::read).collect()
}

pub(super) async fn delete(
    db: &mut Connection,
    shards: impl IntoIterator<Item = i64>,
) -> Result<(), StoreError> {
    let sql = "DELETE FROM shard WHERE id IN ids($1)";
    statement("close shards", sql).bind(ids(shards)?).run(db).await?;
    Ok(())
}
