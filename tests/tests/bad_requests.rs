//! What clients and strangers may send to a running cluster: each is refused with its code, costs no memory, and the next
//! honest job runs as if nothing had been.
#![allow(clippy::unwrap_used, reason = "a test that meets the unexpected fails")]

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use futures::stream;
use pagemill_proto::v1::artifacts_client::ArtifactsClient;
use pagemill_proto::v1::jobs_client::JobsClient;
use pagemill_proto::v1::new_source::Location;
use pagemill_proto::v1::sources_client::SourcesClient;
use pagemill_proto::v1::upload_request::Part;
use pagemill_proto::v1::workers_client::WorkersClient;
use pagemill_proto::v1::{
    AddSourcesRequest, CancelRequest, FetchRequest, GetJobRequest, GetReportRequest, Hello, ListPagesRequest,
    NewSource, OpenRequest, RedriveRequest, SealRequest, SessionRequest, UploadHeader, UploadRequest,
    WatchRequest, session_request,
};
use pagemill_test_services::memory_mib;
use pagemill_tests::cluster::{Cluster, Services};
use pagemill_tests::scans::strips;
use pagemill_tests::{Workplace, assert_balanced};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};

/// Memory that a coordinator may have more after a flood of rubbish, in MiB.
const GROWTH_MIB_MAX: u64 = 64;

#[tokio::test(flavor = "multi_thread")]
async fn rubbish_is_refused_and_the_next_job_is_served() {
    let cluster = Cluster::start(Services::shared(), 1, 1);
    let coordinator = &cluster.coordinators[0];
    let channel = Endpoint::from_shared(coordinator.grpc_url()).unwrap().connect().await.unwrap();
    let before = memory_mib(coordinator.daemon.pid());

    unknown_jobs(channel.clone()).await;
    bad_sources(channel.clone()).await;
    bad_uploads(channel.clone()).await;
    strange_workers(channel).await;
    no_http2(&coordinator.grpc_url());

    let grown = memory_mib(coordinator.daemon.pid()).saturating_sub(before);
    assert!(grown <= GROWTH_MIB_MAX, "{grown} MiB more");
    let workplace = Workplace::new();
    for (name, bytes) in strips(1) {
        workplace.add(name, &bytes);
    }
    let finished = cluster.submit(&workplace, "honest", &[]).finish(&cluster);
    assert_eq!(finished.exit, 0, "{}{}", finished.stderr, cluster.logs());
    assert_eq!(assert_balanced(&workplace.report())["recognised"], 1);
}

#[track_caller]
fn assert_code<T>(answer: Result<T, Status>, code: Code, what: &str) {
    let Err(status) = answer else { panic!("{what} is accepted") };
    assert_eq!(status.code(), code, "{what}: {status}");
    assert!(!status.message().is_empty(), "{what}: refused without a word");
}

async fn unknown_jobs(channel: Channel) {
    let mut jobs = JobsClient::new(channel.clone());
    for job in [0, -1, 999_999, i64::MAX] {
        assert_code(jobs.get(GetJobRequest { job }).await, Code::NotFound, "Get");
        assert_code(jobs.seal(SealRequest { job }).await, Code::NotFound, "Seal");
        assert_code(jobs.cancel(CancelRequest { job }).await, Code::NotFound, "Cancel");
        assert_code(jobs.watch(WatchRequest { job }).await, Code::NotFound, "Watch");
        assert_code(jobs.get_report(GetReportRequest { job }).await, Code::NotFound, "GetReport");
        let pages = ListPagesRequest { job, ..ListPagesRequest::default() };
        assert_code(jobs.list_pages(pages).await, Code::NotFound, "ListPages");
        let redrive = RedriveRequest { job, pages: Vec::new() };
        assert_code(jobs.redrive(redrive).await, Code::NotFound, "Redrive");
        let fetch = FetchRequest { job, name: "../../etc/passwd".to_owned(), offset: 0 };
        assert_code(ArtifactsClient::new(channel.clone()).fetch(fetch).await, Code::NotFound, "Fetch");
    }
}

async fn bad_sources(channel: Channel) {
    let mut jobs = JobsClient::new(channel);
    let recipe =
        |recipe: &str| OpenRequest { key: "k".into(), recipe_json: recipe.into(), ..OpenRequest::default() };
    for bad in ["{", "{\"no_such_key\":1}"] {
        assert_code(jobs.open(recipe(bad)).await, Code::InvalidArgument, bad);
    }
    let too_long = OpenRequest { key: "k".repeat(100_000), ..recipe("{}") };
    assert_code(jobs.open(too_long).await, Code::InvalidArgument, "a long key");
    let job = jobs.open(recipe("{}")).await.unwrap().into_inner().id;
    let source = |path: &str, blob: &str| NewSource {
        path: path.to_owned(),
        folder: String::new(),
        location: Some(Location::Blob(blob.to_owned())),
        bytes: 1,
    };
    let foreign = "ab".repeat(32);
    for path in ["../a.jpg", "/a.jpg", "", "a\0.jpg"] {
        let request = AddSourcesRequest { job, sources: vec![source(path, &foreign)] };
        assert_code(jobs.add_sources(request).await, Code::InvalidArgument, path);
    }
    let request = AddSourcesRequest { job, sources: vec![source("a.jpg", &foreign)] };
    assert_code(jobs.add_sources(request).await, Code::FailedPrecondition, "a blob that nobody uploaded");
    let many = (0..10_001).map(|number| source(&number.to_string(), &foreign)).collect();
    let request = AddSourcesRequest { job, sources: many };
    assert_code(jobs.add_sources(request).await, Code::ResourceExhausted, "too many sources at once");
    // 20 MiB: refused while it arrives.
    for _ in 0..5 {
        let request = AddSourcesRequest { job, sources: vec![source(&"x".repeat(20 << 20), &foreign)] };
        let Err(status) = jobs.add_sources(request).await else { panic!("20 MiB are accepted") };
        assert!(matches!(status.code(), Code::OutOfRange | Code::ResourceExhausted), "{status}");
    }
}

async fn bad_uploads(channel: Channel) {
    let mut sources = SourcesClient::new(channel);
    let header = |hash: &str, bytes| Part::Header(UploadHeader { hash: hash.to_owned(), bytes });
    let piece = |bytes: usize| Part::Piece(vec![1; bytes].into());
    let hash = "cd".repeat(32);
    for (what, parts) in [
        ("an empty stream", vec![]),
        ("a piece before the header", vec![piece(1)]),
        ("a hash that is none", vec![header("cd", 1), piece(1)]),
        ("another content", vec![header(&hash, 1), piece(1)]),
        ("too few bytes", vec![header(&hash, 9), piece(1)]),
        ("more bytes than announced", vec![header(&hash, 1), piece(100_000)]),
        ("more bytes than a source may have", vec![header(&hash, u64::MAX), piece(1)]),
    ] {
        let parts = parts.into_iter().map(|part| UploadRequest { part: Some(part) });
        let Err(status) = sources.upload(stream::iter(parts)).await else { panic!("{what} is accepted") };
        let expected = [Code::InvalidArgument, Code::DataLoss, Code::ResourceExhausted];
        assert!(expected.contains(&status.code()), "{what}: {status}");
    }
}

async fn strange_workers(channel: Channel) {
    let mut workers = WorkersClient::new(channel);
    let hello = |protocol_version, slots| {
        session_request::Part::Hello(Hello { protocol_version, ..Hello::new("stranger", "none", slots) })
    };
    for (what, part) in [
        ("an ancient protocol", hello(0, 1)),
        ("no slot", hello(1, 0)),
        ("a million slots", hello(1, 1_000_000)),
        ("a beat without a hello", session_request::Part::Beat(pagemill_proto::v1::Beat::default())),
    ] {
        let requests = stream::iter([SessionRequest { part: Some(part) }]);
        let refusal = match workers.session(requests).await {
            Ok(answers) => answers.into_inner().message().await.map(|_| ()),
            Err(status) => Err(status),
        };
        let Err(status) = refusal else { panic!("{what} is accepted") };
        let expected = [Code::InvalidArgument, Code::FailedPrecondition];
        assert!(expected.contains(&status.code()), "{what}: {status}");
    }
}

/// Bytes that are no HTTP/2 end their own connection and nothing else.
fn no_http2(url: &str) {
    for rubbish in
        [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0; 1_000], b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xff\xff"]
    {
        let mut stream = TcpStream::connect(url.strip_prefix("http://").unwrap()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        // It may be closed while we still write.
        let _ = stream.write_all(rubbish);
        let _ = stream.read_to_end(&mut Vec::new());
    }
}
