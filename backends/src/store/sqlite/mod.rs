//! The store of the embedded mode: one SQLite file in the state folder.

use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use pagemill_domain::ids::{DocumentId, Epoch, JobId, PageId, ShardId, WorkerId};
use pagemill_domain::job::NewJob;
use pagemill_domain::limits::Limits;
use pagemill_domain::outcome::{Artifact, Fingerprint, Outcome};
use pagemill_domain::page::PageState;
use pagemill_domain::schedule::Demand;
use pagemill_domain::shard::{ResultRef, Shard};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Sqlite, SqlitePool, Transaction};

use super::*;

mod arrange;
mod collect;
mod dispatch;
mod inspected;
mod listing;
mod reclaim;
mod submit;

/// Connections that read while the writer writes.
const READERS_MAX: u32 = 2;

/// How long a reader waits for a checkpoint before it gives up.
const BUSY_TIMEOUT: Duration = Duration::from_secs(30);

/// The store of the embedded mode.
pub struct SqliteStore {
    writer: SqlitePool,
    readers: SqlitePool,
    sources_per_job_max: u64,
}

impl SqliteStore {
    /// Opens the store in `file`, made where it is not there, and brings its tables up to date.
    pub async fn open(file: &Path, limits: &Limits) -> Result<Self, StoreError> {
        let options = SqliteConnectOptions::new()
            .filename(file)
            .create_if_missing(true)
            .foreign_keys(true)
            .busy_timeout(BUSY_TIMEOUT)
            .journal_mode(SqliteJournalMode::Wal)
            // A commit survives a power loss: an outcome is acknowledged only after it.
            .synchronous(SqliteSynchronous::Full);
        let pool = |connections_max| SqlitePoolOptions::new().max_connections(connections_max);
        // SQLite has one writer at a time; one connection makes the others wait in our queue, not in its retries.
        let writer = pool(1).connect_with(options.clone()).await.map_err(database("open the state"))?;
        sqlx::migrate!("migrations/sqlite").run(&writer).await?;
        let readers = pool(READERS_MAX)
            .connect_with(options.read_only(true))
            .await
            .map_err(database("open the state"))?;
        Ok(Self { writer, readers, sources_per_job_max: limits.sources_per_job_max })
    }

    async fn begin(&self) -> Result<Transaction<'static, Sqlite>, StoreError> {
        self.writer.begin().await.map_err(database("begin a transaction"))
    }
}

async fn commit(transaction: Transaction<'static, Sqlite>) -> Result<(), StoreError> {
    transaction.commit().await.map_err(database("commit"))
}

#[async_trait]
impl Store for SqliteStore {
    async fn open_job(&self, job: &NewJob) -> Result<JobId, StoreError> {
        let mut transaction = self.begin().await?;
        let job = submit::open_job(&mut transaction, &job.key, &job.recipe).await?;
        commit(transaction).await?;
        Ok(job)
    }

    async fn add_sources(&self, job: JobId, sources: &[NewSource]) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        submit::add_sources(&mut transaction, job, sources, self.sources_per_job_max).await?;
        commit(transaction).await
    }

    async fn seal(&self, job: JobId) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        submit::seal(&mut transaction, job).await?;
        commit(transaction).await
    }

    async fn status(&self, job: JobId) -> Result<JobStatus, StoreError> {
        listing::status(&self.readers, job).await
    }

    async fn cut_shards(&self, _epoch: Epoch, orders: &[ShardOrder]) -> Result<Vec<Shard>, StoreError> {
        let Some(order) = orders.first() else { return Ok(Vec::new()) };
        let mut transaction = self.begin().await?;
        let shards = dispatch::cut_shards(&mut transaction, order.shards_max, order.sizes).await?;
        commit(transaction).await?;
        Ok(shards)
    }

    async fn reclaim_shards(
        &self,
        _epoch: Epoch,
        _which: Reclaim<'_>,
        limits: &Limits,
    ) -> Result<Vec<Shard>, StoreError> {
        let mut transaction = self.begin().await?;
        let shards = reclaim::reclaim_shards(&mut transaction, limits).await?;
        commit(transaction).await?;
        Ok(shards)
    }

    async fn hand_back_shards(&self, _epoch: Epoch, shards: &[ShardId]) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        reclaim::hand_back_shards(&mut transaction, shards).await?;
        commit(transaction).await
    }

    async fn apply(
        &self,
        _epoch: Epoch,
        outcomes: &[Outcome],
        limits: &Limits,
    ) -> Result<Applied, StoreError> {
        let mut transaction = self.begin().await?;
        let applied = collect::apply(&mut transaction, outcomes, limits).await?;
        commit(transaction).await?;
        Ok(applied)
    }

    async fn arrange_folders(&self, _epoch: Epoch, job: JobId) -> Result<u64, StoreError> {
        let mut transaction = self.begin().await?;
        let arranged = arrange::folders(&mut transaction, job).await?;
        commit(transaction).await?;
        Ok(arranged)
    }

    async fn close_job(
        &self,
        _epoch: Epoch,
        job: JobId,
        _now_unix_seconds: i64,
    ) -> Result<Option<Vec<String>>, StoreError> {
        let mut transaction = self.begin().await?;
        let superseded = submit::close(&mut transaction, job).await?;
        commit(transaction).await?;
        Ok(superseded)
    }

    async fn reassemble(&self, document: DocumentId) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        arrange::reassemble(&mut transaction, document).await?;
        commit(transaction).await
    }

    async fn list_sources(
        &self,
        job: JobId,
        after: i64,
        rows_max: u32,
    ) -> Result<Vec<SourceRow>, StoreError> {
        listing::sources(&self.readers, job, after, rows_max).await
    }

    async fn list_pages(
        &self,
        job: JobId,
        _state: Option<PageState>,
        after: PageCursor,
        rows_max: u32,
    ) -> Result<Vec<PageRow>, StoreError> {
        listing::pages(&self.readers, job, after, rows_max).await
    }

    async fn list_documents(
        &self,
        job: JobId,
        after: i64,
        rows_max: u32,
    ) -> Result<Vec<DocumentRow>, StoreError> {
        listing::documents(&self.readers, job, after, rows_max).await
    }

    async fn fingerprints(&self, job: JobId) -> Result<Vec<Fingerprint>, StoreError> {
        listing::fingerprints(&self.readers, job).await
    }

    async fn cancel(&self, _job: JobId, _now_unix_seconds: i64) -> Result<(), StoreError> {
        unimplemented!()
    }
    async fn redrive(&self, _job: JobId, _pages: &[PageId]) -> Result<Redriven, StoreError> {
        unimplemented!()
    }
    async fn job(&self, _job: JobId) -> Result<JobRow, StoreError> {
        unimplemented!()
    }
    async fn find_job(&self, _tenant: &str, _key: &str) -> Result<Option<JobId>, StoreError> {
        unimplemented!()
    }
    async fn list_jobs(
        &self,
        _filter: &JobFilter,
        _after: JobId,
        _rows_max: u32,
    ) -> Result<Vec<JobRow>, StoreError> {
        unimplemented!()
    }
    async fn demands(&self, _rows_max: u32) -> Result<Vec<Demand>, StoreError> {
        unimplemented!()
    }
    async fn figures(&self) -> Result<StoreFigures, StoreError> {
        unimplemented!()
    }
    async fn leader_lease(&self) -> Result<LeaderLease, StoreError> {
        Ok(LeaderLease::default())
    }
    async fn seize_lease(&self, _seen: &LeaderLease, _holder: &str) -> Result<Option<Epoch>, StoreError> {
        Ok(Some(Epoch(1)))
    }
    async fn renew_lease(&self, _epoch: Epoch) -> Result<(), StoreError> {
        Ok(())
    }
    async fn open_shards(&self) -> Result<Vec<OpenShard>, StoreError> {
        unimplemented!()
    }
    async fn messages(&self, _shards: &[ShardId]) -> Result<Vec<Shard>, StoreError> {
        unimplemented!()
    }
    async fn expire_drafts(
        &self,
        _epoch: Epoch,
        _opened_before_unix_seconds: i64,
    ) -> Result<u64, StoreError> {
        unimplemented!()
    }
    async fn beat(&self, _beat: &WorkerBeat) -> Result<BeatAnswer, StoreError> {
        unimplemented!()
    }
    async fn direct(&self, _worker: &WorkerId, _directive: Directive) -> Result<bool, StoreError> {
        unimplemented!()
    }
    async fn list_workers(&self, _after: &str, _rows_max: u32) -> Result<Vec<WorkerRow>, StoreError> {
        unimplemented!()
    }
    async fn forget_workers(&self, _silent_since_unix_seconds: i64) -> Result<u64, StoreError> {
        unimplemented!()
    }
    async fn list_dead_letters(
        &self,
        _filter: &DeadLetterFilter,
        _after: PageCursor,
        _rows_max: u32,
    ) -> Result<Vec<DeadLetter>, StoreError> {
        unimplemented!()
    }
    async fn page_result(&self, _job: JobId, _page: PageId) -> Result<Option<ResultRef>, StoreError> {
        unimplemented!()
    }
    async fn artifact(&self, _job: JobId, _name: &str) -> Result<Option<Artifact>, StoreError> {
        unimplemented!()
    }
}

/// Says what was attempted when the database failed.
fn database(action: &'static str) -> impl Fn(sqlx::Error) -> StoreError {
    move |source| StoreError::Database { action, source }
}

/// A value as the JSON that a column holds.
fn to_json<T: serde::Serialize>(what: &'static str, value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Unreadable { what, found: error.to_string() })
}

/// A value from the JSON that a column holds.
fn from_json<T: serde::de::DeserializeOwned>(what: &'static str, json: &str) -> Result<T, StoreError> {
    serde_json::from_str(json)
        .map_err(|_| StoreError::Unreadable { what, found: json.chars().take(200).collect() })
}

#[cfg(test)]
mod tests {
    use pagemill_domain::limits::Limits;

    use super::SqliteStore;

    #[tokio::test]
    async fn keeps_the_promises_of_a_store() {
        let folder = tempfile::tempdir().unwrap();
        for (number, check) in super::super::conformance::CHECKS.iter().enumerate() {
            let file = folder.path().join(format!("{number}.db"));
            check(Box::new(SqliteStore::open(&file, &Limits::default()).await.unwrap())).await;
        }
    }

    #[tokio::test]
    async fn opens_again_what_it_wrote() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("state.db");
        for _ in 0..2 {
            SqliteStore::open(&file, &Limits::default()).await.unwrap();
        }
    }
}
