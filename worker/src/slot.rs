//! A slot: one thread, one child at a time.
//!
//! The thread lives as long as the slot, because the kernel kills a child when the thread that started it ends.

use std::sync::Arc;
use std::time::{Duration, Instant};

use pagemill_backends::blobs::Blobs;
use pagemill_domain::hash::ContentHash;
use pagemill_domain::ids::DocumentId;
use pagemill_domain::outcome::{DocumentReport, DocumentResult, Fingerprint, Loss, Outcome, Report};
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
use crate::watch::Watch;
use crate::{WorkerConfig, WorkerError, assemble, inspect, recognise, results};

/// How long a slot that has no child waits before it says so: a machine that can start none must not be the fastest.
const NOT_STARTED_WAIT: Duration = Duration::from_secs(5);

/// Bytes a second that are fetched, copied or committed at least: what an assembly moves as a whole gets as much more time.
const BYTES_PER_SECOND_MIN: u64 = 1 << 20;

/// Threads of a slot that may hang, each left behind for a new one, before the worker gives up.
const STUCK_THREADS_MAX: u32 = 3;

/// The handle of a slot's thread, which ends when the handle is dropped.
pub(crate) struct Slot {
    number: usize,
    requests: mpsc::Sender<Asked>,
    options: SlotOptions,
    /// When the assembly in hand is overdue.
    watch: Arc<Watch>,
    /// Threads that were left behind.
    stuck: u32,
    /// Closed when the thread has no child any more.
    ended: oneshot::Receiver<()>,
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
        let watch = Arc::<Watch>::default();
        let (at_bench, watched, runtime) = (options.clone(), watch.clone(), Handle::current());
        let (open, ended) = oneshot::channel();
        let body = move || {
            // Declared before the bench, so that it is closed after the bench's child was waited for.
            let _open: oneshot::Sender<()> = open;
            let mut bench = Bench {
                options: at_bench,
                watch: watched,
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
        Ok(Self { number, requests, ended, options: options.clone(), watch, stuck: 0 })
    }

    /// Ends the thread and its child. A program that ends without waiting for its children leaves their CPU time in
    /// nobody's account.
    pub(crate) async fn end(self) {
        drop(self.requests);
        // Nothing is ever sent: it ends with the thread.
        let _ = self.ended.await;
    }

    /// Starts a child for the default recipe, and tells what reads.
    pub(crate) async fn probe(&mut self) -> Result<String, WorkerError> {
        let (answer, fingerprint) = oneshot::channel();
        self.requests.send(Asked::Probe(answer)).await.map_err(|_| WorkerError::SlotStopped)?;
        Ok(fingerprint.await.map_err(|_| WorkerError::SlotStopped)??.0)
    }

    /// Works on a shard, until it is `dropped`.
    pub(crate) async fn work(&mut self, shard: Shard, dropped: &CancellationToken) -> Result<Outcome, Halt> {
        let (answer, outcome) = oneshot::channel();
        let (dispatch, job, start) = (shard.dispatch(), shard.job, Instant::now());
        let given_up = dropped.child_token();
        let asked =
            Asked::Work { shard: Box::new(shard), dropped: given_up.clone(), span: Span::current(), answer };
        self.requests.send(asked).await.map_err(|_| WorkerError::SlotStopped)?;
        let document = tokio::select! {
            outcome = outcome => return outcome.map_err(|_| WorkerError::SlotStopped)?,
            document = self.watch.stalled() => document,
        };
        given_up.cancel();
        let seconds = self.options.config.limits.assemble_page_seconds_max;
        let loss = Loss::Stalled { seconds };
        tracing::error!(document = document.0, %loss, "an assembly hangs; its thread is left behind");
        self.leave_thread_behind()?;
        Ok(Outcome {
            shard: dispatch.shard,
            attempt: dispatch.attempt,
            job: Some(job),
            fingerprint: Fingerprint::default(),
            cpu_ms: 0,
            wall_ms: start.elapsed().as_millis() as u64,
            report: Report::Assembled(DocumentReport { document, result: DocumentResult::Lost(loss) }),
        })
    }

    /// Goes on with a new thread. The old one ends, with its child, should it ever get on.
    fn leave_thread_behind(&mut self) -> Result<(), WorkerError> {
        let stuck = self.stuck + 1;
        if stuck > STUCK_THREADS_MAX {
            return Err(WorkerError::Stuck { threads: stuck });
        }
        *self = Self { stuck, ..Self::start(self.number, &self.options)? };
        Ok(())
    }
}

/// What a slot's thread works with.
pub(crate) struct Bench {
    options: SlotOptions,
    watch: Arc<Watch>,
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
        let outcome = self.answer(shard);
        self.watch.ends();
        outcome
    }

    fn answer(&mut self, shard: &Shard) -> Result<Outcome, Halt> {
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

    /// The assembly of a document gets on; what comes next may move so many bytes as a whole.
    pub(crate) fn gets_on(&self, document: DocumentId, bytes: u64) {
        let seconds = u64::from(self.config().limits.assemble_page_seconds_max);
        self.watch.gets_on(document, Duration::from_secs(seconds + bytes / BYTES_PER_SECOND_MIN));
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

#[cfg(test)]
mod tests {
    use pagemill_backends::blobs::FolderBlobs;
    use pagemill_domain::ids::{Attempt, JobId, ShardId};
    use pagemill_domain::limits::Limits;
    use pagemill_domain::shard::DocumentPlan;
    use pagemill_recognition::boxed::client::Program;
    use tempfile::TempDir;

    use super::*;

    const DOCUMENT: DocumentId = DocumentId(3);

    fn options(folder: &TempDir) -> SlotOptions {
        let config = WorkerConfig {
            name: "test".into(),
            slots: 1,
            program: Program { path: "none".into(), arguments: Vec::new() },
            models: "none".into(),
            limits: Limits::default(),
            require_sandbox: false,
            grace: Duration::ZERO,
            debug: None,
            http_listen: None,
        };
        SlotOptions {
            config: Arc::new(config),
            blobs: Arc::new(FolderBlobs::open(folder.path(), &folder.path().join("state")).unwrap()),
            metrics: Arc::new(Metrics::new().unwrap()),
            stop: CancellationToken::new(),
            one_of_many: true,
        }
    }

    /// A slot whose thread hangs until it is told that nobody waits any more.
    fn hanging(options: SlotOptions) -> (Slot, std::thread::JoinHandle<()>) {
        let (requests, mut inbox) = mpsc::channel(1);
        let watch = Arc::<Watch>::default();
        let watched = watch.clone();
        let thread = std::thread::spawn(move || {
            let Some(Asked::Work { dropped, answer, .. }) = inbox.blocking_recv() else { return };
            watched.gets_on(DOCUMENT, Duration::from_millis(20));
            while !dropped.is_cancelled() {
                std::thread::sleep(Duration::from_millis(1));
            }
            drop(answer);
        });
        let (_open, ended) = oneshot::channel();
        (Slot { number: 0, requests, ended, options, watch, stuck: 0 }, thread)
    }

    fn shard() -> Shard {
        let plan =
            DocumentPlan { id: DOCUMENT, name: "scan".into(), sources: Vec::new(), deliver_original: false };
        Shard {
            id: ShardId(1),
            attempt: Attempt(2),
            job: JobId(1),
            express: false,
            recipe: Recipe::default(),
            work: Work::Assemble(plan),
        }
    }

    #[tokio::test]
    async fn a_thread_that_hangs_is_left_behind_and_its_document_is_a_loss() {
        let folder = tempfile::tempdir().unwrap();
        let (mut slot, thread) = hanging(options(&folder));
        let outcome = slot.work(shard(), &CancellationToken::new()).await.unwrap();
        let seconds = Limits::default().assemble_page_seconds_max;
        let result = DocumentResult::Lost(Loss::Stalled { seconds });
        assert_eq!(outcome.report, Report::Assembled(DocumentReport { document: DOCUMENT, result }));
        assert_eq!((outcome.shard, outcome.attempt), (ShardId(1), Attempt(2)));
        thread.join().unwrap();
        // A new thread answers: it has no program to start, and says so.
        assert!(slot.probe().await.is_err_and(|error| matches!(error, WorkerError::Start(_))));
    }

    #[tokio::test]
    async fn a_worker_of_which_many_threads_hang_gives_up() {
        let folder = tempfile::tempdir().unwrap();
        let (mut slot, thread) = hanging(options(&folder));
        slot.stuck = STUCK_THREADS_MAX;
        let ended = slot.work(shard(), &CancellationToken::new()).await;
        assert!(matches!(ended, Err(Halt::Worker(WorkerError::Stuck { .. }))), "{ended:?}");
        thread.join().unwrap();
    }
}
