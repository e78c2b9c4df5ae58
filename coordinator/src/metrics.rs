//! Figures for Prometheus. The names are a contract (`docs/metrics.md`); no label takes a value from a user.
//!
//! Figures that come from the store are exported by the leader alone, and vanish when it is deposed: two coordinators
//! never tell the same twice.

use pagemill_backends::store::{Directive, StoreFigures};
use pagemill_domain::ids::JobId;
use prometheus::core::Collector;
use prometheus::{
    Encoder, GaugeVec, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    Registry, TextEncoder,
};

/// Jobs that have figures of their own: the most urgent ones.
pub(crate) const JOBS_WITH_FIGURES_MAX: usize = 100;

/// Why an outcome is ignored.
const IGNORED: [&str; 3] = ["stale", "duplicate", "refused"];

/// Why a shard is sent again.
const RESCUED: [&str; 4] = ["lease", "unclaimed", "unpublished", "undeliverable"];

/// Bounds of the store's times, in seconds.
const STORE_SECONDS: [f64; 10] = [0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0];

/// All figures of a coordinator.
pub(crate) struct Metrics {
    registry: Registry,
    pages_total: IntCounterVec,
    pages_pending: IntGaugeVec,
    shards_in_flight: IntGaugeVec,
    oldest_pending_seconds: IntGauge,
    job_eta_seconds: GaugeVec,
    job_deadline_seconds: IntGaugeVec,
    dead_letters: IntGauge,
    workers: IntGaugeVec,
    /// What the scaler told KEDA last.
    pub(crate) workers_wanted: IntGauge,
    leader: IntGauge,
    broker_up: IntGauge,
    /// Whether the store answered the last time.
    pub(crate) store_up: IntGauge,
    /// How long the store's answers take, by operation.
    pub(crate) store_seconds: HistogramVec,
    /// Outcomes that came too late or twice, by why.
    pub(crate) outcomes_ignored_total: IntCounterVec,
    /// Shards whose worker fell silent.
    pub(crate) leases_lost_total: IntCounter,
    /// Shards that were sent again, by why.
    pub(crate) shards_rescued_total: IntCounterVec,
}

/// What there is to tell of one job.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct JobFigures {
    /// Which job.
    pub(crate) job: JobId,
    /// Seconds to its end at the present pace, where that is known.
    pub(crate) eta_seconds: Option<f64>,
    /// Seconds to its deadline, negative beyond it.
    pub(crate) deadline_seconds: Option<i64>,
}

/// What there is to tell of one worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WorkerFigures {
    /// What it was told.
    pub(crate) directive: Directive,
    /// Whether it beats.
    pub(crate) is_live: bool,
}

impl Metrics {
    /// Figures that all start at nothing.
    pub(crate) fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let metrics = Self {
            pages_total: counters(&registry, "pages_total", "Pages by their final state.", &["outcome"])?,
            pages_pending: gauges(
                &registry,
                "pages_pending",
                "Pages (sources to inspect, documents to assemble) that wait or are at work.",
                &["stage"],
            )?,
            shards_in_flight: gauges(
                &registry,
                "shards_in_flight",
                "Shards that were sent and not answered.",
                &["stage"],
            )?,
            oldest_pending_seconds: gauge(
                &registry,
                "oldest_pending_seconds",
                "Age of the oldest job with something pending.",
            )?,
            job_eta_seconds: registered(
                &registry,
                GaugeVec::new(
                    opts("job_eta_seconds", "Seconds to the end of an active job at the present pace."),
                    &["job"],
                )?,
            )?,
            job_deadline_seconds: gauges(
                &registry,
                "job_deadline_seconds",
                "Seconds to the deadline of an active job.",
                &["job"],
            )?,
            dead_letters: gauge(&registry, "dead_letters", "Dead pages and rejected sources of all jobs.")?,
            workers: gauges(&registry, "workers", "Workers by what they do.", &["state"])?,
            workers_wanted: gauge(&registry, "workers_wanted", "Workers that the scaler told KEDA last.")?,
            leader: gauge(&registry, "leader", "1 in the coordinator that leads.")?,
            broker_up: gauge(&registry, "broker_up", "Whether this coordinator reaches the broker.")?,
            store_up: gauge(&registry, "store_up", "Whether the store answered the last time.")?,
            store_seconds: registered(
                &registry,
                HistogramVec::new(
                    HistogramOpts::from(opts("store_seconds", "Seconds that the store took."))
                        .buckets(STORE_SECONDS.to_vec()),
                    &["operation"],
                )?,
            )?,
            outcomes_ignored_total: counters(
                &registry,
                "outcomes_ignored_total",
                "Outcomes that came too late or twice.",
                &["why"],
            )?,
            leases_lost_total: registered(
                &registry,
                IntCounter::with_opts(opts("leases_lost_total", "Shards whose worker fell silent."))?,
            )?,
            shards_rescued_total: counters(
                &registry,
                "shards_rescued_total",
                "Shards that were sent again.",
                &["why"],
            )?,
            registry,
        };
        let build = gauges(&metrics.registry, "build_info", "What runs here.", &["version", "role"])?;
        build.with_label_values(&[env!("CARGO_PKG_VERSION"), "coordinator"]).set(1);
        let start = gauge(&metrics.registry, "start_time_seconds", "When this process began, since 1970.")?;
        start.set(crate::now_unix_seconds());
        // What never happened is told as 0: an absent series looks like a broken one.
        for why in IGNORED {
            metrics.outcomes_ignored_total.with_label_values(&[why]);
        }
        for why in RESCUED {
            metrics.shards_rescued_total.with_label_values(&[why]);
        }
        Ok(metrics)
    }

    /// Everything in Prometheus' text format.
    pub(crate) fn render(&self, broker_is_up: bool) -> String {
        self.broker_up.set(i64::from(broker_is_up));
        let mut text = Vec::new();
        // The text encoder fails only where its writer does; a vector doesn't.
        let _ = TextEncoder::new().encode(&self.registry.gather(), &mut text);
        String::from_utf8(text).unwrap_or_default()
    }

    /// Outcomes that the queue set aside because they could not be read, since this coordinator started.
    pub(crate) fn show_unreadable(&self, total: u64) {
        raise(&self.outcomes_ignored_total, "unreadable", total);
    }

    /// This coordinator leads.
    pub(crate) fn lead(&self) {
        self.leader.set(1);
    }

    /// Whether this coordinator leads.
    pub(crate) fn leads(&self) -> bool {
        self.leader.get() == 1
    }

    /// This coordinator leads no more: what only a leader tells is gone.
    pub(crate) fn follow(&self) {
        self.leader.set(0);
        self.pages_total.reset();
        self.pages_pending.reset();
        self.shards_in_flight.reset();
        self.oldest_pending_seconds.set(0);
        self.job_eta_seconds.reset();
        self.job_deadline_seconds.reset();
        self.dead_letters.set(0);
        self.workers.reset();
    }

    /// Takes over what the store says of all jobs.
    pub(crate) fn show_figures(&self, figures: &StoreFigures, now_unix_seconds: i64) {
        let pages = &figures.ledger.pages;
        for (outcome, count) in [
            ("recognised", pages.recognised),
            ("blank", pages.blank),
            ("kept", pages.kept),
            ("dead", pages.dead),
            ("cancelled", pages.cancelled),
        ] {
            raise(&self.pages_total, outcome, count);
        }
        for (stage, count) in [
            ("inspect", figures.sources_pending),
            ("recognise", figures.pages_pending),
            ("assemble", figures.documents_pending),
        ] {
            self.pages_pending.with_label_values(&[stage]).set(count.cast_signed());
        }
        let oldest =
            figures.oldest_pending_unix_seconds.map_or(0, |opened| (now_unix_seconds - opened).max(0));
        self.oldest_pending_seconds.set(oldest);
        self.dead_letters.set((pages.dead + figures.ledger.sources.rejected).cast_signed());
    }

    /// Takes over how many shards of each stage are on their way.
    pub(crate) fn show_in_flight(&self, by_stage: &[(&'static str, usize)]) {
        for (stage, shards) in by_stage {
            self.shards_in_flight.with_label_values(&[stage]).set(*shards as i64);
        }
    }

    /// Takes over what there is to tell of the active jobs; those that are none any more vanish.
    pub(crate) fn show_jobs(&self, jobs: &[JobFigures]) {
        self.job_eta_seconds.reset();
        self.job_deadline_seconds.reset();
        for job in jobs.iter().take(JOBS_WITH_FIGURES_MAX) {
            let label = job.job.to_string();
            if let Some(eta) = job.eta_seconds {
                self.job_eta_seconds.with_label_values(&[&label]).set(eta);
            }
            if let Some(deadline) = job.deadline_seconds {
                self.job_deadline_seconds.with_label_values(&[&label]).set(deadline);
            }
        }
    }

    /// Takes over how many workers do what.
    pub(crate) fn show_workers(&self, workers: &[WorkerFigures]) {
        let state = |worker: &WorkerFigures| if worker.is_live { worker.directive.name() } else { "silent" };
        for name in ["serve", "cordon", "drain", "silent"] {
            let count = workers.iter().filter(|worker| state(worker) == name).count();
            self.workers.with_label_values(&[name]).set(count as i64);
        }
    }
}

/// Brings a counter up to what the store counted. Less than before (dead pages were re-driven) is a reset, which
/// Prometheus knows how to take.
fn raise(counters: &IntCounterVec, label: &str, count: u64) {
    let counter = counters.with_label_values(&[label]);
    if count < counter.get() {
        counter.reset();
    }
    counter.inc_by(count.saturating_sub(counter.get()));
}

fn opts(name: &str, help: &str) -> Opts {
    Opts::new(name, help).namespace("pagemill")
}

fn registered<C: Collector + Clone + 'static>(
    registry: &Registry,
    collector: C,
) -> Result<C, prometheus::Error> {
    registry.register(Box::new(collector.clone()))?;
    Ok(collector)
}

fn gauge(registry: &Registry, name: &str, help: &str) -> Result<IntGauge, prometheus::Error> {
    registered(registry, IntGauge::with_opts(opts(name, help))?)
}

fn gauges(
    registry: &Registry,
    name: &str,
    help: &str,
    labels: &[&str],
) -> Result<IntGaugeVec, prometheus::Error> {
    registered(registry, IntGaugeVec::new(opts(name, help), labels)?)
}

fn counters(
    registry: &Registry,
    name: &str,
    help: &str,
    labels: &[&str],
) -> Result<IntCounterVec, prometheus::Error> {
    registered(registry, IntCounterVec::new(opts(name, help), labels)?)
}

#[cfg(test)]
mod tests {
    use pagemill_domain::ledger::{Ledger, PageCounts};

    use super::*;

    #[test]
    fn a_deposed_leader_tells_nothing_of_the_store() {
        let metrics = Metrics::new().unwrap();
        let pages = PageCounts { declared: 9, recognised: 7, dead: 2, ..PageCounts::default() };
        let figures = StoreFigures {
            ledger: Ledger { pages, ..Ledger::default() },
            oldest_pending_unix_seconds: Some(40),
            ..StoreFigures::default()
        };
        metrics.lead();
        metrics.show_unreadable(4);
        metrics.show_figures(&figures, 100);
        metrics.show_jobs(&[JobFigures {
            job: JobId(3),
            eta_seconds: Some(1.5),
            deadline_seconds: Some(-2),
        }]);
        let text = metrics.render(true);
        for line in [
            "pagemill_pages_total{outcome=\"recognised\"} 7",
            "pagemill_oldest_pending_seconds 60",
            "pagemill_job_eta_seconds{job=\"3\"} 1.5",
            "pagemill_job_deadline_seconds{job=\"3\"} -2",
            "pagemill_dead_letters 2",
            "pagemill_leader 1",
            "pagemill_broker_up 1",
            "pagemill_outcomes_ignored_total{why=\"unreadable\"} 4",
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
        metrics.follow();
        let text = metrics.render(false);
        assert!(!text.contains("pages_total{") && !text.contains("job=\"3\""), "{text}");
        assert!(text.contains("pagemill_leader 0") && text.contains("pagemill_broker_up 0"), "{text}");
    }

    #[test]
    fn a_counter_follows_the_store_up_and_down() {
        let metrics = Metrics::new().unwrap();
        for count in [5, 8, 3] {
            raise(&metrics.pages_total, "dead", count);
            assert_eq!(metrics.pages_total.with_label_values(&["dead"]).get(), count);
        }
    }
}
