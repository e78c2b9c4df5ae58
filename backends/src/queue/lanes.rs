//! The queues that shards wait in, and the order in which a slot looks into them.

use pagemill_domain::shard::{Shard, Stage};

use super::Lanes;

/// A queue of shards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lane {
    /// Shards of small jobs, whatever their stage.
    Express,
    /// The others, by stage.
    Stage(Stage),
}

/// What completes documents comes first. Recognise and inspect take turns: a large job keeps the window of the one full
/// for days, and the other must not wait for its end.
const ORDERS: [[Lane; Lane::COUNT]; 2] = [
    [Lane::Express, Lane::Stage(Stage::Assemble), Lane::Stage(Stage::Recognise), Lane::Stage(Stage::Inspect)],
    [Lane::Express, Lane::Stage(Stage::Assemble), Lane::Stage(Stage::Inspect), Lane::Stage(Stage::Recognise)],
];

impl Lane {
    pub(super) const COUNT: usize = 4;

    /// All of them, by [`Self::index`].
    pub(super) const ALL: [Self; Self::COUNT] = [
        Self::Express,
        Self::Stage(Stage::Inspect),
        Self::Stage(Stage::Recognise),
        Self::Stage(Stage::Assemble),
    ];

    pub(super) const fn of(shard: &Shard) -> Self {
        if shard.express { Self::Express } else { Self::Stage(shard.work.stage()) }
    }

    pub(super) const fn index(self) -> usize {
        match self {
            Self::Express => 0,
            Self::Stage(stage) => 1 + stage as usize,
        }
    }

    /// Those that a slot may take from, best first; `turn` grows with each shard.
    pub(super) fn order(lanes: Lanes, turn: usize) -> &'static [Self] {
        match lanes {
            Lanes::All => &ORDERS[turn % ORDERS.len()],
            Lanes::Express => &ORDERS[0][..1],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Lane;

    #[test]
    fn each_lane_has_its_own_place() {
        for (index, lane) in Lane::ALL.into_iter().enumerate() {
            assert_eq!(lane.index(), index);
        }
    }
}
