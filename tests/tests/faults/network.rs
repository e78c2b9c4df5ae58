//! The network between a worker and everybody else is cut and healed.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;
use std::time::Duration;

use pagemill_test_services::{shared, wait_until};
use pagemill_tests::balancer::Balancer;
use pagemill_tests::cluster::{Cluster, Services};
use pagemill_tests::finish;

use crate::{PATIENCE, Scenario, recognised};

/// A network namespace that reaches this machine over a pair of devices; gone when this is dropped.
struct Network {
    name: String,
    device: String,
    /// Our end of the pair.
    address: Ipv4Addr,
}

impl Network {
    fn new() -> Self {
        let id = std::process::id();
        // A network of four addresses for each process: one that a killed test left behind is in nobody's way.
        let address = Ipv4Addr::from(u32::from(Ipv4Addr::new(10, 213, 0, 1)) + (id % (1 << 14)) * 4);
        let inside = Ipv4Addr::from(u32::from(address) + 1);
        let network = Self { name: format!("pagemill-{id}"), device: format!("pm{id}"), address };
        let (name, ours, theirs) = (network.name.as_str(), network.device.as_str(), "inside");
        ip(&["netns", "add", name]);
        ip(&["link", "add", ours, "type", "veth", "peer", "name", theirs, "netns", name]);
        ip(&["address", "add", &format!("{address}/30"), "dev", ours]);
        ip(&["link", "set", ours, "up"]);
        ip(&["-n", name, "address", "add", &format!("{inside}/30"), "dev", theirs]);
        ip(&["-n", name, "link", "set", theirs, "up"]);
        ip(&["-n", name, "link", "set", "lo", "up"]);
        network
    }

    /// An address on our end of the pair that leads to a port of this machine's loopback address.
    fn reach(&self, port: u16) -> SocketAddr {
        let backend = SocketAddr::from(([127, 0, 0, 1], port));
        Balancer::start(&format!("{}:0", self.address), vec![backend]).address()
    }

    /// Lets nothing through, and tells nobody.
    fn cut(&self) {
        ip(&["link", "set", &self.device, "down"]);
    }

    fn heal(&self) {
        ip(&["link", "set", &self.device, "up"]);
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        ip(&["netns", "delete", &self.name]);
    }
}

fn ip(arguments: &[&str]) {
    finish(Command::new("ip").args(arguments)).expect_exit(0);
}

#[test]
fn m_the_network_of_a_worker_is_cut_and_healed() {
    let network = Network::new();
    let mut cluster = Cluster::start(Services::shared(), 1, 0);
    let port_of = |url: &str| url.trim_end_matches('/').rsplit(':').next().unwrap().parse::<u16>().unwrap();
    let broker = network.reach(shared::rabbitmq().port());
    let s3 = network.reach(port_of(&shared::s3().endpoint()));
    let coordinator = network.reach(port_of(&cluster.url()));
    let vhost = cluster.services.worker_queue_url.rsplit('/').next().unwrap().to_owned();
    cluster.add_worker_in(&["ip", "netns", "exec", &network.name], |command| {
        command
            .env("PAGEMILL_QUEUE_URL", format!("amqp://guest:guest@{broker}/{vhost}"))
            .env("PAGEMILL_COORDINATOR_URL", format!("http://{coordinator}"))
            .env("AWS_ENDPOINT_URL", format!("http://{s3}"));
    });
    let scenario = Scenario::begin(&cluster);
    network.cut();
    // Longer than a lease: the shard is given to somebody else, and the worker comes back with what is stale.
    std::thread::sleep(Duration::from_secs(45));
    let before = recognised(&cluster);
    network.heal();
    wait_until("the worker goes on", PATIENCE, || recognised(&cluster) > before);
    let run = scenario.finish(&cluster);
    assert_eq!(run["faults"], 0);
}
