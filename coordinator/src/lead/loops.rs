//! The loops of a leadership. Each does one thing; they end together.

use std::time::{Duration, Instant};

use pagemill_backends::store::{Reclaim, StoreError};
use tokio::time::MissedTickBehavior;

use super::Leadership;
use super::attention::Attention;
use super::backoff::Backoff;
use super::collect::OUTCOMES_PER_BATCH;
use crate::{CoordinatorError, LeaseConfig};

/// How often there is a look for work that nobody announced: a job that was sealed at another coordinator.
const DISPATCH_TICK: Duration = Duration::from_secs(1);

/// A leader that has not reached the store for so many times the silence that deposes it gives up. A database that is
/// restarted takes less.
const STORE_SILENCES_MAX: u32 = 3;

/// How often what is too old is removed.
const EXPIRE_TICK: Duration = Duration::from_mins(1);

/// How long a stopping coordinator waits for one more outcome of a worker in its own process; the workers have
/// stopped by then, so what they reported is already in the queue.
const LAST_OUTCOMES_WAIT: Duration = Duration::from_millis(100);

impl Leadership {
    /// Leads until shutdown, or until another does.
    pub(super) async fn run(&self) -> Result<(), CoordinatorError> {
        let Some(leases) = self.coordinator.config.leases else {
            return tokio::try_join!(self.dispatch_loop(), self.collect_loop()).map(|_| ());
        };
        let mut backoff = Backoff::default();
        while let Err(error) = self.inherit(&leases).await {
            self.endure(error, &mut backoff).await?;
        }
        tokio::try_join!(
            self.renew_loop(&leases),
            self.dispatch_loop(),
            self.collect_loop(),
            self.rescue_loop(&leases),
            self.expire_loop(&leases),
            self.sweep_loop(),
        )
        .map(|_| ())
    }

    /// Takes over what an earlier leader sent: it is on its way still.
    pub(super) async fn inherit(&self, leases: &LeaseConfig) -> Result<(), CoordinatorError> {
        let store = &self.coordinator.backends.store;
        let open = self.coordinator.timed("open_shards", store.open_shards()).await?;
        self.window().inherit(&open, leases);
        self.measure().await?;
        self.arrange_all().await
    }

    /// Takes back what an earlier process left: its workers are gone with it.
    pub(super) async fn take_back_all(&self) -> Result<(), CoordinatorError> {
        let limits = &self.coordinator.config.limits;
        let shards = self.coordinator.backends.store.reclaim_shards(self.epoch, Reclaim::All, limits).await?;
        self.window().sent(&shards);
        self.publish(shards).await?;
        self.arrange_all().await
    }

    /// Collects what the workers of this process finished, and hands back what they never took.
    pub(super) async fn hand_back(&self) -> Result<(), CoordinatorError> {
        let backends = &self.coordinator.backends;
        let untaken: Vec<_> = backends.queue.withdraw_shards().await?.iter().map(|shard| shard.id).collect();
        backends.store.hand_back_shards(self.epoch, &untaken).await?;
        self.window().forget(&untaken);
        while !self.window().is_empty() {
            let last = backends.queue.next_arrivals(OUTCOMES_PER_BATCH);
            let Ok(arrivals) = tokio::time::timeout(LAST_OUTCOMES_WAIT, last).await else { break };
            self.collect(arrivals?).await?;
        }
        Ok(())
    }

    async fn renew_loop(&self, leases: &LeaseConfig) -> Result<(), CoordinatorError> {
        let mut backoff = Backoff::default();
        let mut renewed = Instant::now();
        loop {
            match self.renew().await {
                Ok(()) => {
                    backoff.reset();
                    renewed = Instant::now();
                }
                // Others may reach the store and lead by now: they need the outcomes that this leader holds.
                Err(_) if renewed.elapsed() > leases.leader_silence_max * STORE_SILENCES_MAX => {
                    return Err(StoreError::Deposed.into());
                }
                Err(error) => self.endure(error.into(), &mut backoff).await?,
            }
            if !self.sleeps(leases.leader_tick).await {
                return Ok(());
            }
        }
    }

    async fn dispatch_loop(&self) -> Result<(), CoordinatorError> {
        let mut backoff = Backoff::default();
        let mut tick = tokio::time::interval(DISPATCH_TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        tick.reset();
        loop {
            match self.dispatch().await {
                Ok(()) => backoff.reset(),
                Err(error) => self.endure(error, &mut backoff).await?,
            }
            tokio::select! {
                biased;
                () = self.shutdown.cancelled() => return Ok(()),
                () = self.coordinator.submitted.notified() => self.window().look_everywhere(),
                _ = tick.tick() => self.window().look_everywhere(),
                () = self.wake.notified() => {}
            }
        }
    }

    async fn collect_loop(&self) -> Result<(), CoordinatorError> {
        let mut backoff = Backoff::default();
        loop {
            let arrivals = tokio::select! {
                biased;
                () = self.shutdown.cancelled() => return Ok(()),
                arrivals = self.coordinator.backends.queue.next_arrivals(OUTCOMES_PER_BATCH) => arrivals,
            };
            let collected = match arrivals {
                Ok(arrivals) => self.collect(arrivals).await,
                Err(error) => Err(error.into()),
            };
            match collected {
                Ok(()) => backoff.reset(),
                Err(error) => self.endure(error, &mut backoff).await?,
            }
        }
    }

    async fn rescue_loop(&self, leases: &LeaseConfig) -> Result<(), CoordinatorError> {
        let mut backoff = Backoff::default();
        let mut attention = Attention::new(leases.tick);
        loop {
            let passed = attention.look(Instant::now());
            match self.rescue(leases, passed).await {
                Ok(()) => backoff.reset(),
                Err(error) => self.endure(error, &mut backoff).await?,
            }
            if !self.sleeps(leases.tick).await {
                return Ok(());
            }
        }
    }

    async fn expire_loop(&self, leases: &LeaseConfig) -> Result<(), CoordinatorError> {
        let mut backoff = Backoff::default();
        loop {
            match self.expire(leases).await {
                Ok(()) => backoff.reset(),
                Err(error) => self.endure(error, &mut backoff).await?,
            }
            if !self.sleeps(EXPIRE_TICK).await {
                return Ok(());
            }
        }
    }

    /// Waits for the next tick; `false` at shutdown.
    pub(super) async fn sleeps(&self, tick: Duration) -> bool {
        tokio::select! {
            () = self.shutdown.cancelled() => false,
            () = tokio::time::sleep(tick) => true,
        }
    }
}
