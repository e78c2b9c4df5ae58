//! Collect: from outcomes to the ledger.

use std::collections::BTreeSet;

use pagemill_backends::queue::{Arrival, Delivery};
use pagemill_backends::store::{Applied, StoreError};
use pagemill_domain::ids::{JobId, ShardAttempt};
use pagemill_domain::outcome::{Outcome, Report};

use super::Leadership;
use super::backoff::Backoff;
use crate::CoordinatorError;

/// Outcomes that one transaction takes.
pub(super) const OUTCOMES_PER_BATCH: usize = 256;

/// Failures in a row after which an outcome that the store refuses is set aside.
const REFUSALS_MAX: u32 = 3;

impl Leadership {
    /// Applies a batch, then acknowledges it: what is not durable is delivered again.
    pub(super) async fn collect(&self, arrivals: Vec<Arrival>) -> Result<(), CoordinatorError> {
        let (mut outcomes, mut undeliverable) = (Vec::new(), Vec::new());
        for arrival in arrivals {
            match arrival {
                Arrival::Outcome(delivery) => outcomes.push(delivery),
                Arrival::Undeliverable(delivery) => undeliverable.push(delivery),
            }
        }
        if !undeliverable.is_empty() {
            let dispatches: Vec<ShardAttempt> =
                undeliverable.iter().map(|delivery| delivery.message).collect();
            let mut backoff = Backoff::default();
            while let Err(error) = self.reclaim(&dispatches, "undeliverable").await {
                self.endure(error, &mut backoff).await?;
            }
        }
        let messages: Vec<Outcome> = outcomes.iter().map(|delivery| delivery.message.clone()).collect();
        let jobs = self.take(&messages).await?;
        let acknowledged = outcomes.into_iter().map(Delivery::acknowledge);
        let outcomes = futures::future::join_all(acknowledged).await;
        let acknowledged = undeliverable.into_iter().map(Delivery::acknowledge);
        let undeliverable = futures::future::join_all(acknowledged).await;
        // One that fails brings the message back: it changes nothing then.
        for error in outcomes.into_iter().chain(undeliverable).filter_map(Result::err) {
            tracing::debug!(%error, "an acknowledgement was lost");
        }
        for job in jobs {
            self.settle(job).await?;
        }
        self.wake.notify_one();
        self.coordinator.announce_change();
        Ok(())
    }

    /// Applies outcomes, however long the store is down. Returns the jobs of which documents can be formed, or that may
    /// be complete.
    async fn take(&self, outcomes: &[Outcome]) -> Result<BTreeSet<JobId>, CoordinatorError> {
        let mut backoff = Backoff::default();
        loop {
            let error = match self.apply(outcomes).await {
                Ok(jobs) => return Ok(jobs),
                Err(error) => error,
            };
            let is_refused = !error.is_unavailable() && !matches!(error, StoreError::Deposed);
            if is_refused && outcomes.len() > 1 && self.coordinator.config.leases.is_some() {
                let mut jobs = BTreeSet::new();
                for outcome in outcomes.chunks(1) {
                    jobs.extend(Box::pin(self.take(outcome)).await?);
                }
                return Ok(jobs);
            }
            if is_refused && backoff.tries() >= REFUSALS_MAX && self.renew().await.is_ok() {
                // The store takes other writes, but never this one. Its shard stays open and is lost by its lease: the
                // work is done again, and the outcomes behind this one are not held up.
                let shard = outcomes.first().map_or(0, |outcome| outcome.shard.0);
                tracing::error!(%error, shard, "an outcome can't be applied and is set aside");
                self.coordinator.metrics.outcomes_ignored_total.with_label_values(&["refused"]).inc();
                return Ok(BTreeSet::new());
            }
            self.endure(error.into(), &mut backoff).await?;
        }
    }

    async fn apply(&self, outcomes: &[Outcome]) -> Result<BTreeSet<JobId>, StoreError> {
        if outcomes.is_empty() {
            return Ok(BTreeSet::new());
        }
        let coordinator = &self.coordinator;
        let applied = {
            let _ledger = self.ledger.lock().await;
            let answer = coordinator.backends.store.apply(self.epoch, outcomes, &coordinator.config.limits);
            coordinator.timed("apply", answer).await?
        };
        self.count(applied);
        let mut window = self.window();
        let mut jobs = BTreeSet::new();
        for outcome in outcomes {
            let Some(job) = window.answered(outcome) else { continue };
            let (shard, attempt) = (outcome.shard.0, outcome.attempt.0);
            tracing::debug!(job = job.0, shard, attempt, trace = %job.trace(), "answered");
            if matches!(outcome.report, Report::Inspected(_)) || window.is_empty_of(job) {
                jobs.insert(job);
            }
        }
        Ok(jobs)
    }

    fn count(&self, applied: Applied) {
        for (why, count) in [("stale", applied.stale), ("duplicate", applied.duplicate)] {
            if count > 0 {
                tracing::info!(count, why, "outcomes ignored");
                self.coordinator.metrics.outcomes_ignored_total.with_label_values(&[why]).inc_by(count);
            }
        }
    }
}
