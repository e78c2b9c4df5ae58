//! The gRPC side of a coordinator: every service of `pagemill.v1`, health and reflection.

use std::time::Duration;

use pagemill_proto::v1;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use tonic::transport::Server;
use tonic::transport::server::Router;

use crate::Coordinator;
use crate::access::Access;

/// Requests of one connection that are worked on at once; further ones wait.
const REQUESTS_PER_CONNECTION_MAX: u32 = 256;

/// A connection that is silent for this long is asked whether it lives, and closed if it doesn't answer as long again.
const KEEPALIVE: Duration = Duration::from_secs(20);

/// Bytes of a request's headers.
const HEADER_BYTES_MAX: u32 = 16 << 10;

/// What every service works with.
#[derive(Clone)]
pub(crate) struct Services {
    /// Jobs, store, queue and blobs.
    pub(crate) coordinator: Coordinator,
    /// Who may do what.
    pub(crate) access: Access,
    /// Long answers end when it is cancelled.
    pub(crate) shutdown: CancellationToken,
}

impl Services {
    /// All services, ready to be served.
    pub(crate) async fn router(self) -> Result<Router, tonic_reflection::server::Error> {
        let mut server = Server::builder()
            .max_concurrent_streams(REQUESTS_PER_CONNECTION_MAX)
            .http2_keepalive_interval(Some(KEEPALIVE))
            .http2_keepalive_timeout(Some(KEEPALIVE))
            .http2_max_header_list_size(HEADER_BYTES_MAX)
            .tcp_nodelay(true);
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
        Ok(Routes::new(health_service)
            .add_service(reflection().build_v1()?)
            .add_service(reflection().build_v1alpha()?))
    }
}
