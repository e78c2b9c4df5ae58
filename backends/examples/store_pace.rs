//! How many pages a second the store takes through submit, cut, apply and close, with outcomes that cost nothing.
//!
//! `store_pace [PAGES] [PAGES_PER_SOURCE] [URL]`: a million pages, 100 a source, and a PostgreSQL of its own by default.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a measurement that meets the unexpected ends")]
#![allow(clippy::print_stdout, reason = "figures are what it is for")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use pagemill_backends::store::{self, NewSource, ShardOrder, ShardSizes, Store};
use pagemill_domain::geometry::Orientation;
use pagemill_domain::hash::ContentHash;
use pagemill_domain::ids::{Epoch, JobId};
use pagemill_domain::job::{NewJob, TENANT_DEFAULT, Urgency};
use pagemill_domain::limits::Limits;
use pagemill_domain::outcome::{
    Artifact, DocumentReport, DocumentResult, Fingerprint, Outcome, PageReport, PageResult, Report,
    SourceReport, SourceResult,
};
use pagemill_domain::page::PageSummary;
use pagemill_domain::recipe::{Format, Recipe};
use pagemill_domain::scan::{Dpi, DpiRule, ExistingText, PageFacts, SourceFacts, SourceKind};
use pagemill_domain::shard::{FileStamp, ResultRef, Shard, SourceLocation, Work};
use pagemill_test_services::Postgres;
use tokio_util::sync::CancellationToken;

/// Sources of one call that adds them.
const SOURCES_PER_CHUNK: u64 = 1_000;

/// Shards on their way at once; as many outcomes are applied together.
const WINDOW_SHARDS: usize = 256;

const SIZES: ShardSizes = ShardSizes { sources: 32, pages: 64 };

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let mut number = |default| arguments.next().map_or(default, |text| text.parse::<u64>().unwrap());
    let (pages, pages_per_source) = (number(1_000_000), number(100));
    let given_url = arguments.next();
    let postgres = given_url.is_none().then(Postgres::start);
    let url = given_url.unwrap_or_else(|| postgres.as_ref().unwrap().fresh_url());
    let store = store::connect(&url, &Limits::default()).await.unwrap();
    let seen = store.leader_lease().await.unwrap();
    let epoch = store.seize_lease(&seen, "pace").await.unwrap().expect("another leads");

    let began = Instant::now();
    let job = submit(&*store, pages / pages_per_source).await;
    println!(
        "submit     {:>9.0} sources/s",
        (pages / pages_per_source) as f64 / began.elapsed().as_secs_f64()
    );
    let ended = CancellationToken::new();
    let asking = tokio::spawn(ask_for_status(store.clone(), job, ended.clone()));
    work(&*store, epoch, job, pages_per_source).await;
    assert!(store.close_job(epoch, job, 2).await.unwrap().is_some(), "the ledger is complete");
    let status = store.status(job).await.unwrap();
    assert_eq!(status.ledger.pages.recognised, pages);
    ended.cancel();
    let mut answers = asking.await.unwrap();
    answers.sort_unstable();
    println!(
        "status     {:>9.1} ms p99 of {} calls",
        answers[answers.len() * 99 / 100].as_secs_f64() * 1e3,
        answers.len()
    );
    println!("all        {:>9.0} pages/s", pages as f64 / began.elapsed().as_secs_f64());
}

async fn submit(store: &dyn Store, sources: u64) -> JobId {
    let new_job = NewJob {
        tenant: TENANT_DEFAULT.into(),
        key: format!("pace-{}", std::process::id()),
        recipe: Recipe::default(),
        urgency: Urgency::default(),
        now_unix_seconds: 1,
        reopen: false,
    };
    let job = store.open_job(&new_job).await.unwrap();
    let source = |number: u64| NewSource {
        path: format!("box-{}/{number:08}.tif", number / 500),
        folder: format!("box-{}", number / 500),
        location: SourceLocation::Object(format!("s3://archive/box-{}/{number:08}.tif", number / 500)),
        stamp: FileStamp { bytes: 1_000_000, modified_ns: 1, inode: number },
    };
    for first in (0..sources).step_by(SOURCES_PER_CHUNK as usize) {
        let chunk: Vec<NewSource> = (first..sources.min(first + SOURCES_PER_CHUNK)).map(source).collect();
        store.add_sources(job, &chunk).await.unwrap();
    }
    store.seal(job).await.unwrap();
    job
}

/// Where the time goes.
#[derive(Default)]
struct Spent {
    cut: Duration,
    apply: [Duration; 3],
    shards: [u64; 3],
    pages: u64,
}

async fn work(store: &dyn Store, epoch: Epoch, job: JobId, pages_per_source: u64) {
    let facts = facts(pages_per_source as usize);
    let mut spent = Spent::default();
    let (mut told, began) = (Instant::now(), Instant::now());
    loop {
        let order = ShardOrder { job, shards_max: WINDOW_SHARDS, sizes: SIZES, express: false };
        let start = Instant::now();
        let shards = store.cut_shards(epoch, &[order]).await.unwrap();
        spent.cut += start.elapsed();
        if shards.is_empty() {
            break;
        }
        for stage in 0..3 {
            let of_stage = shards.iter().filter(|shard| shard.work.stage() as usize == stage);
            let outcomes: Vec<Outcome> = of_stage.map(|shard| answer(shard, &facts)).collect();
            if outcomes.is_empty() {
                continue;
            }
            spent.shards[stage] += outcomes.len() as u64;
            for outcome in &outcomes {
                if let Report::Recognised(pages) = &outcome.report {
                    spent.pages += pages.len() as u64;
                }
            }
            let start = Instant::now();
            let applied = store.apply(epoch, &outcomes, &Limits::default()).await.unwrap();
            assert_eq!(applied.taken as usize, outcomes.len());
            spent.apply[stage] += start.elapsed();
        }
        if told.elapsed() > Duration::from_secs(10) {
            told = Instant::now();
            println!("           {:>9} pages after {:.0} s", spent.pages, began.elapsed().as_secs_f64());
        }
    }
    println!("cut        {:>9.1} s", spent.cut.as_secs_f64());
    for (stage, name) in ["inspect", "recognise", "assemble"].iter().enumerate() {
        println!("{name:<10} {:>9.1} s, {} shards", spent.apply[stage].as_secs_f64(), spent.shards[stage]);
    }
}

/// What a status call takes meanwhile.
async fn ask_for_status(store: Arc<dyn Store>, job: JobId, ended: CancellationToken) -> Vec<Duration> {
    let mut answers = Vec::new();
    while !ended.is_cancelled() {
        let start = Instant::now();
        store.status(job).await.unwrap();
        answers.push(start.elapsed());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    answers
}

fn facts(pages: usize) -> SourceFacts {
    let page = PageFacts {
        width: 2480,
        height: 3508,
        dpi: Dpi::square(300),
        dpi_rule: DpiRule::Declared,
        orientation: Orientation::default(),
        existing_text: ExistingText::None,
        defect: None,
    };
    SourceFacts { kind: SourceKind::Tiff, pages: vec![page; pages], signed: false }
}

fn answer(shard: &Shard, facts: &SourceFacts) -> Outcome {
    let hash = ContentHash::of(b"content");
    let report = match &shard.work {
        Work::Inspect(sources) => {
            let inspected = sources.iter().map(|source| {
                let result = SourceResult::Inspected(facts.clone());
                SourceReport { source: source.id, hash: Some(hash), map: None, result }
            });
            Report::Inspected(inspected.collect())
        }
        Work::Recognise(groups) => {
            let summary = PageSummary {
                words: 300,
                cpu_ms: ["decode", "clean", "layout", "read"].map(|step| (step.to_owned(), 250)).to_vec(),
                ..PageSummary::default()
            };
            let result = ResultRef { blob: hash, offset: 1_000, length: 4_000, hash };
            let read =
                groups.iter().flat_map(|group| group.pages.iter().map(|&number| (group.source.id, number)));
            let read = read.map(|(source, number)| {
                let result = PageResult::Recognised { result: result.clone(), summary: summary.clone() };
                PageReport { source, number, result }
            });
            Report::Recognised(read.collect())
        }
        Work::Assemble(plan) => {
            let name = format!("{}.pdf", plan.name);
            let artifacts = vec![Artifact { format: Format::Pdf, name, bytes: 1, hash }];
            let result = DocumentResult::Delivered { artifacts, gaps: Vec::new() };
            Report::Assembled(DocumentReport { document: plan.id, result })
        }
        Work::AssembleStored(_) => unreachable!("a store stores no plan aside"),
    };
    let fingerprint = Fingerprint("pace".into());
    Outcome {
        shard: shard.id,
        attempt: shard.attempt,
        job: Some(shard.job),
        fingerprint,
        cpu_ms: 5,
        wall_ms: 5,
        report,
    }
}
