//! A slot: one thread, one child at a time.
//!
//! The thread lives as long as the slot, because the kernel kills a child when the thread that started it ends.

use std::sync::Arc;
use std::time::Instant;

use pagemill_backends::blobs::Blobs;
use pagemill_domain::hash::ContentHash;
use pagemill_domain::outcome::{Fingerprint, Outcome, Report};
use pagemill_domain::recipe::Recipe;
use pagemill_domain::shard::{Shard, Work};
use pagemill_recognition::boxed::client::{BoxClient, BoxOptions, Cost};
use pagemill_recognition::boxed::protocol::ReaderSetup;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::{WorkerConfig, WorkerError, assemble, inspect, recognise, results};

/// The handle of a slot's thread, which ends when the handle is dropped.
pub(crate) struct Slot {
    requests: mpsc::Sender<SlotRequest>,
}

type SlotRequest = (Shard, oneshot::Sender<Result<Outcome, WorkerError>>);

impl Slot {
    pub(crate) fn start(
        number: usize,
        config: &Arc<WorkerConfig>,
        blobs: &Arc<dyn Blobs>,
        shutdown: &CancellationToken,
    ) -> Result<Self, WorkerError> {
        let (requests, mut inbox) = mpsc::channel::<SlotRequest>(1);
        let (config, blobs, shutdown) = (config.clone(), blobs.clone(), shutdown.clone());
        let runtime = Handle::current();
        let body = move || {
            let mut bench = Bench { config, blobs, shutdown, runtime, child: None, cpu_ms: 0 };
            while let Some((shard, answer)) = inbox.blocking_recv() {
                // Nobody waits any more when the worker was stopped at once.
                let _ = answer.send(bench.work(&shard));
            }
        };
        std::thread::Builder::new()
            .name(format!("slot-{number}"))
            .spawn(body)
            .map_err(WorkerError::Thread)?;
        Ok(Self { requests })
    }

    pub(crate) async fn work(&mut self, shard: Shard) -> Result<Outcome, WorkerError> {
        let (answer, outcome) = oneshot::channel();
        self.requests.send((shard, answer)).await.map_err(|_| WorkerError::SlotStopped)?;
        outcome.await.map_err(|_| WorkerError::SlotStopped)?
    }
}

/// What a slot's thread works with.
pub(crate) struct Bench {
    pub(crate) config: Arc<WorkerConfig>,
    pub(crate) blobs: Arc<dyn Blobs>,
    shutdown: CancellationToken,
    runtime: Handle,
    child: Option<Child>,
    cpu_ms: u64,
}

/// The child of a recipe.
struct Child {
    reading_key: ContentHash,
    client: BoxClient,
    fingerprint: Fingerprint,
}

impl Bench {
    fn work(&mut self, shard: &Shard) -> Result<Outcome, WorkerError> {
        let start = Instant::now();
        self.cpu_ms = 0;
        let fingerprint = self.ready(&shard.recipe)?;
        let report = match &shard.work {
            Work::Inspect(sources) => Report::Inspected(inspect::inspect(self, sources)),
            Work::Recognise(groups) => Report::Recognised(recognise::recognise(self, groups)?),
            Work::Assemble(plan) => Report::Assembled(assemble::assemble(self, plan, &shard.recipe)?),
            Work::AssembleStored(stored) => {
                let plan = results::stored_plan(self, stored)?;
                Report::Assembled(assemble::assemble(self, &plan, &shard.recipe)?)
            }
        };
        Ok(Outcome {
            shard: shard.id,
            attempt: shard.attempt,
            fingerprint,
            cpu_ms: self.cpu_ms,
            wall_ms: start.elapsed().as_millis() as u64,
            report,
        })
    }

    /// Makes sure that the child is one of this recipe, and tells what reads.
    fn ready(&mut self, recipe: &Recipe) -> Result<Fingerprint, WorkerError> {
        let reading_key = recipe.reading_key();
        if let Some(child) = self.child.as_ref().filter(|child| child.reading_key == reading_key) {
            return Ok(child.fingerprint.clone());
        }
        let mut client = BoxClient::new(BoxOptions {
            program: self.config.program.clone(),
            limits: self.config.limits.clone(),
            reader: Some(ReaderSetup { recipe: recipe.clone(), models: self.config.models.clone() }),
            require_sandbox: self.config.require_sandbox,
        });
        let fingerprint = client.start()?.fingerprint.unwrap_or_default();
        self.child = Some(Child { reading_key, client, fingerprint: fingerprint.clone() });
        Ok(fingerprint)
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
        self.shutdown.is_cancelled()
    }

    /// Waits in this thread for what the backends do.
    pub(crate) fn wait<T>(&self, what: impl Future<Output = T>) -> T {
        self.runtime.block_on(what)
    }
}
