use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use pagemill_domain::ids::{Epoch, JobId, ShardAttempt, ShardId, WorkerId};
use pagemill_domain::job::NewJob;
use pagemill_domain::limits::Limits;
use pagemill_domain::outcome::Outcome;
use pagemill_domain::recipe::Recipe;
use pagemill_domain::shard::Shard;
use pagemill_test_services::{Postgres, shared};
use tokio::time::timeout;

use super::PostgresStore;
use crate::store::conformance::{CHECKS, answer, new_job, source};
use crate::store::{
    JobFilter, JobState, LeaderLease, NewSource, ShardOrder, ShardSizes, Store, StoreError, WorkerBeat,
};

/// Kills without a call that meets one: as good as impossible.
const KILLS_MAX: u32 = 20;

async fn fresh_store() -> PostgresStore {
    PostgresStore::connect(&shared::postgres().fresh_url(), &Limits::default()).await.unwrap()
}

#[tokio::test]
async fn keeps_the_promises_of_a_store() {
    for check in CHECKS {
        check(Box::new(fresh_store().await)).await;
    }
}

#[tokio::test]
async fn coordinators_may_start_together() {
    let url = shared::postgres().fresh_url();
    let limits = Limits::default();
    let (one, other) =
        tokio::join!(PostgresStore::connect(&url, &limits), PostgresStore::connect(&url, &limits));
    assert_eq!(one.unwrap().leader_lease().await.unwrap(), other.unwrap().leader_lease().await.unwrap());
}

/// Two coordinators take submissions in, cancel and re-drive while the one that leads works on what there is.
#[tokio::test]
async fn writers_do_not_stand_in_each_others_way() {
    let url = shared::postgres().fresh_url();
    let leader = Arc::new(PostgresStore::connect(&url, &Limits::default()).await.unwrap());
    let other = Arc::new(PostgresStore::connect(&url, &Limits::default()).await.unwrap());
    let epoch = leader.seize_lease(&LeaderLease::default(), "leader").await.unwrap().unwrap();
    let submitting = [("one", leader.clone()), ("other", other)].map(|(tenant, store)| {
        tokio::spawn(async move {
            for number in 0..JOBS_EACH {
                let job = submit(&*store, tenant, &number.to_string(), SOURCES_EACH).await;
                match number % 4 {
                    0 => store.cancel(job, 1).await.unwrap(),
                    1 => drop(store.redrive(job, &[]).await.unwrap()),
                    _ => {}
                }
            }
        })
    });
    let (mut idle, mut rounds) = (0, 0);
    while idle < 3 {
        rounds += 1;
        assert!(rounds < 5_000, "it never ends");
        let demands = leader.demands(8).await.unwrap();
        let orders = demands.iter().map(|demand| order(demand.job)).collect::<Vec<_>>();
        let shards = leader.cut_shards(epoch, &orders).await.unwrap();
        let beats = shards.iter().map(Shard::dispatch).collect();
        leader.beat(&beat(beats)).await.unwrap();
        let outcomes: Vec<Outcome> = shards.iter().map(|shard| answer(shard, 3, b"x")).collect();
        leader.apply(epoch, &outcomes, &Limits::default()).await.unwrap();
        for demand in &demands {
            leader.close_job(epoch, demand.job, 1).await.unwrap();
        }
        let is_submitting = submitting.iter().any(|task| !task.is_finished());
        idle = if shards.is_empty() && !is_submitting { idle + 1 } else { 0 };
    }
    for task in submitting {
        task.await.unwrap();
    }
    let jobs = leader.list_jobs(&JobFilter::default(), JobId(0), 1_000).await.unwrap();
    assert_eq!(jobs.len() as u64, 2 * JOBS_EACH);
    for job in jobs {
        assert!(matches!(job.status.state, JobState::Closed | JobState::Cancelled), "{job:?}");
        assert_eq!(job.status.ledger.balance(), Ok(()), "{job:?}");
        assert_eq!(job.status.ledger.sources.submitted, SOURCES_EACH);
    }
}

/// Jobs that each of two coordinators takes in, and their sources.
const JOBS_EACH: u64 = 20;
const SOURCES_EACH: u64 = 7;

/// A successor waits until a write under the earlier epoch is over, so that none comes after it.
#[tokio::test]
async fn taking_over_waits_for_the_writes_of_the_last_leader() {
    let store = fresh_store().await;
    let epoch = store.seize_lease(&LeaderLease::default(), "leader").await.unwrap().unwrap();
    let writing = store.begin_leading(epoch).await.unwrap();
    store.renew_lease(epoch).await.unwrap();
    let seen = store.leader_lease().await.unwrap();
    let seizing = store.seize_lease(&seen, "successor");
    tokio::pin!(seizing);
    assert!(timeout(Duration::from_millis(300), &mut seizing).await.is_err(), "it waits");
    writing.commit().await.unwrap();
    assert_eq!(seizing.await.unwrap(), Some(Epoch(epoch.0 + 1)));
    assert!(matches!(store.begin_leading(epoch).await, Err(StoreError::Deposed)));
}

/// A leader that stands still in a write loses its connection, and with it its hold on the lease.
#[tokio::test]
async fn a_leader_that_stands_still_lets_go_of_the_lease() {
    let store = fresh_store().await;
    let epoch = store.seize_lease(&LeaderLease::default(), "leader").await.unwrap().unwrap();
    let writing = store.begin_leading(epoch).await.unwrap();
    let seen = store.leader_lease().await.unwrap();
    let seized = timeout(Duration::from_secs(15), store.seize_lease(&seen, "successor")).await.unwrap();
    assert_eq!(seized.unwrap(), Some(Epoch(epoch.0 + 1)));
    assert!(writing.commit().await.is_err(), "the server ended it");
}

/// The server is killed over and over while outcomes are applied: each batch is whole or not there.
#[tokio::test(flavor = "multi_thread")]
async fn a_kill_in_the_middle_of_a_batch_loses_and_doubles_nothing() {
    let server = Postgres::start();
    let url = server.fresh_url();
    let store = Arc::new(PostgresStore::connect(&url, &Limits::default()).await.unwrap());
    let epoch = store.seize_lease(&LeaderLease::default(), "leader").await.unwrap().unwrap();
    let outages = Arc::new(AtomicU32::new(0));
    let killing = Arc::new(AtomicBool::new(true));
    // Job after job, so that every kill meets work.
    let working = tokio::spawn({
        let (store, outages, killing) = (store.clone(), outages.clone(), killing.clone());
        async move {
            let mut jobs = Vec::new();
            while jobs.is_empty() || killing.load(Ordering::Relaxed) {
                let job = new_job(&format!("job {}", jobs.len()), &Recipe::default());
                let job = through_outages(&outages, || store.open_job(&job)).await;
                let sources: Vec<NewSource> =
                    (0..60).map(|number| source(&format!("{number}.tif"))).collect();
                through_outages(&outages, || store.add_sources(job, &sources)).await;
                through_outages(&outages, || store.seal(job)).await;
                while !through_outages(&outages, || work_a_little(&store, epoch, job)).await {}
                jobs.push(job);
            }
            jobs
        }
    });
    let mut kills = 0;
    while kills < 3 || outages.load(Ordering::Relaxed) == 0 {
        assert!(kills < KILLS_MAX, "no call met an outage");
        tokio::time::sleep(Duration::from_millis(300)).await;
        tokio::task::block_in_place(|| {
            server.kill();
            server.restart();
        });
        kills += 1;
    }
    killing.store(false, Ordering::Relaxed);
    let jobs = timeout(Duration::from_mins(2), working).await.unwrap().unwrap();
    println!("{} jobs, {kills} kills, {} calls met an outage", jobs.len(), outages.load(Ordering::Relaxed));
    for job in jobs {
        let status = store.status(job).await.unwrap();
        assert_eq!(status.state, JobState::Closed);
        assert_eq!((status.ledger.pages.declared, status.ledger.pages.recognised), (60 * 30, 60 * 30));
        assert_eq!(status.ledger.documents.delivered, 60);
    }
}

/// Calls until the database is there to answer, and counts the calls that met an outage.
async fn through_outages<T, F>(outages: &AtomicU32, call: impl Fn() -> F) -> T
where
    F: Future<Output = Result<T, StoreError>>,
{
    loop {
        match call().await {
            Ok(answer) => return answer,
            Err(error) => {
                assert!(error.is_unavailable(), "{error:?}");
                outages.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// One round: what is open comes again first, as after an outage. Whether the job is closed.
async fn work_a_little(store: &PostgresStore, epoch: Epoch, job: JobId) -> Result<bool, StoreError> {
    let open: Vec<ShardId> = store.open_shards().await?.iter().map(|shard| shard.dispatch.shard).collect();
    let mut shards = store.messages(&open).await?;
    shards.extend(store.cut_shards(epoch, &[order(job)]).await?);
    let outcomes: Vec<Outcome> = shards.iter().map(|shard| answer(shard, 30, b"x")).collect();
    store.apply(epoch, &outcomes, &Limits::default()).await?;
    store.close_job(epoch, job, 1).await?;
    Ok(store.status(job).await?.state == JobState::Closed)
}

fn order(job: JobId) -> ShardOrder {
    ShardOrder { job, shards_max: 4, sizes: ShardSizes { sources: 3, pages: 10 }, express: false }
}

fn beat(busy: Vec<ShardAttempt>) -> WorkerBeat {
    WorkerBeat {
        worker: WorkerId("w".into()),
        version: "1".into(),
        fingerprint: "f".into(),
        slots: 4,
        busy,
        now_unix_seconds: 1,
    }
}

async fn submit(store: &dyn Store, tenant: &str, key: &str, sources: u64) -> JobId {
    let job = NewJob { tenant: tenant.into(), reopen: false, ..new_job(key, &Recipe::default()) };
    let job = store.open_job(&job).await.unwrap();
    for number in 0..sources {
        store.add_sources(job, &[source(&format!("{number}.tif"))]).await.unwrap();
    }
    store.seal(job).await.unwrap();
    job
}
