//! Inspecting: hash a source, read its headers in the box.

use pagemill_backends::blobs::BlobError;
use pagemill_domain::hash::ContentHash;
use pagemill_domain::outcome::{Loss, SourceReport, SourceResult};
use pagemill_domain::scan::Rejection;
use pagemill_domain::shard::{ResultRef, SourceRef};
use pagemill_recognition::boxed::client::{BoxError, SourceFile};

use crate::error::Halt;
use crate::page_source::hash;
use crate::slot::Bench;
use crate::source_map;

/// Inspects the sources of a shard; those that a stopping worker does not come to have no entry.
pub(crate) fn inspect(bench: &mut Bench, sources: &[SourceRef]) -> Result<Vec<SourceReport>, Halt> {
    let mut reports = Vec::with_capacity(sources.len());
    for source in sources {
        bench.check_wanted()?;
        if bench.is_stopping() || (bench.is_out_of_time() && !reports.is_empty()) {
            break;
        }
        let report = |hash, map, result| SourceReport { source: source.id, hash, map, result };
        reports.push(match inspect_source(bench, source) {
            Ok((hash, map, result)) => report(Some(hash), map, result),
            Err(Refused::Source(rejection)) => report(None, None, SourceResult::Rejected(rejection)),
            // Whoever stops does not wait for a blob store that is away: another will.
            Err(Refused::Fetch(_)) if bench.is_stopping() => break,
            Err(Refused::Fetch(loss)) => report(None, None, SourceResult::Lost(loss)),
            Err(Refused::Shard(halt)) => return Err(halt),
        });
    }
    Ok(reports)
}

/// The reports of sources that nothing could be done for.
pub(crate) fn lost(sources: &[SourceRef], loss: &Loss) -> Vec<SourceReport> {
    let report = |source: &SourceRef| SourceReport {
        source: source.id,
        hash: None,
        map: None,
        result: SourceResult::Lost(loss.clone()),
    };
    sources.iter().map(report).collect()
}

/// Why a source could not be inspected.
enum Refused {
    /// It is refused itself.
    Source(Rejection),
    /// It can't be had at present.
    Fetch(Loss),
    /// The work on its shard ends.
    Shard(Halt),
}

impl From<Rejection> for Refused {
    fn from(rejection: Rejection) -> Self {
        Self::Source(rejection)
    }
}

/// What a source hashes to, where its map lies, and what came of it.
type Inspected = (ContentHash, Option<ResultRef>, SourceResult);

fn inspect_source(bench: &mut Bench, source: &SourceRef) -> Result<Inspected, Refused> {
    let unreadable = |error: &dyn std::fmt::Display| Rejection::Unreadable(error.to_string());
    let opened =
        bench.fetch(|| bench.blobs().open_source(&source.location, source.hash)).map_err(Refused::Shard)?;
    let file = opened.map_err(|error| refusal(&error))?.file;
    let bytes = file.metadata().map_err(|error| unreadable(&error))?.len();
    if bytes == 0 {
        return Err(Rejection::Empty.into());
    }
    if bytes > bench.config().limits.bytes_per_source_max {
        return Err(Rejection::TooManyBytes { bytes }.into());
    }
    let hash = hash(&file).map_err(|error| unreadable(&error))?;
    let boxed = SourceFile::new(file.try_clone().map_err(|error| unreadable(&error))?)?;
    let Ok(client) = bench.client() else { return Ok((hash, None, SourceResult::Lost(Loss::Interrupted))) };
    let answered = client.inspect(&boxed);
    bench.spend(answered.cost);
    let result = match answered.result {
        Ok(facts) => {
            let map = source_map::store(bench, source, &boxed, &file, &facts).map_err(Refused::Shard)?;
            return Ok((hash, map, SourceResult::Inspected(facts)));
        }
        Err(BoxError::Rejected(rejection)) => SourceResult::Rejected(rejection),
        Err(BoxError::Defect(defect)) => SourceResult::Rejected(Rejection::Damaged(defect.to_string())),
        Err(BoxError::Fault(fault)) => SourceResult::Fault(fault),
        Err(BoxError::Loss(loss)) => SourceResult::Lost(loss),
    };
    Ok((hash, None, result))
}

/// A source that is away may come back. One that is not there, that this kind of blobs does not serve, or that the
/// operating system does not let us read, stays as it is until somebody does something about it and re-drives it.
fn refusal(error: &BlobError) -> Refused {
    match error {
        BlobError::Unavailable { .. } | BlobError::Refused { .. } | BlobError::Damaged(_) => {
            Refused::Fetch(Loss::Unavailable { what: error.to_string() })
        }
        BlobError::Missing(_)
        | BlobError::Io { .. }
        | BlobError::NotServed(_)
        | BlobError::Misconfigured(_)
        | BlobError::BadTenant(_)
        | BlobError::UnsafeName(_) => Refused::Source(Rejection::Unreadable(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_come_back_is_lost_and_the_rest_is_rejected() {
        let away = BlobError::Unavailable { action: "fetch", why: "timeout".into() };
        assert!(matches!(refusal(&away), Refused::Fetch(Loss::Unavailable { .. })));
        let gone = BlobError::Missing("it".into());
        assert!(matches!(refusal(&gone), Refused::Source(Rejection::Unreadable(_))));
        let foreign = BlobError::NotServed("outside the source roots".into());
        assert!(matches!(refusal(&foreign), Refused::Source(Rejection::Unreadable(_))));
    }
}
