//! The store in SQL: one text for SQLite and PostgreSQL, compiled once for each.
//!
//! Whoever writes to what belongs to a job holds the job's row first, several in the order of their numbers, then open
//! shards in the order of theirs: writers wait for one another, never in a circle. `super::dialect` holds the few
//! words that the databases say differently.

use async_trait::async_trait;
use pagemill_domain::ids::{DocumentId, Epoch, JobId, PageId, ShardId, WorkerId};
use pagemill_domain::job::NewJob;
use pagemill_domain::limits::Limits;
use pagemill_domain::outcome::{Artifact, Fingerprint, Outcome};
use pagemill_domain::page::PageState;
use pagemill_domain::schedule::Demand;
use pagemill_domain::shard::{ResultRef, Shard};
use sqlx::pool::PoolConnection;
use sqlx::{Pool, Transaction};

use super::dialect::Database;
use crate::store::{
    Applied, BeatAnswer, DeadLetter, DeadLetterFilter, Directive, DocumentRow, JobFilter, JobRow, JobStatus,
    LeaderLease, NamedBlobs, NamedCursor, NewSource, OpenShard, PageCursor, PageRow, Reclaim, Redriven,
    ShardOrder, SourceRow, Store, StoreError, StoreFigures, WorkerBeat, WorkerRow,
};

mod apply;
mod arrange;
mod assembled;
mod contents;
mod counters;
mod cut;
mod dead_letters;
mod forget;
mod inspected;
mod jobs;
mod lease;
mod lists;
mod messages;
mod named;
mod names;
mod pages;
mod reclaim;
mod redrive;
mod statement;
mod status;
mod submit;
mod workers;

pub(in crate::store) use statement::database;

/// A store in a database.
pub struct SqlStore {
    writers: Pool<Database>,
    readers: Pool<Database>,
    sources_per_job_max: u64,
}

impl SqlStore {
    pub(in crate::store) fn new(writers: Pool<Database>, readers: Pool<Database>, limits: &Limits) -> Self {
        Self { writers, readers, sources_per_job_max: limits.sources_per_job_max }
    }

    async fn reader(&self) -> Result<PoolConnection<Database>, StoreError> {
        self.readers.acquire().await.map_err(database("reach the database"))
    }

    async fn begin(&self) -> Result<Transaction<'static, Database>, StoreError> {
        self.writers.begin().await.map_err(database("begin a transaction"))
    }

    /// A transaction of the leader: it fails where another leads, now or when it ends.
    pub(in crate::store) async fn begin_leading(
        &self,
        epoch: Epoch,
    ) -> Result<Transaction<'static, Database>, StoreError> {
        let mut transaction = self.begin().await?;
        lease::require(&mut transaction, epoch).await?;
        Ok(transaction)
    }
}

async fn commit<T>(transaction: Transaction<'static, Database>, done: T) -> Result<T, StoreError> {
    transaction.commit().await.map_err(database("commit"))?;
    Ok(done)
}

#[async_trait]
impl Store for SqlStore {
    async fn open_job(&self, job: &NewJob) -> Result<JobId, StoreError> {
        let mut db = self.begin().await?;
        let opened = jobs::open(&mut db, job).await?;
        commit(db, opened).await
    }

    async fn add_sources(&self, job: JobId, sources: &[NewSource]) -> Result<(), StoreError> {
        let mut db = self.begin().await?;
        submit::add_sources(&mut db, job, sources, self.sources_per_job_max).await?;
        commit(db, ()).await
    }

    async fn seal(&self, job: JobId) -> Result<(), StoreError> {
        let mut db = self.begin().await?;
        jobs::seal(&mut db, job).await?;
        commit(db, ()).await
    }

    async fn cancel(&self, job: JobId, now_unix_seconds: i64) -> Result<(), StoreError> {
        let mut db = self.begin().await?;
        jobs::cancel(&mut db, job, now_unix_seconds).await?;
        commit(db, ()).await
    }

    async fn redrive(&self, job: JobId, pages: &[PageId]) -> Result<Redriven, StoreError> {
        let mut db = self.begin().await?;
        let redriven = redrive::redrive(&mut db, job, pages).await?;
        commit(db, redriven).await
    }

    async fn status(&self, job: JobId) -> Result<JobStatus, StoreError> {
        status::read(&mut *self.reader().await?, job).await
    }

    async fn job(&self, job: JobId) -> Result<JobRow, StoreError> {
        status::job(&mut *self.reader().await?, job).await
    }

    async fn find_job(&self, tenant: &str, key: &str) -> Result<Option<JobId>, StoreError> {
        status::find(&mut *self.reader().await?, tenant, key).await
    }

    async fn list_jobs(
        &self,
        filter: &JobFilter,
        after: JobId,
        rows_max: u32,
    ) -> Result<Vec<JobRow>, StoreError> {
        status::list(&mut *self.reader().await?, filter, after, rows_max).await
    }

    async fn demands(&self, rows_max: u32) -> Result<Vec<Demand>, StoreError> {
        status::demands(&mut *self.reader().await?, rows_max).await
    }

    async fn figures(&self) -> Result<StoreFigures, StoreError> {
        status::figures(&mut *self.reader().await?).await
    }

    async fn leader_lease(&self) -> Result<LeaderLease, StoreError> {
        lease::read(&mut *self.reader().await?).await
    }

    async fn seize_lease(&self, seen: &LeaderLease, holder: &str) -> Result<Option<Epoch>, StoreError> {
        let mut db = self.begin().await?;
        let epoch = lease::seize(&mut db, seen, holder).await?;
        commit(db, epoch).await
    }

    async fn renew_lease(&self, epoch: Epoch) -> Result<(), StoreError> {
        let mut db = self.begin().await?;
        lease::renew(&mut db, epoch).await?;
        commit(db, ()).await
    }

    async fn cut_shards(&self, epoch: Epoch, orders: &[ShardOrder]) -> Result<Vec<Shard>, StoreError> {
        let mut db = self.begin_leading(epoch).await?;
        let shards = cut::cut(&mut db, orders).await?;
        commit(db, shards).await
    }

    async fn open_shards(&self) -> Result<Vec<OpenShard>, StoreError> {
        lists::open_shards(&mut *self.reader().await?).await
    }

    async fn messages(&self, shards: &[ShardId]) -> Result<Vec<Shard>, StoreError> {
        let mut db = self.begin().await?;
        let messages = messages::of_open(&mut db, shards).await?;
        commit(db, messages).await
    }

    async fn reclaim_shards(
        &self,
        epoch: Epoch,
        which: Reclaim<'_>,
        limits: &Limits,
    ) -> Result<Vec<Shard>, StoreError> {
        let mut db = self.begin_leading(epoch).await?;
        let shards = reclaim::reclaim(&mut db, which, limits).await?;
        commit(db, shards).await
    }

    async fn hand_back_shards(&self, epoch: Epoch, shards: &[ShardId]) -> Result<(), StoreError> {
        let mut db = self.begin_leading(epoch).await?;
        reclaim::hand_back(&mut db, shards).await?;
        commit(db, ()).await
    }

    async fn apply(
        &self,
        epoch: Epoch,
        outcomes: &[Outcome],
        limits: &Limits,
    ) -> Result<Applied, StoreError> {
        let mut db = self.begin_leading(epoch).await?;
        let applied = apply::apply(&mut db, outcomes, limits).await?;
        commit(db, applied).await
    }

    async fn arrange_folders(&self, epoch: Epoch, job: JobId) -> Result<u64, StoreError> {
        let mut db = self.begin_leading(epoch).await?;
        let arranged = arrange::folders(&mut db, job).await?;
        commit(db, arranged).await
    }

    async fn close_job(
        &self,
        epoch: Epoch,
        job: JobId,
        now_unix_seconds: i64,
    ) -> Result<Option<Vec<String>>, StoreError> {
        let mut db = self.begin_leading(epoch).await?;
        let superseded = jobs::close(&mut db, job, now_unix_seconds).await?;
        commit(db, superseded).await
    }

    async fn expire_drafts(&self, epoch: Epoch, opened_before_unix_seconds: i64) -> Result<u64, StoreError> {
        let mut db = self.begin_leading(epoch).await?;
        let expired = jobs::expire_drafts(&mut db, opened_before_unix_seconds).await?;
        commit(db, expired).await
    }

    async fn reassemble(&self, document: DocumentId) -> Result<(), StoreError> {
        let mut db = self.begin().await?;
        arrange::reassemble(&mut db, document).await?;
        commit(db, ()).await
    }

    async fn beat(&self, beat: &WorkerBeat) -> Result<BeatAnswer, StoreError> {
        let mut db = self.begin().await?;
        let answer = workers::beat(&mut db, beat).await?;
        commit(db, answer).await
    }

    async fn direct(&self, worker: &WorkerId, directive: Directive) -> Result<bool, StoreError> {
        let mut db = self.begin().await?;
        let told = workers::direct(&mut db, worker, directive).await?;
        commit(db, told).await
    }

    async fn list_workers(&self, after: &str, rows_max: u32) -> Result<Vec<WorkerRow>, StoreError> {
        workers::list(&mut *self.reader().await?, after, rows_max).await
    }

    async fn forget_workers(&self, silent_since_unix_seconds: i64) -> Result<u64, StoreError> {
        let mut db = self.begin().await?;
        let forgotten = workers::forget(&mut db, silent_since_unix_seconds).await?;
        commit(db, forgotten).await
    }

    async fn list_sources(
        &self,
        job: JobId,
        after: i64,
        rows_max: u32,
    ) -> Result<Vec<SourceRow>, StoreError> {
        lists::sources(&mut *self.reader().await?, job, after, rows_max).await
    }

    async fn list_pages(
        &self,
        job: JobId,
        state: Option<PageState>,
        after: PageCursor,
        rows_max: u32,
    ) -> Result<Vec<PageRow>, StoreError> {
        lists::pages(&mut *self.reader().await?, job, state, after, rows_max).await
    }

    async fn list_dead_letters(
        &self,
        filter: &DeadLetterFilter,
        after: PageCursor,
        rows_max: u32,
    ) -> Result<Vec<DeadLetter>, StoreError> {
        dead_letters::list(&mut *self.reader().await?, filter, after, rows_max).await
    }

    async fn page_result(&self, job: JobId, page: PageId) -> Result<Option<ResultRef>, StoreError> {
        lists::page_result(&mut *self.reader().await?, job, page).await
    }

    async fn list_documents(
        &self,
        job: JobId,
        after: i64,
        rows_max: u32,
    ) -> Result<Vec<DocumentRow>, StoreError> {
        lists::documents(&mut *self.reader().await?, job, after, rows_max).await
    }

    async fn artifact(&self, job: JobId, name: &str) -> Result<Option<Artifact>, StoreError> {
        lists::artifact(&mut *self.reader().await?, job, name).await
    }

    async fn fingerprints(&self, job: JobId) -> Result<Vec<Fingerprint>, StoreError> {
        lists::fingerprints(&mut *self.reader().await?, job).await
    }

    async fn named_blobs(&self, after: NamedCursor, rows_max: u32) -> Result<NamedBlobs, StoreError> {
        named::blobs(&mut *self.reader().await?, after, rows_max).await
    }
}
