//! TLS: nobody gets in without, workers show a certificate, and files that change are followed.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use pagemill_coordinator::access::{Access, AccessConfig};
use pagemill_coordinator::{ServeConfig, ServeError, Server, Tls};
use pagemill_proto::v1;
use pagemill_proto::v1::jobs_client::JobsClient;
use pagemill_proto::v1::workers_client::WorkersClient;
use pagemill_test_services::Authority;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tonic::Code;
use tonic::transport::Channel;

use crate::{Guarded, cluster, files, with_token, write_tokens};

/// Longer than files are left unlooked at.
const FOLLOWED: Duration = Duration::from_millis(1_200);

async fn lists_jobs(channel: Channel, caller: &str) -> Result<(), Code> {
    let request = with_token(v1::ListJobsRequest::default(), Some(caller));
    JobsClient::new(channel).list(request).await.map(drop).map_err(|status| status.code())
}

async fn opens_session(channel: Channel) -> Result<(), Code> {
    let request = with_token(tokio_stream::iter([v1::SessionRequest { part: None }]), Some("worker"));
    WorkersClient::new(channel).session(request).await.map(drop).map_err(|status| status.code())
}

#[tokio::test]
async fn connections_are_encrypted_and_workers_show_a_certificate() {
    let authority = Authority::new();
    let guarded = Guarded::start(Some(&authority)).await;
    // In clear, and to somebody who trusts another authority: no.
    let plain = Channel::from_shared(format!("http://{}", guarded.grpc)).unwrap().connect().await;
    match plain {
        Ok(channel) => assert!(lists_jobs(channel, "viewer").await.is_err()),
        Err(refused) => drop(refused),
    }
    assert!(guarded.secure(&Authority::new(), None).await.is_err());

    let channel = guarded.secure(&authority, None).await.unwrap();
    assert_eq!(lists_jobs(channel.clone(), "viewer").await, Ok(()));
    assert_eq!(lists_jobs(channel.clone(), "nobody").await, Err(Code::Unauthenticated));
    assert_eq!(opens_session(channel).await, Err(Code::PermissionDenied));
    let certified = guarded.secure(&authority, Some("worker-7")).await.unwrap();
    // The first message is no hello: it got as far as that.
    assert_ne!(opens_session(certified).await, Err(Code::PermissionDenied));

    // A certificate that another authority signed ends the handshake.
    let stranger = Authority::new();
    stranger.sign("stranger", guarded.folder.path());
    let identity = tonic::transport::Identity::from_pem(
        std::fs::read(guarded.file("stranger.crt")).unwrap(),
        std::fs::read(guarded.file("stranger.key")).unwrap(),
    );
    let config = tonic::transport::ClientTlsConfig::new()
        .ca_certificate(tonic::transport::Certificate::from_pem(authority.certificate()))
        .domain_name("localhost")
        .identity(identity);
    let endpoint =
        Channel::from_shared(format!("https://{}", guarded.grpc)).unwrap().tls_config(config).unwrap();
    if let Ok(channel) = endpoint.connect().await {
        assert!(lists_jobs(channel, "viewer").await.is_err());
    }
}

#[tokio::test]
async fn http_is_encrypted_too() {
    let authority = Authority::new();
    let guarded = Guarded::start(Some(&authority)).await;
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.certificate().as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    let stream = TcpStream::connect(guarded.http).await.unwrap();
    let mut stream = connector.connect(ServerName::try_from("localhost").unwrap(), stream).await.unwrap();
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer));
}

#[tokio::test]
async fn new_certificates_serve_without_a_restart() {
    let (old, new) = (Authority::new(), Authority::new());
    let guarded = Guarded::start(Some(&old)).await;
    let running = guarded.secure(&old, None).await.unwrap();
    assert!(guarded.secure(&new, None).await.is_err());

    // Half of a pair changes nothing.
    let key = std::fs::read(guarded.file("server.key")).unwrap();
    new.sign("server", guarded.folder.path());
    let new_key = std::fs::read(guarded.file("server.key")).unwrap();
    std::fs::write(guarded.file("server.key"), &key).unwrap();
    tokio::time::sleep(FOLLOWED).await;
    assert!(guarded.secure(&new, None).await.is_err());
    assert!(guarded.secure(&old, None).await.is_ok());

    std::fs::write(guarded.file("server.key"), new_key).unwrap();
    tokio::time::sleep(FOLLOWED).await;
    let channel = guarded.secure(&new, None).await.unwrap();
    assert_eq!(lists_jobs(channel, "viewer").await, Ok(()));
    assert_eq!(lists_jobs(running, "viewer").await, Ok(()), "a running connection goes on");
}

#[tokio::test]
async fn a_token_that_is_withdrawn_ends_at_once() {
    let guarded = Guarded::start(None).await;
    let channel = guarded.plain().await;
    assert_eq!(lists_jobs(channel.clone(), "viewer").await, Ok(()));
    write_tokens(&guarded.file("tokens.toml"), &[("operator", "a", "operator")]);
    tokio::time::sleep(FOLLOWED).await;
    assert_eq!(lists_jobs(channel.clone(), "viewer").await, Err(Code::Unauthenticated));
    assert_eq!(lists_jobs(channel.clone(), "operator").await, Ok(()));
    // A slip in the table locks nobody out.
    std::fs::write(guarded.file("tokens.toml"), "[[token]]\nname = 3").unwrap();
    tokio::time::sleep(FOLLOWED).await;
    assert_eq!(lists_jobs(channel, "operator").await, Ok(()));
}

#[tokio::test]
async fn beyond_this_machine_it_takes_tokens_and_tls() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    authority.sign("server", folder.path());
    authority.write(folder.path());
    write_tokens(&folder.path().join("tokens.toml"), &[("admin", "a", "admin")]);
    let everywhere = SocketAddr::from(([0, 0, 0, 0], 0));
    let bind = async |tokens: bool, tls: bool, allow_plaintext: bool| {
        let tokens_file = tokens.then(|| folder.path().join("tokens.toml"));
        let config = ServeConfig {
            coordinator: cluster::config("exposed"),
            grpc_listen: everywhere,
            http_listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            access: Access::new(AccessConfig { tokens_file, ..AccessConfig::default() }).unwrap(),
            tls: tls.then(|| Tls::read(files(folder.path())).unwrap()),
            allow_plaintext,
        };
        Server::bind(config, cluster::backends(&folder).await).await.map(drop)
    };
    assert!(matches!(bind(false, true, true).await, Err(ServeError::Exposed(_))));
    assert!(matches!(bind(true, false, false).await, Err(ServeError::Plaintext(_))));
    assert!(bind(true, false, true).await.is_ok());
    assert!(bind(true, true, false).await.is_ok());
}
