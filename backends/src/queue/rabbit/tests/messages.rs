//! What is in a message, and what happens to those that nobody understands.

use lapin::BasicProperties;
use lapin::options::{BasicAckOptions, BasicPublishOptions, ConfirmSelectOptions};
use lapin::types::AMQPValue;
use pagemill_domain::ids::ShardId;
use pagemill_domain::shard::{Shard, Work};
use pagemill_proto::v1::QueuedShard;
use prost::Message as _;

use super::super::super::{Arrival, Lanes, MESSAGE_BYTES_MAX, QueueError, conformance};
use super::{fresh, get, raw, until, within};

/// Field 99, which no version of ours knows: length-delimited, five bytes.
const FUTURE_FIELD: &[u8] = &[0x9a, 0x06, 5, b'1', b'2', b'3', b'4', b'5'];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn says_what_it_is_to_brokers_and_people() {
    let (queue, url) = fresh().await;
    let shard = conformance::shard(7);
    queue.publish_shard(&shard).await.unwrap();
    queue.publish_outcome(&conformance::outcome(7)).await.unwrap();
    let (_connection, channel) = raw(&url).await;
    let message = get(&channel, "pagemill.inspect").await;
    let properties = &message.delivery.properties;
    assert_eq!(properties.delivery_mode(), &Some(2));
    assert_eq!(properties.content_type().as_ref().unwrap().as_str(), "application/protobuf");
    assert_eq!(properties.kind().as_ref().unwrap().as_str(), "pagemill.v1.QueuedShard");
    assert_eq!(properties.message_id().as_ref().unwrap().as_str(), "7.1");
    let headers = properties.headers().as_ref().unwrap().inner();
    let traceparent = AMQPValue::LongString(shard.traceparent().to_string().into());
    assert_eq!(headers.get("traceparent"), Some(&traceparent));
    let outcome = get(&channel, "pagemill.outcomes").await;
    let kind = outcome.delivery.properties.kind();
    assert_eq!(kind.as_ref().unwrap().as_str(), "pagemill.v1.QueuedOutcome");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reads_messages_of_the_future() {
    let (queue, url) = fresh().await;
    let (_connection, channel) = raw(&url).await;
    queue.publish_shard(&conformance::shard(1)).await.unwrap();
    let ours = get(&channel, "pagemill.inspect").await;
    ours.ack(BasicAckOptions::default()).await.unwrap();
    let mut message = QueuedShard::decode(&*ours.delivery.data).unwrap();
    let recipe = String::from_utf8(message.recipe_json.to_vec()).unwrap();
    // In the recipe, in its innermost table, and in the work.
    let recipe = recipe.replace('{', r#"{"of_the_future":[1,{"a":2}],"#);
    assert!(recipe.matches("of_the_future").count() >= 2, "{recipe}");
    message.recipe_json = recipe.into();
    let mut body = message.encode_to_vec();
    body.extend_from_slice(FUTURE_FIELD);
    put(&channel, "pagemill.inspect", &body, ours.delivery.properties.clone()).await;
    let delivery = within("the shard", queue.next_shard(Lanes::All)).await.unwrap();
    assert_eq!(delivery.message, conformance::shard(1));
    assert_eq!(queue.unreadable_total(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sets_aside_what_it_can_not_read() {
    let (queue, url) = fresh().await;
    let (_connection, channel) = raw(&url).await;
    let foreign =
        QueuedShard { id: 5, work_json: br#"{"translate":[]}"#.to_vec().into(), ..QueuedShard::default() };
    let oversized = vec![0; MESSAGE_BYTES_MAX + 1];
    let bodies: [&[u8]; 4] = [b"rubbish", b"", &foreign.encode_to_vec(), &oversized];
    for body in bodies {
        put(&channel, "pagemill.recognise", body, BasicProperties::default()).await;
    }
    put(&channel, "pagemill.outcomes", b"rubbish", BasicProperties::default()).await;
    queue.publish_shard(&conformance::shard(1)).await.unwrap();
    queue.publish_outcome(&conformance::outcome(1)).await.unwrap();

    assert_eq!(within("the readable shard", conformance::take(&*queue, Lanes::All)).await, 1);
    // The slot that asks next meets the rest, if the first did not, and waits on.
    let next = tokio::spawn({
        let queue = queue.clone();
        async move { conformance::take(&*queue, Lanes::All).await }
    });
    let outcome = within("the readable outcome", conformance::outcomes(&*queue, 1)).await.remove(0);
    assert_eq!(outcome.message.shard, ShardId(1));
    outcome.acknowledge().await.unwrap();
    until("five were set aside", || queue.unreadable_total() == 5).await;
    queue.publish_shard(&conformance::shard(2)).await.unwrap();
    assert_eq!(within("the next shard", next).await.unwrap(), 2);

    let mut kept = Vec::new();
    for _ in 0..5 {
        let message = get(&channel, "pagemill.unreadable").await.delivery;
        let headers = message.properties.headers().clone().unwrap();
        let reason = format!("{:?}", headers.inner().get("unreadable").unwrap());
        assert!(!reason.contains("translate"), "no content: {reason}");
        kept.push(message.data);
    }
    for body in bodies {
        assert!(kept.iter().any(|kept| kept == body), "in its original bytes");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refuses_to_send_what_nobody_would_read() {
    let (queue, _) = fresh().await;
    let mut shard = conformance::shard(1);
    shard.recipe.languages = vec!["x".repeat(MESSAGE_BYTES_MAX)];
    let refused = queue.publish_shard(&shard).await.unwrap_err();
    assert!(
        matches!(refused, QueueError::TooLarge { bytes, .. } if bytes > MESSAGE_BYTES_MAX),
        "{refused:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tells_which_shard_was_given_up_even_if_its_work_is_unreadable() {
    let (queue, url) = fresh().await;
    let (_connection, channel) = raw(&url).await;
    let foreign = QueuedShard { id: 5, attempt: 3, ..QueuedShard::default() };
    let kind = BasicProperties::default().with_type("pagemill.v1.QueuedShard".into());
    put(&channel, "pagemill.undeliverable", &foreign.encode_to_vec(), kind).await;
    let arrivals = within("the arrival", queue.next_arrivals(10)).await.unwrap();
    let [Arrival::Undeliverable(given_up)] = &arrivals[..] else { panic!("{} arrivals", arrivals.len()) };
    assert_eq!((given_up.message.shard.0, given_up.message.attempt.0), (5, 3));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn carries_every_kind_of_shard_unchanged() {
    let (queue, _) = fresh().await;
    for (express, work) in [(true, Work::Inspect(Vec::new())), (false, Work::Recognise(Vec::new()))] {
        let shard = Shard { express, work, ..conformance::shard(9) };
        queue.publish_shard(&shard).await.unwrap();
        let delivery = within("the shard", queue.next_shard(Lanes::All)).await.unwrap();
        assert_eq!(delivery.message, shard);
        delivery.acknowledge().await.unwrap();
    }
}

/// Publishes with somebody else's hand. Returns once the broker has it: what is published afterwards, by another
/// connection too, stands behind it.
async fn put(channel: &lapin::Channel, queue: &str, body: &[u8], properties: BasicProperties) {
    channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    let options = BasicPublishOptions::default();
    let sent = channel.basic_publish("".into(), queue.into(), options, body, properties).await.unwrap();
    let answer = within("the broker's confirmation", sent).await.unwrap();
    assert!(answer.is_ack(), "{answer:?}");
}
