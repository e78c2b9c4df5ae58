//! What becomes of deliveries that nobody acknowledges, and of queues that somebody touches.

use std::time::Duration;

use super::super::super::{Arrival, Lanes, QueueError, conformance};
use super::super::topology::DELIVERIES_MAX;
use super::{delete, fresh, get, insist, open, raw, short_queue_url, within};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shard_that_is_given_up_arrives_as_undeliverable() {
    let (queue, _) = fresh().await;
    queue.publish_shard(&conformance::shard(1)).await.unwrap();
    for _ in 0..=DELIVERIES_MAX {
        drop(within("another delivery", queue.next_shard(Lanes::All)).await.unwrap());
    }
    let mut arrivals = within("the arrival", queue.next_arrivals(10)).await.unwrap();
    let Some(Arrival::Undeliverable(given_up)) = arrivals.pop() else {
        panic!("{} arrivals", arrivals.len())
    };
    assert_eq!(given_up.message, conformance::shard(1).dispatch());
    given_up.acknowledge().await.unwrap();
    let more = tokio::time::timeout(Duration::from_millis(300), queue.next_shard(Lanes::All)).await;
    assert!(more.is_err(), "it is not delivered any more");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_leader_gets_what_the_deposed_one_had_fetched() {
    let (first, url) = fresh().await;
    let second = open(&url).await;
    for id in 1..=20 {
        first.publish_outcome(&conformance::outcome(id)).await.unwrap();
    }
    let in_hand = conformance::outcomes(&*first, 5).await;
    first.stop_arrivals().await;
    let mut ids = Vec::new();
    while ids.len() < 20 {
        for outcome in within("the outcomes", conformance::outcomes(&*second, 100)).await {
            ids.push(outcome.message.shard.0);
            outcome.acknowledge().await.unwrap();
        }
    }
    ids.sort_unstable();
    assert_eq!(ids, (1..=20).collect::<Vec<_>>());
    for outcome in in_hand {
        let late = outcome.acknowledge().await.unwrap_err();
        assert!(matches!(late, QueueError::Unavailable { .. }), "{late:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_that_somebody_deleted_is_declared_again() {
    let (queue, url) = fresh().await;
    let (_connection, channel) = raw(&url).await;
    let in_hand = {
        queue.publish_shard(&conformance::shard(1)).await.unwrap();
        within("a shard", queue.next_shard(Lanes::All)).await.unwrap()
    };
    // Under a slot that waits.
    let waiting = queue.next_shard(Lanes::All);
    let (next, ()) = tokio::join!(within("a shard of the new queue", waiting), async {
        delete(&channel, "pagemill.inspect").await;
        tokio::time::sleep(Duration::from_millis(200)).await;
        insist(&*queue, 2).await;
    });
    next.unwrap().acknowledge().await.unwrap();
    // Its queue is gone; whatever it says, nothing breaks.
    let _ = in_hand.acknowledge().await;

    // Under a leader that consumes: the broker cancels the consumer.
    queue.publish_outcome(&conformance::outcome(1)).await.unwrap();
    for outcome in conformance::outcomes(&*queue, 1).await {
        outcome.acknowledge().await.unwrap();
    }
    let (outcomes, ()) =
        tokio::join!(within("an outcome of the new queue", conformance::outcomes(&*queue, 1)), async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            delete(&channel, "pagemill.outcomes").await;
            tokio::time::sleep(Duration::from_millis(200)).await;
            within("publish an outcome", async {
                while queue.publish_outcome(&conformance::outcome(2)).await.is_err() {}
            })
            .await;
        });
    assert_eq!(outcomes[0].message.shard.0, 2);
    assert!(queue.is_up());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_publisher_finds_that_its_queue_is_gone() {
    let (queue, url) = fresh().await;
    let (_connection, channel) = raw(&url).await;
    delete(&channel, "pagemill.inspect").await;
    let missing = queue.publish_shard(&conformance::shard(1)).await.unwrap_err();
    assert!(matches!(missing, QueueError::Unavailable { .. }), "{missing:?}");
    queue.publish_shard(&conformance::shard(1)).await.unwrap();
    get(&channel, "pagemill.inspect").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_queue_refuses_and_takes_again() {
    let queue = open(&short_queue_url(10)).await;
    let full = within("the queue is full", async {
        loop {
            if let Err(error) = queue.publish_shard(&conformance::shard(1)).await {
                return error;
            }
        }
    });
    let full = full.await;
    assert!(matches!(full, QueueError::Full { .. }), "{full:?}");
    assert!(queue.is_up(), "one full queue is no outage");
    for _ in 0..5 {
        within("a shard", conformance::take(&*queue, Lanes::All)).await;
    }
    insist(&*queue, 2).await;
}
