//! Figures: what the jobs and workers are about, for Prometheus, for estimates and for the window.

use std::time::{Duration, Instant};

use pagemill_backends::store::{JobFilter, JobRow, StoreError, WorkerRow};
use pagemill_domain::ids::JobId;
use tokio_util::sync::CancellationToken;

use crate::metrics::{JOBS_WITH_FIGURES_MAX, JobFigures, WorkerFigures};
use crate::{Coordinator, CoordinatorError, now_unix_seconds};

/// How often the figures are brought up to date.
const FIGURES_TICK: Duration = Duration::from_secs(5);

/// The store sums the unfinished jobs up for them. With very many that takes a while: then they are brought up to date so
/// much more seldom that it stays the twentieth part of the time.
const FIGURES_PART: u32 = 20;

/// A store that hangs does not keep the figures away for longer.
const FIGURES_PAUSE_MAX: Duration = Duration::from_mins(1);

/// Workers that are read from the store at once.
const WORKERS_PER_READ: u32 = 1_000;

/// Workers that are counted in all.
const WORKERS_MAX: usize = 20_000;

impl Coordinator {
    /// Keeps the estimates of active jobs, and the figures, up to date until `shutdown`.
    pub(super) async fn watch_jobs(&self, shutdown: &CancellationToken) -> Result<(), CoordinatorError> {
        loop {
            let start = Instant::now();
            if let Err(error) = self.show_figures().await {
                tracing::debug!(%error, "figures are late");
            }
            let pause = FIGURES_TICK.max(start.elapsed() * FIGURES_PART);
            tokio::select! {
                () = shutdown.cancelled() => return Ok(()),
                () = tokio::time::sleep(pause.min(FIGURES_PAUSE_MAX)) => {}
            }
        }
    }

    async fn show_figures(&self) -> Result<(), StoreError> {
        let store = &self.backends.store;
        let filter = JobFilter { tenant: None, open_only: true };
        let rows_max = JOBS_WITH_FIGURES_MAX as u32;
        let jobs = self.timed("list_jobs", store.list_jobs(&filter, JobId(0), rows_max)).await?;
        self.observe_paces(&jobs, Instant::now());
        if !self.metrics.leads() {
            return Ok(());
        }
        let figures = self.timed("figures", store.figures()).await?;
        let workers = all_workers(self).await?;
        let now = now_unix_seconds();
        let of_job = |job: &JobRow| JobFigures {
            job: job.id,
            eta_seconds: self.eta_seconds(job.id, &job.status),
            deadline_seconds: job.urgency.deadline_unix_seconds.map(|deadline| deadline - now),
        };
        let of_worker = |worker: &WorkerRow| WorkerFigures {
            directive: worker.directive,
            is_live: self.is_live(worker, now),
        };
        // Deposed meanwhile: the next leader tells.
        if self.metrics.leads() {
            self.metrics.show_figures(&figures, now);
            self.metrics.show_jobs(&jobs.iter().map(of_job).collect::<Vec<_>>());
            self.metrics.show_workers(&workers.iter().map(of_worker).collect::<Vec<_>>());
        }
        Ok(())
    }

    /// Whether the worker beat a short while ago.
    pub(crate) fn is_live(&self, worker: &WorkerRow, now_unix_seconds: i64) -> bool {
        let live_max = self.config.leases.unwrap_or_default().worker_live_max();
        now_unix_seconds - worker.beat_unix_seconds <= live_max.as_secs().cast_signed()
    }
}

/// The workers that beat.
pub(crate) async fn live_workers(coordinator: &Coordinator) -> Result<Vec<WorkerRow>, StoreError> {
    let mut workers = all_workers(coordinator).await?;
    let now = now_unix_seconds();
    workers.retain(|worker| coordinator.is_live(worker, now));
    Ok(workers)
}

async fn all_workers(coordinator: &Coordinator) -> Result<Vec<WorkerRow>, StoreError> {
    let mut workers: Vec<WorkerRow> = Vec::new();
    while workers.len() < WORKERS_MAX {
        let after = workers.last().map_or(String::new(), |worker| worker.worker.0.clone());
        let rows = coordinator.backends.store.list_workers(&after, WORKERS_PER_READ);
        let rows = coordinator.timed("list_workers", rows).await?;
        let is_last = rows.len() < WORKERS_PER_READ as usize;
        workers.extend(rows);
        if is_last {
            break;
        }
    }
    Ok(workers)
}
