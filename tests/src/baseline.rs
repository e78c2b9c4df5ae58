//! What an undisturbed run without a cluster delivers: what every run of a cluster is held against.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use pagemill_domain::hash::ContentHash;
use serde_json::Value;

use crate::scans::strips;
use crate::{Workplace, assert_balanced};

/// A job of some seconds of work, and what comes of it.
pub struct Baseline {
    pages: u32,
    flags: &'static [&'static str],
    delivered: OnceLock<Delivered>,
}

/// What was delivered, and the ledger.
struct Delivered {
    artifacts: BTreeMap<String, ContentHash>,
    ledger: Value,
}

impl Baseline {
    /// That of so many pages, read with these flags.
    pub const fn new(pages: u32, flags: &'static [&'static str]) -> Self {
        Self { pages, flags, delivered: OnceLock::new() }
    }

    /// The job's scans.
    pub fn scans(&self) -> Workplace {
        let workplace = Workplace::new();
        for (name, bytes) in strips(self.pages) {
            workplace.add(name, &bytes);
        }
        workplace
    }

    fn delivered(&self) -> &Delivered {
        self.delivered.get_or_init(|| {
            let workplace = self.scans();
            workplace.ocr(self.flags).expect_exit(0);
            Delivered { artifacts: workplace.artifacts(), ledger: workplace.report()["ledger"].clone() }
        })
    }

    /// Fails unless a job delivered the same, and every page is accounted for; returns how it went.
    #[track_caller]
    pub fn assert_same(&self, workplace: &Workplace) -> Value {
        let report = workplace.report();
        assert_eq!(assert_balanced(&report)["recognised"], self.pages, "{report}");
        assert_eq!(report["ledger"], self.delivered().ledger);
        assert_eq!(workplace.artifacts(), self.delivered().artifacts);
        report["run"].clone()
    }
}
