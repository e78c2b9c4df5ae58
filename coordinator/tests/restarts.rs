//! A job is driven through crashes, duplicates and faults drawn from a seed, and must balance every time.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

use std::sync::Arc;
use std::time::Duration;

use pagemill_backends::Backends;
use pagemill_backends::blobs::FolderBlobs;
use pagemill_backends::queue::{Lanes, MemoryQueue};
use pagemill_backends::store::{NewSource, PageCursor, SqliteStore};
use pagemill_coordinator::{Coordinator, CoordinatorConfig, WindowRule};
use pagemill_domain::geometry::Orientation;
use pagemill_domain::hash::ContentHash;
use pagemill_domain::ids::JobId;
use pagemill_domain::job::{NewJob, TENANT_DEFAULT, Urgency};
use pagemill_domain::limits::Limits;
use pagemill_domain::outcome::{
    DocumentReport, DocumentResult, Fault, Fingerprint, Loss, Outcome, PageReport, PageResult, Report,
    SourceReport, SourceResult,
};
use pagemill_domain::page::{PageState, PageSummary};
use pagemill_domain::recipe::Recipe;
use pagemill_domain::scan::{Dpi, DpiRule, ExistingText, PageFacts, Rejection, SourceFacts, SourceKind};
use pagemill_domain::shard::{FileStamp, ResultRef, Shard, SourceLocation, SourceRef, Work};
use tokio_util::sync::CancellationToken;

/// Runs that are drawn; each has a handful of restarts.
const RUNS: u64 = 12;
const SOURCES: u64 = 9;
const PAGES_PER_SOURCE: usize = 7;

/// A small generator, so that a failing run can be repeated from its printed seed (`SplitMix64`).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % sides
    }
}

#[tokio::test]
async fn every_page_is_accounted_for_whatever_happens() {
    for seed in 0..RUNS {
        println!("seed {seed}");
        let folder = tempfile::tempdir().unwrap();
        let mut dice = Dice(seed);
        let mut restarts = 0;
        let (status, pages) = loop {
            if let Some(end) = run_until_crash_or_close(folder.path(), &mut dice, restarts < 6).await {
                break end;
            }
            restarts += 1;
        };
        assert_eq!(status.ledger.balance(), Ok(()), "seed {seed} after {restarts} restarts");
        let accepted = status.ledger.sources.inspected as usize * PAGES_PER_SOURCE;
        assert_eq!(pages.len(), accepted, "seed {seed}");
        assert!(pages.iter().all(|&state| state != PageState::Pending), "seed {seed}");
        assert_eq!(status.ledger.sources.submitted, SOURCES);
        assert!(status.ledger.sources.rejected >= 1, "source 3 is always rejected");
    }
}

type End = (pagemill_backends::store::JobStatus, Vec<PageState>);

/// One life of the program; `None` when it crashed.
async fn run_until_crash_or_close(folder: &std::path::Path, dice: &mut Dice, may_crash: bool) -> Option<End> {
    let limits = Limits { losses_max: 100, ..Limits::default() };
    let backends = Backends {
        store: Arc::new(SqliteStore::open(&folder.join("state.db"), &limits).await.unwrap()),
        queue: Arc::new(MemoryQueue::default()),
        blobs: Arc::new(FolderBlobs::open(folder, &folder.join("state")).unwrap()),
    };
    let config = CoordinatorConfig {
        limits,
        name: "embedded".into(),
        window: WindowRule::Fixed(4),
        shard_seconds: 4.0,
        sources_per_inspect_shard: 3,
        leases: None,
    };
    let coordinator = Coordinator::new(config, backends.clone()).unwrap();
    let job = submit(&coordinator).await;
    let shutdown = CancellationToken::new();
    let running = tokio::spawn({
        let (coordinator, shutdown) = (coordinator.clone(), shutdown.clone());
        async move { coordinator.run(shutdown).await }
    });
    let crash_after = if may_crash { dice.roll(20) } else { u64::MAX };
    let mut answered = 0;
    let closed = loop {
        tokio::select! {
            delivery = backends.queue.next_shard(Lanes::All) => {
                if answered == crash_after {
                    break None;
                }
                answered += 1;
                let delivery = delivery.unwrap();
                let outcome = answer(&delivery.message, dice);
                for _ in 0..=dice.roll(3) {
                    backends.queue.publish_outcome(&outcome).await.unwrap();
                }
                delivery.acknowledge().await.unwrap();
            }
            status = coordinator.closed(job) => break Some(status.unwrap()),
            () = tokio::time::sleep(Duration::from_secs(20)) => panic!("the job stands still"),
        }
    };
    if closed.is_none() {
        running.abort();
        let _ = running.await;
        return None;
    }
    shutdown.cancel();
    running.await.unwrap().unwrap();
    Some((coordinator.status(job).await.unwrap(), states(&coordinator, job).await))
}

async fn submit(coordinator: &Coordinator) -> JobId {
    let job = coordinator.open(&new_job()).await.unwrap();
    let source = |number: u64| NewSource {
        path: format!("{number}.tif"),
        folder: String::new(),
        location: SourceLocation::File(format!("/scans/{number}.tif").into()),
        stamp: FileStamp { bytes: 1, modified_ns: 1, inode: number },
    };
    let sources: Vec<NewSource> = (1..=SOURCES).map(source).collect();
    coordinator.add_sources(job, &sources).await.unwrap();
    coordinator.seal(job).await.unwrap();
    job
}

fn new_job() -> NewJob {
    NewJob {
        tenant: TENANT_DEFAULT.into(),
        key: "job".into(),
        recipe: Recipe::default(),
        urgency: Urgency::default(),
        now_unix_seconds: 1,
        reopen: true,
    }
}

async fn states(coordinator: &Coordinator, job: JobId) -> Vec<PageState> {
    let pages = coordinator.list_pages(job, PageCursor::default(), 10_000).await.unwrap();
    pages.iter().map(|page| page.state).collect()
}

fn answer(shard: &Shard, dice: &mut Dice) -> Outcome {
    let report = match &shard.work {
        Work::Inspect(sources) => {
            Report::Inspected(sources.iter().map(|source| inspected(source, dice)).collect())
        }
        Work::Recognise(groups) => {
            let mut reports = Vec::new();
            for group in groups {
                for &number in &group.pages {
                    // Some pages are not reached: they come again.
                    if dice.roll(10) > 0 {
                        reports.push(PageReport { source: group.source.id, number, result: read(dice) });
                    }
                }
            }
            Report::Recognised(reports)
        }
        Work::Assemble(plan) => {
            let result = if dice.roll(5) == 0 {
                DocumentResult::Lost(Loss::Interrupted)
            } else {
                DocumentResult::Delivered { artifacts: Vec::new(), gaps: Vec::new() }
            };
            Report::Assembled(DocumentReport { document: plan.id, result })
        }
        Work::AssembleStored(_) => unreachable!("the documents of this test are small"),
    };
    let fingerprint = Fingerprint("simulated".into());
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

fn inspected(source: &SourceRef, dice: &mut Dice) -> SourceReport {
    let page = PageFacts {
        width: 10,
        height: 10,
        dpi: Dpi::square(300),
        dpi_rule: DpiRule::Declared,
        orientation: Orientation::default(),
        existing_text: ExistingText::None,
        defect: None,
    };
    let result = match (&source.location, dice.roll(6)) {
        (SourceLocation::File(path), _) if path.ends_with("3.tif") => {
            SourceResult::Rejected(Rejection::UnknownKind)
        }
        (_, 0) => SourceResult::Lost(Loss::Interrupted),
        _ => SourceResult::Inspected(SourceFacts {
            kind: SourceKind::Tiff,
            pages: vec![page; PAGES_PER_SOURCE],
            signed: false,
        }),
    };
    SourceReport { source: source.id, hash: Some(ContentHash::of(b"x")), map: None, result }
}

fn read(dice: &mut Dice) -> PageResult {
    let hash = ContentHash::of(b"text");
    match dice.roll(8) {
        0 => PageResult::Fault(Fault::Crashed { how: "signal 11".into() }),
        1 => PageResult::Lost(Loss::Interrupted),
        2 => PageResult::Blank { summary: PageSummary::default() },
        _ => PageResult::Recognised {
            result: ResultRef { blob: hash, offset: 0, length: 4, hash },
            summary: PageSummary::default(),
        },
    }
}
