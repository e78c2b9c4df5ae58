//! The worker: takes shards from the queue, has the box do the dangerous part, reports what came of them.
//!
//! Architecture invariant: no byte of a user's file is parsed in this process; a child is handed the open file. A
//! worker keeps nothing between shards but its children, and never sees the store.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::future::try_join_all;
use pagemill_backends::blobs::Blobs;
use pagemill_backends::queue::Queue;
use pagemill_domain::limits::Limits;
use pagemill_proto::v1::Hello;
use pagemill_recognition::boxed::client::Program;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

mod assemble;
mod back_off;
mod error;
mod http;
mod inspect;
mod memory;
mod metrics;
mod page_source;
mod patience;
mod recognise;
mod results;
mod serve;
mod session;
mod shorter;
mod slot;
mod source_map;
mod staged;
mod standing;
mod watch;

pub use error::WorkerError;
pub use session::{Approach, RemoteSession, Session};

use http::Observed;
use metrics::Metrics;
use serve::{Service, lanes};
use slot::{Slot, SlotOptions};
use standing::Standing;

/// What a worker is told.
#[derive(Debug, Clone)]
pub struct WorkerConfig {
    /// Its name, unique among the workers: as coordinators and logs know it.
    pub name: String,
    /// Shards that are worked on at once: one child each, one core each.
    pub slots: usize,
    /// The program that a child runs.
    pub program: Program,
    /// The folder of the models.
    pub models: PathBuf,
    /// The bounds to keep.
    pub limits: Limits,
    /// Refuse to work where a layer of the sandbox is missing.
    pub require_sandbox: bool,
    /// How long the pages in hand may take once the worker is told to stop; then they go to another.
    pub grace: Duration,
    /// Where a picture of what was seen on each page goes, for a person to look at; the folder is there.
    pub debug: Option<PathBuf>,
    /// Where `/metrics`, `/healthz` and `/readyz` are answered.
    pub http_listen: Option<SocketAddr>,
}

/// Works until `shutdown`, then finishes the pages in hand, hands back the rest of its shards and returns; or until
/// its coordinator drains it, then finishes its shards and returns.
///
/// An error means that this worker can't work at all (a model is missing, the disk is full, the coordinator refuses
/// it); what it had in hand was not acknowledged and goes to another.
pub async fn run(
    config: WorkerConfig,
    queue: Arc<dyn Queue>,
    blobs: Arc<dyn Blobs>,
    session: Session,
    shutdown: CancellationToken,
) -> Result<(), WorkerError> {
    let span = tracing::info_span!("worker", worker = %config.name);
    Box::pin(work(config, queue, blobs, session, shutdown)).instrument(span).await
}

async fn work(
    config: WorkerConfig,
    queue: Arc<dyn Queue>,
    blobs: Arc<dyn Blobs>,
    session: Session,
    shutdown: CancellationToken,
) -> Result<(), WorkerError> {
    let config = Arc::new(config);
    let metrics = Arc::new(Metrics::new()?);
    let standing = match &session {
        Session::Alone => Standing::alone(config.slots.max(1)),
        Session::Remote(_) => Standing::applicant(config.slots.max(1)),
    };
    if let Some(address) = config.http_listen {
        let (metrics, standing, queue) = (metrics.clone(), standing.clone(), queue.clone());
        let blobs = blobs.clone();
        http::listen(address, Observed { metrics, blobs, standing, queue }).await?;
    }
    let stop = shutdown.child_token();
    let options = SlotOptions {
        config: config.clone(),
        blobs,
        metrics: metrics.clone(),
        stop: stop.clone(),
        one_of_many: matches!(session, Session::Remote(_)),
    };
    let mut slots = (0..config.slots.max(1))
        .map(|number| Slot::start(number, &options))
        .collect::<Result<Vec<_>, _>>()?;
    let fingerprint = match session {
        Session::Alone => String::new(),
        // A worker that can't read says so before it is asked to.
        Session::Remote(_) => slots[0].probe().await?,
    };
    let service = Service { queue, standing: standing.clone(), metrics, stop: stop.clone() };
    let served = slots.drain(..).enumerate().map(|(number, slot)| service.serve(slot, lanes(number)));
    let mut served = pin!(within_grace(try_join_all(served), &stop, config.grace));
    let Session::Remote(remote) = session else { return served.await };
    let hello = Hello::new(&config.name, &fingerprint, config.slots.max(1) as u32);
    tokio::select! {
        ended = &mut served => ended,
        refusal = session::keep(remote, hello, standing) => {
            stop.cancel();
            served.await?;
            Err(refusal)
        }
    }
}

/// Waits for the slots; once they are told to stop, no longer than `grace`.
async fn within_grace(
    served: impl Future<Output = Result<Vec<()>, WorkerError>>,
    stop: &CancellationToken,
    grace: Duration,
) -> Result<(), WorkerError> {
    let over = async {
        stop.cancelled().await;
        tokio::time::sleep(grace).await;
    };
    tokio::select! {
        biased;
        served = served => served.map(|_| ()),
        () = over => {
            tracing::warn!(grace_seconds = grace.as_secs(), "the grace period is over; what is in hand goes to another");
            Ok(())
        }
    }
}
