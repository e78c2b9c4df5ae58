//! Who gets in, and how: every RPC for every role and for foreign tenants, TLS, the audit log, and KEDA.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use pagemill_coordinator::access::{Access, AccessConfig};
use pagemill_coordinator::{ServeConfig, ServeError, Server, Tls, TlsFiles};
use pagemill_domain::hash::ContentHash;
use pagemill_test_services::Authority;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use tonic::Request;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Identity};

#[path = "../grpc/cluster.rs"]
#[allow(dead_code, reason = "shared with the tests of gRPC")]
mod cluster;
mod matrix;
mod scaler;
mod tls;

/// A token of this caller; tests know it, the table has its hash.
fn token(caller: &str) -> String {
    format!("secret-of-{caller}")
}

/// A message with a caller's token, or with none.
fn with_token<T>(message: T, caller: Option<&str>) -> Request<T> {
    let mut request = Request::new(message);
    if let Some(caller) = caller {
        let value = format!("Bearer {}", token(caller)).parse().unwrap();
        request.metadata_mut().insert("authorization", value);
    }
    request
}

/// A table of callers: name, tenant, role.
fn write_tokens(file: &Path, callers: &[(&str, &str, &str)]) {
    let entry = |(name, tenant, role): &(&str, &str, &str)| {
        let hash = ContentHash::of(token(name).as_bytes());
        format!(
            "[[token]]\nname = \"{name}\"\ntenant = \"{tenant}\"\nrole = \"{role}\"\nsha256 = \"{hash}\"\n"
        )
    };
    std::fs::write(file, callers.iter().map(entry).collect::<String>()).unwrap();
}

/// A coordinator that tells callers apart.
struct Guarded {
    folder: TempDir,
    grpc: SocketAddr,
    http: SocketAddr,
    _stop: tokio_util::sync::DropGuard,
}

impl Guarded {
    /// Everybody is there in tenant `a`, named like the role; `other` is admin of tenant `b`.
    async fn start(authority: Option<&Authority>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut callers: Vec<(&str, &str, &str)> =
            matrix::ROLES.iter().map(|role| (*role, "a", *role)).collect();
        callers.push(("other", "b", "admin"));
        write_tokens(&folder.path().join("tokens.toml"), &callers);
        let tls = authority.map(|authority| {
            authority.sign("server", folder.path());
            authority.write(folder.path());
            Tls::read(files(folder.path())).unwrap()
        });
        let listen = SocketAddr::from(([127, 0, 0, 1], 0));
        let server = Self::bind(&folder, listen, tls).await.unwrap();
        let (grpc, http, stop) = (server.grpc_address, server.http_address, CancellationToken::new());
        tokio::spawn(server.run(stop.clone()));
        Self { folder, grpc, http, _stop: stop.drop_guard() }
    }

    async fn bind(folder: &TempDir, listen: SocketAddr, tls: Option<Tls>) -> Result<Server, ServeError> {
        let access = Access::new(AccessConfig {
            tokens_file: Some(folder.path().join("tokens.toml")),
            audit_file: Some(folder.path().join("audit.jsonl")),
            workers_show_certificates: tls.is_some(),
        });
        let config = ServeConfig {
            coordinator: cluster::config("guarded"),
            grpc_listen: listen,
            http_listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            access: access.unwrap(),
            tls,
            allow_plaintext: false,
        };
        Server::bind(config, cluster::backends(folder).await).await
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    async fn plain(&self) -> Channel {
        Channel::from_shared(format!("http://{}", self.grpc)).unwrap().connect().await.unwrap()
    }

    /// A connection of somebody who trusts that authority, and shows a certificate of it or none.
    async fn secure(
        &self,
        authority: &Authority,
        own: Option<&str>,
    ) -> Result<Channel, tonic::transport::Error> {
        let mut config = ClientTlsConfig::new()
            .ca_certificate(Certificate::from_pem(authority.certificate()))
            .domain_name("localhost");
        if let Some(name) = own {
            authority.sign(name, self.folder.path());
            let read = |ending: &str| std::fs::read(self.file(&format!("{name}.{ending}"))).unwrap();
            config = config.identity(Identity::from_pem(read("crt"), read("key")));
        }
        let endpoint = Channel::from_shared(format!("https://{}", self.grpc)).unwrap();
        endpoint.tls_config(config)?.connect().await
    }
}

fn files(folder: &Path) -> TlsFiles {
    TlsFiles {
        certificate: folder.join("server.crt"),
        key: folder.join("server.key"),
        client_ca: Some(folder.join("ca.crt")),
    }
}
