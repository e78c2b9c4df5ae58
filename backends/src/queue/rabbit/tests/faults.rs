//! Brokers that die, choke or cut the line.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use pagemill_test_services::RabbitMq;

use super::super::super::{Lanes, Queue, QueueError, conformance};
use super::{fresh, insist, open, shared, until, within};

/// Longest time in which a publish must answer, whatever happens.
const BOUNDED: Duration = Duration::from_secs(15);

async fn publish_in_bounded_time(queue: &dyn Queue, id: i64) -> Result<(), QueueError> {
    let since = Instant::now();
    let published = queue.publish_shard(&conformance::shard(id)).await;
    assert!(since.elapsed() < BOUNDED, "{:?}", since.elapsed());
    published
}

async fn publish_until_refused(queue: &dyn Queue, id: i64) -> QueueError {
    within("a refusal", async {
        loop {
            match publish_in_bounded_time(queue, id).await {
                Ok(()) => tokio::time::sleep(Duration::from_millis(50)).await,
                Err(error) => return error,
            }
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_9_of_the_broker_loses_nothing_that_was_confirmed() {
    let rabbit = RabbitMq::start();
    let queue = open(&rabbit.url()).await;
    for id in 1..=50 {
        queue.publish_shard(&conformance::shard(id)).await.unwrap();
        queue.publish_outcome(&conformance::outcome(id)).await.unwrap();
    }
    let in_hand = within("a shard", queue.next_shard(Lanes::All)).await.unwrap();
    let outcomes_in_hand = within("outcomes", conformance::outcomes(&*queue, 10)).await;
    rabbit.kill();
    until("the outage is noticed", || !queue.is_up()).await;
    let down = publish_in_bounded_time(&*queue, 51).await.unwrap_err();
    assert!(matches!(down, QueueError::Unavailable { .. }), "{down:?}");
    assert!(in_hand.acknowledge().await.is_err(), "it will be delivered again");
    drop(outcomes_in_hand);

    // A slot and the leader wait through the outage.
    let (shard, outcomes, ()) = tokio::join!(
        within("a shard", queue.next_shard(Lanes::All)),
        within("outcomes", conformance::outcomes(&*queue, 100)),
        async { tokio::task::block_in_place(|| rabbit.restart()) }
    );
    insist(&*queue, 51).await;
    let mut shards = HashSet::from([shard.unwrap().message.id.0]);
    let mut reported: HashSet<i64> = outcomes.iter().map(|outcome| outcome.message.shard.0).collect();
    while shards.len() < 51 {
        shards.insert(within("a shard", conformance::take(&*queue, Lanes::All)).await);
    }
    drop(outcomes);
    while reported.len() < 50 {
        for outcome in within("outcomes", conformance::outcomes(&*queue, 100)).await {
            reported.insert(outcome.message.shard.0);
            outcome.acknowledge().await.unwrap();
        }
    }
    assert!(queue.is_up());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_without_disk_blocks_publishers_only() {
    let rabbit = RabbitMq::start();
    let queue = open(&rabbit.url()).await;
    for id in 1..=3 {
        queue.publish_shard(&conformance::shard(id)).await.unwrap();
    }
    tokio::task::block_in_place(|| rabbit.ctl(&["set_disk_free_limit", "100000GB"]));
    // The broker tells those who publish.
    let blocked = publish_until_refused(&*queue, 4).await;
    assert!(matches!(blocked, QueueError::Full { .. }), "{blocked:?}");
    assert!(!queue.is_up());
    within("shards come through", conformance::take(&*queue, Lanes::All)).await;
    tokio::task::block_in_place(|| rabbit.ctl(&["set_disk_free_limit", "50MB"]));
    until("the broker takes messages again", || queue.is_up()).await;
    insist(&*queue, 5).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_stands_still_is_given_up_and_found_again() {
    let rabbit = RabbitMq::start();
    let queue = open(&format!("{}?heartbeat=2", rabbit.url())).await;
    queue.publish_shard(&conformance::shard(1)).await.unwrap();
    rabbit.pause();
    // A busy machine takes its time to stop the last thread.
    let hung = publish_until_refused(&*queue, 2).await;
    assert!(matches!(hung, QueueError::Unavailable { .. }), "{hung:?}");
    until("the outage is noticed", || !queue.is_up()).await;
    rabbit.resume();
    insist(&*queue, 3).await;
    let mut ids = HashSet::new();
    while !(ids.contains(&1) && ids.contains(&3)) {
        ids.insert(within("a shard", conformance::take(&*queue, Lanes::All)).await);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_is_cut_delivers_again_what_was_in_hand() {
    let (queue, url) = fresh().await;
    for id in 1..=10 {
        queue.publish_shard(&conformance::shard(id)).await.unwrap();
    }
    let mut in_hand = Vec::new();
    for _ in 0..10 {
        in_hand.push(within("a shard", queue.next_shard(Lanes::All)).await.unwrap());
    }
    cut_connections_of(&url).await;
    let mut again = HashSet::new();
    while again.len() < 10 {
        again.insert(within("a shard once more", conformance::take(&*queue, Lanes::All)).await);
    }
    for delivery in in_hand {
        assert!(delivery.acknowledge().await.is_err());
    }
    insist(&*queue, 11).await;
    assert_eq!(within("a shard", conformance::take(&*queue, Lanes::All)).await, 11);
}

/// Closes the connections of a virtual host at the broker, as an operator may.
async fn cut_connections_of(url: &str) {
    let vhost = url.rsplit('/').next().unwrap().to_owned();
    let names = tokio::task::spawn_blocking(move || {
        shared::rabbitmq().ctl(&["close_all_connections", "--vhost", &vhost, "test"])
    });
    names.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shard_that_outlasts_the_consumer_timeout_costs_only_itself() {
    let rabbit = RabbitMq::start();
    // Half an hour, looked at once a minute, is too long for a test.
    let hasten = "application:set_env(rabbit, consumer_timeout, 2000), \
                  application:set_env(rabbit, channel_tick_interval, 200).";
    tokio::task::block_in_place(|| rabbit.ctl(&["eval", hasten]));
    let queue = open(&rabbit.url()).await;
    queue.publish_shard(&conformance::shard(1)).await.unwrap();
    let slow = within("a shard", queue.next_shard(Lanes::All)).await.unwrap();
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    queue.publish_shard(&conformance::shard(2)).await.unwrap();
    let quick = within("a shard", queue.next_shard(Lanes::All)).await.unwrap();
    assert_eq!(quick.message.id.0, 2);
    assert_eq!(within("the slow one again", conformance::take(&*queue, Lanes::All)).await, 1);
    quick.acknowledge().await.unwrap();
    let late = slow.acknowledge().await.unwrap_err();
    assert!(matches!(late, QueueError::Unavailable { .. }), "{late:?}");
    assert!(queue.is_up(), "the connection is not touched");
}
