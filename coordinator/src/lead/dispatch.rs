//! Dispatch: from what waits to shards on their way.

use pagemill_backends::store::{ShardOrder, StoreError};
use pagemill_domain::schedule::Demand;
use pagemill_domain::shard::Shard;

use super::Leadership;
use crate::CoordinatorError;

/// Jobs that are looked at for the next shards; of more, the least urgent wait.
pub(super) const DEMANDS_MAX: u32 = 2_000;

impl Leadership {
    /// Fills the window, the express lane first, and closes what has nothing left to do.
    pub(super) async fn dispatch(&self) -> Result<(), CoordinatorError> {
        if !self.publish_unpublished().await? {
            // What waits stays where it can still be chosen.
            return Ok(());
        }
        let demands = self.demands().await?;
        for express in [true, false] {
            self.fill(&demands, express).await?;
        }
        for demand in demands.iter().filter(|demand| !demand.waits()) {
            if self.window().is_empty_of(demand.job) {
                self.settle(demand.job).await?;
            }
        }
        Ok(())
    }

    pub(super) async fn demands(&self) -> Result<Vec<Demand>, StoreError> {
        self.coordinator.timed("demands", self.coordinator.backends.store.demands(DEMANDS_MAX)).await
    }

    /// Cuts and publishes until the lane is full or nothing is left. What one job leaves goes to the others: each
    /// round fills the lane or finds a job that gives no more.
    async fn fill(&self, demands: &[Demand], express: bool) -> Result<(), CoordinatorError> {
        loop {
            let orders = self.window().orders(demands, express, &self.coordinator.config);
            if orders.is_empty() {
                return Ok(());
            }
            let shards = self.cut(&orders).await?;
            {
                let mut window = self.window();
                window.note_unfilled(&orders, &shards);
                window.sent(&shards);
            }
            if !self.publish(shards).await? {
                return Ok(());
            }
        }
    }

    /// Cuts what was ordered. A job of which nothing can be cut (a row that this version can't read) does not stand in
    /// the way of the others.
    async fn cut(&self, orders: &[ShardOrder]) -> Result<Vec<Shard>, StoreError> {
        let store = &self.coordinator.backends.store;
        let cut = |orders| self.coordinator.timed("cut_shards", store.cut_shards(self.epoch, orders));
        match cut(orders).await {
            Err(StoreError::Unreadable { .. }) if orders.len() > 1 => {}
            answer => return answer,
        }
        let mut shards = Vec::new();
        for order in orders.chunks(1) {
            match cut(order).await {
                Ok(cut) => shards.extend(cut),
                Err(error @ StoreError::Unreadable { .. }) => {
                    tracing::error!(%error, job = order[0].job.0, "can't cut shards of this job");
                }
                Err(error) => return Err(error),
            }
        }
        Ok(shards)
    }
}
