//! Leadership: of all coordinators, one runs the background loops; the rest answer requests and watch it.
//!
//! What a leader remembers beyond the store is only what makes it fast. It may be gone at any moment: the next leader
//! finds everything in the store, and every write of the old one is refused from then on.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use pagemill_backends::queue::QueueError;
use pagemill_backends::store::StoreError;
use pagemill_domain::ids::Epoch;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::{Coordinator, CoordinatorError, LeaseConfig};
use backoff::Backoff;
use challenger::Challenger;
use window::Window;

mod attention;
mod backoff;
mod challenger;
mod collect;
mod dispatch;
mod expire;
pub(crate) mod figures;
mod loops;
mod publish;
mod rescue;
mod settle;
#[cfg(test)]
mod simulation;
mod sweep;
mod verdicts;
mod window;

/// One leadership, from winning the lease to losing it.
pub(crate) struct Leadership {
    coordinator: Coordinator,
    epoch: Epoch,
    window: Mutex<Window>,
    /// There may be something to dispatch.
    wake: Notify,
    /// Held while pages arrive, documents are formed or a job is closed: a job whose last documents are about to be
    /// formed looks complete in between.
    ledger: tokio::sync::Mutex<()>,
    shutdown: CancellationToken,
}

impl Coordinator {
    /// Runs the background loops whenever this coordinator leads: sends shards while there is room, takes what comes
    /// back, closes jobs when their ledgers are complete; until `shutdown`. Stop workers of the same process first, so
    /// that what they finished is still collected and what they never took is handed back.
    pub async fn run(&self, shutdown: CancellationToken) -> Result<(), CoordinatorError> {
        match self.config.leases {
            None => self.run_alone(shutdown).await,
            Some(leases) => {
                tokio::try_join!(self.run_among_others(&leases, &shutdown), self.watch_jobs(&shutdown))
                    .map(|_| ())
            }
        }
    }

    async fn run_alone(&self, shutdown: CancellationToken) -> Result<(), CoordinatorError> {
        let seen = self.backends.store.leader_lease().await?;
        let epoch = self.backends.store.seize_lease(&seen, &self.config.name).await?;
        let leadership = Leadership::new(self.clone(), epoch.ok_or(StoreError::Deposed)?, shutdown);
        leadership.take_back_all().await?;
        leadership.run().await?;
        leadership.hand_back().await
    }

    async fn run_among_others(
        &self,
        leases: &LeaseConfig,
        shutdown: &CancellationToken,
    ) -> Result<(), CoordinatorError> {
        while let Some(epoch) = self.follow(leases, shutdown).await {
            tracing::info!(epoch = epoch.0, "leads");
            self.metrics.lead();
            let leadership = Leadership::new(self.clone(), epoch, shutdown.clone());
            let ended = leadership.run().await;
            self.metrics.follow();
            self.backends.queue.stop_arrivals().await;
            match ended {
                Ok(()) => self.resign(epoch).await,
                Err(CoordinatorError::Store(StoreError::Deposed)) => {
                    tracing::warn!(epoch = epoch.0, "another coordinator leads now");
                }
                Err(_) if shutdown.is_cancelled() => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Watches the leader until it falls silent and its place is won; `None` at shutdown.
    async fn follow(&self, leases: &LeaseConfig, shutdown: &CancellationToken) -> Option<Epoch> {
        let mut challenger = Challenger::new(leases);
        let mut tick = tokio::time::interval(leases.leader_tick);
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return None,
                _ = tick.tick() => {}
            }
            match self.challenge(&mut challenger).await {
                Ok(Some(epoch)) => return Some(epoch),
                Ok(None) => {}
                Err(error) => tracing::warn!(%error, "can't see who leads"),
            }
        }
    }

    async fn challenge(&self, challenger: &mut Challenger) -> Result<Option<Epoch>, StoreError> {
        let lease = self.timed("leader_lease", self.backends.store.leader_lease()).await?;
        if !challenger.sees_free(&lease, Instant::now()) {
            return Ok(None);
        }
        self.timed("seize_lease", self.backends.store.seize_lease(&lease, &self.config.name)).await
    }

    /// Hands the lease to nobody, so that the next leader need not wait for a silence.
    async fn resign(&self, epoch: Epoch) {
        let store = &self.backends.store;
        let given_up = async {
            let lease = store.leader_lease().await?;
            if lease.epoch == epoch.0 {
                store.seize_lease(&lease, challenger::NOBODY).await
            } else {
                Ok(None)
            }
        };
        if let Err(error) = given_up.await {
            tracing::info!(%error, "the next leader has to wait");
        }
    }
}

impl Leadership {
    fn new(coordinator: Coordinator, epoch: Epoch, shutdown: CancellationToken) -> Self {
        Self {
            coordinator,
            epoch,
            window: Mutex::default(),
            wake: Notify::new(),
            ledger: tokio::sync::Mutex::default(),
            shutdown,
        }
    }

    fn window(&self) -> MutexGuard<'_, Window> {
        // No code panics while it holds the lock, and a half-made change is put right by the next look at the store.
        self.window.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Moves the lease's beat on.
    async fn renew(&self) -> Result<(), StoreError> {
        self.coordinator.timed("renew_lease", self.coordinator.backends.store.renew_lease(self.epoch)).await
    }

    /// Waits a while after an error that may pass. An error that doesn't is returned: another leads, the queue's other
    /// side is gone for good, or this is an embedded run, where a person sees the error and starts again.
    async fn endure(&self, error: CoordinatorError, backoff: &mut Backoff) -> Result<(), CoordinatorError> {
        let is_final = matches!(
            error,
            CoordinatorError::Store(StoreError::Deposed) | CoordinatorError::Queue(QueueError::Closed)
        );
        let Some(leases) = self.coordinator.config.leases.filter(|_| !is_final) else { return Err(error) };
        let wait = backoff.next(leases.leader_tick);
        tracing::warn!(%error, wait_ms = wait.as_millis() as u64, "tries again");
        tokio::select! {
            () = tokio::time::sleep(wait) => Ok(()),
            () = self.shutdown.cancelled() => Err(error),
        }
    }
}
