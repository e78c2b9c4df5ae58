//! The broker dies, closes what it likes, or has no room.

use std::time::Duration;

use pagemill_test_services::{RabbitMq, shared, wait_until};
use pagemill_tests::cluster::{Cluster, Services};
use pagemill_tests::dice::Dice;

use crate::{PATIENCE, Scenario, recognised};

#[test]
fn c_the_broker_is_killed_and_comes_back() {
    let mut dice = Dice::new(17);
    let rabbitmq = RabbitMq::start();
    let services = Services::of(&rabbitmq, shared::postgres(), shared::s3());
    let cluster = Cluster::start(services, 1, 2);
    let scenario = Scenario::begin(&cluster);
    dice.sleep(0..1_000);
    rabbitmq.kill();
    dice.sleep(1_000..3_000);
    rabbitmq.restart();
    let run = scenario.finish(&cluster);
    assert_eq!(run["faults"], 0);
}

#[test]
fn a_job_is_accepted_while_the_broker_is_away() {
    let rabbitmq = RabbitMq::start();
    let services = Services::of(&rabbitmq, shared::postgres(), shared::s3());
    let cluster = Cluster::start(services, 1, 1);
    rabbitmq.kill();
    wait_until("the coordinator sees the broker gone", PATIENCE, || cluster.sum("pagemill_broker_up") == 0.0);
    let scenario = Scenario::submit(&cluster);
    wait_until("the job is sealed", PATIENCE, || cluster.client(&["jobs"]).stdout.contains("scenario"));
    rabbitmq.restart();
    scenario.finish(&cluster);
}

#[test]
fn i_queues_are_deleted_and_connections_closed_by_force() {
    let rabbitmq = shared::rabbitmq();
    let services = Services::shared();
    let vhost = services.queue_url.rsplit('/').next().unwrap().to_owned();
    let cluster = Cluster::start(services, 1, 2);
    let scenario = Scenario::begin(&cluster);
    // A deleted queue cancels its consumers, and closes the channel of who asks it for a message.
    for queue in ["pagemill.outcomes", "pagemill.express", "pagemill.recognise"] {
        let deleted = rabbitmq.management("DELETE", &format!("/api/queues/{vhost}/{queue}"), "");
        assert!(deleted.status < 300, "delete {queue}: {} {}", deleted.status, deleted.body);
    }
    let before = recognised(&cluster);
    wait_until("work goes on", PATIENCE, || recognised(&cluster) > before);
    for connection in connections(rabbitmq, &vhost) {
        rabbitmq.management("DELETE", &format!("/api/connections/{connection}"), "");
    }
    scenario.finish(&cluster);
}

/// The names of the connections to a virtual host, fit for a path.
fn connections(rabbitmq: &RabbitMq, vhost: &str) -> Vec<String> {
    let mut names = Vec::new();
    // The management plug-in gathers what it knows every few seconds.
    wait_until("connections are listed", PATIENCE, || {
        let answer = rabbitmq.management("GET", &format!("/api/vhosts/{vhost}/connections"), "");
        let listed: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
        let listed = listed.as_array().unwrap().iter().filter_map(|connection| connection["name"].as_str());
        names = listed.map(|name| name.replace(' ', "%20").replace('>', "%3E")).collect();
        !names.is_empty()
    });
    names
}

#[test]
fn k_the_broker_has_no_disk_for_a_while() {
    let rabbitmq = RabbitMq::start();
    let services = Services::of(&rabbitmq, shared::postgres(), shared::s3());
    let cluster = Cluster::start(services, 1, 2);
    let scenario = Scenario::begin(&cluster);
    rabbitmq.ctl(&["set_disk_free_limit", "100000GB"]);
    std::thread::sleep(Duration::from_secs(5));
    rabbitmq.ctl(&["set_disk_free_limit", "50MB"]);
    let run = scenario.finish(&cluster);
    assert_eq!(run["faults"], 0);
}

#[test]
fn full_queues_slow_the_job_and_lose_nothing() {
    let rabbitmq = shared::rabbitmq();
    let services = Services::shared();
    let vhost = services.queue_url.rsplit('/').next().unwrap().to_owned();
    // One message each: almost every one that is published is refused at first.
    let policy = r#"{"pattern":"^pagemill","definition":{"max-length":1},"apply-to":"queues"}"#;
    let set = rabbitmq.management("PUT", &format!("/api/policies/{vhost}/full"), policy);
    assert!(set.status < 300, "{} {}", set.status, set.body);
    let cluster = Cluster::start(services, 1, 2);
    let run = Scenario::submit(&cluster).finish(&cluster);
    assert_eq!(run["faults"], 0);
}

/// A node that leads queues dies, again and again, each time at another moment; the cluster's two other nodes go on.
#[cfg(feature = "slow")]
#[test]
fn l_one_of_three_brokers_dies() {
    use std::net::SocketAddr;

    use pagemill_tests::balancer::Balancer;

    let mut dice = Dice::new(4);
    let nodes = RabbitMq::start_three();
    let backends = nodes.iter().map(|node| SocketAddr::from(([127, 0, 0, 1], node.port()))).collect();
    let balancer = Balancer::start("127.0.0.1:0", backends);
    let mut services = Services::of(&nodes[0], shared::postgres(), shared::s3());
    let (_, vhost) = services.queue_url.rsplit_once('/').unwrap();
    let vhost = vhost.to_owned();
    services.queue_url = format!("amqp://guest:guest@{}/{vhost}", balancer.address());
    services.worker_queue_url.clone_from(&services.queue_url);
    let cluster = Cluster::start(services, 1, 2);
    for round in 0..5 {
        // Known before the job begins: it is over in seconds.
        let leaders = nodes[1].ctl(&["list_queues", "-p", &vhost, "name", "leader"]);
        println!("{leaders}");
        let dying = (0..3).find(|number| leaders.contains(&format!("pagemill{}@", number + 1))).unwrap();
        let scenario = Scenario::submit_as(&cluster, &format!("round {round}"));
        dice.sleep(0..2_500);
        nodes[dying].kill();
        let run = scenario.finish(&cluster);
        assert_eq!(run["faults"], 0);
        nodes[dying].restart();
    }
}
