//! What the store and the broker were told, and whether that is how it must be. Where the last page of a schedule
//! comes out right only because something else came to the rescue, this is what sees the mistake.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};

use pagemill_backends::store::{Applied, Reclaim};
use pagemill_domain::ids::{Attempt, Epoch, PageId, ShardAttempt, ShardId};
use pagemill_domain::outcome::{Outcome, PageReport, PageResult, Report};
use pagemill_domain::shard::Shard;

/// Shared by the store and the broker of a schedule.
pub(super) type SharedWitness = Arc<Mutex<Witness>>;

#[derive(Debug, Default)]
pub(super) struct Witness {
    /// Who leads.
    epoch: i64,
    /// The last attempt of each shard.
    attempts: HashMap<ShardId, Attempt>,
    /// Dispatches of which the store was told how they ended.
    told: HashSet<ShardAttempt>,
    /// Shards of which an outcome took effect, or would have if their job had not been cancelled.
    taken: HashSet<ShardId>,
    faults: HashMap<PageId, u32>,
    ignored: u64,
}

impl Witness {
    pub(super) fn seized(&mut self, epoch: Option<Epoch>) {
        self.epoch = epoch.map_or(self.epoch, |epoch| epoch.0);
    }

    pub(super) fn wrote(&self, epoch: Epoch) {
        assert_eq!(epoch.0, self.epoch, "the store took a write of a leader that is none any more");
    }

    /// Shards were cut, or their next attempt began.
    pub(super) fn advanced(&mut self, shards: &[Shard]) {
        for shard in shards {
            let earlier = self.attempts.insert(shard.id, shard.attempt);
            assert!(earlier < Some(shard.attempt), "{:?} was dispatched before", shard.dispatch());
        }
    }

    pub(super) fn reclaimed(&mut self, which: Reclaim<'_>, shards: &[Shard]) {
        if let Reclaim::These(dispatches) = which {
            self.told.extend(dispatches);
            let is_named = |shard: &Shard| dispatches.iter().any(|named| is_next(*named, shard.dispatch()));
            assert!(shards.iter().all(is_named), "a shard was taken back that is on its way: {shards:?}");
        }
        self.advanced(shards);
    }

    pub(super) fn applied(&mut self, outcomes: &[Outcome], applied: Applied) {
        let Applied { taken, stale, duplicate } = applied;
        let ends = outcomes.iter().filter(|outcome| self.ends_its_shard(outcome)).count() as u64;
        assert!(taken <= ends, "an outcome counts twice, or an old one: {applied:?} of {outcomes:?}");
        assert_eq!(taken + stale + duplicate, outcomes.len() as u64, "an outcome is not counted");
        self.ignored += stale + duplicate;
    }

    /// Whether it is the first outcome of the current attempt. Remembers what it says.
    fn ends_its_shard(&mut self, outcome: &Outcome) -> bool {
        let dispatch = dispatch_of(outcome);
        self.told.insert(dispatch);
        if self.attempts.get(&dispatch.shard) != Some(&dispatch.attempt) || !self.taken.insert(dispatch.shard)
        {
            return false;
        }
        let reports = if let Report::Recognised(reports) = &outcome.report { &reports[..] } else { &[] };
        let is_fault = |report: &&PageReport| matches!(report.result, PageResult::Fault(_));
        for report in reports.iter().filter(is_fault) {
            *self.faults.entry(PageId { source: report.source, number: report.number }).or_default() += 1;
        }
        true
    }

    pub(super) fn published(&self, dispatch: ShardAttempt) {
        let known = self.attempts.get(&dispatch.shard);
        assert!(known >= Some(&dispatch.attempt), "{dispatch:?} was published before it was written down");
    }

    pub(super) fn acknowledged(&self, dispatch: ShardAttempt) {
        assert!(
            self.told.contains(&dispatch),
            "{dispatch:?} was acknowledged before the store knew how it ended"
        );
    }

    /// Faults that were reported of a page and that count.
    pub(super) fn faults(&self, page: PageId) -> u32 {
        self.faults.get(&page).copied().unwrap_or_default()
    }

    /// Outcomes that were ignored.
    pub(super) fn ignored(&self) -> u64 {
        self.ignored
    }
}

fn is_next(earlier: ShardAttempt, later: ShardAttempt) -> bool {
    earlier.shard == later.shard && earlier.attempt.0 + 1 == later.attempt.0
}

/// Which dispatch an outcome ends.
pub(super) const fn dispatch_of(outcome: &Outcome) -> ShardAttempt {
    ShardAttempt { shard: outcome.shard, attempt: outcome.attempt }
}
