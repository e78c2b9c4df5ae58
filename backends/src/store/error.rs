//! What goes wrong in a store.

use pagemill_domain::ids::JobId;

/// The store can't be used, or holds what it never should.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database failed: disk full, no permission, damaged.
    #[error("{action}: {source}")]
    Database {
        /// What was attempted, verb first.
        action: &'static str,
        /// What the database said.
        source: sqlx::Error,
    },
    /// The address names no kind of store that there is.
    #[error("open the store: its address begins with {scheme:?}, not with sqlite: or postgres://")]
    UnknownScheme {
        /// What the address begins with; the rest may hold a password.
        scheme: String,
    },
    /// A migration failed: the state is damaged or of a newer Pagemill.
    #[error("prepare the state: {0}")]
    Migration(#[from] sqlx::migrate::MigrateError),
    /// A row holds what this version can't read.
    #[error("read {what} from the store: {found:?}")]
    Unreadable {
        /// Which value.
        what: &'static str,
        /// What it is.
        found: String,
    },
    /// No job of that number.
    #[error("there is no job {0}")]
    NoSuchJob(JobId),
    /// A job has more sources than it may.
    #[error("more sources than sources_per_job_max ({0})")]
    TooManySources(u64),
    /// Another coordinator leads now: whoever gets this stops its background loops.
    #[error("another coordinator leads now")]
    Deposed,
    /// The job is not in a state for this.
    #[error("job {job} is {state}: {refused}")]
    WrongState {
        /// Which job.
        job: JobId,
        /// Its state.
        state: &'static str,
        /// What was refused, and what to do instead.
        refused: &'static str,
    },
}

impl StoreError {
    /// Whether the database can't be reached or can't serve at present: the same may work later.
    #[must_use]
    pub fn is_unavailable(&self) -> bool {
        let Self::Database { source, .. } = self else { return false };
        matches!(
            source,
            sqlx::Error::Io(_)
                | sqlx::Error::PoolTimedOut
                | sqlx::Error::PoolClosed
                | sqlx::Error::Tls(_)
                | sqlx::Error::WorkerCrashed
        ) || source.as_database_error().and_then(sqlx::error::DatabaseError::code).is_some_and(|code| {
            // PostgreSQL: connection exceptions (08), stopping or starting (57P), out of connections, memory or disk
            // (53), a transaction that stood idle (25P03), a deadlock (40P01), a lock (55P03) or statement (57014)
            // that took too long.
            ["08", "57P", "53", "25P03", "40P01", "55P03", "57014"]
                .iter()
                .any(|class| code.starts_with(class))
        })
    }
}
