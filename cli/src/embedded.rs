//! The embedded mode's wiring: a store in a file, a queue in the process, blobs in the output folder.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use pagemill_backends::Backends;
use pagemill_backends::blobs::FolderBlobs;
use pagemill_backends::queue::MemoryQueue;
use pagemill_backends::store::SqliteStore;
use pagemill_coordinator::{Coordinator, CoordinatorConfig, WindowRule};
use pagemill_domain::job::{NewJob, TENANT_DEFAULT, Urgency};
use pagemill_domain::recipe::Recipe;

use crate::failure::Failure;
use crate::output_folder::OutputFolder;
use crate::settings::Settings;

/// The key of an output folder's job: one folder is one job.
pub(crate) const JOB_KEY: &str = "output-folder";

/// Shards on their way for each slot: one at work, one waiting.
const WINDOW_PER_SLOT: usize = 2;

/// Seconds of work in a shard. Short: what a killed run had in hand is read again, and near the end of a small job all
/// slots should have something to do.
const SHARD_SECONDS: f64 = 1.0;

/// Sources in an inspect shard: a header takes milliseconds.
const SOURCES_PER_INSPECT_SHARD: u32 = 32;

/// The job of a run.
pub(crate) fn new_job(recipe: &Recipe) -> NewJob {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    NewJob {
        tenant: TENANT_DEFAULT.into(),
        key: JOB_KEY.into(),
        recipe: recipe.clone(),
        urgency: Urgency::default(),
        now_unix_seconds: elapsed.as_secs().cast_signed(),
        reopen: true,
    }
}

/// Opens what a run stands on.
pub(crate) async fn backends(output: &OutputFolder, settings: &Settings) -> Result<Backends, Failure> {
    let blobs = FolderBlobs::open(output.path(), &output.state()).map_err(anyhow::Error::from)?;
    let store = SqliteStore::open(&output.store(), &settings.limits).await.map_err(anyhow::Error::from)?;
    Ok(Backends { store: Arc::new(store), queue: Arc::new(MemoryQueue::default()), blobs: Arc::new(blobs) })
}

/// The coordinator of a run.
pub(crate) fn coordinator(backends: &Backends, settings: &Settings) -> Result<Coordinator, Failure> {
    let config = CoordinatorConfig {
        limits: settings.limits.clone(),
        name: "embedded".into(),
        window: WindowRule::Fixed(WINDOW_PER_SLOT * settings.worker_slots as usize),
        shard_seconds: SHARD_SECONDS,
        sources_per_inspect_shard: SOURCES_PER_INSPECT_SHARD,
        leases: None,
    };
    Ok(Coordinator::new(config, backends.clone()).map_err(anyhow::Error::from)?)
}
