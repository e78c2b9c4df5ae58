//! A slot: one thread, one child at a time.
//!
//! The thread lives as long as the slot, because the kernel kills a child when the thread that started it ends.

use std::sync::Arc;
use std::time::{Duration, Instant};

use pagemill_backends::blobs::Blobs;
use pagemill_domain::hash::ContentHash;
use pagemill_domain::outcome::{Fingerprint, Loss, Outcome, Report};
use pagemill_domain::recipe::Recipe;
use pagemill_domain::shard::{Shard, Work};
use pagemill_recognition::boxed::client::{BoxClient, BoxOptions, Cost, StartError};
use pagemill_recognition::boxed::protocol::ReaderSetup;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tracing::Span;

use crate::error::Halt;
use crate::metrics::Metrics;
use crate::{WorkerConfig, WorkerError, assemble, inspect, recognise, results};

/// How long a slot that has no child waits before it says so: a machine that can start none must not be the fastest.
const NOT_STARTED_WAIT: Duration = Duration::from_secs(5);

/// The handle of a slot's thread, which ends when the handle is dropped.
pub(crate) struct Slot {
    requests: mpsc::Sender<Asked>,
}

/// What a slot's thread is asked.
enum Asked {
    Probe(oneshot::Sender<Result<Fingerprint, WorkerError>>),
    Work {
        shard: Box<Shard>,
        dropped: CancellationToken,
        span: Span,
        answer: oneshot::Sender<Result<Outcome, Halt>>,
    },
}

/// What all slots of a worker share.
#[derive(Clone)]
pub(crate) struct SlotOptions {
    pub(crate) config: Arc<WorkerConfig>,
    pub(crate) blobs: Arc<dyn Blobs>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) stop: CancellationToken,
    /// Whether it is a cluster's worker. Then a recipe that it can't serve, as one of a language that it has no model
    /// for, costs its job, and a full disk is waited out; else either ends the worker.
    pub(crate) one_of_many: bool,
}

impl Slot {
    pub(crate) fn start(number: usize, options: &SlotOptions) -> Result<Self, WorkerError> {
        let (requests, mut inbox) = mpsc::channel(1);
        let (options, runtime) = (options.clone(), Handle::current());
        let body = move || {
            let mut bench = Bench {
                options,
                dropped: CancellationToken::new(),
                runtime,
                child: None,
                cpu_ms: 0,
                start: Instant::now(),
            };
            // Nobody waits any more for an answer when the worker was stopped at once.
            while let Some(asked) = inbox.blocking_recv() {
                match asked {
                    Asked::Probe(answer) => {
                        drop(answer.send(bench.ready(&Recipe::default()).map_err(Into::into)));
                    }
                    Asked::Work { shard, dropped, span, answer } => {
                        let _entered = span.enter();
                        drop(answer.send(bench.work(&shard, dropped)));
                    }
                }
            }
        };
        std::thread::Builder::new()
            .name(format!("slot-{number}"))
            .spawn(body)
            .map_err(WorkerError::Thread)?;
        Ok(Self { requests })
    }

    /// Starts a child for the default recipe, and tells what reads.
    pub(crate) async fn probe(&mut self) -> Result<String, WorkerError> {
        let (answer, fingerprint) = oneshot::channel();
        self.requests.send(Asked::Probe(answer)).await.map_err(|_| WorkerError::SlotStopped)?;
        Ok(fingerprint.await.map_err(|_| WorkerError::SlotStopped)??.0)
    }

    /// Works on a shard, until it is `dropped`.
    pub(crate) async fn work(&mut self, shard: Shard, dropped: CancellationToken) -> Result<Outcome, Halt> {
        let (answer, outcome) = oneshot::channel();
        let asked = Asked::Work { shard: Box::new(shard), dropped, span: Span::current(), answer };
        self.requests.send(asked).await.map_err(|_| WorkerError::SlotStopped)?;
        outcome.await.map_err(|_| WorkerError::SlotStopped)?
    }
}

/// What a slot's thread works with.
pub(crate) struct Bench {
    options: SlotOptions,
    /// Cancelled when the shard in hand is no longer to be worked on.
    dropped: CancellationToken,
    runtime: Handle,
    child: Option<Child>,
    cpu_ms: u64,
    start: Instant,
}

/// The child of a recipe.
struct Child {
    reading_key: ContentHash,
    client: BoxClient,
    fingerprint: Fingerprint,
}

impl Bench {
    fn work(&mut self, shard: &Shard, dropped: CancellationToken) -> Result<Outcome, Halt> {
        self.start = Instant::now();
        self.cpu_ms = 0;
        self.dropped = dropped;
        let (fingerprint, report) = match self.ready(&shard.recipe) {
            Ok(fingerprint) => (fingerprint, self.report(shard)?),
            Err(error) if self.options.one_of_many => {
                tracing::warn!(%error, "no recognition process for this recipe");
                self.pause(NOT_STARTED_WAIT);
                (Fingerprint::default(), self.not_started(shard, &error)?)
            }
            Err(error) => return Err(error.into()),
        };
        Ok(Outcome {
            shard: shard.id,
            attempt: shard.attempt,
            job: Some(shard.job),
            fingerprint,
            cpu_ms: self.cpu_ms,
            wall_ms: self.start.elapsed().as_millis() as u64,
            report,
        })
    }

    fn report(&mut self, shard: &Shard) -> Result<Report, Halt> {
        Ok(match &shard.work {
            Work::Inspect(sources) => Report::Inspected(inspect::inspect(self, sources)?),
            Work::Recognise(groups) => Report::Recognised(recognise::recognise(self, groups)?),
            Work::Assemble(plan) => Report::Assembled(assemble::assemble(self, plan, &shard.recipe)?),
            Work::AssembleStored(stored) => {
                let plan = results::stored_plan(self, stored)?;
                Report::Assembled(assemble::assemble(self, &plan, &shard.recipe)?)
            }
        })
    }

    /// The report of a shard for which there is no child.
    fn not_started(&mut self, shard: &Shard, error: &StartError) -> Result<Report, Halt> {
        let loss = Loss::NotStarted { what: error.to_string() };
        Ok(match &shard.work {
            Work::Inspect(sources) => Report::Inspected(inspect::lost(sources, &loss)),
            Work::Recognise(groups) => Report::Recognised(recognise::lost(groups, &loss)),
            Work::Assemble(plan) => Report::Assembled(assemble::lost(plan, loss)),
            Work::AssembleStored(stored) => {
                Report::Assembled(assemble::lost(&results::stored_plan(self, stored)?, loss))
            }
        })
    }

    /// Makes sure that the child is one of this recipe, and tells what reads.
    fn ready(&mut self, recipe: &Recipe) -> Result<Fingerprint, StartError> {
        let reading_key = recipe.reading_key();
        if let Some(child) = self.child.as_ref().filter(|child| child.reading_key == reading_key) {
            return Ok(child.fingerprint.clone());
        }
        let config = self.config();
        let mut client = BoxClient::new(BoxOptions {
            program: config.program.clone(),
            limits: config.limits.clone(),
            reader: Some(ReaderSetup { recipe: recipe.clone(), models: config.models.clone() }),
            require_sandbox: config.require_sandbox,
        });
        let fingerprint = client.start()?.fingerprint.unwrap_or_default();
        self.child = Some(Child { reading_key, client, fingerprint: fingerprint.clone() });
        Ok(fingerprint)
    }

    /// What the worker was told.
    pub(crate) fn config(&self) -> &WorkerConfig {
        &self.options.config
    }

    /// Whether other workers can do what this one can't: it is a cluster's.
    pub(crate) fn is_one_of_many(&self) -> bool {
        self.options.one_of_many
    }

    /// Where sources, results and artifacts are.
    pub(crate) fn blobs(&self) -> &dyn Blobs {
        &*self.options.blobs
    }

    /// Where the worker counts.
    pub(crate) fn metrics(&self) -> &Metrics {
        &self.options.metrics
    }

    /// The child; [`Bench::ready`] has seen to it that there is one.
    pub(crate) fn client(&mut self) -> Result<&mut BoxClient, WorkerError> {
        self.child.as_mut().map(|child| &mut child.client).ok_or(WorkerError::SlotStopped)
    }

    /// Counts what a request took.
    pub(crate) fn spend(&mut self, cost: Cost) {
        self.cpu_ms += cost.cpu.as_millis() as u64;
    }

    /// Whether the worker was told to stop: what was not begun is handed back.
    pub(crate) fn is_stopping(&self) -> bool {
        self.options.stop.is_cancelled()
    }

    /// Whether the shard was in hand for so long that it reports what it has: the broker waits for it.
    pub(crate) fn is_out_of_time(&self) -> bool {
        self.start.elapsed().as_secs() >= u64::from(self.config().limits.shard_wall_seconds_max)
    }

    /// Ends the work on a shard that nobody waits for any more.
    pub(crate) fn check_wanted(&self) -> Result<(), Halt> {
        if self.dropped.is_cancelled() { Err(Halt::Forget) } else { Ok(()) }
    }

    /// Waits in this thread for what the backends do.
    pub(crate) fn wait<T>(&self, what: impl Future<Output = T>) -> T {
        self.runtime.block_on(what)
    }

    /// Waits for `duration`, or until the shard is no longer wanted.
    pub(crate) fn pause(&self, duration: Duration) {
        self.wait(async {
            tokio::select! {
                () = tokio::time::sleep(duration) => {}
                () = self.dropped.cancelled() => {}
            }
        });
    }
}
