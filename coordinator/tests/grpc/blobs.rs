//! Uploads and deliveries over a real connection.

use std::sync::Arc;

use bytes::Bytes;
use pagemill_backends::blobs::{BlobOptions, connect};
use pagemill_domain::hash::ContentHash;
use pagemill_domain::job::{NewJob, Urgency};
use pagemill_domain::recipe::Recipe;
use pagemill_proto::v1;
use pagemill_proto::v1::artifacts_client::ArtifactsClient;
use pagemill_proto::v1::sources_client::SourcesClient;
use pagemill_proto::v1::upload_request::Part;
use tonic::{Code, Status};

use crate::cluster::{Cluster, artifact_text, backends, open_request};

/// A cluster whose blobs are a shared folder.
async fn start() -> Cluster {
    let folder = tempfile::tempdir().unwrap();
    let shared = folder.path().join("blobs");
    std::fs::create_dir(&shared).unwrap();
    let options = BlobOptions::new(folder.path().join("cache"));
    let blobs = connect(&format!("file:{}", shared.display()), options).await.unwrap();
    let mut backends = backends(&folder).await;
    backends.blobs = Arc::clone(&blobs);
    Cluster::over(backends, folder).await
}

fn parts(hash: ContentHash, bytes: u64, pieces: &[&[u8]]) -> Vec<v1::UploadRequest> {
    let header = Part::Header(v1::UploadHeader { hash: hash.to_string(), bytes });
    let pieces = pieces.iter().map(|piece| Part::Piece(Bytes::copy_from_slice(piece)));
    std::iter::once(header).chain(pieces).map(|part| v1::UploadRequest { part: Some(part) }).collect()
}

async fn upload(cluster: &Cluster, parts: Vec<v1::UploadRequest>) -> Result<bool, Status> {
    let mut sources = SourcesClient::new(cluster.channel.clone());
    let answer = sources.upload(futures::stream::iter(parts)).await?;
    Ok(answer.into_inner().known)
}

async fn missing(cluster: &Cluster, hashes: Vec<String>) -> Result<Vec<String>, Status> {
    let mut sources = SourcesClient::new(cluster.channel.clone());
    Ok(sources.missing(v1::MissingRequest { hashes }).await?.into_inner().hashes)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_is_uploaded_and_then_submitted() {
    let mut cluster = start().await;
    let hash = ContentHash::of(b"a scan");
    let add = |job| {
        let location = Some(v1::new_source::Location::Blob(hash.to_string()));
        let source = v1::NewSource { path: "a.tif".into(), location, bytes: 6, ..Default::default() };
        v1::AddSourcesRequest { job, sources: vec![source] }
    };
    let job = cluster.jobs.open(open_request("job")).await.unwrap().into_inner().id;
    let refused = cluster.jobs.add_sources(add(job)).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition, "{refused}");
    assert_eq!(missing(&cluster, vec![hash.to_string()]).await.unwrap(), [hash.to_string()]);
    // A sum that does not fit is found, and so is an upload that breaks off.
    for pieces in [[b"a s".as_slice(), b"cam"], [b"a s", b""], [b"a scan", b" "]] {
        let refused = upload(&cluster, parts(hash, 6, &pieces)).await.unwrap_err();
        assert_eq!(refused.code(), Code::DataLoss, "{refused}");
    }
    assert!(!upload(&cluster, parts(hash, 6, &[b"a s", b"can"])).await.unwrap());
    assert!(upload(&cluster, parts(hash, 6, &[b"a s", b"can"])).await.unwrap());
    assert!(missing(&cluster, vec![hash.to_string()]).await.unwrap().is_empty());
    cluster.jobs.add_sources(add(job)).await.unwrap();
    let many = vec![hash.to_string(); 10_001];
    assert_eq!(missing(&cluster, many).await.unwrap_err().code(), Code::ResourceExhausted);
    assert_eq!(missing(&cluster, vec!["x".into()]).await.unwrap_err().code(), Code::InvalidArgument);
}

async fn fetch(cluster: &Cluster, job: i64, name: &str, offset: u64) -> Result<Vec<u8>, Status> {
    let request = v1::FetchRequest { job, name: name.into(), offset };
    let mut pieces = ArtifactsClient::new(cluster.channel.clone()).fetch(request).await?.into_inner();
    let mut bytes = Vec::new();
    while let Some(piece) = pieces.message().await? {
        bytes.extend_from_slice(&piece.piece);
    }
    Ok(bytes)
}

#[tokio::test(flavor = "multi_thread")]
async fn artifacts_are_listed_in_pages_and_fetched_from_any_offset() {
    let mut cluster = start().await;
    cluster.start_worker();
    let job = cluster.submit("job", &["a.tif", "b.tif", "c.tif"]).await.id;
    cluster.watch(job).await;
    let mut artifacts = ArtifactsClient::new(cluster.channel.clone());
    let (mut names, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = v1::ListArtifactsRequest { job, page_size: 2, page_token };
        let page = artifacts.list(request).await.unwrap().into_inner();
        assert!(page.artifacts.len() <= 2);
        names.extend(page.artifacts.into_iter().map(|artifact| {
            let text = artifact_text(&artifact.name);
            assert_eq!(artifact.bytes, text.len() as u64);
            assert_eq!(artifact.hash, ContentHash::of(&text).to_string());
            assert_eq!(artifact.format, "txt");
            artifact.name
        }));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    names.sort();
    assert_eq!(names, ["a.txt", "b.txt", "c.txt"]);
    let text = artifact_text("b.txt");
    for offset in [0, 1, 700_000, text.len()] {
        let rest = fetch(&cluster, job, "b.txt", offset as u64).await.unwrap();
        assert!(rest == text[offset..], "from {offset}");
    }
    let refusals = [
        (fetch(&cluster, job, "b.txt", text.len() as u64 + 1).await, Code::InvalidArgument),
        (fetch(&cluster, job, "../b.txt", 0).await, Code::NotFound),
        (fetch(&cluster, job, "", 0).await, Code::NotFound),
        (fetch(&cluster, 4_711, "b.txt", 0).await, Code::NotFound),
    ];
    for (refused, code) in refusals {
        assert_eq!(refused.unwrap_err().code(), code);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn artifacts_of_another_tenant_do_not_exist() {
    let cluster = start().await;
    let foreign = NewJob {
        tenant: "somebody-else".into(),
        key: "job".into(),
        recipe: Recipe::default(),
        urgency: Urgency::default(),
        now_unix_seconds: 1,
        reopen: false,
    };
    let job = cluster.backends.store.open_job(&foreign).await.unwrap().0;
    let request = v1::ListArtifactsRequest { job, ..Default::default() };
    let listed = ArtifactsClient::new(cluster.channel.clone()).list(request).await.unwrap_err();
    let fetched = fetch(&cluster, job, "a.txt", 0).await.unwrap_err();
    for refused in [listed, fetched] {
        assert_eq!(
            (refused.code(), refused.message()),
            (Code::NotFound, format!("there is no job {job}").as_str())
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_artifact_is_never_whole() {
    let mut cluster = start().await;
    cluster.start_worker();
    let job = cluster.submit("job", &["a.tif"]).await.id;
    cluster.watch(job).await;
    let hash = ContentHash::of(&artifact_text("a.txt")).to_string();
    let path = cluster.folder.path().join(format!("blobs/artifacts/{}/{hash}", &hash[..2]));
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[500_000] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    assert_eq!(fetch(&cluster, job, "a.txt", 0).await.unwrap_err().code(), Code::DataLoss);
}
