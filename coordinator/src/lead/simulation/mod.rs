//! A cluster in one thread: one store, one broker, workers, and leaders that come and go. A printed seed draws what
//! happens next and what fails; whatever it is, every page is accounted for once.

use std::sync::atomic::{AtomicU64, Ordering};

use pagemill_backends::store::{JobState, PageCursor, Store};
use pagemill_domain::page::PageState;

use dice::Dice;
use world::{PAGES_PER_SOURCE, World};

mod answers;
mod dice;
mod queue;
mod store;
mod world;

/// Schedules that are drawn; `PAGEMILL_SIMULATION_SCHEDULES` asks for another number.
const SCHEDULES: u64 = 50;

/// Steps of chaos before everything calms down.
const CHAOS_STEPS: u32 = 150;

/// Steps after which a calm cluster must be done.
const CALM_STEPS_MAX: u32 = 5_000;

#[test]
fn every_page_is_accounted_for_once_whatever_fails() {
    let asked = std::env::var("PAGEMILL_SIMULATION_SCHEDULES").ok().and_then(|text| text.parse().ok());
    let (schedules, next) = (asked.unwrap_or(SCHEDULES), AtomicU64::new(0));
    let draw = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let mut tally = Tally::default();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= schedules {
                return tally;
            }
            runtime.block_on(run(seed, &mut tally));
        }
    };
    let cores = std::thread::available_parallelism().unwrap().get();
    let mut tally = Tally::default();
    std::thread::scope(|scope| {
        let drawing: Vec<_> = (0..cores).map(|_| scope.spawn(draw)).collect();
        for drawn in drawing {
            tally.add(&drawn.join().unwrap());
        }
    });
    println!("{schedules} schedules: {tally:?}");
    // A simulation in which nothing goes wrong proves nothing.
    let happened = [tally.deposed, tally.outcomes_ignored, tally.leases_lost, tally.shards_rescued];
    assert!(happened.iter().all(|&count| count > 0), "{tally:?}");
}

/// What happened over all schedules.
#[derive(Debug, Default)]
struct Tally {
    pages: u64,
    deposed: u64,
    outcomes_ignored: u64,
    leases_lost: u64,
    shards_rescued: u64,
}

impl Tally {
    fn add(&mut self, other: &Self) {
        self.pages += other.pages;
        self.deposed += other.deposed;
        self.outcomes_ignored += other.outcomes_ignored;
        self.leases_lost += other.leases_lost;
        self.shards_rescued += other.shards_rescued;
    }
}

async fn run(seed: u64, tally: &mut Tally) {
    println!("seed {seed}");
    let mut world = World::begin(Dice::new(seed)).await;
    for _ in 0..CHAOS_STEPS {
        world.step().await;
    }
    world.calm_down();
    for step in 0.. {
        if world.all_closed().await {
            break;
        }
        assert!(step < CALM_STEPS_MAX, "seed {seed}: the jobs stand still: {}", world.describe().await);
        world.calm_step().await;
    }
    check(seed, &world, tally).await;
    let leaders = world.tally();
    tally.deposed += world.deposed;
    tally.outcomes_ignored += leaders.outcomes_ignored;
    tally.leases_lost += leaders.leases_lost;
    tally.shards_rescued += leaders.shards_rescued;
}

async fn check(seed: u64, world: &World, tally: &mut Tally) {
    for job in &world.jobs {
        let status = world.store.inner.status(job.id).await.unwrap();
        let rows = world.store.inner.list_pages(job.id, None, PageCursor::default(), 10_000).await.unwrap();
        let counts = status.ledger.pages;
        assert_eq!(status.ledger.balance(), Ok(()), "seed {seed} {status:?}");
        assert_eq!(status.ledger.sources.submitted, job.sources, "seed {seed}");
        assert_eq!(rows.len() as u64, counts.declared, "seed {seed}: each page has one row");
        let of = |state| rows.iter().filter(|row| row.state == state).count() as u64;
        let listed = [
            of(PageState::Recognised),
            of(PageState::Blank),
            of(PageState::Kept),
            of(PageState::Dead),
            of(PageState::Cancelled),
        ];
        let counted = [counts.recognised, counts.blank, counts.kept, counts.dead, counts.cancelled];
        assert_eq!(listed, counted, "seed {seed}: what is counted is what is there");
        for row in rows.iter().filter(|row| row.state == PageState::Dead) {
            let faults_max = world.limits.faults_max;
            assert_eq!(row.faults, faults_max, "seed {seed}: only its own faults end a page: {row:?}");
        }
        if status.state == JobState::Closed {
            let documents = status.ledger.documents;
            assert_eq!(documents.arranged, documents.delivered, "seed {seed}");
            let pages = status.ledger.sources.inspected * PAGES_PER_SOURCE as u64;
            assert_eq!(counts.declared, pages, "seed {seed}");
        }
        tally.pages += counts.declared;
    }
}
