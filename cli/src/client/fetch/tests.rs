//! Fetching from a coordinator that breaks off, lies, and would lead out of the folder.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures::stream::BoxStream;
use pagemill_proto::v1::artifacts_server::{Artifacts, ArtifactsServer};
use tempfile::TempDir;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status};

use super::*;
use crate::settings::Settings;

/// An artifact and its bytes.
type Held = (v1::Artifact, Vec<u8>);

/// Artifacts with their bytes, in one page each.
#[derive(Default, Clone)]
struct Delivered {
    artifacts: Arc<Mutex<Vec<Held>>>,
    /// Streams that break off after half of what they should send.
    breaks: Arc<AtomicU32>,
    fetches: Arc<AtomicU32>,
}

impl Delivered {
    fn add(&self, name: &str, bytes: &[u8]) {
        let artifact = v1::Artifact {
            name: name.into(),
            format: "txt".into(),
            bytes: bytes.len() as u64,
            hash: ContentHash::of(bytes).to_string(),
            document: 1,
        };
        self.artifacts.lock().unwrap().push((artifact, bytes.to_vec()));
    }
}

#[tonic::async_trait]
impl Artifacts for Delivered {
    type FetchStream = BoxStream<'static, Result<v1::FetchResponse, Status>>;

    async fn list(
        &self,
        request: Request<v1::ListArtifactsRequest>,
    ) -> Result<Response<v1::ListArtifactsResponse>, Status> {
        let index: usize = request.get_ref().page_token.parse().unwrap_or(0);
        let artifacts = self.artifacts.lock().unwrap();
        let page = artifacts.get(index).map(|(artifact, _)| artifact.clone());
        let next_page_token =
            if index + 1 < artifacts.len() { (index + 1).to_string() } else { String::new() };
        Ok(Response::new(v1::ListArtifactsResponse {
            artifacts: page.into_iter().collect(),
            next_page_token,
        }))
    }

    async fn fetch(&self, request: Request<v1::FetchRequest>) -> Result<Response<Self::FetchStream>, Status> {
        self.fetches.fetch_add(1, Ordering::Relaxed);
        let request = request.into_inner();
        let artifacts = self.artifacts.lock().unwrap();
        let found = artifacts.iter().find(|(artifact, _)| artifact.name == request.name);
        let (_, bytes) = found.ok_or_else(|| Status::not_found("no such artifact"))?;
        let rest = &bytes[request.offset as usize..];
        let breaks =
            self.breaks.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        let sent = if breaks.is_ok() { rest.len() / 2 } else { rest.len() };
        let piece = |piece: &[u8]| Ok(v1::FetchResponse { piece: Bytes::copy_from_slice(piece) });
        let mut pieces: Vec<_> = rest[..sent].chunks(1_000).map(piece).collect();
        if breaks.is_ok() {
            pieces.push(Err(Status::unavailable("this coordinator stops")));
        }
        Ok(Response::new(futures::stream::iter(pieces).boxed()))
    }
}

struct Scene {
    delivered: Delivered,
    cluster: Cluster,
    folder: TempDir,
}

impl Scene {
    async fn new() -> Self {
        let delivered = Delivered::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let coordinator_url = format!("http://{}", listener.local_addr().unwrap());
        let server = tonic::transport::Server::builder().add_service(ArtifactsServer::new(delivered.clone()));
        tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
        let settings = Settings { coordinator_url, ..Settings::default() };
        let folder = tempfile::tempdir().unwrap();
        Self { delivered, cluster: Cluster::new(&settings).unwrap(), folder }
    }

    fn out(&self) -> PathBuf {
        self.folder.path().join("out")
    }

    async fn fetch(&self) -> Result<u64, Failure> {
        let output = OutputFolder::open(&self.out())?;
        fetch(&self.cluster, 1, &output, &|_, _| {}).await
    }

    async fn check(&self) -> Vec<String> {
        let mut bad = Vec::new();
        check(&self.cluster, 1, &mut |name, _| bad.push(name.to_owned())).await.unwrap();
        bad
    }
}

#[tokio::test]
async fn a_fetch_goes_on_where_it_broke_off() {
    let scene = Scene::new().await;
    let bytes: Vec<u8> = (0..100_000_u32).map(|number| number as u8).collect();
    scene.delivered.add("folder/a.txt", &bytes);
    scene.delivered.add("b.txt", b"");
    scene.delivered.breaks.store(2, Ordering::Relaxed);
    assert_eq!(scene.fetch().await.unwrap(), 2);
    assert!(fs::read(scene.out().join("folder/a.txt")).unwrap() == bytes);
    assert_eq!(fs::read(scene.out().join("b.txt")).unwrap(), b"");
    assert_eq!(scene.delivered.fetches.load(Ordering::Relaxed), 3);
    // What is there already is not fetched again.
    assert_eq!(scene.fetch().await.unwrap(), 2);
    assert_eq!(scene.delivered.fetches.load(Ordering::Relaxed), 3);
    assert_eq!(scene.check().await, Vec::<String>::new());
}

#[tokio::test]
async fn what_was_delivered_anew_replaces_what_was_fetched_but_nothing_of_others() {
    let scene = Scene::new().await;
    scene.delivered.add("a.txt", b"first");
    scene.fetch().await.unwrap();
    scene.delivered.artifacts.lock().unwrap().clear();
    scene.delivered.add("a.txt", b"second");
    scene.fetch().await.unwrap();
    assert_eq!(fs::read(scene.out().join("a.txt")).unwrap(), b"second");
    fs::write(scene.out().join("mine.txt"), b"mine").unwrap();
    scene.delivered.add("mine.txt", b"theirs");
    let refused = scene.fetch().await.unwrap_err();
    assert!(matches!(refused, Failure::OutputTaken(_)), "{refused}");
    assert_eq!(fs::read(scene.out().join("mine.txt")).unwrap(), b"mine");
}

#[tokio::test]
async fn other_bytes_than_the_list_says_do_not_get_a_name() {
    let scene = Scene::new().await;
    scene.delivered.add("a.txt", b"right");
    scene.delivered.add("long.txt", b"long");
    scene.delivered.artifacts.lock().unwrap()[0].1 = b"wrong".to_vec();
    scene.delivered.artifacts.lock().unwrap()[1].1 = b"longer than it should be".to_vec();
    let refused = scene.fetch().await.unwrap_err();
    assert!(refused.to_string().contains("a.txt"), "{refused}");
    assert!(!scene.out().join("a.txt").exists());
    assert_eq!(scene.check().await, ["a.txt", "long.txt"]);
    // The next try is not spoilt by the last one.
    scene.delivered.artifacts.lock().unwrap()[0].1 = b"right".to_vec();
    scene.delivered.artifacts.lock().unwrap()[1].1 = b"long".to_vec();
    assert_eq!(scene.fetch().await.unwrap(), 2);
}

#[tokio::test]
async fn no_name_leads_out_of_the_folder() {
    for name in ["../out.txt", "/out.txt", "a/../../out.txt", ".pagemill/lock", "report.json", "a\n.txt"] {
        let scene = Scene::new().await;
        scene.delivered.add(name, b"harm");
        let refused = scene.fetch().await.unwrap_err();
        assert!(matches!(refused, Failure::CoordinatorFailed(_)), "{name:?}: {refused}");
        assert_eq!(scene.delivered.fetches.load(Ordering::Relaxed), 0);
    }
}
