//! With a real broker. Each test has a virtual host of its own at the shared one; those that harm a broker start their
//! own.

use std::sync::Arc;
use std::time::Duration;

use lapin::options::{BasicGetOptions, QueueDeclareOptions, QueueDeleteOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, Connection, ConnectionProperties};
use pagemill_test_services::shared;

use super::super::{Queue, QueueError, QueueOptions, conformance, connect};

mod delivery;
mod faults;
mod messages;
mod tls;
mod volume;

/// Longest wait for what must come.
const PATIENCE: Duration = Duration::from_mins(1);

async fn open(url: &str) -> Arc<dyn Queue> {
    let options = QueueOptions { name: "test".to_owned(), ca_pem: None };
    connect(url, options).await.unwrap_or_else(|error| panic!("{error}"))
}

/// A queue of its own at the shared broker.
async fn fresh() -> (Arc<dyn Queue>, String) {
    let url = shared::rabbitmq().fresh_url();
    (open(&url).await, url)
}

/// A virtual host of its own at the shared broker, where the queue of inspections refuses more than some messages.
pub(super) fn short_queue_url(messages_max: u32) -> String {
    let url = shared::rabbitmq().fresh_url();
    let (_, vhost) = url.rsplit_once('/').unwrap();
    let policy = format!(
        r#"{{"pattern":"^pagemill.inspect$","definition":{{"max-length":{messages_max}}},"apply-to":"queues"}}"#
    );
    let set = shared::rabbitmq().management("PUT", &format!("/api/policies/{vhost}/short"), &policy);
    assert!(set.status < 300, "{}", set.body);
    url
}

/// A client beside the adapter: somebody else's hand.
async fn raw(url: &str) -> (Connection, Channel) {
    let connection = Connection::connect(url, ConnectionProperties::default()).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    (connection, channel)
}

async fn within<T>(what: &str, wait: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("{what}: not within {PATIENCE:?}"))
}

async fn until(what: &str, mut done: impl FnMut() -> bool) {
    within(what, async {
        while !done() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
}

/// Publishes until the queue takes it, as callers do.
async fn insist(queue: &dyn Queue, id: i64) {
    within("publish", async {
        while queue.publish_shard(&conformance::shard(id)).await.is_err() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keeps_the_promises_of_a_queue() {
    let (queue, _) = fresh().await;
    assert!(queue.is_up());
    within("the conformance suite", conformance::run(&*queue)).await;
    assert_eq!(queue.withdraw_shards().await.unwrap(), [], "the broker keeps its shards");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_with_other_properties_is_a_clear_error() {
    let url = shared::rabbitmq().fresh_url();
    let (_connection, channel) = raw(&url).await;
    let mut classic = FieldTable::default();
    classic.insert("x-queue-type".into(), AMQPValue::LongString("classic".into()));
    let durable = QueueDeclareOptions::durable();
    channel.queue_declare("pagemill.recognise".into(), durable, classic).await.unwrap();
    let Err(QueueError::Mismatch { name, why }) = connect(&url, QueueOptions::default()).await else {
        panic!("the queue is not ours")
    };
    assert_eq!(name, "pagemill.recognise");
    assert!(why.contains("inequivalent arg"), "{why}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_refuses_us_is_a_clear_error_without_the_password() {
    let url = shared::rabbitmq().fresh_url();
    let wrong_password = url.replace("guest:guest", "guest:hunter2");
    let wrong_vhost = format!("{url}-of-somebody-else");
    for url in [wrong_password, wrong_vhost] {
        let refused = connect(&url, QueueOptions::default()).await.err().unwrap();
        assert!(matches!(refused, QueueError::Refused { .. }), "{refused:?}");
        assert!(!refused.to_string().contains("hunter2"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_is_down_at_start_is_waited_for() {
    let port = pagemill_test_services::free_port();
    let queue = open(&format!("amqp://guest:guest@127.0.0.1:{port}/%2f")).await;
    assert!(!queue.is_up());
    let refused = queue.publish_shard(&conformance::shard(1)).await.unwrap_err();
    assert!(matches!(refused, QueueError::Unavailable { .. }), "{refused:?}");
}

/// The next message of a queue, which must be there.
async fn get(channel: &Channel, queue: &str) -> lapin::message::BasicGetMessage {
    within("a message", async {
        loop {
            if let Some(message) = channel.basic_get(queue.into(), BasicGetOptions::default()).await.unwrap()
            {
                return message;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await
}

async fn delete(channel: &Channel, queue: &str) {
    channel.queue_delete(queue.into(), QueueDeleteOptions::default()).await.unwrap();
}
