//! Workers that share a source, each told what to do: what each of them fetches is known to the byte.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use pagemill_backends::blobs::{BlobOptions, Blobs, connect};
use pagemill_backends::queue::{Arrival, MemoryQueue, Queue};
use pagemill_domain::hash::ContentHash;
use pagemill_domain::ids::{Attempt, JobId, ShardId, SourceId};
use pagemill_domain::job::TENANT_DEFAULT;
use pagemill_domain::limits::Limits;
use pagemill_domain::outcome::{PageResult, Report, SourceResult};
use pagemill_domain::recipe::Recipe;
use pagemill_domain::shard::{FileStamp, PagesOfSource, Shard, SourceLocation, SourceRef, Work};
use pagemill_recognition::boxed::client::Program;
use pagemill_recognition::reader::ModelDir;
use pagemill_tests::{bundles, program, scans};
use pagemill_worker::{Session, WorkerConfig};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::large_sources::{SIZE, pages, paper};

/// Bytes of a page of the TIFF.
const PAGE_BYTES: u64 = SIZE.0 as u64 * SIZE.1 as u64;

/// Bytes between two pages of the TIFF: the resolution and the directory of the first.
const BETWEEN_BYTES: u64 = 8 + 2 + 10 * 12 + 4;

/// Where the bulk of a page of the TIFF (from 1) begins and ends: in whole pages of memory.
fn bulk(page: u64) -> (u64, u64) {
    let start = 8 + (page - 1) * (PAGE_BYTES + BETWEEN_BYTES);
    (start.next_multiple_of(4_096), (start + PAGE_BYTES) / 4_096 * 4_096)
}

/// A folder of blobs that workers share.
struct Cluster {
    folder: TempDir,
}

impl Cluster {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    /// The blobs, with an empty cache.
    async fn blobs(&self, cache: &TempDir) -> Arc<dyn Blobs> {
        let url = format!("file:{}", self.folder.path().display());
        connect(&url, BlobOptions::new(cache.path().into())).await.unwrap()
    }

    async fn upload(&self, bytes: &[u8]) -> SourceRef {
        let cache = tempfile::tempdir().unwrap();
        let hash = ContentHash::of(bytes);
        let blobs = self.blobs(&cache).await;
        let mut upload = blobs.begin_upload(TENANT_DEFAULT, hash, bytes.len() as u64).await.unwrap();
        upload.write(Bytes::copy_from_slice(bytes)).await.unwrap();
        upload.finish().await.unwrap();
        let location = SourceLocation::Blob { tenant: TENANT_DEFAULT.into(), hash };
        let stamp = FileStamp { bytes: bytes.len() as u64, modified_ns: 0, inode: 0 };
        SourceRef { id: SourceId(1), location, hash: None, stamp, map: None }
    }

    /// Has a new worker do these works, one after the other; returns its reports, and what it fetched.
    async fn work(&self, works: Vec<Work>) -> (Vec<Report>, u64) {
        let cache = tempfile::tempdir().unwrap();
        let (queue, blobs) = (Arc::new(MemoryQueue::default()), self.blobs(&cache).await);
        let stop = CancellationToken::new();
        let worker =
            pagemill_worker::run(config(), queue.clone(), blobs.clone(), Session::Alone, stop.clone());
        let worker = tokio::spawn(worker);
        let mut reports = Vec::new();
        for (number, work) in (1..).zip(works) {
            let shard = Shard {
                id: ShardId(number),
                attempt: Attempt(1),
                job: JobId(1),
                express: false,
                recipe: Recipe::default(),
                work,
            };
            queue.publish_shard(&shard).await.unwrap();
            let Some(Arrival::Outcome(delivery)) = queue.next_arrivals(1).await.unwrap().pop() else {
                panic!("an outcome is what comes back")
            };
            reports.push(delivery.message.report.clone());
            delivery.acknowledge().await.unwrap();
        }
        stop.cancel();
        worker.await.unwrap().unwrap();
        (reports, blobs.source_bytes_fetched())
    }

    /// Has a new worker inspect a source, which is mapped then.
    async fn inspect(&self, source: &SourceRef) -> SourceRef {
        let (mut reports, fetched) = self.work(vec![Work::Inspect(vec![source.clone()])]).await;
        assert_eq!(fetched, source.stamp.bytes);
        let Some(Report::Inspected(mut sources)) = reports.pop() else { panic!("it inspects") };
        let report = sources.pop().unwrap();
        assert!(matches!(report.result, SourceResult::Inspected(_)), "{report:?}");
        assert!(report.map.is_some(), "it is mapped");
        SourceRef { hash: report.hash, map: report.map, ..source.clone() }
    }
}

fn config() -> WorkerConfig {
    WorkerConfig {
        name: "test".into(),
        slots: 1,
        program: Program { path: program().into(), arguments: vec!["recognition-child".into()] },
        models: ModelDir::find(None).folder().to_owned(),
        limits: Limits { mapped_source_bytes_min: 1, ..Limits::default() },
        require_sandbox: false,
        grace: Duration::ZERO,
        debug: None,
        http_listen: None,
    }
}

fn recognise(source: &SourceRef, pages: &[u32]) -> Work {
    Work::Recognise(vec![PagesOfSource { source: source.clone(), pages: pages.to_vec(), degraded: false }])
}

/// Whether each page of a report was read, and what was on it was found.
fn read(report: &Report) -> Vec<(u32, bool)> {
    let Report::Recognised(pages) = report else { panic!("it reads: {report:?}") };
    let page = |result: &PageResult| match result {
        PageResult::Recognised { .. } => true,
        PageResult::Blank { .. } => false,
        other => panic!("{other:?}"),
    };
    pages.iter().map(|report| (report.number, page(&report.result))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_fetches_a_page_once_and_no_other() {
    let cluster = Cluster::new();
    let source = cluster.inspect(&cluster.upload(&bundles::tiff(&pages())).await).await;
    let map_bytes = source.map.as_ref().unwrap().length;
    let works = vec![recognise(&source, &[1, 2]), recognise(&source, &[2, 5])];
    let (reports, fetched) = cluster.work(works).await;
    assert_eq!(
        reports.iter().map(read).collect::<Vec<_>>(),
        [[(1, true), (2, false)], [(2, false), (5, false)]]
    );
    // What stands between two pages comes along.
    assert_eq!(fetched, map_bytes + (bulk(2).1 - bulk(1).0) + (bulk(5).1 - bulk(5).0));
    assert!(map_bytes < PAGE_BYTES / 10, "{map_bytes}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_needs_more_than_its_map_says_is_read_from_the_whole() {
    let blank = (scans::jpeg(&paper(3)), SIZE.0, SIZE.1);
    let text = (scans::jpeg(&pages()[0]), SIZE.0, SIZE.1);
    let mut pages = vec![blank; 6];
    pages[1] = text;
    // The first page shows the second one's image under a name that the map takes for a way to elsewhere.
    let pdf = bundles::pdf(&pages);
    let renamed = |pdf: Vec<u8>, from: &[u8], to: &[u8]| {
        let at = pdf.windows(from.len()).position(|bytes| bytes == from).unwrap();
        [&pdf[..at], to, &pdf[at + from.len()..]].concat()
    };
    let pdf = renamed(pdf, b"/XObject << /I 5 0 R", b"/XObject << /P 8 0 R");
    let pdf = renamed(pdf, b"cm /I Do", b"cm /P Do");
    let cluster = Cluster::new();
    let source = cluster.inspect(&cluster.upload(&pdf).await).await;
    let (reports, fetched) = cluster.work(vec![recognise(&source, &[1])]).await;
    assert_eq!(read(&reports[0]), [(1, true)]);
    assert_eq!(fetched, source.map.as_ref().unwrap().length + pdf.len() as u64);
}
