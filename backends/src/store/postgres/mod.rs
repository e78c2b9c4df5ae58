//! The store of the cluster: a PostgreSQL database that all coordinators share.

use std::str::FromStr;
use std::time::Duration;

use pagemill_domain::limits::Limits;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};

use super::StoreError;

mod dialect;
#[path = "../sql/mod.rs"]
#[allow(clippy::duplicate_mod, reason = "the same SQL serves both databases, with the types of each")]
mod sql;

pub use sql::SqlStore as PostgresStore;
use sql::database;

/// Connections of one coordinator that write.
const WRITERS_MAX: u32 = 8;

/// Connections of one coordinator that read: never behind a writer.
const READERS_MAX: u32 = 8;

/// How long a call waits for a connection before the store counts as unreachable.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);

/// After that, a connection that is not used is closed.
const IDLE_TIMEOUT: Duration = Duration::from_mins(1);

/// Statements that a connection holds prepared: all that there are.
const STATEMENTS_HELD_MAX: usize = 500;

/// How the server serves a coordinator. A transaction that stands still is ended, so that a paused leader lets go of the
/// lease; statements and waits for locks are bounded, in milliseconds. The planner can't know how many rows a parameter
/// brings, nor how large a table is by the next execution; left alone it reads whole tables. Each statement has its index.
const SESSION: [(&str, &str); 8] = [
    ("idle_in_transaction_session_timeout", "5000"),
    ("statement_timeout", "120000"),
    ("lock_timeout", "30000"),
    ("plan_cache_mode", "force_custom_plan"),
    ("enable_seqscan", "off"),
    ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off"),
    ("jit", "off"),
];

impl PostgresStore {
    /// Connects to the database at `url` (`postgres://…`) and brings its tables up to date; several coordinators may do
    /// so at once.
    pub async fn connect(url: &str, limits: &Limits) -> Result<Self, StoreError> {
        let options = PgConnectOptions::from_str(url)
            .map_err(database("read the store's address"))?
            .application_name("pagemill")
            .statement_cache_capacity(STATEMENTS_HELD_MAX)
            .options(SESSION);
        let writers = pool(WRITERS_MAX, &options).await?;
        sqlx::migrate!("migrations/postgres").run(&writers).await?;
        let readers = pool(READERS_MAX, &options).await?;
        Ok(Self::new(writers, readers, limits))
    }
}

async fn pool(connections_max: u32, options: &PgConnectOptions) -> Result<PgPool, StoreError> {
    PgPoolOptions::new()
        .max_connections(connections_max)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .idle_timeout(IDLE_TIMEOUT)
        .connect_with(options.clone())
        .await
        .map_err(database("reach the database"))
}

#[cfg(test)]
mod tests;
