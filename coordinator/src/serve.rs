//! A coordinator as a service: gRPC and HTTP in front, the background loops behind.

use std::future::IntoFuture;
use std::net::SocketAddr;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use pagemill_backends::Backends;
use pagemill_proto::incoming::{HTTP_CONNECTIONS_MAX, Incoming};
use tokio::net::TcpListener;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::transport::server::Router;

use crate::access::Access;
use crate::grpc::{GRPC_CONNECTIONS_MAX, Services};
use crate::tls::Tls;
use crate::{Coordinator, CoordinatorConfig, CoordinatorError, http};

/// How long a stopping coordinator waits for requests in hand.
const GRACE: Duration = Duration::from_secs(10);

/// What a serving coordinator is told.
#[derive(Clone)]
pub struct ServeConfig {
    /// What the background loops keep to.
    pub coordinator: CoordinatorConfig,
    /// Where gRPC is served.
    pub grpc_listen: SocketAddr,
    /// Where metrics and probes are served.
    pub http_listen: SocketAddr,
    /// Who may do what.
    pub access: Access,
    /// Certificates; without them neither gRPC nor HTTP is encrypted.
    pub tls: Option<Tls>,
    /// Serve gRPC beyond this machine without TLS: for a network that is private, or encrypts by itself.
    pub allow_plaintext: bool,
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
    tls: Option<Tls>,
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
        check_exposure(&config)?;
        let (grpc, grpc_address) = listen(config.grpc_listen).await?;
        let (http, http_address) = listen(config.http_listen).await?;
        let coordinator = Coordinator::new(config.coordinator, backends).map_err(ServeError::Coordinator)?;
        let (access, tls) = (config.access, config.tls);
        let (tokens, encrypted) = (!access.is_open(), tls.is_some());
        tracing::info!(%grpc_address, %http_address, tokens, encrypted, "listening");
        Ok(Self { coordinator, access, tls, grpc, http, grpc_address, http_address })
    }

    /// Serves until `shutdown`, then finishes the requests in hand and returns.
    pub async fn run(self, shutdown: CancellationToken) -> Result<(), ServeError> {
        let Self { coordinator, access, tls, grpc, http, grpc_address, http_address } = self;
        let stop = CancellationToken::new();
        let _stop_all_at_the_end = stop.clone().drop_guard();
        let services = Services::new(coordinator.clone(), access, stop.clone());
        let router = services.router().await.map_err(ServeError::Reflection)?;
        let grpc = serve_grpc(router, (grpc, grpc_address), tls.as_ref(), stop.clone());
        let http =
            serve_http(http::router(coordinator.clone()), (http, http_address), tls.as_ref(), stop.clone());
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

fn serve_grpc(
    router: Router,
    (listener, address): (TcpListener, SocketAddr),
    tls: Option<&Tls>,
    stop: CancellationToken,
) -> BoxFuture<'static, Result<(), tonic::transport::Error>> {
    let stop = stop.cancelled_owned();
    match tls {
        None => {
            let incoming = Incoming::new(listener, GRPC_CONNECTIONS_MAX);
            let incoming = futures::stream::unfold(incoming, async |incoming| {
                Some((Ok::<_, std::io::Error>(incoming.next().await), incoming))
            });
            router.serve_with_incoming_shutdown(incoming, stop).boxed()
        }
        Some(tls) => {
            let arrivals = ReceiverStream::new(tls.grpc(listener, address).arrivals);
            router.serve_with_incoming_shutdown(arrivals.map(Ok::<_, std::io::Error>), stop).boxed()
        }
    }
}

fn serve_http(
    router: axum::Router,
    (listener, address): (TcpListener, SocketAddr),
    tls: Option<&Tls>,
    stop: CancellationToken,
) -> BoxFuture<'static, Result<(), std::io::Error>> {
    let stop = stop.cancelled_owned();
    match tls {
        None => axum::serve(Incoming::new(listener, HTTP_CONNECTIONS_MAX), router)
            .with_graceful_shutdown(stop)
            .into_future()
            .boxed(),
        Some(tls) => axum::serve(tls.http(listener, address), router)
            .with_graceful_shutdown(stop)
            .into_future()
            .boxed(),
    }
}

/// Beyond this machine, callers are told apart and can't be overheard.
fn check_exposure(config: &ServeConfig) -> Result<(), ServeError> {
    let address = config.grpc_listen;
    if address.ip().is_loopback() {
        return Ok(());
    }
    if config.access.is_open() {
        return Err(ServeError::Exposed(address));
    }
    match (&config.tls, config.allow_plaintext) {
        (Some(_), _) => Ok(()),
        (None, false) => Err(ServeError::Plaintext(address)),
        (None, true) => {
            tracing::warn!(%address, "gRPC is not encrypted: whoever can listen on this network learns every token");
            Ok(())
        }
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
    /// Tokens could be overheard.
    #[error(
        "listen on {0}: without TLS only this machine may reach the coordinator; set PAGEMILL_TLS_CERT_FILE and PAGEMILL_TLS_KEY_FILE, listen on 127.0.0.1, or set PAGEMILL_ALLOW_PLAINTEXT where the network is private"
    )]
    Plaintext(SocketAddr),
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
