//! Two coordinators over one store.

use std::time::{Duration, Instant};

use pagemill_backends::Backends;
use pagemill_coordinator::Coordinator;
use tokio_util::sync::CancellationToken;

use crate::cluster::{PATIENCE, backends, config, leases};

async fn leader(backends: &Backends, expected: &str) -> i64 {
    let start = Instant::now();
    loop {
        let lease = backends.store.leader_lease().await.unwrap();
        if lease.holder == expected {
            return lease.epoch;
        }
        assert!(start.elapsed() < PATIENCE, "{expected} does not lead: {lease:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn another_takes_over_when_the_leader_dies_or_leaves() {
    let folder = tempfile::tempdir().unwrap();
    let backends = backends(&folder).await;
    let start = |name: &str| {
        let coordinator = Coordinator::new(config(name), backends.clone()).unwrap();
        let shutdown = CancellationToken::new();
        let token = shutdown.clone();
        (tokio::spawn(async move { coordinator.run(token).await }), shutdown)
    };
    let (one, _) = start("one");
    let first = leader(&backends, "one").await;
    let (two, stop) = start("two");
    tokio::time::sleep(2 * leases().leader_silence_max).await;
    assert_eq!(leader(&backends, "one").await, first, "a leader that lives is left alone");

    // Killed: its beat stands still.
    one.abort();
    let second = leader(&backends, "two").await;
    assert!(second > first);

    // Stopped in good order: nobody has to wait for a silence.
    stop.cancel();
    two.await.unwrap().unwrap();
    let lease = backends.store.leader_lease().await.unwrap();
    assert_eq!(lease.holder, "");
    let (three, stop) = start("three");
    leader(&backends, "three").await;
    stop.cancel();
    three.await.unwrap().unwrap();
}

#[tokio::test]
async fn requests_go_on_and_work_goes_on_after_a_change_of_leaders() {
    use pagemill_domain::job::{NewJob, Urgency};
    use pagemill_domain::recipe::Recipe;

    let folder = tempfile::tempdir().unwrap();
    let backends = backends(&folder).await;
    let follower = Coordinator::new(config("follower"), backends.clone()).unwrap();
    let leading = Coordinator::new(config("leader"), backends.clone()).unwrap();
    let shutdown = CancellationToken::new();
    let token = shutdown.clone();
    let running = tokio::spawn(async move { leading.run(token).await });
    leader(&backends, "leader").await;
    // Sealed at a coordinator that doesn't lead: the leader finds it.
    // An older draft would expire before it is sealed.
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap();
    let job = NewJob {
        tenant: "default".into(),
        key: "empty".into(),
        recipe: Recipe::default(),
        urgency: Urgency::default(),
        now_unix_seconds: now.as_secs().cast_signed(),
        reopen: false,
    };
    let job = follower.open(&job).await.unwrap();
    follower.seal(job).await.unwrap();
    let start = Instant::now();
    while follower.status(job).await.unwrap().state != pagemill_backends::store::JobState::Closed {
        assert!(start.elapsed() < PATIENCE, "the leader never looks");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    shutdown.cancel();
    running.await.unwrap().unwrap();
}
