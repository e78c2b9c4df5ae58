//! What all blobs promise, and what those of a cluster promise besides.

use std::io::Write;
use std::sync::Arc;

use bytes::Bytes;
use futures::TryStreamExt;
use pagemill_domain::hash::ContentHash;
use pagemill_domain::outcome::Artifact;
use pagemill_domain::recipe::Format;
use pagemill_domain::shard::{ResultRef, SourceLocation};

use super::bucket::PART_BYTES;
use super::{BlobError, Blobs};

mod mapped;

/// What every kind of blobs promises.
pub(super) async fn run(blobs: &dyn Blobs) {
    results_come_back_and_are_checked(blobs).await;
    artifacts_appear_whole_or_not_at_all(blobs).await;
    artifacts_are_read_from_any_offset(blobs).await;
    no_name_leads_out(blobs).await;
}

/// What those of a cluster promise besides. They must be empty.
pub(super) async fn run_cluster(blobs: &Arc<dyn Blobs>) {
    sources_arrive_whole_or_not_at_all(blobs.as_ref()).await;
    each_tenant_has_its_own_sources(blobs.as_ref()).await;
    large_blobs_go_in_parts(blobs.as_ref()).await;
    many_may_put_the_same(blobs).await;
    artifacts_are_what_their_hash_says(blobs.as_ref()).await;
    mapped::pages_are_fetched_alone(blobs.as_ref()).await;
    mapped::a_page_that_is_not_what_was_mapped_is_not_served(blobs.as_ref()).await;
}

pub(super) fn result(blob: ContentHash, bytes: &[u8]) -> ResultRef {
    ResultRef { blob, offset: 0, length: bytes.len() as u64, hash: ContentHash::of(bytes) }
}

async fn results_come_back_and_are_checked(blobs: &dyn Blobs) {
    let blob = blobs.put_result(b"first second".to_vec()).await.unwrap();
    assert_eq!(blob, blobs.put_result(b"first second".to_vec()).await.unwrap());
    let second = ResultRef { blob, offset: 6, length: 6, hash: ContentHash::of(b"second") };
    assert_eq!(blobs.get_result(&second).await.unwrap(), b"second");
    let wrong = ResultRef { hash: ContentHash::of(b"other"), ..second.clone() };
    assert!(matches!(blobs.get_result(&wrong).await, Err(BlobError::Damaged(_))));
    for (offset, length) in [(100, 6), (6, 100), (u64::MAX, 2), (0, u64::MAX)] {
        let beyond = ResultRef { offset, length, ..second.clone() };
        let answer = blobs.get_result(&beyond).await;
        assert!(matches!(answer, Err(BlobError::Damaged(_))), "{offset} {length}: {answer:?}");
    }
}

fn artifact(bytes: &[u8]) -> Artifact {
    Artifact {
        format: Format::Pdf,
        name: "folder/doc.pdf".into(),
        bytes: bytes.len() as u64,
        hash: ContentHash::of(bytes),
    }
}

async fn commit(blobs: &dyn Blobs, bytes: &[u8]) -> Result<(), BlobError> {
    let mut staging = blobs.stage_artifact().await.unwrap();
    staging.file().write_all(bytes).unwrap();
    blobs.commit_artifact(staging, "folder/doc.pdf", ContentHash::of(bytes)).await
}

async fn artifacts_appear_whole_or_not_at_all(blobs: &dyn Blobs) {
    let mut staging = blobs.stage_artifact().await.unwrap();
    staging.file().write_all(b"a document").unwrap();
    assert_eq!(blobs.artifact_bytes(&artifact(b"a document")).await.unwrap(), None);
    let hash = ContentHash::of(b"a document");
    blobs.commit_artifact(staging, "folder/doc.pdf", hash).await.unwrap();
    assert_eq!(blobs.artifact_bytes(&artifact(b"a document")).await.unwrap(), Some(10));
    commit(blobs, b"newer").await.unwrap();
    assert_eq!(blobs.artifact_bytes(&artifact(b"newer")).await.unwrap(), Some(5));
    blobs.remove_artifact("folder/doc.pdf").await.unwrap();
    blobs.remove_artifact("folder/doc.pdf").await.unwrap();
}

async fn read(blobs: &dyn Blobs, artifact: &Artifact, offset: u64) -> Result<Vec<u8>, BlobError> {
    let pieces: Vec<Bytes> = blobs.read_artifact(artifact, offset).await?.try_collect().await?;
    Ok(pieces.concat())
}

async fn artifacts_are_read_from_any_offset(blobs: &dyn Blobs) {
    let bytes: Vec<u8> = (0..1_000_000_u32).map(|i| (i % 251) as u8).collect();
    commit(blobs, &bytes).await.unwrap();
    let artifact = artifact(&bytes);
    for offset in [0, 1, 300_000, 999_999, 1_000_000, 2_000_000] {
        let rest = bytes.get(offset..).unwrap_or_default();
        assert!(read(blobs, &artifact, offset as u64).await.unwrap() == rest, "from {offset}");
    }
}

async fn no_name_leads_out(blobs: &dyn Blobs) {
    for name in ["../up.pdf", "/etc/passwd", "a/../../b", "", "nul\0.pdf"] {
        let staging = blobs.stage_artifact().await.unwrap();
        let refused = blobs.commit_artifact(staging, name, ContentHash::of(b"")).await;
        assert!(matches!(refused, Err(BlobError::UnsafeName(_))), "{name:?}");
    }
}

async fn upload(blobs: &dyn Blobs, tenant: &str, bytes: &[u8]) -> Result<ContentHash, BlobError> {
    let hash = ContentHash::of(bytes);
    let mut upload = blobs.begin_upload(tenant, hash, bytes.len() as u64).await?;
    for piece in bytes.chunks(300_000) {
        upload.write(Bytes::copy_from_slice(piece)).await?;
    }
    upload.finish().await?;
    Ok(hash)
}

async fn open(blobs: &dyn Blobs, tenant: &str, hash: ContentHash) -> Result<Vec<u8>, BlobError> {
    let location = SourceLocation::Blob { tenant: tenant.into(), hash };
    let mut opened = blobs.open_source(&location, None).await?;
    assert!(opened.hash_checked);
    let mut bytes = Vec::new();
    std::io::Read::read_to_end(&mut opened.file, &mut bytes).unwrap();
    Ok(bytes)
}

async fn sources_arrive_whole_or_not_at_all(blobs: &dyn Blobs) {
    let hash = ContentHash::of(b"scan");
    let other = ContentHash::of(b"other");
    for (announced, bytes, sent) in
        [(hash, 4, "sca"), (hash, 4, "scan!"), (hash, 3, "sca"), (other, 4, "scan"), (hash, 5, "scan")]
    {
        let mut upload = blobs.begin_upload("a", announced, bytes).await.unwrap();
        let written = upload.write(Bytes::from(sent)).await;
        let refused = match written {
            Ok(()) => upload.finish().await,
            refused => refused,
        };
        assert!(matches!(refused, Err(BlobError::Damaged(_))), "{announced} {bytes} {sent}: {refused:?}");
    }
    let mut broken_off = blobs.begin_upload("a", hash, 4).await.unwrap();
    broken_off.write(Bytes::from("sc")).await.unwrap();
    drop(broken_off);
    assert_eq!(blobs.missing_sources("a", &[hash, other]).await.unwrap(), [hash, other]);
    assert!(matches!(open(blobs, "a", hash).await, Err(BlobError::Missing(_))));
    upload(blobs, "a", b"scan").await.unwrap();
    upload(blobs, "a", b"scan").await.unwrap();
    assert_eq!(blobs.missing_sources("a", &[hash, other]).await.unwrap(), [other]);
    assert_eq!(open(blobs, "a", hash).await.unwrap(), b"scan");
}

async fn each_tenant_has_its_own_sources(blobs: &dyn Blobs) {
    let hash = upload(blobs, "first", b"private").await.unwrap();
    assert_eq!(open(blobs, "first", hash).await.unwrap(), b"private");
    assert_eq!(blobs.missing_sources("second", &[hash]).await.unwrap(), [hash]);
    assert!(matches!(open(blobs, "second", hash).await, Err(BlobError::Missing(_))));
    for tenant in ["..", "first/..", ""] {
        assert!(matches!(blobs.missing_sources(tenant, &[hash]).await, Err(BlobError::BadTenant(_))));
        assert!(matches!(upload(blobs, tenant, b"x").await, Err(BlobError::BadTenant(_))));
        assert!(matches!(open(blobs, tenant, hash).await, Err(BlobError::BadTenant(_))));
    }
}

async fn large_blobs_go_in_parts(blobs: &dyn Blobs) {
    let bytes: Vec<u8> = (0..2 * PART_BYTES + 12_345).map(|i| (i / 1_000) as u8).collect();
    let hash = upload(blobs, "a", &bytes).await.unwrap();
    assert!(open(blobs, "a", hash).await.unwrap() == bytes);
    commit(blobs, &bytes).await.unwrap();
    commit(blobs, &bytes).await.unwrap();
    let artifact = artifact(&bytes);
    assert_eq!(blobs.artifact_bytes(&artifact).await.unwrap(), Some(bytes.len() as u64));
    assert!(read(blobs, &artifact, 0).await.unwrap() == bytes);
}

async fn many_may_put_the_same(blobs: &Arc<dyn Blobs>) {
    let bytes = vec![7; 100_000];
    let puts = (0..16).map(|_| {
        let (blobs, bytes) = (blobs.clone(), bytes.clone());
        tokio::spawn(async move {
            upload(blobs.as_ref(), "a", &bytes).await?;
            commit(blobs.as_ref(), &bytes).await?;
            blobs.put_result(bytes).await
        })
    });
    let hash = ContentHash::of(&bytes);
    for put in futures::future::join_all(puts).await {
        assert_eq!(put.unwrap().unwrap(), hash);
    }
    assert!(blobs.get_result(&result(hash, &bytes)).await.unwrap() == bytes);
    assert!(open(blobs.as_ref(), "a", hash).await.unwrap() == bytes);
}

async fn artifacts_are_what_their_hash_says(blobs: &dyn Blobs) {
    for bytes in [vec![1; 10], vec![1; PART_BYTES as usize + 1]] {
        let mut staging = blobs.stage_artifact().await.unwrap();
        staging.file().write_all(&bytes).unwrap();
        let wrong = Artifact { hash: ContentHash::of(b"wrong"), ..artifact(&bytes) };
        let refused = blobs.commit_artifact(staging, "doc.pdf", wrong.hash).await;
        assert!(matches!(refused, Err(BlobError::Damaged(_))), "{refused:?}");
        assert_eq!(blobs.artifact_bytes(&wrong).await.unwrap(), None);
        assert!(matches!(blobs.read_artifact(&wrong, 0).await.map(drop), Err(BlobError::Missing(_))));
    }
}
