//! A coordinator as a service: gRPC and HTTP in front, the background loops behind.

use std::future::IntoFuture;
use std::net::SocketAddr;
use std::time::Duration;

use pagemill_backends::Backends;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::access::Access;
use crate::grpc::{Services, connections};
use crate::{Coordinator, CoordinatorConfig, CoordinatorError, http};

/// How long a stopping coordinator waits for requests in hand.
const GRACE: Duration = Duration::from_secs(10);

/// What a serving coordinator is told.
#[derive(Debug, Clone)]
pub struct ServeConfig {
    /// What the background loops keep to.
    pub coordinator: CoordinatorConfig,
    /// Where gRPC is served.
    pub grpc_listen: SocketAddr,
    /// Where metrics and probes are served.
    pub http_listen: SocketAddr,
    /// Who may do what.
    pub access: Access,
}

/// Serves until `shutdown`, then finishes the requests in hand and returns.
pub async fn serve(
    config: ServeConfig,
    backends: Backends,
    shutdown: CancellationToken,
) -> Result<(), ServeError> {
    Box::pin(Server::bind(config, backends).await?.run(shutdown)).await
}

/// A coordinator that listens already.
pub struct Server {
    coordinator: Coordinator,
    access: Access,
    grpc: TcpListener,
    http: TcpListener,
    /// Where gRPC is served: the port is known now even where 0 was asked for.
    pub grpc_address: SocketAddr,
    /// Where metrics and probes are served.
    pub http_address: SocketAddr,
}

impl Server {
    /// Begins to listen.
    pub async fn bind(config: ServeConfig, backends: Backends) -> Result<Self, ServeError> {
        if config.access.is_open() && !config.grpc_listen.ip().is_loopback() {
            return Err(ServeError::Exposed(config.grpc_listen));
        }
        let (grpc, grpc_address) = listen(config.grpc_listen).await?;
        let (http, http_address) = listen(config.http_listen).await?;
        let coordinator = Coordinator::new(config.coordinator, backends).map_err(ServeError::Coordinator)?;
        Ok(Self { coordinator, access: config.access, grpc, http, grpc_address, http_address })
    }

    /// Serves until `shutdown`, then finishes the requests in hand and returns.
    pub async fn run(self, shutdown: CancellationToken) -> Result<(), ServeError> {
        let Self { coordinator, access, grpc, http, .. } = self;
        let stop = CancellationToken::new();
        let _stop_all_at_the_end = stop.clone().drop_guard();
        let services = Services::new(coordinator.clone(), access, stop.clone());
        let router = services.router().await.map_err(ServeError::Reflection)?;
        let grpc = router.serve_with_incoming_shutdown(connections(grpc), stop.clone().cancelled_owned());
        let http = axum::serve(http, http::router(coordinator.clone()))
            .with_graceful_shutdown(stop.clone().cancelled_owned())
            .into_future();
        let loops = coordinator.run(stop.clone());
        let all = async {
            tokio::try_join!(
                async { grpc.await.map_err(ServeError::Grpc) },
                async { http.await.map_err(ServeError::Http) },
                async { loops.await.map_err(ServeError::Coordinator) },
            )
        };
        tokio::pin!(all);
        tokio::select! {
            ended = &mut all => return ended.map(|_| ()),
            () = shutdown.cancelled() => stop.cancel(),
        }
        if let Ok(ended) = tokio::time::timeout(GRACE, all).await {
            return ended.map(|_| ());
        }
        tracing::warn!(seconds = GRACE.as_secs(), "requests were still in hand at the end");
        Ok(())
    }
}

async fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), ServeError> {
    let refuse = |source| ServeError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(refuse)?;
    let bound = listener.local_addr().map_err(refuse)?;
    Ok((listener, bound))
}

/// Why a coordinator can't serve.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Everybody would be admin for everybody.
    #[error(
        "listen on {0}: without tokens only this machine may reach the coordinator; set PAGEMILL_TOKENS_FILE, or listen on 127.0.0.1"
    )]
    Exposed(SocketAddr),
    /// The address is taken, or not ours.
    #[error("listen on {address}: {source}")]
    Listen {
        /// Which address.
        address: SocketAddr,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The compiled definitions can't be read: a defect of ours.
    #[error("describe the services: {0}")]
    Reflection(tonic_reflection::server::Error),
    /// gRPC failed as a whole.
    #[error("serve gRPC: {0}")]
    Grpc(tonic::transport::Error),
    /// HTTP failed as a whole.
    #[error("serve HTTP: {0}")]
    Http(std::io::Error),
    /// The background loops can't go on.
    #[error(transparent)]
    Coordinator(CoordinatorError),
}
