//! `pagemill worker`: a worker of a cluster, wired together.

use std::time::Duration;

use pagemill_worker::{Approach, RemoteSession, Session, WorkerConfig, WorkerError};

use crate::client::connection::authorization;
use crate::failure::{Exit, Failure};
use crate::settings::{Settings, WORKER_HTTP_LISTEN};
use crate::{child, cluster, interrupt};

/// Works until it is told to stop, or drained.
pub(crate) async fn run(settings: &Settings) -> Result<Exit, Failure> {
    let name = settings.worker_name.clone().unwrap_or_else(cluster::process_name);
    let config = WorkerConfig {
        name: name.clone(),
        slots: settings.worker_slots as usize,
        program: child::program(),
        models: child::models().folder().to_owned(),
        limits: settings.limits.clone(),
        require_sandbox: settings.require_sandbox,
        grace: Duration::from_secs(u64::from(settings.grace_seconds)),
        debug: None,
        http_listen: Some(settings.http_address(WORKER_HTTP_LISTEN)?),
    };
    // What is wrong with it now is said at once; what is wrong later passes.
    approach(settings)?;
    let renewed = settings.clone();
    let session = RemoteSession::new(move || approach(&renewed).map_err(|failure| failure.to_string()));
    let shutdown = interrupt::watch()?;
    let queue = cluster::queue(settings, &name).await?;
    let blobs = cluster::blobs(settings).await?;
    tracing::info!(worker = %name, slots = config.slots, version = env!("CARGO_PKG_VERSION"), "starting");
    let worked = pagemill_worker::run(config, queue, blobs, Session::Remote(session), shutdown).await;
    match worked {
        Ok(()) => Ok(Exit::Complete),
        Err(error @ WorkerError::Refused { .. }) => Err(Failure::WorkerRefused(error.to_string())),
        Err(error) => Err(anyhow::Error::from(error).into()),
    }
}

/// Where the coordinators are and what they are shown, as the files of certificates and token say now.
fn approach(settings: &Settings) -> Result<Approach, Failure> {
    Ok(Approach {
        endpoints: settings.coordinators()?,
        authorization: authorization(settings.token()?.as_ref())?,
    })
}
