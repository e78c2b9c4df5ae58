//! What coordinators and workers of a cluster stand on, connected as the settings say.

use std::path::PathBuf;
use std::sync::Arc;

use pagemill_backends::blobs::{self, BlobError, BlobOptions, Blobs};
use pagemill_backends::queue::{self, Queue, QueueError, QueueOptions};
use pagemill_backends::store::{self, Store, StoreError};

use crate::failure::Failure;
use crate::settings::Settings;

/// Connects to the store, and brings its tables up to date.
pub(crate) async fn store(settings: &Settings) -> Result<Arc<dyn Store>, Failure> {
    store::connect(settings.store()?, &settings.limits).await.map_err(|error| store_failed(&error))
}

/// What it means that the store does not do what was asked.
pub(crate) fn store_failed(error: &StoreError) -> Failure {
    if error.is_unavailable() {
        unreachable("store_url", error)
    } else {
        Failure::ServiceRefused(format!("store_url: {error}"))
    }
}

/// Connects to the broker, as `name`.
pub(crate) async fn queue(settings: &Settings, name: &str) -> Result<Arc<dyn Queue>, Failure> {
    // The same file tells workers whose certificates coordinators show; a broker in clear shows none.
    let ca_file =
        settings.ca_file.as_deref().filter(|_| settings.queue().is_ok_and(|url| url.starts_with("amqps:")));
    let ca_pem = Settings::certificates("ca_file", ca_file)?;
    let ca_pem = ca_pem.map(String::from_utf8).transpose();
    let ca_pem = ca_pem.map_err(|_| Failure::Setting("ca_file must hold certificates as PEM".into()))?;
    let options = QueueOptions { name: name.into(), ca_pem };
    queue::connect(settings.queue()?, options).await.map_err(|error| match error {
        QueueError::Url(_) => Failure::Setting(error.to_string()),
        QueueError::Unavailable { .. } => unreachable("queue_url", &error),
        _ => Failure::ServiceRefused(format!("queue_url: {error}")),
    })
}

/// Connects to the blob store.
pub(crate) async fn blobs(settings: &Settings) -> Result<Arc<dyn Blobs>, Failure> {
    let options = BlobOptions { source_roots: settings.roots()?, ..BlobOptions::new(cache_folder(settings)) };
    blobs::connect(settings.blobs()?, options).await.map_err(|error| blobs_failed(&error))
}

/// What it means that the blob store does not do what was asked.
pub(crate) fn blobs_failed(error: &BlobError) -> Failure {
    match error {
        BlobError::Misconfigured(_) => Failure::Setting(format!("blobs_url: {error}")),
        BlobError::Io { .. } => Failure::Setting(format!("cache_dir or the folder of blobs_url: {error}")),
        BlobError::Unavailable { .. } => unreachable("blobs_url", error),
        _ => Failure::ServiceRefused(format!("blobs_url: {error}")),
    }
}

/// A service that does not answer; its address may hold a password, so its key stands for it.
fn unreachable(key: &str, error: &dyn std::fmt::Display) -> Failure {
    Failure::ServiceUnreachable { address: key.into(), why: error.to_string() }
}

/// Where fetched sources are kept: as told, or in the user's cache folder.
fn cache_folder(settings: &Settings) -> PathBuf {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let own = || format!("pagemill-{}", rustix::process::getuid().as_raw());
    settings
        .cache_dir
        .clone()
        .or_else(|| variable("XDG_CACHE_HOME").map(|cache| cache.join("pagemill")))
        .or_else(|| variable("HOME").map(|home| home.join(".cache").join("pagemill")))
        .unwrap_or_else(|| std::env::temp_dir().join(own()))
}

/// A name for this process that no other in the cluster has: its host and number.
pub(crate) fn process_name() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = if host.trim().is_empty() { "pagemill" } else { host.trim() };
    format!("{host}-{}", std::process::id())
}
