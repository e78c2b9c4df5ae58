//! TLS in front of gRPC and HTTP. Certificates are followed: a new pair on disk serves the next connection.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use pagemill_proto::incoming::{Connection, HTTP_CONNECTIONS_MAX, Incoming};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{VerifierBuilderError, WebPkiClientVerifier};
use rustls::{RootCertStore, ServerConfig};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::access::followed::Followed;
use crate::grpc::GRPC_CONNECTIONS_MAX;

/// Handshakes at once; further connections wait.
const HANDSHAKES_MAX: usize = 256;

/// A handshake takes less, or the connection is closed.
const HANDSHAKE_WAIT: Duration = Duration::from_secs(10);

/// Files in PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The server's certificate with its chain.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
    /// Who signs the certificates that clients may show; without it none is asked for.
    pub client_ca: Option<PathBuf>,
}

/// Why TLS can't be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file can't be read, or is no PEM.
    #[error("read {}: {source}", file.display())]
    Pem {
        /// Which file.
        file: PathBuf,
        /// What is wrong with it.
        source: pem::Error,
    },
    /// Certificate and key are no pair, or of a kind that is not supported.
    #[error("certificate and key: {0}")]
    Pair(#[from] rustls::Error),
    /// The client CA can't be used.
    #[error("client CA: {0}")]
    ClientCa(#[from] VerifierBuilderError),
}

/// Ready to serve TLS.
#[derive(Clone)]
pub struct Tls(Arc<Followed<Configs>>);

struct Configs {
    grpc: Arc<ServerConfig>,
    http: Arc<ServerConfig>,
}

impl Tls {
    /// Reads the files; they are followed from now on.
    pub fn read(files: TlsFiles) -> Result<Self, TlsError> {
        let followed = [Some(&files.certificate), Some(&files.key), files.client_ca.as_ref()];
        let followed = followed.into_iter().flatten().cloned().collect();
        Ok(Self(Arc::new(Followed::read(followed, move || configs(&files))?)))
    }

    /// Connections for gRPC that come in at `listener`.
    pub(crate) fn grpc(&self, listener: TcpListener, address: SocketAddr) -> TlsListener {
        self.listen(Incoming::new(listener, GRPC_CONNECTIONS_MAX), address, |configs| configs.grpc.clone())
    }

    /// Connections for HTTP that come in at `listener`.
    pub(crate) fn http(&self, listener: TcpListener, address: SocketAddr) -> TlsListener {
        self.listen(Incoming::new(listener, HTTP_CONNECTIONS_MAX), address, |configs| configs.http.clone())
    }

    fn listen(
        &self,
        incoming: Incoming,
        address: SocketAddr,
        which: fn(&Configs) -> Arc<ServerConfig>,
    ) -> TlsListener {
        let (ready, arrivals) = mpsc::channel(1);
        let followed = self.0.clone();
        let newest = move || TlsAcceptor::from(which(&followed.get()));
        tokio::spawn(accept(incoming, newest, ready));
        TlsListener { arrivals, address }
    }
}

/// Connections whose handshake is done.
pub(crate) struct TlsListener {
    /// The connections.
    pub(crate) arrivals: mpsc::Receiver<TlsStream<Connection>>,
    address: SocketAddr,
}

impl axum::serve::Listener for TlsListener {
    type Io = TlsStream<Connection>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        match self.arrivals.recv().await {
            Some(connection) => (connection, self.address),
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        Ok(self.address)
    }
}

/// Takes connections until nobody waits for them; a slow handshake keeps nobody else waiting.
async fn accept(
    incoming: Incoming,
    newest: impl Fn() -> TlsAcceptor,
    ready: mpsc::Sender<TlsStream<Connection>>,
) {
    let handshakes = Arc::new(Semaphore::new(HANDSHAKES_MAX));
    loop {
        let Ok(permit) = handshakes.clone().acquire_owned().await else { return };
        let connection = tokio::select! {
            connection = incoming.next() => connection,
            () = ready.closed() => return,
        };
        let (handshake, ready) = (newest().accept(connection), ready.clone());
        tokio::spawn(async move {
            match tokio::time::timeout(HANDSHAKE_WAIT, handshake).await {
                // Nobody waits any more: the server ends.
                Ok(Ok(connection)) => drop(ready.send(connection).await),
                Ok(Err(error)) => tracing::debug!(%error, "handshake failed"),
                Err(_) => tracing::debug!("handshake took too long"),
            }
            drop(permit);
        });
    }
}

fn configs(files: &TlsFiles) -> Result<Configs, TlsError> {
    let (chain, key) = (certificates(&files.certificate)?, private_key(&files.key)?);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder =
        ServerConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions()?;
    let builder = match &files.client_ca {
        None => builder.with_no_client_auth(),
        Some(file) => {
            let mut roots = RootCertStore::empty();
            for certificate in certificates(file)? {
                roots.add(certificate)?;
            }
            // Clients with a token need no certificate; workers do, and `Access` sees to it.
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            builder.with_client_cert_verifier(verifier.allow_unauthenticated().build()?)
        }
    };
    let mut grpc = builder.with_single_cert(chain, key)?;
    let mut http = grpc.clone();
    grpc.alpn_protocols = vec![b"h2".to_vec()];
    http.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Configs { grpc: Arc::new(grpc), http: Arc::new(http) })
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let refuse = |source| TlsError::Pem { file: file.to_owned(), source };
    let found: Result<Vec<_>, _> = CertificateDer::pem_file_iter(file).map_err(refuse)?.collect();
    match found.map_err(refuse)? {
        none if none.is_empty() => Err(refuse(pem::Error::NoItemsFound)),
        found => Ok(found),
    }
}

fn private_key(file: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_file(file).map_err(|source| TlsError::Pem { file: file.to_owned(), source })
}
