//! Inspecting: hash a source, read its headers in the box.

use pagemill_domain::outcome::{Loss, SourceReport, SourceResult};
use pagemill_domain::scan::Rejection;
use pagemill_domain::shard::SourceRef;
use pagemill_recognition::boxed::client::{BoxError, SourceFile};

use crate::page_source::hash;
use crate::slot::Bench;

/// Inspects the sources of a shard; those that a stopping worker does not come to have no entry.
pub(crate) fn inspect(bench: &mut Bench, sources: &[SourceRef]) -> Vec<SourceReport> {
    let mut reports = Vec::with_capacity(sources.len());
    for source in sources {
        if bench.is_stopping() {
            break;
        }
        let (hash, result) = match inspect_source(bench, source) {
            Ok((hash, result)) => (Some(hash), result),
            Err(rejection) => (None, SourceResult::Rejected(rejection)),
        };
        reports.push(SourceReport { source: source.id, hash, result });
    }
    reports
}

fn inspect_source(
    bench: &mut Bench,
    source: &SourceRef,
) -> Result<(pagemill_domain::hash::ContentHash, SourceResult), Rejection> {
    let unreadable = |error: &dyn std::fmt::Display| Rejection::Unreadable(error.to_string());
    let opened = bench
        .wait(bench.blobs.open_source(&source.location, source.hash))
        .map_err(|error| unreadable(&error))?;
    let file = opened.file;
    let bytes = file.metadata().map_err(|error| unreadable(&error))?.len();
    if bytes == 0 {
        return Err(Rejection::Empty);
    }
    if bytes > bench.config.limits.bytes_per_source_max {
        return Err(Rejection::TooManyBytes { bytes });
    }
    let hash = hash(&file).map_err(|error| unreadable(&error))?;
    let boxed = SourceFile::new(file)?;
    let Ok(client) = bench.client() else { return Ok((hash, SourceResult::Lost(Loss::Interrupted))) };
    let answered = client.inspect(&boxed);
    bench.spend(answered.cost);
    let result = match answered.result {
        Ok(facts) => SourceResult::Inspected(facts),
        Err(BoxError::Rejected(rejection)) => SourceResult::Rejected(rejection),
        Err(BoxError::Defect(defect)) => SourceResult::Rejected(Rejection::Damaged(defect.to_string())),
        Err(BoxError::Fault(fault)) => SourceResult::Fault(fault),
        Err(BoxError::Loss(loss)) => SourceResult::Lost(loss),
    };
    Ok((hash, result))
}
