//! A coordinator that serves, and a worker that answers.

use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use pagemill_backends::Backends;
use pagemill_backends::blobs::{Blobs, FolderBlobs};
use pagemill_backends::queue::{Lanes, MemoryQueue};
use pagemill_backends::store::SqliteStore;
use pagemill_coordinator::access::Access;
use pagemill_coordinator::{CoordinatorConfig, LeaseConfig, ServeConfig, ServeError, Server, WindowRule};
use pagemill_domain::geometry::Orientation;
use pagemill_domain::hash::ContentHash;
use pagemill_domain::limits::Limits;
use pagemill_domain::outcome::{
    Artifact, DocumentReport, DocumentResult, Fingerprint, Outcome, PageReport, PageResult, Report,
    SourceReport, SourceResult,
};
use pagemill_domain::page::PageSummary;
use pagemill_domain::page_text::PageText;
use pagemill_domain::recipe::Format;
use pagemill_domain::scan::{
    Dpi, DpiRule, ExistingText, PageDefect, PageFacts, Rejection, SourceFacts, SourceKind,
};
use pagemill_domain::shard::{ResultRef, Shard, SourceLocation, SourceRef, Work};
use pagemill_proto::v1;
use pagemill_proto::v1::jobs_client::JobsClient;
use pagemill_proto::v1::workers_client::WorkersClient;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tonic::codec::CompressionEncoding::Zstd;
use tonic::transport::Channel;

/// How long a test waits for what must come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Pages of every source, the last of which can't be decoded.
pub(crate) const PAGES_PER_SOURCE: u64 = 3;

/// A source of this name is rejected.
pub(crate) const REJECTED: &str = "bad.tif";

/// Short times, so that a test need not wait.
pub(crate) fn leases() -> LeaseConfig {
    LeaseConfig {
        tick: Duration::from_millis(50),
        leader_tick: Duration::from_millis(50),
        leader_silence_max: Duration::from_millis(300),
        shard_silence_max: Duration::from_secs(2),
        ..LeaseConfig::default()
    }
}

pub(crate) fn config(name: &str) -> CoordinatorConfig {
    CoordinatorConfig {
        limits: Limits::default(),
        name: name.into(),
        window: WindowRule::PerSlot { shards: 2, shards_min: 4 },
        shard_seconds: 4.0,
        sources_per_inspect_shard: 8,
        leases: Some(leases()),
    }
}

pub(crate) async fn backends(folder: &TempDir) -> Backends {
    let store = SqliteStore::open(&folder.path().join("state.db"), &Limits::default()).await.unwrap();
    let blobs = FolderBlobs::open(folder.path(), &folder.path().join("state")).unwrap();
    Backends { store: Arc::new(store), queue: Arc::new(MemoryQueue::default()), blobs: Arc::new(blobs) }
}

pub(crate) struct Cluster {
    pub(crate) backends: Backends,
    pub(crate) grpc_address: SocketAddr,
    pub(crate) http_address: SocketAddr,
    pub(crate) channel: Channel,
    pub(crate) jobs: JobsClient<Channel>,
    pub(crate) workers: WorkersClient<Channel>,
    pub(crate) shutdown: CancellationToken,
    pub(crate) serving: JoinHandle<Result<(), ServeError>>,
    pub(crate) folder: TempDir,
}

impl Cluster {
    pub(crate) async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let backends = backends(&folder).await;
        Self::over(backends, folder).await
    }

    /// A coordinator over `backends`, which live in `folder`.
    pub(crate) async fn over(backends: Backends, folder: TempDir) -> Self {
        let listen = SocketAddr::from(([127, 0, 0, 1], 0));
        let serve = ServeConfig {
            coordinator: config("one"),
            grpc_listen: listen,
            http_listen: listen,
            access: Access::open(),
            tls: None,
            allow_plaintext: false,
        };
        let server = Server::bind(serve, backends.clone()).await.unwrap();
        let (grpc_address, http_address) = (server.grpc_address, server.http_address);
        let shutdown = CancellationToken::new();
        let serving = tokio::spawn(server.run(shutdown.clone()));
        let channel =
            Channel::from_shared(format!("http://{grpc_address}")).unwrap().connect().await.unwrap();
        let jobs = JobsClient::new(channel.clone()).send_compressed(Zstd).accept_compressed(Zstd);
        let workers = WorkersClient::new(channel.clone());
        Self { backends, grpc_address, http_address, channel, jobs, workers, shutdown, serving, folder }
    }

    /// Answers every shard until the test ends.
    pub(crate) fn start_worker(&self) {
        let backends = self.backends.clone();
        tokio::spawn(async move {
            loop {
                let delivery = backends.queue.next_shard(Lanes::All).await.unwrap();
                let outcome = answer(&delivery.message, &*backends.blobs).await;
                backends.queue.publish_outcome(&outcome).await.unwrap();
                delivery.acknowledge().await.unwrap();
            }
        });
    }

    /// Opens a job of that key with these sources, and seals it.
    pub(crate) async fn submit(&mut self, key: &str, paths: &[&str]) -> v1::Job {
        let job = self.jobs.open(open_request(key)).await.unwrap().into_inner();
        let sources = paths.iter().map(|path| new_source(path)).collect();
        let request = v1::AddSourcesRequest { job: job.id, sources };
        let answer = self.jobs.add_sources(request).await.unwrap().into_inner();
        assert_eq!(answer.sources_submitted, paths.len() as u64);
        self.jobs.seal(v1::SealRequest { job: job.id }).await.unwrap().into_inner()
    }

    /// Follows a job to its end; returns every update.
    pub(crate) async fn watch(&mut self, job: i64) -> Vec<v1::Job> {
        let mut changes = self.jobs.watch(v1::WatchRequest { job }).await.unwrap().into_inner();
        let mut updates = Vec::new();
        while let Some(update) = tokio::time::timeout(PATIENCE, changes.message()).await.unwrap().unwrap() {
            updates.push(update);
        }
        updates
    }
}

pub(crate) fn open_request(key: &str) -> v1::OpenRequest {
    v1::OpenRequest { key: key.into(), ..v1::OpenRequest::default() }
}

pub(crate) fn new_source(path: &str) -> v1::NewSource {
    let object = v1::new_source::Location::Object(format!("s3://scans/{path}"));
    v1::NewSource { path: path.into(), location: Some(object), bytes: 1, ..v1::NewSource::default() }
}

async fn answer(shard: &Shard, blobs: &dyn Blobs) -> Outcome {
    let report = match &shard.work {
        Work::Inspect(sources) => Report::Inspected(sources.iter().map(inspected).collect()),
        Work::Recognise(groups) => {
            let text = PageText { width: 7, ..PageText::default() };
            let part = zstd::bulk::compress(&serde_json::to_vec(&text).unwrap(), 3).unwrap();
            let (length, hash) = (part.len() as u64, ContentHash::of(&part));
            let blob = blobs.put_result(part).await.unwrap();
            let result = ResultRef { blob, offset: 0, length, hash };
            let summary = PageSummary { words: 5, ..PageSummary::default() };
            let pages = groups.iter().flat_map(|group| {
                let (result, summary, source) = (result.clone(), summary.clone(), group.source.id);
                group.pages.iter().map(move |&number| {
                    let (result, summary) = (result.clone(), summary.clone());
                    PageReport { source, number, result: PageResult::Recognised { result, summary } }
                })
            });
            Report::Recognised(pages.collect())
        }
        Work::Assemble(plan) => {
            let artifacts = vec![deliver(&format!("{}.txt", plan.name), blobs).await];
            let result = DocumentResult::Delivered { artifacts, gaps: Vec::new() };
            Report::Assembled(DocumentReport { document: plan.id, result })
        }
        Work::AssembleStored(_) => unreachable!("these documents are small"),
    };
    let fingerprint = Fingerprint("answering".into());
    Outcome {
        shard: shard.id,
        attempt: shard.attempt,
        job: Some(shard.job),
        fingerprint,
        cpu_ms: 1,
        wall_ms: 1,
        report,
    }
}

/// An artifact that says its own name, and is longer than a piece of a stream.
async fn deliver(name: &str, blobs: &dyn Blobs) -> Artifact {
    let text = artifact_text(name);
    let hash = ContentHash::of(&text);
    let mut staging = blobs.stage_artifact().await.unwrap();
    staging.file().write_all(&text).unwrap();
    blobs.commit_artifact(staging, name, hash).await.unwrap();
    Artifact { format: Format::Txt, name: name.into(), bytes: text.len() as u64, hash }
}

pub(crate) fn artifact_text(name: &str) -> Vec<u8> {
    name.repeat(200_000).into_bytes()
}

fn inspected(source: &SourceRef) -> SourceReport {
    let page = |number| PageFacts {
        width: 10,
        height: 10,
        dpi: Dpi::square(300),
        dpi_rule: DpiRule::Declared,
        orientation: Orientation::default(),
        existing_text: ExistingText::None,
        defect: (number == PAGES_PER_SOURCE).then_some(PageDefect::Missing),
    };
    let result = match &source.location {
        SourceLocation::Object(key) if key.ends_with(REJECTED) => {
            SourceResult::Rejected(Rejection::UnknownKind)
        }
        _ => SourceResult::Inspected(SourceFacts {
            kind: SourceKind::Tiff,
            pages: (1..=PAGES_PER_SOURCE).map(page).collect(),
            signed: false,
        }),
    };
    SourceReport { source: source.id, hash: Some(ContentHash::of(b"x")), map: None, result }
}
