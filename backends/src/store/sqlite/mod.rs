//! The store of the embedded mode: one SQLite file in the state folder.

use std::path::Path;
use std::time::Duration;

use pagemill_domain::limits::Limits;
use sqlx::ConnectOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};

use super::StoreError;

mod dialect;
#[path = "../sql/mod.rs"]
#[allow(clippy::duplicate_mod, reason = "the same SQL serves both databases, with the types of each")]
mod sql;

pub use sql::SqlStore as SqliteStore;
use sql::database;

/// Connections that read while the writer writes.
const READERS_MAX: u32 = 2;

/// Statements that a connection holds prepared: all that there are.
const STATEMENTS_HELD_MAX: usize = 500;

/// How long a reader waits for a checkpoint before it gives up.
const BUSY_TIMEOUT: Duration = Duration::from_secs(30);

impl SqliteStore {
    /// Opens the store in `file`, made where it is not there, and brings its tables up to date.
    pub async fn open(file: &Path, limits: &Limits) -> Result<Self, StoreError> {
        let options = SqliteConnectOptions::new()
            .filename(file)
            .create_if_missing(true)
            .foreign_keys(true)
            .busy_timeout(BUSY_TIMEOUT)
            .statement_cache_capacity(STATEMENTS_HELD_MAX)
            .journal_mode(SqliteJournalMode::Wal)
            // A commit survives a power loss: an outcome is acknowledged only after it.
            .synchronous(SqliteSynchronous::Full);
        bring_up_to_date(&options).await?;
        // A file does not go away: there is nothing to ask a connection before it is used.
        let pool = |connections_max| {
            SqlitePoolOptions::new().max_connections(connections_max).test_before_acquire(false)
        };
        // SQLite has one writer at a time; one connection makes the others wait in our queue, not in its retries.
        let writers = pool(1).connect_with(options.clone()).await.map_err(database("open the state"))?;
        let readers = pool(READERS_MAX)
            .connect_with(options.read_only(true))
            .await
            .map_err(database("open the state"))?;
        Ok(Self::new(writers, readers, limits))
    }
}

/// Migrates without foreign keys: a table that is replaced must not take with it what refers to it.
async fn bring_up_to_date(options: &SqliteConnectOptions) -> Result<(), StoreError> {
    let mut connection =
        options.clone().foreign_keys(false).connect().await.map_err(database("open the state"))?;
    sqlx::migrate!("migrations/sqlite").run(&mut connection).await?;
    sqlx::Connection::close(connection).await.map_err(database("open the state"))
}

#[cfg(test)]
mod tests;
