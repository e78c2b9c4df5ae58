//! A stranger between coordinator and workers: every message comes three times, or from the future, or is rubbish.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use futures::StreamExt as _;
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, ConfirmSelectOptions};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};
use pagemill_test_services::{shared, wait_until};
use pagemill_tests::cluster::{Cluster, Services};

use crate::future::{UNKNOWN_FIELD, future_sessions};
use crate::{PATIENCE, Scenario};

/// The queues on which work travels to the workers.
const WORK: [&str; 4] = ["pagemill.inspect", "pagemill.recognise", "pagemill.assemble", "pagemill.express"];

/// The queue on which outcomes travel back.
const OUTCOMES: &str = "pagemill.outcomes";

/// Carries messages between the coordinators' virtual host and the workers', as often as it is told.
struct Relay {
    carried: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Relay {
    /// Carries each message `copies` times, changed by `change`. The queues have to be there.
    fn start(services: &Services<'_>, copies: u32, change: fn(Vec<u8>) -> Vec<u8>) -> Self {
        let (carried, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let (coordinators, workers) = (services.queue_url.clone(), services.worker_queue_url.clone());
        let (counted, stopped) = (carried.clone(), stop.clone());
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let (_ours, coordinators) = connect(&coordinators).await;
                let (_theirs, workers) = connect(&workers).await;
                let mut ways = Vec::new();
                for queue in WORK {
                    ways.push(way(&coordinators, &workers, queue, copies, change, &counted).await);
                }
                ways.push(way(&workers, &coordinators, OUTCOMES, copies, change, &counted).await);
                let until_stopped = async {
                    while !stopped.load(Ordering::Relaxed) {
                        tokio::time::sleep(Duration::from_millis(50)).await;
                    }
                };
                tokio::select! {
                    _ = futures::future::join_all(ways) => panic!("a queue of the relay ended"),
                    () = until_stopped => {}
                }
            });
        });
        Self { carried, stop, thread: Some(thread) }
    }

    /// Messages that it took so far.
    fn carried(&self) -> u64 {
        self.carried.load(Ordering::Relaxed)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let ended = self.thread.take().unwrap().join();
        assert!(ended.is_ok() || std::thread::panicking());
    }
}

/// A connection, which ends when it is dropped, and a channel that confirms.
async fn connect(url: &str) -> (Connection, Channel) {
    let connection = Connection::connect(url, ConnectionProperties::default()).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    (connection, channel)
}

/// Carries one queue's messages for ever.
async fn way(
    from: &Channel,
    to: &Channel,
    queue: &'static str,
    copies: u32,
    change: fn(Vec<u8>) -> Vec<u8>,
    carried: &Arc<AtomicU64>,
) -> impl Future<Output = ()> + use<> {
    let consumer = from
        .basic_consume(queue.into(), "".into(), BasicConsumeOptions::default(), FieldTable::default())
        .await;
    let (mut consumer, to, carried) = (consumer.unwrap(), to.clone(), carried.clone());
    async move {
        while let Some(delivery) = consumer.next().await {
            let delivery = delivery.unwrap();
            let payload = change(delivery.data.clone());
            for _ in 0..copies {
                publish(&to, queue, &payload, delivery.properties.clone()).await;
            }
            delivery.ack(BasicAckOptions::default()).await.unwrap();
            carried.fetch_add(1, Ordering::Relaxed);
        }
    }
}

async fn publish(to: &Channel, queue: &str, payload: &[u8], properties: BasicProperties) {
    let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
    to.basic_publish("".into(), queue.into(), options, payload, properties).await.unwrap().await.unwrap();
}

/// Services whose coordinators and workers have a virtual host each.
fn parted_services() -> Services<'static> {
    let mut services = Services::shared();
    services.worker_queue_url = services.rabbitmq.fresh_url();
    services
}

#[test]
fn h_every_message_is_delivered_three_times() {
    let cluster = Cluster::start(parted_services(), 1, 2);
    let relay = Relay::start(&cluster.services, 3, |message| message);
    let run = Scenario::submit(&cluster).finish(&cluster);
    println!("{} messages, each three times; {} outcomes ignored", relay.carried(), run["outcomes_ignored"]);
    // At least each outcome comes three times and counts once; the job's report tells of those that came before its end.
    assert!(run["outcomes_ignored"].as_u64().unwrap() >= u64::from(crate::PAGES), "{run}");
    wait_until("duplicates are counted", PATIENCE, || {
        cluster.sum("pagemill_outcomes_ignored_total") >= 2.0 * f64::from(crate::PAGES)
    });
}

#[test]
fn p_old_and_new_parts_mix_while_an_upgrade_rolls() {
    let mut cluster = Cluster::start(parted_services(), 1, 1);
    let _relay = Relay::start(&cluster.services, 1, |mut message| {
        message.extend(UNKNOWN_FIELD);
        message
    });
    // One worker of today, one whose session is of the future; each is accepted.
    let sessions = future_sessions(&cluster.coordinators[0].grpc_url());
    cluster.add_worker_in(&[], |command| {
        command.env("PAGEMILL_COORDINATOR_URL", sessions.url());
    });
    wait_until("the worker of the future serves", PATIENCE, || {
        cluster.client(&["workers", "--json"]).stdout.contains("99.0.0")
    });
    let run = Scenario::submit(&cluster).finish(&cluster);
    assert_eq!((&run["losses"], &run["outcomes_ignored"]), (&0.into(), &0.into()));
    assert!(sessions.carried() >= 4, "hello, welcome, a beat and its answer: {}", sessions.carried());
}

#[test]
fn rubbish_in_the_queues_is_put_aside_and_harms_nobody() {
    let cluster = Cluster::start(Services::shared(), 1, 2);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut sent = 0;
    runtime.block_on(async {
        let (_connection, channel) = connect(&cluster.services.queue_url).await;
        for queue in WORK.into_iter().chain([OUTCOMES]) {
            for rubbish in [vec![], vec![0xff; 100], b"{\"id\":1}".to_vec(), vec![0x08; 2 << 20]] {
                publish(&channel, queue, &rubbish, BasicProperties::default()).await;
                sent += 1;
            }
        }
    });
    Scenario::submit(&cluster).finish(&cluster);
    let vhost = cluster.services.queue_url.rsplit('/').next().unwrap();
    wait_until("all rubbish is put aside", PATIENCE, || {
        let queue =
            shared::rabbitmq().management("GET", &format!("/api/queues/{vhost}/pagemill.unreadable"), "");
        let queue: serde_json::Value = serde_json::from_str(&queue.body).unwrap();
        queue["messages"] == sent
    });
}
