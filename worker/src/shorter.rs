//! Outcomes that are too large for a message: they say less, and what they leave out is worked on again.

use pagemill_domain::outcome::{DocumentResult, Loss, Outcome, Report, SourceResult};

/// The outcome with half of its sources or pages; of a single source or document, that its report can't be told. `None`
/// where nothing is left to leave out.
pub(crate) fn shorter(mut outcome: Outcome) -> Option<Outcome> {
    let untold = || Loss::Unavailable { what: "its report is larger than a message may be".into() };
    match &mut outcome.report {
        Report::Inspected(sources) if sources.len() > 1 => sources.truncate(sources.len() / 2),
        Report::Inspected(sources) => match &mut sources.first_mut()?.result {
            SourceResult::Lost(_) => return None,
            result => *result = SourceResult::Lost(untold()),
        },
        Report::Recognised(pages) if pages.len() > 1 => pages.truncate(pages.len() / 2),
        Report::Recognised(_) => return None,
        Report::Assembled(document) => match &mut document.result {
            DocumentResult::Lost(_) | DocumentResult::Defect(_) => return None,
            result @ DocumentResult::Delivered { .. } => *result = DocumentResult::Lost(untold()),
        },
    }
    Some(outcome)
}

#[cfg(test)]
mod tests {
    use pagemill_domain::ids::{Attempt, ShardId, SourceId};
    use pagemill_domain::outcome::{Fingerprint, SourceReport};
    use pagemill_domain::scan::Rejection;

    use super::*;

    #[test]
    fn an_outcome_gets_shorter_until_nothing_is_left_to_leave_out() {
        let source = |id| SourceReport {
            source: SourceId(id),
            hash: None,
            map: None,
            result: SourceResult::Rejected(Rejection::Empty),
        };
        let mut outcome = Outcome {
            shard: ShardId(1),
            attempt: Attempt(1),
            job: None,
            fingerprint: Fingerprint::default(),
            cpu_ms: 0,
            wall_ms: 0,
            report: Report::Inspected((0..5).map(source).collect()),
        };
        let mut steps = Vec::new();
        while let Some(next) = shorter(outcome) {
            outcome = next.clone();
            let Report::Inspected(sources) = next.report else { panic!() };
            steps.push((sources.len(), matches!(sources[0].result, SourceResult::Lost(_))));
            if steps.len() > 9 {
                break;
            }
        }
        assert_eq!(steps, [(2, false), (1, false), (1, true)]);
    }
}
