//! Every RPC for every role, and for another tenant.

use pagemill_coordinator::access::verify_audit_log;
use pagemill_proto::v1;
use pagemill_proto::v1::artifacts_client::ArtifactsClient;
use pagemill_proto::v1::jobs_client::JobsClient;
use pagemill_proto::v1::sources_client::SourcesClient;
use pagemill_proto::v1::workers_client::WorkersClient;
use tonic::transport::Channel;
use tonic::{Code, Status};

use crate::{Guarded, cluster, token, with_token};

/// The roles in the order of the matrix.
pub(crate) const ROLES: [&str; 5] = ["viewer", "operator", "clerk", "admin", "worker"];

/// What each role may call.
const MATRIX: &str = "
    Jobs/Open             -  yes  -   yes  -
    Jobs/AddSources       -  yes  -   yes  -
    Jobs/Seal             -  yes  -   yes  -
    Jobs/Get             yes yes yes  yes  -
    Jobs/List            yes yes yes  yes  -
    Jobs/Watch           yes yes yes  yes  -
    Jobs/ListPages       yes yes yes  yes  -
    Jobs/GetPageText     yes yes yes  yes  -
    Jobs/ListDeadLetters yes yes yes  yes  -
    Jobs/Redrive          -  yes  -   yes  -
    Jobs/GetReport       yes yes yes  yes  -
    Jobs/Cancel           -  yes  -   yes  -
    Sources/Missing       -  yes  -   yes  -
    Sources/Upload        -  yes  -   yes  -
    Artifacts/List       yes yes yes  yes  -
    Artifacts/Fetch      yes yes yes  yes  -
    Workers/List         yes yes yes  yes  -
    Workers/Queue        yes yes yes  yes  -
    Workers/Cordon        -   -   -   yes  -
    Workers/Drain         -   -   -   yes  -
    Workers/Session       -   -   -   yes yes
";

/// RPCs with the answer for each role, as the matrix says.
fn matrix() -> Vec<(&'static str, Vec<bool>)> {
    let row = |line: &'static str| {
        let mut words = line.split_whitespace();
        (words.next().unwrap(), words.map(|word| word == "yes").collect())
    };
    MATRIX.trim().lines().map(row).collect()
}

/// Calls it as that caller about that job; the error, if there is one.
async fn call(rpc: &str, channel: &Channel, caller: Option<&str>, job: i64) -> Result<(), Status> {
    let (mut jobs, mut workers) = (JobsClient::new(channel.clone()), WorkersClient::new(channel.clone()));
    let mut sources = SourcesClient::new(channel.clone());
    let mut artifacts = ArtifactsClient::new(channel.clone());
    let page = Some(v1::PageId { source: 1, number: 1 });
    let worker = "nobody".to_owned();
    macro_rules! ask {
        ($client:ident . $method:ident ($message:expr)) => {
            $client.$method(with_token($message, caller)).await.map(drop)
        };
    }
    match rpc {
        "Jobs/Open" => ask!(jobs.open(cluster::open_request("another"))),
        "Jobs/AddSources" => ask!(jobs.add_sources(v1::AddSourcesRequest { job, sources: Vec::new() })),
        "Jobs/Seal" => ask!(jobs.seal(v1::SealRequest { job })),
        "Jobs/Get" => ask!(jobs.get(v1::GetJobRequest { job })),
        "Jobs/List" => ask!(jobs.list(v1::ListJobsRequest::default())),
        "Jobs/Watch" => ask!(jobs.watch(v1::WatchRequest { job })),
        "Jobs/Cancel" => ask!(jobs.cancel(v1::CancelRequest { job })),
        "Jobs/ListPages" => {
            ask!(jobs.list_pages(v1::ListPagesRequest { job, ..v1::ListPagesRequest::default() }))
        }
        "Jobs/GetPageText" => ask!(jobs.get_page_text(v1::GetPageTextRequest { job, page })),
        "Jobs/ListDeadLetters" => {
            ask!(jobs.list_dead_letters(v1::ListDeadLettersRequest {
                job,
                ..v1::ListDeadLettersRequest::default()
            }))
        }
        "Jobs/Redrive" => ask!(jobs.redrive(v1::RedriveRequest { job, pages: Vec::new() })),
        "Jobs/GetReport" => ask!(jobs.get_report(v1::GetReportRequest { job })),
        "Sources/Missing" => ask!(sources.missing(v1::MissingRequest::default())),
        "Sources/Upload" => ask!(sources.upload(tokio_stream::iter([v1::UploadRequest { part: None }]))),
        "Artifacts/List" => {
            ask!(artifacts.list(v1::ListArtifactsRequest { job, ..v1::ListArtifactsRequest::default() }))
        }
        "Artifacts/Fetch" => ask!(artifacts.fetch(v1::FetchRequest { job, name: "a.pdf".into(), offset: 0 })),
        "Workers/List" => ask!(workers.list(v1::ListWorkersRequest::default())),
        "Workers/Queue" => ask!(workers.queue(v1::QueueRequest {})),
        "Workers/Cordon" => ask!(workers.cordon(v1::CordonRequest { worker, undo: false })),
        "Workers/Drain" => ask!(workers.drain(v1::DrainRequest { worker })),
        "Workers/Session" => ask!(workers.session(tokio_stream::iter([v1::SessionRequest { part: None }]))),
        other => panic!("{other} can't be called by this test"),
    }
}

/// A draft of tenant `a`.
async fn draft(channel: &Channel) -> i64 {
    let request = with_token(cluster::open_request("first"), Some("operator"));
    JobsClient::new(channel.clone()).open(request).await.unwrap().into_inner().id
}

#[tokio::test]
async fn every_rpc_asks_for_the_role_that_the_matrix_names() {
    let guarded = Guarded::start(None).await;
    let channel = guarded.plain().await;
    let job = draft(&channel).await;
    for (rpc, allowed) in matrix() {
        let stranger = call(rpc, &channel, None, job).await.unwrap_err();
        assert_eq!(stranger.code(), Code::Unauthenticated, "{rpc} without a token");
        let unknown = call(rpc, &channel, Some("nobody"), job).await.unwrap_err();
        assert_eq!(unknown.code(), Code::Unauthenticated, "{rpc} with an unknown token");
        for (role, allowed) in ROLES.iter().zip(allowed) {
            let code = call(rpc, &channel, Some(role), job).await.err().map(|status| status.code());
            let denied = code == Some(Code::PermissionDenied);
            assert_eq!(denied, !allowed, "{rpc} as {role}: {code:?}");
            assert_ne!(code, Some(Code::Unauthenticated), "{rpc} as {role}");
            assert_ne!(code, Some(Code::Unimplemented), "{rpc} as {role}");
        }
    }
    let log = guarded.file("audit.jsonl");
    assert!(verify_audit_log(&log).unwrap().entries > 50);
    let text = std::fs::read_to_string(&log).unwrap();
    assert!(text.contains(r#""caller":"viewer","tenant":"a","role":"viewer","rpc":"Jobs/Cancel""#));
    assert!(!text.contains(&token("viewer")), "a token is in the log");
}

#[tokio::test]
async fn what_is_another_tenants_does_not_exist() {
    let guarded = Guarded::start(None).await;
    let channel = guarded.plain().await;
    let (job, unknown) = (draft(&channel).await, 987_654);
    for (rpc, _) in matrix() {
        let about_job = (rpc.starts_with("Jobs/") || rpc.starts_with("Artifacts/"))
            && !["Jobs/Open", "Jobs/List"].contains(&rpc);
        if !about_job {
            continue;
        }
        let foreign = call(rpc, &channel, Some("other"), job).await.unwrap_err();
        let missing = call(rpc, &channel, Some("other"), unknown).await.unwrap_err();
        assert_eq!((foreign.code(), missing.code()), (Code::NotFound, Code::NotFound), "{rpc}");
        let same = missing.message().replace(&unknown.to_string(), &job.to_string());
        assert_eq!(foreign.message(), same, "{rpc} tells that the job exists");
        // Somebody without the right is told nothing else about a job that is there than about one that is not.
        let (there, not_there) =
            (call(rpc, &channel, Some("worker"), job).await, call(rpc, &channel, Some("worker"), 1).await);
        assert_eq!(there.unwrap_err().message(), not_there.unwrap_err().message(), "{rpc}");
    }
    let mut jobs = JobsClient::new(channel);
    let seen = jobs.list(with_token(v1::ListJobsRequest::default(), Some("other"))).await.unwrap();
    assert_eq!(seen.into_inner().jobs, []);
    // The same key of another tenant is another job.
    let own =
        jobs.open(with_token(cluster::open_request("first"), Some("other"))).await.unwrap().into_inner();
    assert_ne!(own.id, job);
    assert_eq!(own.tenant, "b");
}
