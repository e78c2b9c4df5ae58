//! Errors as a caller sees them: a code to decide on, and what to do. What is inside stays in the log.

use pagemill_backends::blobs::BlobError;
use pagemill_backends::store::StoreError;
use tonic::Status;

use crate::CoordinatorError;

/// A request that can't be meant.
pub(crate) fn invalid(what: impl Into<String>) -> Status {
    Status::invalid_argument(what)
}

/// What the store refused.
#[expect(clippy::needless_pass_by_value, reason = "made for map_err")]
pub(crate) fn of_store(error: StoreError) -> Status {
    match &error {
        StoreError::NoSuchJob(job) => Status::not_found(format!("there is no job {job}")),
        StoreError::TooManySources(_) => {
            Status::resource_exhausted(format!("{error}: submit the rest as another job"))
        }
        StoreError::WrongState { .. } => Status::failed_precondition(error.to_string()),
        _ if error.is_unavailable() => {
            Status::unavailable("the store can't be reached at present; nothing is lost, try again")
        }
        _ if is_full(&error) => {
            tracing::error!(%error, "the store's disk is full");
            Status::resource_exhausted("the store's disk is full: an admin has to make room; nothing is lost")
        }
        _ => {
            tracing::error!(%error, "the store failed");
            Status::internal("the store failed; the coordinator's log says more")
        }
    }
}

/// What the blobs refused.
#[expect(clippy::needless_pass_by_value, reason = "made for map_err")]
pub(crate) fn of_blobs(error: BlobError) -> Status {
    match &error {
        BlobError::Missing(what) => Status::not_found(format!("there is no {what}")),
        BlobError::Damaged(_) => Status::data_loss(error.to_string()),
        BlobError::NotServed(what) => Status::failed_precondition(what.clone()),
        BlobError::UnsafeName(_) | BlobError::BadTenant(_) => invalid(error.to_string()),
        BlobError::Refused { .. } => {
            tracing::error!(%error, "the blob store refuses");
            Status::unavailable(
                "the blob store refuses the coordinator: an admin has to look at its credentials",
            )
        }
        BlobError::Unavailable { .. } => {
            tracing::warn!(%error, "the blob store can't be reached");
            Status::unavailable("the blob store can't be reached at present; nothing is lost, try again")
        }
        error if error.is_disk_full() => {
            tracing::error!(%error, "the blob store's disk is full");
            Status::resource_exhausted("the blob store's disk is full: an admin has to make room")
        }
        BlobError::Misconfigured(_) | BlobError::Io { .. } => {
            tracing::error!(%error, "the blob store failed");
            Status::internal("the blob store failed; the coordinator's log says more")
        }
    }
}

/// What a coordinator could not do.
pub(crate) fn of_coordinator(error: CoordinatorError) -> Status {
    match error {
        CoordinatorError::Store(error) => of_store(error),
        CoordinatorError::Blobs(error) => of_blobs(error),
        CoordinatorError::Queue(_) | CoordinatorError::Metrics(_) | CoordinatorError::Report(_) => {
            tracing::error!(%error, "a request failed");
            Status::internal("the coordinator failed; its log says more")
        }
    }
}

fn is_full(error: &StoreError) -> bool {
    let StoreError::Database { source, .. } = error else { return false };
    let Some(error) = source.as_database_error() else { return false };
    // PostgreSQL's disk_full, SQLite's SQLITE_FULL.
    error.code().is_some_and(|code| code == "53100" || code == "13")
}
