//! What coordinators and workers need of the settings, each checked where the role begins. Every refusal names its key.

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::Path;

use pagemill_backends::blobs::{BlobError, SourceRoots};
use pagemill_coordinator::access::{Access, AccessConfig, AccessError};
use pagemill_coordinator::{Tls, TlsFiles};

use super::cluster::{one_of, small_file, variable, wrong};
use super::{Secret, Settings};
use crate::failure::Failure;

/// Where a coordinator serves gRPC unless it is told.
const GRPC_LISTEN: &str = "127.0.0.1:7070";

/// Where a coordinator serves metrics and probes unless it is told.
pub(crate) const COORDINATOR_HTTP_LISTEN: &str = "127.0.0.1:7071";

/// Where a worker serves metrics and probes unless it is told.
pub(crate) const WORKER_HTTP_LISTEN: &str = "127.0.0.1:7072";

impl Settings {
    /// The broker's address; never one in this process.
    pub(crate) fn queue(&self) -> Result<&str, Failure> {
        let url = required(
            self.queue_url.as_ref().map(Secret::expose),
            "queue_url",
            "amqp://user:password@host:5672/vhost",
        )?;
        one_of(url, "queue_url", &["amqp://", "amqps://"])?;
        Ok(url)
    }

    /// The store's address.
    pub(crate) fn store(&self) -> Result<&str, Failure> {
        let url = required(
            self.store_url.as_ref().map(Secret::expose),
            "store_url",
            "postgres://user:password@host/database",
        )?;
        one_of(url, "store_url", &["postgres://", "postgresql://", "sqlite:"])?;
        Ok(url)
    }

    /// The blob store's address.
    pub(crate) fn blobs(&self) -> Result<&str, Failure> {
        let url = required(self.blobs_url.as_deref(), "blobs_url", "s3://bucket/prefix")?;
        one_of(url, "blobs_url", &["s3://", "file:"])?;
        Ok(url)
    }

    /// Where a coordinator serves gRPC.
    pub(crate) fn grpc_address(&self) -> Result<SocketAddr, Failure> {
        address("grpc_listen", self.grpc_listen.as_deref().unwrap_or(GRPC_LISTEN))
    }

    /// Where metrics and probes are served.
    pub(crate) fn http_address(&self, default: &str) -> Result<SocketAddr, Failure> {
        address("http_listen", self.http_listen.as_deref().unwrap_or(default))
    }

    /// Who may call a coordinator.
    pub(crate) fn access(&self) -> Result<Access, Failure> {
        let config = AccessConfig {
            tokens_file: self.tokens_file.clone(),
            audit_file: self.audit_file.clone(),
            workers_show_certificates: self.tls_client_ca_file.is_some(),
        };
        Access::new(config).map_err(|error| {
            let key = if matches!(error, AccessError::Audit(_)) { "audit_file" } else { "tokens_file" };
            wrong(key, &format!("can't be used: {error}"))
        })
    }

    /// The certificates of a coordinator; `None` without TLS.
    pub(crate) fn tls(&self) -> Result<Option<Tls>, Failure> {
        let (Some(certificate), Some(key)) = (self.tls_cert_file.clone(), self.tls_key_file.clone()) else {
            if self.tls_client_ca_file.is_some() {
                return Err(wrong("tls_client_ca_file", "needs tls_cert_file and tls_key_file"));
            }
            // One without the other is refused.
            return self.tls_identity().map(|_| None);
        };
        let files = TlsFiles { certificate, key, client_ca: self.tls_client_ca_file.clone() };
        Tls::read(files).map(Some).map_err(|error| wrong("tls_cert_file", &format!("can't be used: {error}")))
    }

    /// Below what sources may be submitted by reference.
    pub(crate) fn roots(&self) -> Result<SourceRoots, Failure> {
        self.source_roots
            .parse()
            .map_err(|error: BlobError| wrong("source_roots", &format!("can't be used: {error}")))
    }

    /// The certificates of `tls_client_ca_file` or `ca_file`, as PEM.
    pub(crate) fn certificates(key: &str, file: Option<&Path>) -> Result<Option<Vec<u8>>, Failure> {
        file.map(|file| small_file(key, file)).transpose()
    }
}

fn required<'a>(url: Option<&'a str>, key: &str, example: &str) -> Result<&'a str, Failure> {
    url.filter(|url| !url.is_empty()).ok_or_else(|| {
        wrong(key, &format!("({}) is not set: a cluster needs one, such as {example}", variable(key)))
    })
}

fn address(key: &str, text: &str) -> Result<SocketAddr, Failure> {
    let found = text.to_socket_addrs().ok().and_then(|mut addresses| addresses.next());
    found.ok_or_else(|| {
        wrong(key, &format!("({}) must be an address and a port, such as 0.0.0.0:7070", variable(key)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> Secret {
        Secret::new(text.into())
    }

    #[test]
    fn a_cluster_has_no_queue_in_memory() {
        let settings = Settings { queue_url: Some(secret("memory:")), ..Settings::default() };
        let refusal = settings.queue().unwrap_err().to_string();
        assert!(refusal.contains("queue_url") && refusal.contains("amqp://"), "{refusal}");
    }

    #[test]
    fn every_refusal_names_its_key_and_no_password() {
        let settings = Settings {
            queue_url: Some(secret("http://user:hunter2@host")),
            store_url: Some(secret("mysql://user:hunter2@host")),
            blobs_url: None,
            grpc_listen: Some("7070".into()),
            source_roots: "scans".into(),
            ..Settings::default()
        };
        for (key, refusal) in [
            ("queue_url", settings.queue().map(|_| ()).unwrap_err()),
            ("store_url", settings.store().map(|_| ()).unwrap_err()),
            ("PAGEMILL_BLOBS_URL", settings.blobs().map(|_| ()).unwrap_err()),
            ("grpc_listen", settings.grpc_address().map(|_| ()).unwrap_err()),
            ("source_roots", settings.roots().map(|_| ()).unwrap_err()),
        ] {
            let refusal = refusal.to_string();
            assert!(refusal.contains(key) && !refusal.contains("hunter2"), "{refusal}");
        }
    }
}
