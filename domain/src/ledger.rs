//! The ledger: every source and every page accounted for.

use serde::{Deserialize, Serialize};

/// The counts of a job. They move in the transaction that moves what they count; nobody counts rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Ledger {
    /// Sources.
    pub sources: SourceCounts,
    /// Pages.
    pub pages: PageCounts,
    /// Documents.
    pub documents: DocumentCounts,
}

/// Counts of sources.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SourceCounts {
    /// Added to the job.
    pub submitted: u64,
    /// Headers read.
    pub inspected: u64,
    /// Refused.
    pub rejected: u64,
    /// Given up by a cancel.
    pub cancelled: u64,
}

/// Counts of pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PageCounts {
    /// Declared by inspected sources.
    pub declared: u64,
    /// Read.
    pub recognised: u64,
    /// Empty.
    pub blank: u64,
    /// Existing text or signed PDF kept.
    pub kept: u64,
    /// Given up.
    pub dead: u64,
    /// Given up by a cancel.
    pub cancelled: u64,
}

/// Counts of documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct DocumentCounts {
    /// Formed.
    pub arranged: u64,
    /// Delivered.
    pub delivered: u64,
    /// Given up: assembling them failed again and again.
    pub failed: u64,
}

/// A ledger that does not balance: something was lost or counted twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Imbalance {
    /// Sources submitted ≠ inspected + rejected + cancelled.
    #[error("{submitted} sources submitted, {terminal} accounted for")]
    Sources {
        /// Submitted.
        submitted: u64,
        /// Inspected + rejected + cancelled.
        terminal: u64,
    },
    /// Pages declared ≠ recognised + blank + kept + dead + cancelled.
    #[error("{declared} pages declared, {terminal} accounted for")]
    Pages {
        /// Declared.
        declared: u64,
        /// The sum of the final states.
        terminal: u64,
    },
}

impl SourceCounts {
    /// Sources in a final state.
    #[must_use]
    pub const fn terminal(&self) -> u64 {
        self.inspected + self.rejected + self.cancelled
    }
}

impl PageCounts {
    /// Pages in a final state.
    #[must_use]
    pub const fn terminal(&self) -> u64 {
        self.recognised + self.blank + self.kept + self.dead + self.cancelled
    }
}

impl DocumentCounts {
    /// Documents in a final state.
    #[must_use]
    pub const fn terminal(&self) -> u64 {
        self.delivered + self.failed
    }
}

impl Ledger {
    /// Whether both equations hold: *sources submitted = inspected + rejected + cancelled* and *pages declared =
    /// recognised + blank + kept + dead + cancelled*.
    pub const fn balance(&self) -> Result<(), Imbalance> {
        let (submitted, terminal) = (self.sources.submitted, self.sources.terminal());
        if submitted != terminal {
            return Err(Imbalance::Sources { submitted, terminal });
        }
        let (declared, terminal) = (self.pages.declared, self.pages.terminal());
        if declared != terminal {
            return Err(Imbalance::Pages { declared, terminal });
        }
        Ok(())
    }

    /// Whether a sealed job of this ledger is finished: it balances and all its documents are final.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        self.balance().is_ok() && self.documents.arranged == self.documents.terminal()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ledger_balances_only_when_both_equations_hold() {
        let mut ledger = Ledger::default();
        assert!(ledger.is_complete());
        ledger.sources = SourceCounts { submitted: 3, inspected: 1, rejected: 1, cancelled: 1 };
        ledger.pages = PageCounts { declared: 5, recognised: 1, blank: 1, kept: 1, dead: 1, cancelled: 1 };
        assert_eq!(ledger.balance(), Ok(()));
        ledger.pages.dead = 2;
        assert_eq!(ledger.balance(), Err(Imbalance::Pages { declared: 5, terminal: 6 }));
        ledger.sources.inspected = 0;
        assert!(matches!(ledger.balance(), Err(Imbalance::Sources { .. })));
    }
}
