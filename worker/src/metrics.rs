//! What a worker exports; `docs/metrics.md` explains each figure.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use pagemill_domain::outcome::{DocumentResult, Outcome, PageResult, Report, SourceResult};
use pagemill_domain::page_text::PageText;
use pagemill_domain::shard::Stage;
use prometheus::{
    Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
    TextEncoder,
};

use crate::memory::resident_bytes;

/// The figures of one worker.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    attempts: IntCounterVec,
    stage_seconds: HistogramVec,
    page_cpu_seconds: Histogram,
    word_confidence: Histogram,
    slots: IntGaugeVec,
    memory: IntGauge,
    source_bytes: IntCounter,
}

/// A page takes from a tenth of a second (blank) to its budget.
const CPU_SECONDS: [f64; 12] = [0.1, 0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 20.0, 40.0, 60.0];

/// A shard takes from milliseconds (headers) to `shard_wall_seconds_max`.
const SHARD_SECONDS: [f64; 12] = [0.01, 0.05, 0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 60.0, 180.0, 600.0];

/// Percent.
const CONFIDENCES: [f64; 10] = [10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0, 80.0, 90.0, 100.0];

impl Metrics {
    /// Figures that all stand at nothing.
    pub(crate) fn new() -> prometheus::Result<Self> {
        let registry = Registry::new();
        let attempts = IntCounterVec::new(
            Opts::new(
                "pagemill_attempts_total",
                "Sources, pages and documents that were tried, by what came of it",
            ),
            &["stage", "result", "reason"],
        )?;
        let stage_seconds = HistogramVec::new(
            HistogramOpts::new("pagemill_stage_seconds", "Wall seconds that a shard took")
                .buckets(SHARD_SECONDS.to_vec()),
            &["stage"],
        )?;
        let page_cpu_seconds = Histogram::with_opts(
            HistogramOpts::new("pagemill_page_cpu_seconds", "CPU seconds that reading a page took")
                .buckets(CPU_SECONDS.to_vec()),
        )?;
        let word_confidence = Histogram::with_opts(
            HistogramOpts::new(
                "pagemill_word_confidence",
                "Confidence of the words that were read, in percent",
            )
            .buckets(CONFIDENCES.to_vec()),
        )?;
        let slots = IntGaugeVec::new(
            Opts::new("pagemill_worker_slots", "Slots of this worker: busy, free, or cordoned"),
            &["state"],
        )?;
        let build = IntGaugeVec::new(
            Opts::new("pagemill_build_info", "Always 1; the labels tell what runs"),
            &["version", "role"],
        )?;
        build.with_label_values(&[env!("CARGO_PKG_VERSION"), "worker"]).set(1);
        registry.register(Box::new(attempts.clone()))?;
        registry.register(Box::new(stage_seconds.clone()))?;
        registry.register(Box::new(page_cpu_seconds.clone()))?;
        registry.register(Box::new(word_confidence.clone()))?;
        registry.register(Box::new(slots.clone()))?;
        registry.register(Box::new(build))?;
        let start = IntGauge::new("pagemill_start_time_seconds", "When this process began, since 1970")?;
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        start.set(since_1970.as_secs() as i64);
        registry.register(Box::new(start))?;
        let memory = IntGauge::new(
            "pagemill_memory_bytes",
            "Resident memory of the worker with its recognition processes",
        )?;
        registry.register(Box::new(memory.clone()))?;
        let source_bytes = IntCounter::new(
            "pagemill_source_bytes_fetched_total",
            "Bytes of sources and their maps that were fetched from the blob store",
        )?;
        registry.register(Box::new(source_bytes.clone()))?;
        Ok(Self {
            registry,
            attempts,
            stage_seconds,
            page_cpu_seconds,
            word_confidence,
            slots,
            memory,
            source_bytes,
        })
    }

    /// A page was read, with or without success.
    pub(crate) fn observe_page_cpu(&self, cpu: Duration) {
        self.page_cpu_seconds.observe(cpu.as_secs_f64());
    }

    /// A page's words were read.
    pub(crate) fn observe_words(&self, text: &PageText) {
        for word in text.words() {
            self.word_confidence.observe(f64::from(word.confidence.percent()));
        }
    }

    /// A shard was worked on.
    pub(crate) fn observe(&self, outcome: &Outcome) {
        let stage = match &outcome.report {
            Report::Inspected(sources) => {
                for source in sources {
                    self.count(Stage::Inspect, source_labels(&source.result));
                }
                Stage::Inspect
            }
            Report::Recognised(pages) => {
                for page in pages {
                    self.count(Stage::Recognise, page_labels(&page.result));
                }
                Stage::Recognise
            }
            Report::Assembled(document) => {
                self.count(Stage::Assemble, document_labels(&document.result));
                Stage::Assemble
            }
        };
        let seconds = outcome.wall_ms as f64 / 1000.0;
        self.stage_seconds.with_label_values(&[stage.name()]).observe(seconds);
    }

    fn count(&self, stage: Stage, (result, reason): (&str, &str)) {
        self.attempts.with_label_values(&[stage.name(), result, reason]).inc();
    }

    /// How the slots stand.
    pub(crate) fn set_slots(&self, slots: usize, busy: usize, serves: bool) {
        let idle = slots.saturating_sub(busy) as i64;
        let (free, cordoned) = if serves { (idle, 0) } else { (0, idle) };
        for (state, count) in [("busy", busy as i64), ("free", free), ("cordoned", cordoned)] {
            self.slots.with_label_values(&[state]).set(count);
        }
    }

    /// Bytes of sources that were fetched since the start.
    pub(crate) fn set_source_bytes(&self, bytes: u64) {
        self.source_bytes.inc_by(bytes.saturating_sub(self.source_bytes.get()));
    }

    /// All figures in Prometheus' text format.
    pub(crate) fn text(&self) -> prometheus::Result<String> {
        self.memory.set(resident_bytes().cast_signed());
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }
}

const fn source_labels(result: &SourceResult) -> (&'static str, &'static str) {
    match result {
        SourceResult::Inspected(_) => ("done", ""),
        SourceResult::Rejected(rejection) => ("rejected", rejection.code()),
        SourceResult::Fault(fault) => ("fault", fault.code()),
        SourceResult::Lost(loss) => ("loss", loss.code()),
    }
}

const fn page_labels(result: &PageResult) -> (&'static str, &'static str) {
    match result {
        PageResult::Recognised { .. } => ("done", ""),
        PageResult::Blank { .. } => ("blank", ""),
        PageResult::Defect(defect) => ("defect", defect.code()),
        PageResult::Fault(fault) => ("fault", fault.code()),
        PageResult::Lost(loss) => ("loss", loss.code()),
    }
}

const fn document_labels(result: &DocumentResult) -> (&'static str, &'static str) {
    match result {
        DocumentResult::Delivered { .. } => ("done", ""),
        DocumentResult::Defect(defect) => ("defect", defect.code()),
        DocumentResult::Lost(loss) => ("loss", loss.code()),
    }
}

#[cfg(test)]
mod tests {
    use pagemill_domain::ids::{Attempt, ShardId, SourceId};
    use pagemill_domain::outcome::{Fault, Fingerprint, PageReport};

    use super::*;

    #[test]
    fn every_attempt_is_counted_with_its_reason() {
        let metrics = Metrics::new().unwrap();
        let page = |number, result| PageReport { source: SourceId(1), number, result };
        let pages = vec![
            page(1, PageResult::Fault(Fault::CpuBudget { seconds: 60 })),
            page(2, PageResult::Fault(Fault::CpuBudget { seconds: 60 })),
        ];
        metrics.observe(&Outcome {
            shard: ShardId(1),
            attempt: Attempt(1),
            job: None,
            fingerprint: Fingerprint::default(),
            cpu_ms: 0,
            wall_ms: 1_500,
            report: Report::Recognised(pages),
        });
        metrics.observe_page_cpu(Duration::from_millis(1_200));
        metrics.set_slots(3, 1, false);
        let text = metrics.text().unwrap();
        for line in [
            r#"pagemill_attempts_total{reason="page_cpu_budget",result="fault",stage="recognise"} 2"#,
            r#"pagemill_stage_seconds_bucket{stage="recognise",le="2"} 1"#,
            r#"pagemill_page_cpu_seconds_bucket{le="1.5"} 1"#,
            r#"pagemill_worker_slots{state="cordoned"} 2"#,
        ] {
            assert!(text.contains(line), "{line} is missing in\n{text}");
        }
    }
}
