//! What a caller does wrong is told with a code to decide on.

use pagemill_coordinator::access::Access;
use pagemill_coordinator::{ServeConfig, ServeError, Server};
use pagemill_domain::job::{NewJob, Urgency};
use pagemill_domain::recipe::Recipe;
use pagemill_proto::v1;
use tonic::{Code, Status};

use crate::cluster::{Cluster, backends, config, new_source, open_request};

/// No job has this number.
const NO_JOB: i64 = 4_711;

#[tokio::test]
async fn unknown_and_foreign_jobs_are_not_found_alike() {
    let mut cluster = Cluster::start().await;
    let foreign = NewJob {
        tenant: "somebody-else".into(),
        key: "job".into(),
        recipe: Recipe::default(),
        urgency: Urgency::default(),
        now_unix_seconds: 1,
        reopen: false,
    };
    let foreign = cluster.backends.store.open_job(&foreign).await.unwrap().0;
    let jobs = &mut cluster.jobs;
    for job in [NO_JOB, -1, 0, foreign] {
        let page = Some(v1::PageId { source: 1, number: 1 });
        let mut refusals: Vec<Status> = vec![
            jobs.get(v1::GetJobRequest { job }).await.unwrap_err(),
            jobs.seal(v1::SealRequest { job }).await.unwrap_err(),
            jobs.cancel(v1::CancelRequest { job }).await.unwrap_err(),
            jobs.watch(v1::WatchRequest { job }).await.unwrap_err(),
            jobs.get_report(v1::GetReportRequest { job }).await.unwrap_err(),
            jobs.redrive(v1::RedriveRequest { job, pages: Vec::new() }).await.unwrap_err(),
            jobs.get_page_text(v1::GetPageTextRequest { job, page }).await.unwrap_err(),
            jobs.list_pages(v1::ListPagesRequest { job, ..Default::default() }).await.unwrap_err(),
            jobs.add_sources(v1::AddSourcesRequest { job, sources: vec![new_source("a")] })
                .await
                .unwrap_err(),
        ];
        if job != 0 {
            // 0 asks for the dead letters of all jobs.
            let request = v1::ListDeadLettersRequest { job, ..Default::default() };
            refusals.push(jobs.list_dead_letters(request).await.unwrap_err());
        }
        for refusal in refusals {
            assert_eq!(refusal.code(), Code::NotFound, "{refusal}");
            assert_eq!(refusal.message(), format!("there is no job {job}"));
        }
    }
    assert!(jobs.list(v1::ListJobsRequest::default()).await.unwrap().into_inner().jobs.is_empty());
}

#[tokio::test]
async fn a_job_that_cannot_be_meant_is_not_opened() {
    let mut cluster = Cluster::start().await;
    let with_recipe = |json: &str| v1::OpenRequest { recipe_json: json.into(), ..open_request("job") };
    for (request, named) in [
        (open_request(""), "key"),
        (open_request(&"k".repeat(201)), "key"),
        (open_request("a\nb"), "key"),
        (v1::OpenRequest { priority: Some(10), ..open_request("job") }, "priority"),
        (v1::OpenRequest { deadline_unix_seconds: -1, ..open_request("job") }, "deadline_unix_seconds"),
        (with_recipe("not json"), "recipe_json"),
        (with_recipe("[]"), "recipe_json"),
        (with_recipe(r#"[["vie"]]"#), "recipe_json"),
        (with_recipe("null"), "recipe_json"),
        (with_recipe(r#"{"languges":["vie"]}"#), "languges"),
        (with_recipe(r#"{"languages":["../../etc/passwd"]}"#), "languages"),
        (with_recipe(r#"{"formats":[]}"#), "formats"),
        (with_recipe(&format!(r#"{{"languages":["{}"]}}"#, "x".repeat(70_000))), "recipe_json"),
    ] {
        let refusal = cluster.jobs.open(request).await.unwrap_err();
        assert_eq!(refusal.code(), Code::InvalidArgument, "{refusal}");
        assert!(refusal.message().contains(named), "{named}: {refusal}");
    }
}

#[tokio::test]
async fn a_key_names_one_job_with_one_recipe() {
    let mut cluster = Cluster::start().await;
    let with_recipe = |json: &str| v1::OpenRequest { recipe_json: json.into(), ..open_request("job") };
    let job = cluster.jobs.open(with_recipe(r#"{"formats":["txt"]}"#)).await.unwrap().into_inner().id;
    let again = cluster.jobs.open(with_recipe(r#"{"formats":["txt"]}"#)).await.unwrap().into_inner().id;
    assert_eq!(job, again);
    let refusal = cluster.jobs.open(with_recipe(r#"{"formats":["pdf"]}"#)).await.unwrap_err();
    assert_eq!(refusal.code(), Code::FailedPrecondition, "{refusal}");
    assert_eq!(
        refusal.message(),
        format!("job {job} has this key and another recipe: choose another key"),
        "it says what to do"
    );
}

#[tokio::test]
async fn chunks_are_bounded_and_checked() {
    let mut cluster = Cluster::start().await;
    let job = cluster.jobs.open(open_request("job")).await.unwrap().into_inner().id;
    let mut add = async |sources| cluster.jobs.add_sources(v1::AddSourcesRequest { job, sources }).await;
    let many = (0..10_001).map(|number| new_source(&number.to_string())).collect();
    assert_eq!(add(many).await.unwrap_err().code(), Code::ResourceExhausted);
    for path in ["../a", "/a", "a//b", ""] {
        assert_eq!(add(vec![new_source(path)]).await.unwrap_err().code(), Code::InvalidArgument, "{path}");
    }
    let nowhere = v1::NewSource { location: None, ..new_source("a") };
    assert_eq!(add(vec![nowhere]).await.unwrap_err().code(), Code::InvalidArgument);
    let huge = v1::NewSource { bytes: u64::MAX, ..new_source("a") };
    assert_eq!(add(vec![huge]).await.unwrap_err().code(), Code::InvalidArgument);
    // More than a message may have.
    let long = (0..4_000).map(|number| new_source(&format!("{number}{}", "x".repeat(3_000)))).collect();
    let refusal = add(long).await.unwrap_err();
    assert!(matches!(refusal.code(), Code::OutOfRange | Code::ResourceExhausted), "{refusal}");
    // A chunk is added once, however often it comes.
    for _ in 0..2 {
        let sources = vec![new_source("a.tif"), new_source("b.tif")];
        assert_eq!(add(sources).await.unwrap().into_inner().sources_submitted, 2);
    }
}

#[tokio::test]
async fn pages_of_lists_and_texts_are_checked() {
    let mut cluster = Cluster::start().await;
    let job = cluster.submit("job", &["a.tif"]).await.id;
    let jobs = &mut cluster.jobs;
    let too_many = v1::ListPagesRequest { job, page_size: 1_001, ..Default::default() };
    assert_eq!(jobs.list_pages(too_many).await.unwrap_err().code(), Code::InvalidArgument);
    let foreign = v1::ListPagesRequest { job, page_token: "r7".into(), ..Default::default() };
    assert_eq!(jobs.list_pages(foreign).await.unwrap_err().code(), Code::InvalidArgument);
    let no_state = v1::ListPagesRequest { job, state: 99, ..Default::default() };
    assert_eq!(jobs.list_pages(no_state).await.unwrap_err().code(), Code::InvalidArgument);
    let foreign = v1::ListJobsRequest { page_token: "p1.1".into(), ..Default::default() };
    assert_eq!(jobs.list(foreign).await.unwrap_err().code(), Code::InvalidArgument);
    let no_page = v1::GetPageTextRequest { job, page: None };
    assert_eq!(jobs.get_page_text(no_page).await.unwrap_err().code(), Code::InvalidArgument);
    let unread = v1::GetPageTextRequest { job, page: Some(v1::PageId { source: 1, number: 1 }) };
    assert_eq!(jobs.get_page_text(unread).await.unwrap_err().code(), Code::NotFound);
    let pages = vec![v1::PageId { source: 1, number: 1 }; 10_001];
    let too_many = v1::RedriveRequest { job, pages };
    assert_eq!(jobs.redrive(too_many).await.unwrap_err().code(), Code::ResourceExhausted);
}

#[tokio::test]
async fn without_tokens_only_this_machine_gets_in() {
    let folder = tempfile::tempdir().unwrap();
    let serve = ServeConfig {
        coordinator: config("one"),
        grpc_listen: "0.0.0.0:0".parse().unwrap(),
        http_listen: "127.0.0.1:0".parse().unwrap(),
        access: Access::open(),
        tls: None,
        allow_plaintext: false,
    };
    let refused = Server::bind(serve, backends(&folder).await).await.err().unwrap();
    assert!(matches!(refused, ServeError::Exposed(_)), "{refused}");
}
