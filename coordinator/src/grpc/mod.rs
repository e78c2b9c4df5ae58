//! The gRPC side of a coordinator: every service of `pagemill.v1`, health and reflection.
//!
//! A handler tells who calls, checks the request, asks the store, and answers. Nothing in a request names a tenant:
//! jobs of others do not exist for a caller.

use std::sync::Arc;
use std::time::Duration;

use pagemill_proto::externalscaler::external_scaler_server::ExternalScalerServer;
use pagemill_proto::{MESSAGE_BYTES_MAX, v1};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tonic::Status;
use tonic::codec::CompressionEncoding::Zstd;
use tonic::service::Routes;
use tonic::transport::Server;
use tonic::transport::server::Router;

use crate::Coordinator;
use crate::access::Access;
use crate::scaler::ScalerService;

mod artifacts;
mod convert;
mod jobs;
mod new_source;
mod paging;
mod session;
mod sources;
pub(crate) mod status;
mod streams;
mod traced;
mod workers;

/// Connections for gRPC that are open at once; further ones wait in the kernel until one is closed. A worker and a
/// client hold one each.
pub(crate) const GRPC_CONNECTIONS_MAX: usize = 10_000;

/// Requests of one connection that are worked on at once; further ones wait.
const REQUESTS_PER_CONNECTION_MAX: u32 = 256;

/// A connection that is silent for this long is asked whether it lives, and closed if it doesn't answer as long again.
const KEEPALIVE: Duration = Duration::from_secs(20);

/// Bytes of a request's headers.
const HEADER_BYTES_MAX: u32 = 16 << 10;

/// How long a request may take that is answered at once.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// Watches, reports, uploads, fetches and workers' sessions that are open at once.
const WATCHES_MAX: usize = 1_000;
const UPLOADS_MAX: usize = 256;
const FETCHES_MAX: usize = 256;
const REPORTS_MAX: usize = 8;
const SESSIONS_MAX: usize = 10_000;

/// What every service works with.
#[derive(Clone)]
pub(crate) struct Services {
    /// Jobs, store, queue and blobs.
    pub(crate) coordinator: Coordinator,
    /// Who may do what.
    pub(crate) access: Access,
    /// Long answers end when it is cancelled.
    pub(crate) shutdown: CancellationToken,
    watches: Arc<Semaphore>,
    reports: Arc<Semaphore>,
    uploads: Arc<Semaphore>,
    fetches: Arc<Semaphore>,
    sessions: Arc<Semaphore>,
}

/// A service with what holds for all of them: message sizes, compression.
macro_rules! served {
    ($server:ty, $services:expr) => {
        <$server>::new($services.clone())
            .accept_compressed(Zstd)
            .send_compressed(Zstd)
            .max_decoding_message_size(MESSAGE_BYTES_MAX)
            .max_encoding_message_size(MESSAGE_BYTES_MAX)
    };
}

impl Services {
    /// Services that answer until `shutdown`.
    pub(crate) fn new(coordinator: Coordinator, access: Access, shutdown: CancellationToken) -> Self {
        let at_once = |open_max| Arc::new(Semaphore::new(open_max));
        Self {
            coordinator,
            access,
            shutdown,
            watches: at_once(WATCHES_MAX),
            reports: at_once(REPORTS_MAX),
            uploads: at_once(UPLOADS_MAX),
            fetches: at_once(FETCHES_MAX),
            sessions: at_once(SESSIONS_MAX),
        }
    }

    /// All services, ready to be served.
    pub(crate) async fn router(self) -> Result<Router, tonic_reflection::server::Error> {
        let mut server = Server::builder()
            .max_concurrent_streams(REQUESTS_PER_CONNECTION_MAX)
            .http2_keepalive_interval(Some(KEEPALIVE))
            .http2_keepalive_timeout(Some(KEEPALIVE))
            .http2_max_header_list_size(HEADER_BYTES_MAX)
            .trace_fn(traced::span);
        Ok(server.add_routes(self.routes().await?))
    }

    async fn routes(self) -> Result<Routes, tonic_reflection::server::Error> {
        let reflection = || {
            tonic_reflection::server::Builder::configure()
                .register_encoded_file_descriptor_set(v1::DESCRIPTORS)
                .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        };
        // The empty name stands for the server as a whole.
        let (health, health_service) = tonic_health::server::health_reporter();
        health.set_service_status("", tonic_health::ServingStatus::Serving).await;
        let scaler = ScalerService::new(self.coordinator.clone(), self.access.clone(), self.shutdown.clone());
        Ok(Routes::new(health_service)
            .add_service(reflection().build_v1()?)
            .add_service(reflection().build_v1alpha()?)
            .add_service(served!(v1::jobs_server::JobsServer<Self>, self))
            .add_service(served!(v1::sources_server::SourcesServer<Self>, self))
            .add_service(served!(v1::artifacts_server::ArtifactsServer<Self>, self))
            .add_service(served!(v1::workers_server::WorkersServer<Self>, self))
            .add_service(ExternalScalerServer::new(scaler)))
    }
}

/// Waits for an answer, but not for ever.
pub(crate) async fn answered<T>(answer: impl Future<Output = Result<T, Status>>) -> Result<T, Status> {
    match tokio::time::timeout(REQUEST_TIMEOUT, answer).await {
        Ok(answer) => answer,
        Err(_) => Err(Status::deadline_exceeded(format!(
            "no answer within {} seconds; what was asked may still happen, and repeating it is harmless",
            REQUEST_TIMEOUT.as_secs()
        ))),
    }
}

/// A place among so many open streams.
fn place(places: &Arc<Semaphore>, what: &str) -> Result<OwnedSemaphorePermit, Status> {
    places.clone().try_acquire_owned().map_err(|_| {
        Status::resource_exhausted(format!(
            "this coordinator has too many open {what}; try another, or later"
        ))
    })
}
