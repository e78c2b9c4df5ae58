//! Workers that die, sleep, see nothing of the client, or come from the future.

use std::process::Command;
use std::time::{Duration, Instant};

use pagemill_test_services::{RabbitMq, shared, wait_until};
use pagemill_tests::cluster::{Cluster, Services, Worker};
use pagemill_tests::finish;

use crate::{PAGES, PATIENCE, Scenario, recognised};

/// Waits until a recognition process of the worker is at a page.
fn wait_mid_page(worker: &Worker) {
    wait_until("the worker is at a page", PATIENCE, || {
        worker.figure("pagemill_worker_slots{state=\"busy\"}").is_some_and(|busy| busy >= 1.0)
    });
}

/// Stops a process for a while, or has it go on.
fn signal(process: u32, name: &str) {
    finish(Command::new("kill").args([name, &process.to_string()])).expect_exit(0);
}

#[test]
fn a_worker_is_killed_in_the_middle_of_a_page() {
    let cluster = Cluster::start(Services::shared(), 1, 2);
    let scenario = Scenario::begin(&cluster);
    wait_mid_page(&cluster.workers[0]);
    let children = cluster.workers[0].children();
    cluster.workers[0].daemon.kill();
    // Its recognition processes end with it.
    for child in children {
        wait_until("the child ends", PATIENCE, || !std::path::Path::new(&format!("/proc/{child}")).exists());
    }
    scenario.finish(&cluster);
}

#[test]
fn every_worker_is_killed_in_turn_until_the_job_is_done() {
    let cluster = Cluster::start(Services::shared(), 1, 2);
    let scenario = Scenario::begin(&cluster);
    for worker in cluster.workers.iter().chain(&cluster.workers) {
        wait_mid_page(worker);
        worker.daemon.kill();
        worker.restart();
    }
    scenario.finish(&cluster);
}

#[test]
fn g_a_worker_sleeps_past_its_lease_and_counts_nothing_twice_when_it_wakes() {
    let cluster = Cluster::start(Services::shared(), 1, 2);
    let scenario = Scenario::begin(&cluster);
    let sleeper = &cluster.workers[0];
    wait_mid_page(sleeper);
    let asleep: Vec<u32> = std::iter::once(sleeper.daemon.pid()).chain(sleeper.children()).collect();
    for process in &asleep {
        signal(*process, "-STOP");
    }
    scenario.finish(&cluster);
    for process in &asleep {
        signal(*process, "-CONT");
    }
    // It reports what nobody waits for any more, or learns before that it may forget it.
    wait_until("the sleeper has given its shard up", PATIENCE, || {
        sleeper.figure("pagemill_worker_slots{state=\"busy\"}") == Some(0.0)
    });
    wait_until("every page counts", PATIENCE, || recognised(&cluster) >= f64::from(PAGES));
    assert!(recognised(&cluster) <= f64::from(PAGES), "a page counts twice");
}

#[test]
fn j_a_page_takes_longer_than_the_broker_waits_for_an_acknowledgement() {
    let rabbitmq = RabbitMq::start();
    // Read when a channel opens: 5 s, and looked at each second instead of each minute.
    rabbitmq.ctl(&["eval", "application:set_env(rabbit, consumer_timeout, 5000)."]);
    rabbitmq.ctl(&["eval", "application:set_env(rabbit, channel_tick_interval, 1000)."]);
    let services = Services::of(&rabbitmq, shared::postgres(), shared::s3());
    let cluster = Cluster::start(services, 1, 1);
    let scenario = Scenario::begin(&cluster);
    let worker = &cluster.workers[0];
    wait_mid_page(worker);
    let children = worker.children();
    for child in &children {
        signal(*child, "-STOP");
    }
    std::thread::sleep(Duration::from_secs(15));
    for child in &children {
        signal(*child, "-CONT");
    }
    let run = scenario.finish(&cluster);
    assert_eq!(run["faults"], 0);
}

#[test]
fn o_a_worker_sees_no_file_of_the_client() {
    let mut cluster = Cluster::start(Services::shared(), 1, 0);
    let scenario = Scenario::submit(&cluster);
    let hidden = scenario.workplace.path().to_owned();
    let script = format!("mount -t tmpfs none '{}' && exec \"$@\"", hidden.display());
    cluster.add_worker_in(&["unshare", "--mount", "--map-root-user", "sh", "-c", &script, "sh"], |_| ());
    scenario.finish(&cluster);
}

#[test]
fn a_worker_that_is_asked_to_end_hands_back_and_costs_nothing() {
    let cluster = Cluster::start(Services::shared(), 1, 2);
    let scenario = Scenario::begin(&cluster);
    wait_mid_page(&cluster.workers[0]);
    let start = Instant::now();
    let status = cluster.workers[0].daemon.terminate(PATIENCE);
    assert_eq!(status.code(), Some(0), "{}", cluster.workers[0].daemon.log_tail());
    println!("SIGTERM to end: {:?}", start.elapsed());
    let run = scenario.finish(&cluster);
    assert_eq!((&run["losses"], &run["faults"]), (&0.into(), &0.into()));
}
