//! What every queue promises.

use std::time::Duration;

use pagemill_domain::hash::ContentHash;
use pagemill_domain::ids::{Attempt, JobId, ShardId};
use pagemill_domain::outcome::{Fingerprint, Outcome, Report};
use pagemill_domain::recipe::Recipe;
use pagemill_domain::shard::{ResultRef, Shard, Work};

use super::{Arrival, Delivery, Lanes, Queue};

pub(crate) async fn run(queue: &dyn Queue) {
    delivers_again_until_acknowledged(queue).await;
    prefers_express_and_what_completes_documents(queue).await;
    lets_recognise_and_inspect_take_turns(queue).await;
    a_waiting_slot_gets_what_comes(queue).await;
    loses_nothing_when_a_waiting_slot_gives_up(queue).await;
    gathers_outcomes_in_batches(queue).await;
    loses_no_outcome_when_the_leader_stops(queue).await;
}

pub(crate) fn shard(id: i64) -> Shard {
    Shard {
        id: ShardId(id),
        attempt: Attempt(1),
        job: JobId(1),
        express: false,
        recipe: Recipe::default(),
        work: Work::Inspect(Vec::new()),
    }
}

pub(crate) async fn publish_shards(queue: &dyn Queue, count: i64) {
    for id in 1..=count {
        queue.publish_shard(&shard(id)).await.unwrap();
    }
}

pub(crate) fn outcome(id: i64) -> Outcome {
    Outcome {
        shard: ShardId(id),
        attempt: Attempt(1),
        job: None,
        fingerprint: Fingerprint::default(),
        cpu_ms: 0,
        wall_ms: 0,
        report: Report::Inspected(Vec::new()),
    }
}

async fn publish(queue: &dyn Queue, id: i64, express: bool, work: Work) {
    queue.publish_shard(&Shard { express, work, ..shard(id) }).await.unwrap();
}

/// Takes and acknowledges one shard.
pub(crate) async fn take(queue: &dyn Queue, lanes: Lanes) -> i64 {
    let delivery = queue.next_shard(lanes).await.unwrap();
    let id = delivery.message.id.0;
    delivery.acknowledge().await.unwrap();
    id
}

fn assemble() -> Work {
    let hash = ContentHash::of(b"a plan");
    Work::AssembleStored(ResultRef { blob: hash, offset: 0, length: 6, hash })
}

async fn delivers_again_until_acknowledged(queue: &dyn Queue) {
    publish_shards(queue, 2).await;
    let first = queue.next_shard(Lanes::All).await.unwrap();
    let second = queue.next_shard(Lanes::All).await.unwrap();
    assert_eq!((&first.message, &second.message), (&shard(1), &shard(2)), "in order");
    drop(first);
    second.acknowledge().await.unwrap();
    assert_eq!(take(queue, Lanes::All).await, 1, "a shard that was not acknowledged comes again");
}

async fn prefers_express_and_what_completes_documents(queue: &dyn Queue) {
    publish(queue, 1, false, Work::Inspect(Vec::new())).await;
    publish(queue, 2, false, assemble()).await;
    publish(queue, 3, true, Work::Recognise(Vec::new())).await;
    publish(queue, 4, true, Work::Inspect(Vec::new())).await;
    assert_eq!(take(queue, Lanes::All).await, 3);
    assert_eq!(take(queue, Lanes::Express).await, 4);
    let none = tokio::time::timeout(Duration::from_millis(100), queue.next_shard(Lanes::Express)).await;
    assert!(none.is_err(), "the express share takes nothing else");
    assert_eq!(take(queue, Lanes::All).await, 2);
    assert_eq!(take(queue, Lanes::All).await, 1);
}

async fn lets_recognise_and_inspect_take_turns(queue: &dyn Queue) {
    for id in 1..=2 {
        publish(queue, id, false, Work::Recognise(Vec::new())).await;
    }
    for id in 3..=4 {
        publish(queue, id, false, Work::Inspect(Vec::new())).await;
    }
    let first = [take(queue, Lanes::All).await, take(queue, Lanes::All).await];
    let second = [take(queue, Lanes::All).await, take(queue, Lanes::All).await];
    for pair in [first, second] {
        assert_eq!(pair.iter().filter(|id| **id <= 2).count(), 1, "{first:?}, {second:?}");
    }
}

async fn a_waiting_slot_gets_what_comes(queue: &dyn Queue) {
    let (all, express, ()) = tokio::join!(take(queue, Lanes::All), take(queue, Lanes::Express), async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        publish(queue, 1, false, assemble()).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
        publish(queue, 2, true, assemble()).await;
    });
    assert_eq!((all, express), (1, 2));
}

async fn loses_nothing_when_a_waiting_slot_gives_up(queue: &dyn Queue) {
    publish_shards(queue, 5).await;
    // However far each attempt got, what it had comes to another.
    for us in [0, 100, 300, 1_000, 3_000, 10_000] {
        let _ = tokio::time::timeout(Duration::from_micros(us), queue.next_shard(Lanes::All)).await;
    }
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(take(queue, Lanes::All).await);
    }
    ids.sort_unstable();
    assert_eq!(ids, [1, 2, 3, 4, 5]);
}

async fn gathers_outcomes_in_batches(queue: &dyn Queue) {
    for id in 1..=3 {
        queue.publish_outcome(&outcome(id)).await.unwrap();
    }
    let mut ids = Vec::new();
    while ids.len() < 3 {
        let batch = outcomes(queue, 2).await;
        assert!((1..=2).contains(&batch.len()));
        for delivery in batch {
            assert_eq!(delivery.message, outcome(delivery.message.shard.0));
            ids.push(delivery.message.shard.0);
            delivery.acknowledge().await.unwrap();
        }
    }
    assert_eq!(ids, [1, 2, 3]);
}

async fn loses_no_outcome_when_the_leader_stops(queue: &dyn Queue) {
    for id in 1..=4 {
        queue.publish_outcome(&outcome(id)).await.unwrap();
    }
    for us in [0, 100, 300, 1_000, 3_000, 10_000] {
        let _ = tokio::time::timeout(Duration::from_micros(us), queue.next_arrivals(2)).await;
    }
    drop(outcomes(queue, 1).await);
    queue.stop_arrivals().await;
    let mut ids = Vec::new();
    while ids.len() < 4 {
        for delivery in outcomes(queue, 10).await {
            ids.push(delivery.message.shard.0);
            delivery.acknowledge().await.unwrap();
        }
    }
    ids.sort_unstable();
    assert_eq!(ids, [1, 2, 3, 4]);
}

/// Up to so many outcomes; nothing may be undeliverable.
pub(crate) async fn outcomes(queue: &dyn Queue, outcomes_max: usize) -> Vec<Delivery<Outcome>> {
    let arrivals = queue.next_arrivals(outcomes_max).await.unwrap();
    let outcomes = arrivals.into_iter().map(|arrival| match arrival {
        Arrival::Outcome(outcome) => outcome,
        Arrival::Undeliverable(_) => panic!("nothing was undeliverable"),
    });
    outcomes.collect()
}
