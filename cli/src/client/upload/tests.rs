//! Uploading to a coordinator that breaks off.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use pagemill_domain::shard::FileStamp;
use pagemill_proto::v1::sources_server::{Sources, SourcesServer};
use tempfile::TempDir;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status, Streaming};

use super::*;
use crate::settings::Settings;

/// Holds hashes, and checks what comes.
#[derive(Default, Clone)]
struct Held {
    hashes: Arc<Mutex<HashSet<String>>>,
    /// Uploads that break off after their first piece.
    breaks: Arc<AtomicU32>,
    uploads: Arc<AtomicU32>,
}

#[tonic::async_trait]
impl Sources for Held {
    async fn missing(
        &self,
        request: Request<v1::MissingRequest>,
    ) -> Result<Response<v1::MissingResponse>, Status> {
        let held = self.hashes.lock().unwrap();
        let hashes = request.into_inner().hashes.into_iter().filter(|hash| !held.contains(hash)).collect();
        Ok(Response::new(v1::MissingResponse { hashes }))
    }

    async fn upload(
        &self,
        request: Request<Streaming<v1::UploadRequest>>,
    ) -> Result<Response<v1::UploadResponse>, Status> {
        self.uploads.fetch_add(1, Ordering::Relaxed);
        let breaks =
            self.breaks.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        let (mut parts, mut bytes, mut announced) = (request.into_inner(), Vec::new(), None);
        while let Some(part) = parts.message().await? {
            match part.part.unwrap() {
                Part::Header(header) => announced = Some(header),
                Part::Piece(_) if breaks.is_ok() => {
                    return Err(Status::unavailable("this coordinator stops"));
                }
                Part::Piece(piece) => bytes.extend_from_slice(&piece),
            }
        }
        let hash = ContentHash::of(&bytes).to_string();
        let announced = announced.unwrap();
        if (&announced.hash, announced.bytes) != (&hash, bytes.len() as u64) {
            return Err(Status::data_loss("another sum"));
        }
        self.hashes.lock().unwrap().insert(hash);
        Ok(Response::new(v1::UploadResponse { known: false }))
    }
}

async fn scene() -> (Held, Cluster, TempDir) {
    let held = Held::default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let coordinator_url = format!("http://{}", listener.local_addr().unwrap());
    let server = tonic::transport::Server::builder().add_service(SourcesServer::new(held.clone()));
    tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
    let settings = Settings { coordinator_url, ..Settings::default() };
    (held, Cluster::new(&settings).unwrap(), tempfile::tempdir().unwrap())
}

fn listed(path: PathBuf) -> ListedSource {
    let stamp = FileStamp { bytes: 0, modified_ns: 0, inode: 0 };
    ListedSource { path, name: String::new(), folder: String::new(), stamp }
}

#[tokio::test]
async fn each_content_is_sent_once_and_again_where_it_broke_off() {
    let (held, cluster, folder) = scene().await;
    let contents = [vec![1; 1_000_000], vec![2; 10], vec![1; 1_000_000], Vec::new()];
    let mut sources = Vec::new();
    for (number, bytes) in contents.iter().enumerate() {
        let path = folder.path().join(number.to_string());
        std::fs::write(&path, bytes).unwrap();
        sources.push(listed(path));
    }
    held.breaks.store(2, Ordering::Relaxed);
    let uploaded = AtomicU64::new(0);
    let count = |bytes| {
        uploaded.fetch_add(bytes, Ordering::Relaxed);
    };
    let hashes = upload(&cluster, &sources, &count).await.unwrap();
    let expected: Vec<ContentHash> = contents.iter().map(|bytes| ContentHash::of(bytes)).collect();
    assert_eq!(hashes, expected);
    assert_eq!(held.hashes.lock().unwrap().len(), 3);
    assert_eq!(uploaded.load(Ordering::Relaxed), 2_000_010);
    let uploads = held.uploads.load(Ordering::Relaxed);
    assert_eq!(upload(&cluster, &sources, &count).await.unwrap(), expected);
    assert_eq!(held.uploads.load(Ordering::Relaxed), uploads);
}

#[tokio::test]
async fn a_file_that_can_not_be_read_is_named() {
    let (held, cluster, folder) = scene().await;
    let gone = folder.path().join("gone.tif");
    let failed = upload(&cluster, &[listed(gone.clone())], &|_| {}).await.unwrap_err();
    assert!(matches!(failed, Failure::InputUnreadable { ref path, .. } if *path == gone), "{failed}");
    assert_eq!(held.uploads.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn a_file_that_changes_meanwhile_is_named() {
    let (_held, cluster, folder) = scene().await;
    let path = folder.path().join("growing.tif");
    std::fs::write(&path, b"now this").unwrap();
    for hashed in [
        Hashed { path: path.clone(), bytes: 8, hash: ContentHash::of(b"was that") },
        Hashed { path: path.clone(), bytes: 9, hash: ContentHash::of(b"was longer") },
    ] {
        let failed = send(&cluster, &hashed).await.unwrap_err();
        assert!(matches!(failed, Failure::InputUnreadable { .. }), "{failed}");
    }
}
