//! A cluster in one thread: one store, one broker, workers, and leaders that come and go. A printed seed draws how large
//! it is, what happens next and what fails; whatever it is, every page is accounted for once.
//!
//! What it sees was tried: the shipped code was broken in one place at a time, and the simulation run from seed 0.
//!
//! | what was broken | first seed that fails |
//! | --- | --- |
//! | outcomes are acknowledged before the store has them | 0 |
//! | a shard's row stays after its outcome was taken | 0 |
//! | pages that a worker did not come to are forgotten | 0 |
//! | a document does not learn that its pages are final | 0 |
//! | blank pages are not counted | 0 |
//! | a message that the broker gave up on is acknowledged and forgotten | 4 |
//! | outcomes are dropped when the store fails | 6 |
//! | a duplicate is not counted | 9 |
//! | writes of an old leader are taken | 16 |
//! | outcomes of an old attempt are taken | 59 |
//! | a stale outcome is not counted in its job | 59 |
//! | a shard that is taken back keeps its attempt | 59 |
//! | a lost worker counts as a page's own fault | 59 |
//! | a message of an old attempt takes back the current one | 59 |
//! | shards that lost their worker are not taken back | 79 |
//! | a shard whose cutting was never confirmed is not found | 87 |
//!
//! Two mistakes it does not see, because something else makes up for them: a leader that takes a failed publish for done
//! (the shard is unclaimed, and is sent again), and one that asks to close a job too early (the store refuses).

use std::sync::atomic::{AtomicU64, Ordering};

use pagemill_backends::store::{JobState, PageCursor, Store};
use pagemill_domain::ids::{PageId, SourceId};
use pagemill_domain::page::PageState;

use dice::Dice;
use ground::Ground;
use world::World;

mod answers;
mod dice;
mod ground;
mod queue;
mod store;
mod witness;
mod world;

/// Schedules that are drawn; `PAGEMILL_SIMULATION_SCHEDULES` asks for another number.
const SCHEDULES: u64 = 500;

/// The seed of the first; `PAGEMILL_SIMULATION_SEED` asks for another.
const FIRST_SEED: u64 = 0;

/// Steps after which a calm cluster must be done.
const CALM_STEPS_MAX: u32 = 5_000;

#[test]
fn every_page_is_accounted_for_once_whatever_fails() {
    let first = asked("PAGEMILL_SIMULATION_SEED").unwrap_or(FIRST_SEED);
    let schedules = asked("PAGEMILL_SIMULATION_SCHEDULES").unwrap_or(SCHEDULES);
    let next = AtomicU64::new(first);
    let draw = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let ground = Ground::make().await;
            let mut tally = Tally::default();
            loop {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                if seed >= first + schedules {
                    return tally;
                }
                run(seed, &ground, &mut tally).await;
            }
        })
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
    assert!(schedules < SCHEDULES || happened.iter().all(|&count| count > 0), "{tally:?}");
}

fn asked(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().and_then(|text| text.parse().ok())
}

/// What happened over all schedules.
#[derive(Debug, Default)]
struct Tally {
    steps: u64,
    pages: u64,
    deposed: u64,
    outcomes_ignored: u64,
    leases_lost: u64,
    shards_rescued: u64,
}

impl Tally {
    fn add(&mut self, other: &Self) {
        self.steps += other.steps;
        self.pages += other.pages;
        self.deposed += other.deposed;
        self.outcomes_ignored += other.outcomes_ignored;
        self.leases_lost += other.leases_lost;
        self.shards_rescued += other.shards_rescued;
    }
}

/// Says which schedule it was that failed.
struct Seed(u64);

impl Drop for Seed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("failed: PAGEMILL_SIMULATION_SEED={} PAGEMILL_SIMULATION_SCHEDULES=1", self.0);
        }
    }
}

async fn run(seed: u64, ground: &Ground, tally: &mut Tally) {
    let _named = Seed(seed);
    let mut world = World::begin(seed, Dice::new(seed), ground).await;
    for _ in 0..world.size.chaos_steps {
        world.step().await;
    }
    world.calm_down();
    for step in 0.. {
        if world.all_closed().await {
            tally.steps += world.size.chaos_steps + u64::from(step);
            break;
        }
        assert!(step < CALM_STEPS_MAX, "the jobs stand still: {}", world.describe().await);
        world.calm_step(step).await;
    }
    check(&world, tally).await;
    let leaders = world.tally();
    tally.deposed += world.deposed;
    tally.outcomes_ignored += leaders.outcomes_ignored;
    tally.leases_lost += leaders.leases_lost;
    tally.shards_rescued += leaders.shards_rescued;
}

async fn check(world: &World, tally: &mut Tally) {
    assert_eq!(world.store.inner.open_shards().await.unwrap(), [], "finished jobs leave no shard open");
    let mut ignored = 0;
    for job in &world.jobs {
        let status = world.store.inner.status(job.id).await.unwrap();
        let rows = world.store.inner.list_pages(job.id, None, PageCursor::default(), 10_000).await.unwrap();
        let counts = status.ledger.pages;
        assert_eq!(status.ledger.balance(), Ok(()), "{status:?}");
        assert_eq!(status.ledger.sources.submitted, job.sources);
        assert_eq!(rows.len() as u64, counts.declared, "each page has one row");
        let of = |state| rows.iter().filter(|row| row.state == state).count() as u64;
        let listed = [
            of(PageState::Recognised),
            of(PageState::Blank),
            of(PageState::Kept),
            of(PageState::Dead),
            of(PageState::Cancelled),
        ];
        let counted = [counts.recognised, counts.blank, counts.kept, counts.dead, counts.cancelled];
        assert_eq!(listed, counted, "what is counted is what is there");
        for row in rows.iter().filter(|row| row.state == PageState::Dead) {
            assert_eq!(row.faults, world.limits.faults_max, "only its own faults end a page: {row:?}");
        }
        for row in &rows {
            let page = PageId { source: SourceId(row.source), number: row.number };
            let reported = world.witness.lock().unwrap().faults(page);
            assert!(row.faults <= reported, "no page has faults that nobody saw: {row:?}");
        }
        ignored += status.outcomes_ignored;
        if status.state == JobState::Closed {
            let documents = status.ledger.documents;
            assert_eq!(documents.arranged, documents.delivered);
            let pages = status.ledger.sources.inspected * world.size.pages_per_source as u64;
            assert_eq!(counts.declared, pages);
        }
        tally.pages += counts.declared;
    }
    assert_eq!(ignored, world.witness.lock().unwrap().ignored(), "each outcome that is ignored is counted");
}
