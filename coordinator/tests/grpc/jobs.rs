//! A job from open to closed, and what can be asked of it.

use std::time::{Duration, Instant};

use pagemill_proto::v1;
use tonic::Code;

use crate::cluster::{Cluster, PAGES_PER_SOURCE, REJECTED, new_source, open_request};

#[tokio::test]
async fn a_job_is_followed_to_its_balanced_end() {
    let mut cluster = Cluster::start().await;
    let sealed = cluster.submit("job", &["a.tif", "b.tif", REJECTED]).await;
    assert_eq!(sealed.state(), v1::JobState::Sealed);
    cluster.start_worker();
    let updates = cluster.watch(sealed.id).await;
    let last = updates.last().unwrap();
    assert_eq!(last.state(), v1::JobState::Closed);
    let counts = last.counts.unwrap();
    assert_eq!((counts.sources_inspected, counts.sources_rejected), (2, 1));
    assert_eq!((counts.pages_declared, counts.pages_recognised, counts.pages_dead), (6, 4, 2));
    assert_eq!(counts.documents_delivered, 2);

    let job = cluster.jobs.get(v1::GetJobRequest { job: sealed.id }).await.unwrap().into_inner();
    assert_eq!(job.fingerprints, ["answering"]);
    assert!(job.recipe_json.contains("languages"), "{}", job.recipe_json);
}

#[tokio::test]
async fn lists_are_paged() {
    let mut cluster = Cluster::start().await;
    cluster.start_worker();
    let job = cluster.submit("job", &["a.tif", "b.tif", REJECTED]).await.id;
    cluster.watch(job).await;
    cluster.submit("another", &[]).await;

    let mut request = v1::ListPagesRequest { job, page_size: 4, ..v1::ListPagesRequest::default() };
    let first = cluster.jobs.list_pages(request.clone()).await.unwrap().into_inner();
    request.page_token = first.next_page_token;
    let second = cluster.jobs.list_pages(request.clone()).await.unwrap().into_inner();
    assert_eq!((first.pages.len(), second.pages.len(), second.next_page_token.as_str()), (4, 2, ""));
    let mut ids: Vec<_> = first.pages.iter().chain(&second.pages).map(|page| page.id.unwrap()).collect();
    ids.dedup();
    assert_eq!(ids.len() as u64, 2 * PAGES_PER_SOURCE);

    request =
        v1::ListPagesRequest { job, state: v1::PageState::Dead.into(), ..v1::ListPagesRequest::default() };
    let dead = cluster.jobs.list_pages(request).await.unwrap().into_inner().pages;
    assert!(dead.len() == 2 && dead.iter().all(|page| !page.reason.is_empty()), "{dead:?}");

    let request = v1::ListJobsRequest { page_size: 1, ..v1::ListJobsRequest::default() };
    let first = cluster.jobs.list(request.clone()).await.unwrap().into_inner();
    let request = v1::ListJobsRequest { page_token: first.next_page_token, ..request };
    let second = cluster.jobs.list(request).await.unwrap().into_inner();
    assert_eq!((first.jobs[0].key.as_str(), second.jobs[0].key.as_str()), ("job", "another"));

    let request = v1::ListDeadLettersRequest { job, ..v1::ListDeadLettersRequest::default() };
    let letters = cluster.jobs.list_dead_letters(request).await.unwrap().into_inner().dead_letters;
    let numbers: Vec<u32> = letters.iter().map(|letter| letter.number).collect();
    assert_eq!(letters.len(), 3, "two pages and a source: {letters:?}");
    assert!(numbers.contains(&0) && numbers.contains(&3), "{letters:?}");
}

#[tokio::test]
async fn a_page_tells_its_text_and_a_job_its_report() {
    let mut cluster = Cluster::start().await;
    cluster.start_worker();
    let job = cluster.submit("job", &["a.tif"]).await.id;
    cluster.watch(job).await;

    let pages = cluster.jobs.list_pages(v1::ListPagesRequest { job, ..v1::ListPagesRequest::default() });
    let page = pages.await.unwrap().into_inner().pages[0].id;
    let text = cluster.jobs.get_page_text(v1::GetPageTextRequest { job, page }).await.unwrap().into_inner();
    let json: serde_json::Value = serde_json::from_str(&text.page_json).unwrap();
    assert_eq!(json["width"], 7);

    let mut parts = cluster.jobs.get_report(v1::GetReportRequest { job }).await.unwrap().into_inner();
    let (mut lines, mut ledger) = (Vec::new(), None);
    while let Some(part) = parts.message().await.unwrap() {
        assert!(ledger.is_none(), "the ledger comes last");
        match part.part.unwrap() {
            v1::report_part::Part::Pages(piece) => lines.extend_from_slice(&piece),
            v1::report_part::Part::LedgerJson(json) => ledger = Some(json),
        }
    }
    assert_eq!(String::from_utf8(lines).unwrap().lines().count() as u64, PAGES_PER_SOURCE);
    let ledger: serde_json::Value = serde_json::from_str(&ledger.unwrap()).unwrap();
    assert_eq!((&ledger["balanced"], &ledger["gaps"][0]["page"]), (&true.into(), &3.into()));
}

#[tokio::test]
async fn opening_again_finds_the_job_as_it_stands() {
    let mut cluster = Cluster::start().await;
    let job = cluster.submit("job", &["a.tif"]).await;
    let again = cluster.jobs.open(open_request("job")).await.unwrap().into_inner();
    assert_eq!((again.id, again.state()), (job.id, v1::JobState::Sealed));
    let other = v1::OpenRequest { recipe_json: r#"{"languages":["eng"]}"#.into(), ..open_request("job") };
    assert_eq!(cluster.jobs.open(other).await.unwrap_err().code(), Code::FailedPrecondition);
    let sealed = cluster.jobs.seal(v1::SealRequest { job: job.id }).await.unwrap().into_inner();
    assert_eq!(sealed.state(), v1::JobState::Sealed, "sealing twice is harmless");
    let sources = vec![new_source("late.tif")];
    let late = cluster.jobs.add_sources(v1::AddSourcesRequest { job: job.id, sources }).await.unwrap_err();
    assert_eq!(late.code(), Code::FailedPrecondition, "{late}");
}

#[tokio::test]
async fn cancelling_takes_effect_at_once_and_redriving_brings_back() {
    let mut cluster = Cluster::start().await;
    let job = cluster.submit("cancelled", &["a.tif", "b.tif"]).await.id;
    let cancelled = cluster.jobs.cancel(v1::CancelRequest { job }).await.unwrap().into_inner();
    assert_eq!(cancelled.state(), v1::JobState::Cancelled);
    assert_eq!(cancelled.counts.unwrap().sources_cancelled, 2);
    assert_eq!(cluster.watch(job).await.len(), 1, "a cancelled job has ended");

    cluster.start_worker();
    let job = cluster.submit("redriven", &["a.tif", REJECTED]).await.id;
    cluster.watch(job).await;
    let request = v1::RedriveRequest { job, pages: Vec::new() };
    let redriven = cluster.jobs.redrive(request).await.unwrap().into_inner();
    assert_eq!((redriven.pages, redriven.sources), (1, 1));
    let ended = cluster.watch(job).await.pop().unwrap();
    assert_eq!(ended.state(), v1::JobState::Closed);
    let counts = ended.counts.unwrap();
    assert_eq!((counts.pages_recognised, counts.pages_dead, counts.sources_rejected), (3, 0, 1));
}

#[tokio::test]
async fn a_watch_ends_with_the_coordinator() {
    let mut cluster = Cluster::start().await;
    let job = cluster.submit("job", &["a.tif"]).await.id;
    let mut changes = cluster.jobs.watch(v1::WatchRequest { job }).await.unwrap().into_inner();
    changes.message().await.unwrap().unwrap();
    let start = Instant::now();
    cluster.shutdown.cancel();
    let end = loop {
        match changes.message().await {
            Ok(Some(_)) => {}
            Ok(None) => panic!("the job did not end"),
            Err(status) => break status,
        }
    };
    assert_eq!(end.code(), Code::Unavailable);
    drop(changes);
    drop((cluster.jobs, cluster.workers));
    cluster.serving.await.unwrap().unwrap();
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}
