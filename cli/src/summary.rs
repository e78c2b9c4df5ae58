//! What a run or a job came to: its exit code, and a few lines for people.

use pagemill_domain::ledger::Ledger;
use serde_json::Value;

use crate::client::table::shown;
use crate::failure::Exit;

/// Rejected sources and gaps that the terminal shows; the report has them all.
const SHOWN_MAX: usize = 10;

/// The exit code of what came to these counts.
pub(crate) const fn exit_of(ledger: &Ledger) -> Exit {
    let missing = ledger.sources.rejected + ledger.pages.dead + ledger.documents.failed;
    let cancelled = ledger.sources.cancelled + ledger.pages.cancelled;
    if ledger.sources.inspected == 0 && ledger.sources.cancelled == 0 {
        Exit::NoSource
    } else if missing + cancelled > 0 {
        Exit::Gaps
    } else {
        Exit::Complete
    }
}

/// The first rejected sources and dead pages of a report's `ledger`, and how many more there are.
pub(crate) fn exceptions(counts: &Ledger, report: &Value) -> Vec<String> {
    let text = |entry: &Value, key: &str| shown(entry[key].as_str().unwrap_or_default());
    let entries = |key: &str| report[key].as_array().cloned().unwrap_or_default().into_iter().take(SHOWN_MAX);
    let rejected = entries("rejected").map(|entry| {
        format!("rejected  {}: {} ({})", text(&entry, "path"), text(&entry, "reason"), text(&entry, "code"))
    });
    let dead = entries("gaps").map(|entry| {
        let (path, page) = (text(&entry, "path"), &entry["page"]);
        format!("dead      {path} page {page}: {} ({})", text(&entry, "reason"), text(&entry, "code"))
    });
    let mut lines: Vec<String> = rejected.chain(dead).collect();
    let hidden = (counts.sources.rejected + counts.pages.dead).saturating_sub(lines.len() as u64);
    if hidden > 0 && !lines.is_empty() {
        lines.push(format!("          and {hidden} more"));
    }
    lines
}

/// Both equations.
pub(crate) fn equations(counts: &Ledger) -> [String; 2] {
    let (sources, pages) = (&counts.sources, &counts.pages);
    [
        format!(
            "sources   {} submitted = {} inspected + {} rejected + {} cancelled",
            sources.submitted, sources.inspected, sources.rejected, sources.cancelled
        ),
        format!(
            "pages     {} declared = {} recognised + {} blank + {} kept + {} dead + {} cancelled",
            pages.declared, pages.recognised, pages.blank, pages.kept, pages.dead, pages.cancelled
        ),
    ]
}

#[cfg(test)]
mod tests {
    use pagemill_domain::ledger::{PageCounts, SourceCounts};
    use serde_json::json;

    use super::*;

    fn counts(inspected: u64, rejected: u64, cancelled: u64, dead: u64) -> Ledger {
        Ledger {
            sources: SourceCounts { submitted: 9, inspected, rejected, cancelled },
            pages: PageCounts { dead, ..PageCounts::default() },
            ..Ledger::default()
        }
    }

    #[test]
    fn what_is_missing_shows_in_the_exit_code() {
        for (counts, exit) in [
            (counts(9, 0, 0, 0), Exit::Complete),
            (counts(8, 1, 0, 0), Exit::Gaps),
            (counts(9, 0, 0, 1), Exit::Gaps),
            (counts(0, 9, 0, 0), Exit::NoSource),
            (counts(0, 0, 9, 0), Exit::Gaps),
        ] {
            assert_eq!(exit_of(&counts), exit, "{counts:?}");
        }
    }

    #[test]
    fn a_few_exceptions_are_shown_and_the_rest_is_counted() {
        let rejected: Vec<Value> = (0..12)
            .map(|n| json!({"path": format!("{n}.pdf"), "code": "source_empty", "reason": "no bytes"}))
            .collect();
        let gap = json!({"path": "a", "page": 3, "code": "page_crashed", "reason": "x"});
        let lines = exceptions(&counts(1, 12, 0, 1), &json!({"rejected": rejected, "gaps": [gap]}));
        assert_eq!(lines[0], "rejected  0.pdf: no bytes (source_empty)");
        assert_eq!(lines[10..], ["dead      a page 3: x (page_crashed)", "          and 2 more"]);
    }
}
