//! `pagemill coordinator`: a coordinator of a cluster, wired together.

use pagemill_backends::Backends;
use pagemill_coordinator::{CoordinatorConfig, ServeConfig, ServeError, WindowRule};

use crate::failure::{Exit, Failure};
use crate::settings::{COORDINATOR_HTTP_LISTEN, Settings};
use crate::{cluster, interrupt};

/// Shards on their way for each slot: one at work, one waiting.
const WINDOW_PER_SLOT: usize = 2;

/// Shards on their way at least: workers that come find work waiting.
const WINDOW_SHARDS_MIN: usize = 16;

/// Seconds of work in a shard: long beside the way to a worker and back, short beside what a lost worker costs.
const SHARD_SECONDS: f64 = 20.0;

/// Sources in an inspect shard: a header takes milliseconds, fetching a source more.
const SOURCES_PER_INSPECT_SHARD: u32 = 32;

/// Serves until it is told to stop.
pub(crate) async fn run(settings: &Settings) -> Result<Exit, Failure> {
    let name = cluster::process_name();
    let config = ServeConfig {
        coordinator: CoordinatorConfig {
            limits: settings.limits.clone(),
            name: name.clone(),
            window: WindowRule::PerSlot { shards: WINDOW_PER_SLOT, shards_min: WINDOW_SHARDS_MIN },
            shard_seconds: SHARD_SECONDS,
            sources_per_inspect_shard: SOURCES_PER_INSPECT_SHARD,
            leases: Some(settings.leases.config()),
        },
        grpc_listen: settings.grpc_address()?,
        http_listen: settings.http_address(COORDINATOR_HTTP_LISTEN)?,
        access: settings.access()?,
        tls: settings.tls()?,
        allow_plaintext: settings.allow_plaintext,
    };
    let shutdown = interrupt::watch()?;
    let backends = Backends {
        store: cluster::store(settings).await?,
        queue: cluster::queue(settings, &name).await?,
        blobs: cluster::blobs(settings).await?,
    };
    tracing::info!(coordinator = %name, version = env!("CARGO_PKG_VERSION"), "starting");
    match pagemill_coordinator::serve(config, backends, shutdown).await {
        Ok(()) => Ok(Exit::Complete),
        Err(error @ (ServeError::Exposed(_) | ServeError::Plaintext(_) | ServeError::Listen { .. })) => {
            Err(Failure::Setting(error.to_string()))
        }
        Err(error) => Err(anyhow::Error::from(error).into()),
    }
}
