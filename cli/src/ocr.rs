//! `pagemill ocr`: the embedded run, from INPUT to report. The same command resumes.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;
use pagemill_backends::Backends;
use pagemill_backends::store::{JobStatus, NewSource};
use pagemill_coordinator::Coordinator;
use pagemill_domain::ids::JobId;
use pagemill_domain::recipe::Recipe;
use pagemill_domain::shard::SourceLocation;
use pagemill_worker::{Session, WorkerConfig};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::arguments::OcrArguments;
use crate::failure::{Exit, Failure};
use crate::listing::{self, ListedSource, Listing};
use crate::output_folder::OutputFolder;
use crate::progress::{INTERVAL, Progress, print_json, print_line, print_result};
use crate::report::{self, Report, Run};
use crate::settings::Settings;
use crate::{child, embedded, interrupt, overwriting, recipe, summary};

/// Sources that one transaction takes.
const SOURCES_PER_CHUNK: usize = 1_000;

/// Recognises what the arguments name.
pub(crate) async fn run(arguments: &OcrArguments, settings: &Settings) -> Result<Exit, Failure> {
    let start = Instant::now();
    let recipe = recipe::read(&arguments.recipe)?;
    child::models().check(&recipe).map_err(|error| Failure::Models(error.to_string()))?;
    let interrupted = interrupt::watch()?;
    let output = OutputFolder::open(&arguments.output)?;
    let Listing { sources, skipped } = listing::list(&arguments.inputs, Some(output.path()))?;
    let mut progress = Progress::new(arguments.json);
    if let Some(summary) = skipped.summary() {
        progress.note(&format!("passed over: {summary}"));
    }
    if sources.is_empty() {
        let inputs: Vec<String> = arguments.inputs.iter().map(|input| input.display().to_string()).collect();
        return Err(Failure::NoScan { inputs: inputs.join(", ") });
    }
    overwriting::refuse(&output, &sources, &recipe)?;
    if let Some(folder) = &arguments.debug {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("create the folder for debug pictures {}", folder.display()))?;
    }
    let embedded = Embedded::open(&output, settings, &recipe).await?;
    let documents_restored = embedded.submit(sources).await?;
    let before = embedded.status().await?.pages_read;
    let finished =
        embedded.work(settings, arguments.debug.as_deref(), &interrupted, &mut progress, start).await?;
    if !finished {
        say_interrupted(arguments.json);
        return Ok(Exit::Interrupted);
    }
    let status = embedded.status().await?;
    let run = Run {
        pagemill: env!("CARGO_PKG_VERSION").into(),
        fingerprints: embedded.fingerprints().await?,
        recipe,
        workers: settings.worker_slots,
        seconds: (start.elapsed().as_secs_f64() * 1000.0).round() / 1000.0,
        pages_read: status.pages_read.saturating_sub(before),
        documents_restored,
        cpu_ms: status.cpu_ms,
        faults: status.faults,
        losses: status.losses,
        outcomes_ignored: status.outcomes_ignored,
    };
    let report = report::write(&embedded.coordinator, &output, embedded.job, run).await?;
    let exit = summary::exit_of(&report.ledger.counts);
    show(&report, exit, arguments);
    Ok(exit)
}

/// A run and what it stands on.
struct Embedded {
    backends: Backends,
    coordinator: Coordinator,
    job: JobId,
}

impl Embedded {
    async fn open(output: &OutputFolder, settings: &Settings, recipe: &Recipe) -> Result<Self, Failure> {
        let backends = embedded::backends(output, settings).await?;
        let coordinator = embedded::coordinator(&backends, settings)?;
        let job = coordinator.open(&embedded::new_job(recipe)).await.map_err(anyhow::Error::from)?;
        Ok(Self { backends, coordinator, job })
    }

    /// Hands all sources over; returns how many finished documents miss a file and are written again.
    async fn submit(&self, sources: Vec<ListedSource>) -> Result<u64, Failure> {
        let mut sources = sources.into_iter().map(new_source);
        loop {
            let chunk: Vec<NewSource> = sources.by_ref().take(SOURCES_PER_CHUNK).collect();
            if chunk.is_empty() {
                break;
            }
            self.coordinator.add_sources(self.job, &chunk).await.map_err(anyhow::Error::from)?;
        }
        let restored = self.coordinator.restore_artifacts(self.job).await.map_err(anyhow::Error::from)?;
        self.coordinator.seal(self.job).await.map_err(anyhow::Error::from)?;
        Ok(restored)
    }

    /// Works until the job is closed or the user interrupts; returns whether it is closed.
    async fn work(
        &self,
        settings: &Settings,
        debug: Option<&Path>,
        interrupted: &CancellationToken,
        progress: &mut Progress,
        start: Instant,
    ) -> Result<bool, Failure> {
        let (stop_worker, stop_coordinator) = (CancellationToken::new(), CancellationToken::new());
        let worker = WorkerConfig {
            name: "embedded".into(),
            slots: settings.worker_slots as usize,
            program: child::program(),
            models: child::models().folder().to_owned(),
            limits: settings.limits.clone(),
            require_sandbox: settings.require_sandbox,
            // Whoever can't wait for the pages in hand presses Ctrl-C again.
            grace: Duration::MAX,
            debug: debug.map(Path::to_owned),
            http_listen: None,
        };
        let (queue, blobs) = (self.backends.queue.clone(), self.backends.blobs.clone());
        let mut worker =
            tokio::spawn(pagemill_worker::run(worker, queue, blobs, Session::Alone, stop_worker.clone()));
        let (coordinator, token) = (self.coordinator.clone(), stop_coordinator.clone());
        let mut coordinator = tokio::spawn(async move { coordinator.run(token).await });
        let mut tick = tokio::time::interval(INTERVAL);
        let closed = loop {
            tokio::select! {
                closed = self.coordinator.closed(self.job) => {
                    closed.map_err(anyhow::Error::from)?;
                    break true;
                }
                () = interrupted.cancelled() => {
                    progress.note("stopping after the pages in hand; Ctrl-C again stops at once");
                    break false;
                }
                ended = &mut worker => {
                    ended.map_err(anyhow::Error::from)?.map_err(anyhow::Error::from)?;
                    return Err(anyhow::anyhow!("the worker stopped").into());
                }
                ended = &mut coordinator => {
                    ended.map_err(anyhow::Error::from)?.map_err(anyhow::Error::from)?;
                    return Err(anyhow::anyhow!("the coordinator stopped").into());
                }
                _ = tick.tick() => progress.update(&self.status().await?.ledger, start.elapsed()),
            }
        };
        // The worker first, so that the coordinator collects what it finished.
        stop_worker.cancel();
        worker.await.map_err(anyhow::Error::from)?.map_err(anyhow::Error::from)?;
        stop_coordinator.cancel();
        coordinator.await.map_err(anyhow::Error::from)?.map_err(anyhow::Error::from)?;
        progress.finish(&self.status().await?.ledger, start.elapsed());
        Ok(closed)
    }

    async fn status(&self) -> Result<JobStatus, Failure> {
        Ok(self.coordinator.status(self.job).await.map_err(anyhow::Error::from)?)
    }

    async fn fingerprints(&self) -> Result<Vec<String>, Failure> {
        let fingerprints = self.backends.store.fingerprints(self.job).await.map_err(anyhow::Error::from)?;
        Ok(fingerprints.into_iter().map(|fingerprint| fingerprint.0).collect())
    }
}

fn new_source(source: ListedSource) -> NewSource {
    NewSource {
        path: source.name,
        folder: source.folder,
        location: SourceLocation::File(source.path),
        stamp: source.stamp,
    }
}

fn say_interrupted(as_json: bool) {
    if as_json {
        print_json(&json!({"event": "interrupted", "exit": Exit::Interrupted as u8}));
    }
    print_line("interrupted; what is finished is kept, and the same command goes on");
}

fn show(report: &Report, exit: Exit, arguments: &OcrArguments) {
    let Report { ledger, run } = report;
    if arguments.json {
        let file = arguments.output.join(report::REPORT);
        print_json(&json!({
            "event": "finished", "exit": exit as u8, "ledger": ledger.counts, "balanced": ledger.balanced,
            "seconds": run.seconds, "report": file.to_string_lossy(),
        }));
        return;
    }
    for line in summary(report, &arguments.output.display().to_string()) {
        print_result(&line);
    }
}

/// What a run came to, for people.
fn summary(report: &Report, output: &str) -> Vec<String> {
    let Report { ledger, run } = report;
    // A report that was just written can be read back.
    let listed = serde_json::to_value(ledger).unwrap_or_default();
    let mut lines = summary::exceptions(&ledger.counts, &listed);
    lines.extend(summary::equations(&ledger.counts));
    let rate = if run.seconds > 0.0 { run.pages_read as f64 / run.seconds } else { 0.0 };
    lines.push(format!(
        "documents {} delivered to {output}; this run read {} pages in {:.1} s, {rate:.2} pages/s",
        ledger.counts.documents.delivered, run.pages_read, run.seconds
    ));
    lines.push(format!("report    {output}/{}", report::REPORT));
    lines
}
