//! What an admin does to a cluster at work, each beside the same run without a cluster: backup and restore, a rolling
//! upgrade, and a cluster that is locked down.
#![allow(clippy::unwrap_used, reason = "a test that meets the unexpected fails")]

use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::time::Duration;

use pagemill_domain::hash::ContentHash;
use pagemill_tests::scans::strips;
use pagemill_tests::{Workplace, assert_balanced};
use serde_json::Value;

mod backup;
mod secured;
mod upgrade;

const FLAGS: [&str; 2] = ["--formats", "pdf,txt"];

/// Pages of a job: some seconds of work for a worker.
const PAGES: u32 = 8;

/// Longest wait for something that takes a moment, or a lease, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(90);

/// What an undisturbed run without a cluster delivers.
struct Baseline {
    artifacts: BTreeMap<String, ContentHash>,
    ledger: Value,
}

fn baseline() -> &'static Baseline {
    static BASELINE: OnceLock<Baseline> = OnceLock::new();
    BASELINE.get_or_init(|| {
        let workplace = scans();
        workplace.ocr(&FLAGS).expect_exit(0);
        Baseline { artifacts: workplace.artifacts(), ledger: workplace.report()["ledger"].clone() }
    })
}

fn scans() -> Workplace {
    let workplace = Workplace::new();
    for (name, bytes) in strips(PAGES) {
        workplace.add(name, &bytes);
    }
    workplace
}

/// Fails unless a job delivered what a run without a cluster does; returns how it went.
#[track_caller]
fn assert_as_baseline(workplace: &Workplace) -> Value {
    let report = workplace.report();
    assert_eq!(assert_balanced(&report)["recognised"], PAGES, "{report}");
    assert_eq!(report["ledger"], baseline().ledger);
    assert_eq!(workplace.artifacts(), baseline().artifacts);
    report["run"].clone()
}
