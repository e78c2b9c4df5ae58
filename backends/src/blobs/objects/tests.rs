//! The blobs of a cluster against a real S3 server and a shared folder.

use std::io::{Read, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use object_store::{ObjectStore, ObjectStoreExt};
use pagemill_domain::recipe::Format;
use pagemill_test_services::{S3, shared};

use super::*;
use crate::blobs::conformance;
use crate::blobs::connect::{BlobOptions, S3Settings, connect, s3};
use crate::blobs::sweep::{Swept, sweep_orphans};

/// How long anything may take when the store is away.
const PATIENCE: Duration = Duration::from_secs(30);

fn options(cache: &Path, server: &S3) -> BlobOptions {
    BlobOptions {
        s3: S3Settings(server.env()),
        idle_timeout: Duration::from_secs(2),
        ..BlobOptions::new(cache.into())
    }
}

async fn connected(url: &str, cache: &Path, server: &S3) -> Arc<dyn Blobs> {
    connect(url, options(cache, server)).await.unwrap()
}

/// What lies in the bucket itself, whoever put it there.
fn raw(url: &str, server: &S3) -> Arc<dyn ObjectStore> {
    s3(&url.parse().unwrap(), &options("unused".as_ref(), server)).unwrap()
}

async fn keys(store: &dyn ObjectStore) -> Vec<String> {
    let objects: Vec<_> = store.list(None).try_collect().await.unwrap();
    objects.into_iter().map(|object| object.location.to_string()).collect()
}

fn text(mut opened: OpenedSource) -> String {
    let mut text = String::new();
    opened.file.read_to_string(&mut text).unwrap();
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_keeps_the_promises_of_blobs() {
    let cache = tempfile::tempdir().unwrap();
    let server = shared::s3();
    let url = server.fresh_bucket_url();
    // Nothing is killed here: a busy machine may take its time.
    let patient = BlobOptions { idle_timeout: PATIENCE, ..options(cache.path(), server) };
    let blobs = connect(&format!("{url}/some/prefix"), patient).await.unwrap();
    conformance::run(blobs.as_ref()).await;
    conformance::run_cluster(&blobs).await;
    let keys = keys(raw(&url, server).as_ref()).await;
    assert!(keys.len() > 10 && keys.iter().all(|key| key.starts_with("some/prefix/")), "{keys:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shared_folder_keeps_the_promises_of_blobs() {
    let folder = tempfile::tempdir().unwrap();
    let cache = tempfile::tempdir().unwrap();
    let url = format!("file:{}", folder.path().display());
    let blobs = connect(&url, BlobOptions::new(cache.path().into())).await.unwrap();
    conformance::run(blobs.as_ref()).await;
    conformance::run_cluster(&blobs).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_not_work_is_said_at_start() {
    let cache = tempfile::tempdir().unwrap();
    let server = shared::s3();
    let url = server.fresh_bucket_url();
    let mut wrong = options(cache.path(), server);
    wrong.s3.0.push(("AWS_SECRET_ACCESS_KEY".into(), "wrong".into()));
    assert!(!format!("{wrong:?}").contains("wrong"));
    let refused = connect(&url, wrong).await.map(drop).unwrap_err();
    assert!(matches!(refused, BlobError::Refused { .. }), "{refused}");
    for url in ["s3://no-such-bucket-here", "s3://", "http://x/y", "file:not/there"] {
        let refused = connect(url, options(cache.path(), server)).await.map(drop).unwrap_err();
        assert!(matches!(refused, BlobError::Misconfigured(_) | BlobError::Io { .. }), "{url}: {refused}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_store_is_unavailable_and_takes_all_up_again() {
    let cache = tempfile::tempdir().unwrap();
    let server = S3::start();
    let url = server.fresh_bucket_url();
    let blobs = connected(&url, cache.path(), &server).await;
    let before = blobs.put_result(b"before".to_vec()).await.unwrap();
    // Puts and gets are under way when it dies.
    let working = |number: u32| {
        let blobs = blobs.clone();
        tokio::spawn(async move {
            for round in 0_u64.. {
                let bytes = vec![number as u8; 3_000_000 + round as usize];
                let put = blobs.put_result(bytes.clone()).await;
                let failed = match put {
                    Ok(hash) => blobs.get_result(&conformance::result(hash, &bytes)).await.err(),
                    Err(failed) => Some(failed),
                };
                if let Some(failed) = failed {
                    return (failed, bytes);
                }
            }
            unreachable!("the store dies")
        })
    };
    let workers: Vec<_> = (0..3).map(working).collect();
    tokio::time::sleep(Duration::from_millis(400)).await;
    server.kill();
    let killed = Instant::now();
    let mut unstored = Vec::new();
    for worker in workers {
        let (failed, bytes) = worker.await.unwrap();
        assert!(matches!(failed, BlobError::Unavailable { .. }), "{failed:?}");
        unstored.push(bytes);
    }
    assert!(killed.elapsed() < PATIENCE, "{:?}", killed.elapsed());
    // Who starts meanwhile waits for it, too.
    let other_cache = tempfile::tempdir().unwrap();
    let late = connected(&url, other_cache.path(), &server).await;
    server.restart();
    assert_eq!(late.get_result(&conformance::result(before, b"before")).await.unwrap(), b"before");
    for bytes in unstored {
        let hash = blobs.put_result(bytes.clone()).await.unwrap();
        assert!(blobs.get_result(&conformance::result(hash, &bytes)).await.unwrap() == bytes);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_falls_silent_is_unavailable() {
    let cache = tempfile::tempdir().unwrap();
    let server = S3::start();
    let blobs = connected(&server.fresh_bucket_url(), cache.path(), &server).await;
    let hash = blobs.put_result(b"before".to_vec()).await.unwrap();
    server.pause();
    // The signal has to reach it first.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let paused = Instant::now();
    let before = conformance::result(hash, b"before");
    let (put, get) = tokio::join!(blobs.put_result(b"x".to_vec()), blobs.get_result(&before));
    assert!(matches!(put, Err(BlobError::Unavailable { .. })), "{put:?}");
    assert!(matches!(get, Err(BlobError::Unavailable { .. })), "{get:?}");
    assert!(paused.elapsed() < PATIENCE, "{:?}", paused.elapsed());
    server.resume();
    assert_eq!(blobs.get_result(&before).await.unwrap(), b"before");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_byte_is_found_and_healed() {
    let cache = tempfile::tempdir().unwrap();
    let server = shared::s3();
    let url = server.fresh_bucket_url();
    let blobs = connected(&url, cache.path(), server).await;
    let hash = ContentHash::of(b"contents");
    let artifact = Artifact { format: Format::Txt, name: "a.txt".into(), bytes: 8, hash };
    let put_all = async || {
        blobs.put_result(b"contents".to_vec()).await.unwrap();
        let mut staging = blobs.stage_artifact().await.unwrap();
        staging.file().write_all(b"contents").unwrap();
        blobs.commit_artifact(staging, "a.txt", hash).await.unwrap();
        let mut upload = blobs.begin_upload("a", hash, 8).await.unwrap();
        upload.write(Bytes::from("contents")).await.unwrap();
        upload.finish().await.unwrap();
    };
    let source = SourceLocation::Blob { tenant: "a".into(), hash };
    let read_all = async || {
        let result = blobs.get_result(&conformance::result(hash, b"contents")).await.map(drop);
        let pieces = blobs.read_artifact(&artifact, 0).await.unwrap();
        let artifact = pieces.try_collect::<Vec<_>>().await.map(drop);
        let source = blobs.open_source(&source, None).await.map(drop);
        [result, artifact, source]
    };
    let names =
        [BlobName::Source { tenant: "a".into(), hash }, BlobName::Result(hash), BlobName::Artifact(hash)];
    for name in &names {
        assert!(matches!(blobs.check_blob(name).await, Err(BlobError::Missing(_))));
    }
    put_all().await;
    for name in &names {
        assert_eq!(blobs.check_blob(name).await.unwrap(), 8);
    }
    let raw = raw(&url, server);
    for key in keys(raw.as_ref()).await {
        raw.put(&key.as_str().into(), "c0ntents".into()).await.unwrap();
    }
    for name in &names {
        assert!(matches!(blobs.check_blob(name).await, Err(BlobError::Damaged(found)) if found == hash));
    }
    for found in read_all().await {
        assert!(matches!(found, Err(BlobError::Damaged(found)) if found == hash), "{found:?}");
    }
    put_all().await;
    for found in read_all().await {
        found.unwrap();
    }
}

/// Blobs that fetch "scan", and count how often they do.
struct Counting {
    blobs: ObjectBlobs,
    fetched: AtomicU32,
    _folders: [tempfile::TempDir; 2],
}

impl Counting {
    fn new(cache_bytes_max: u64) -> Arc<Self> {
        let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let local = object_store::local::LocalFileSystem::new_with_prefix(&folders[0]).unwrap();
        let blobs = ObjectBlobs {
            bucket: Bucket(Arc::new(local)),
            folder: None,
            own: None,
            roots: SourceRoots::default(),
            root_buckets: Vec::new(),
            scratch: Arc::new(Scratch::open(folders[1].path()).unwrap()),
            cache: SourceCache::new(cache_bytes_max),
            fetched: AtomicU64::new(0),
        };
        Arc::new(Self { blobs, fetched: AtomicU32::new(0), _folders: folders })
    }

    async fn open(self: Arc<Self>, hash: Option<ContentHash>) -> Result<String, BlobError> {
        let fetch = || async {
            self.fetched.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(50)).await;
            Ok(Box::pin(futures::stream::iter([Ok(Bytes::from("scan"))])) as Pieces)
        };
        self.blobs.open_fetched("s3://b/scan", hash, fetch).await.map(text)
    }

    fn fetched(&self) -> u32 {
        self.fetched.load(Ordering::Relaxed)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_is_fetched_once_however_many_want_it() {
    let source = Counting::new(1_000);
    let hash = ContentHash::of(b"scan");
    // Before its hash is known there is nothing to know it by; afterwards it is there already.
    assert_eq!(source.clone().open(None).await.unwrap(), "scan");
    let opening = (0..10).map(|_| tokio::spawn(source.clone().open(Some(hash))));
    for opened in futures::future::join_all(opening).await {
        assert_eq!(opened.unwrap().unwrap(), "scan");
    }
    assert_eq!(source.fetched(), 1);
    let changed = source.open(Some(ContentHash::of(b"other"))).await;
    assert!(matches!(changed, Err(BlobError::Damaged(_))), "{changed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_larger_than_the_cache_is_not_fetched_for_each_shard() {
    let source = Counting::new(3);
    source.clone().open(None).await.unwrap();
    for _shard in 0..10 {
        assert_eq!(source.clone().open(Some(ContentHash::of(b"scan"))).await.unwrap(), "scan");
    }
    assert_eq!(source.fetched(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn references_are_served_below_their_roots_only() {
    let cache = tempfile::tempdir().unwrap();
    let server = shared::s3();
    let (own, archive) = (server.fresh_bucket_url(), server.fresh_bucket_url());
    let foreign = raw(&archive, server);
    for key in ["in/scan 1%é.jpg", "inner/secret.jpg"] {
        foreign.put(&object_store::path::Path::parse(key).unwrap(), "scan".into()).await.unwrap();
    }
    let mut options = options(cache.path(), server);
    options.source_roots = format!("{archive}/in:{own}").parse().unwrap();
    let blobs = connect(&format!("{own}/blobs"), options).await.unwrap();
    let open = async |address: String, hash| blobs.open_source(&SourceLocation::Object(address), hash).await;
    let hash = ContentHash::of(b"scan");
    let scan = format!("{archive}/in/scan 1%é.jpg");
    let first = open(scan.clone(), None).await.unwrap();
    assert!(!first.hash_checked);
    assert_eq!(text(first), "scan");
    assert!(open(scan.clone(), Some(hash)).await.unwrap().hash_checked);
    let changed = open(scan, Some(ContentHash::of(b"other"))).await;
    assert!(matches!(changed, Err(BlobError::Damaged(_))), "{changed:?}");
    let gone = open(format!("{archive}/in/gone.jpg"), None).await;
    assert!(matches!(gone, Err(BlobError::Missing(_))), "{gone:?}");
    let outside =
        [format!("{archive}/inner/secret.jpg"), format!("{own}/blobs/results/x"), "s3://else/x".into()];
    for address in outside {
        let refused = open(address, None).await;
        assert!(matches!(refused, Err(BlobError::NotServed(_))), "{refused:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_takes_old_orphans_only() {
    let cache = tempfile::tempdir().unwrap();
    let server = shared::s3();
    let url = server.fresh_bucket_url();
    let blobs = connected(&url, cache.path(), server).await;
    let named = blobs.put_result(b"named".to_vec()).await.unwrap();
    let orphan = blobs.put_result(b"orphan".to_vec()).await.unwrap();
    let raw = raw(&url, server);
    raw.put(&"somebody/elses".into(), "x".into()).await.unwrap();
    let sweep = async |age| {
        let named = futures::stream::iter([Ok::<_, BlobError>(named)]);
        sweep_orphans(blobs.as_ref(), age, named).await.unwrap()
    };
    assert_eq!(sweep(super::super::ORPHAN_AGE).await, Swept::default());
    assert_eq!(sweep(Duration::ZERO).await, Swept { removed: 1, kept: 1 });
    assert!(blobs.get_result(&conformance::result(named, b"named")).await.is_ok());
    let gone = blobs.get_result(&conformance::result(orphan, b"orphan")).await;
    assert!(matches!(gone, Err(BlobError::Missing(_))), "{gone:?}");
    assert!(raw.head(&"somebody/elses".into()).await.is_ok());
}
