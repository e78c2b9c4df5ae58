//! The window: how many shards are on their way, and how large they are.

use std::collections::HashSet;

use pagemill_backends::store::ShardSizes;
use pagemill_domain::ids::ShardId;
use pagemill_domain::outcome::{Outcome, Report};
use pagemill_domain::sharding::{Pace, pages_per_last_shard, pages_per_shard};

use crate::CoordinatorConfig;

/// What is on its way, and the pace that was measured.
#[derive(Debug, Default)]
pub(crate) struct Window {
    on_the_way: HashSet<ShardId>,
    pace: Pace,
}

impl Window {
    /// How many more shards may be sent.
    pub(crate) fn room(&self, config: &CoordinatorConfig) -> usize {
        config.window_shards.saturating_sub(self.on_the_way.len())
    }

    /// How large the next shards are when so many pages are left.
    pub(crate) fn sizes(&self, config: &CoordinatorConfig, pages_waiting: u64) -> ShardSizes {
        let pages_max = config.limits.pages_per_shard_max;
        let pages = pages_per_shard(self.pace.page_seconds(), config.shard_seconds, pages_max);
        let pages = pages_per_last_shard(pages_waiting, config.window_shards, pages);
        ShardSizes { sources: config.sources_per_inspect_shard, pages }
    }

    /// A shard was sent.
    pub(crate) fn sent(&mut self, shard: ShardId) {
        self.on_the_way.insert(shard);
    }

    /// An outcome came.
    pub(crate) fn answered(&mut self, outcome: &Outcome) {
        self.on_the_way.remove(&outcome.shard);
        if let Report::Recognised(pages) = &outcome.report {
            self.pace.observe(pages.len() as u32, outcome.wall_ms);
        }
    }

    /// Whether nothing is on its way.
    pub(crate) fn is_empty(&self) -> bool {
        self.on_the_way.is_empty()
    }
}
