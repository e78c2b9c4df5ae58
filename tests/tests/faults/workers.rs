//! Workers that die, sleep, see nothing of the client, or come from the future.

use std::process::Command;
use std::time::{Duration, Instant};

use pagemill_test_services::{RabbitMq, shared, wait_until};
use pagemill_tests::balancer::Balancer;
use pagemill_tests::cluster::{Cluster, Services, Worker};
use pagemill_tests::finish;

use crate::{PAGES, PATIENCE, Scenario, recognised};

/// Waits until a recognition process is at a page; its worker. Whichever that is: one may take all pages. To be asked as soon
/// as a job is submitted: a fast machine reads all of it in a second.
fn wait_mid_page<'a>(cluster: &'a Cluster<'_>) -> &'a Worker {
    let mut found = None;
    wait_until("a worker is at a page", PATIENCE, || {
        found = cluster.workers.iter().find(|worker| is_mid_page(worker));
        found.is_some()
    });
    found.unwrap()
}

fn is_mid_page(worker: &Worker) -> bool {
    worker.figure("pagemill_worker_slots{state=\"busy\"}").is_some_and(|busy| busy >= 1.0)
}

/// Stops processes for a while, or has them go on.
fn signal_all(processes: &[u32], name: &str) {
    for process in processes {
        finish(Command::new("kill").args([name, &process.to_string()])).expect_exit(0);
    }
}

#[test]
fn a_worker_is_killed_in_the_middle_of_a_page() {
    let cluster = Cluster::start(Services::shared(), 1, 2);
    let scenario = Scenario::submit(&cluster);
    let worker = wait_mid_page(&cluster);
    let children = worker.children();
    worker.daemon.kill();
    // Its recognition processes end with it.
    for child in children {
        wait_until("the child ends", PATIENCE, || !std::path::Path::new(&format!("/proc/{child}")).exists());
    }
    scenario.finish(&cluster);
}

#[test]
fn every_worker_is_killed_in_turn_until_the_job_is_done() {
    let cluster = Cluster::start(Services::shared(), 1, 2);
    let scenario = Scenario::submit(&cluster);
    let mut kills = 0;
    for worker in cluster.workers.iter().chain(&cluster.workers) {
        // A fast machine is done before each was killed twice.
        wait_until("the worker is at a page, or all are read", PATIENCE, || {
            is_mid_page(worker) || recognised(&cluster) >= f64::from(PAGES)
        });
        if is_mid_page(worker) {
            worker.daemon.kill();
            worker.restart();
            kills += 1;
        }
    }
    assert!(kills >= 1, "the job was done before anything was killed");
    scenario.finish(&cluster);
}

#[test]
fn g_a_worker_sleeps_past_its_lease_and_counts_nothing_twice_when_it_wakes() {
    let mut cluster = Cluster::start(Services::shared(), 1, 0);
    let coordinators = Balancer::start("127.0.0.1:0", vec![cluster.coordinators[0].grpc_address()]);
    cluster.add_worker_in(&[], |command| {
        command.env("PAGEMILL_COORDINATOR_URL", format!("http://{}", coordinators.address()));
    });
    let scenario = Scenario::submit(&cluster);
    let sleeper = wait_mid_page(&cluster);
    wait_until("it has a child", PATIENCE, || !sleeper.children().is_empty());
    // Its recognition process first: then the worker holds a shard that it can't finish, and stays so.
    let children = sleeper.children();
    signal_all(&children, "-STOP");
    wait_until("the sleeper holds a shard", PATIENCE, || {
        let is_busy = || sleeper.figure("pagemill_worker_slots{state=\"busy\"}") == Some(1.0);
        is_busy() && {
            std::thread::sleep(Duration::from_millis(500));
            is_busy()
        }
    });
    let sleeper_pid = sleeper.daemon.pid();
    signal_all(&[sleeper_pid], "-STOP");
    cluster.add_worker();
    scenario.finish(&cluster);
    let ignored_before = cluster.sum("pagemill_outcomes_ignored_total");
    // Nobody tells the sleeper that its shard is another's: it wakes, finishes, and reports what is stale.
    coordinators.cut();
    signal_all(&[sleeper_pid], "-CONT");
    signal_all(&children, "-CONT");
    wait_until("the stale outcome is refused", PATIENCE, || {
        cluster.sum("pagemill_outcomes_ignored_total") > ignored_before
    });
    let job = cluster.client(&["job", "1", "--json"]).expect_exit(0);
    let job: serde_json::Value = serde_json::from_str(&job.stdout).unwrap();
    assert!(job["outcomes_ignored"].as_u64().unwrap() >= 1, "{job}");
    let pages = &job["ledger"]["pages"];
    assert_eq!((&pages["recognised"], &pages["declared"]), (&PAGES.into(), &PAGES.into()), "{job}");
}

#[test]
fn j_a_page_takes_longer_than_the_broker_waits_for_an_acknowledgement() {
    let rabbitmq = RabbitMq::start();
    // Read when a channel opens: 5 s, and looked at each second instead of each minute.
    rabbitmq.ctl(&["eval", "application:set_env(rabbit, consumer_timeout, 5000)."]);
    rabbitmq.ctl(&["eval", "application:set_env(rabbit, channel_tick_interval, 1000)."]);
    let services = Services::of(&rabbitmq, shared::postgres(), shared::s3());
    let cluster = Cluster::start(services, 1, 1);
    let scenario = Scenario::submit(&cluster);
    let worker = wait_mid_page(&cluster);
    let children = worker.children();
    signal_all(&children, "-STOP");
    std::thread::sleep(Duration::from_secs(15));
    signal_all(&children, "-CONT");
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
fn a_worker_whose_disk_is_full_waits_for_room_and_costs_nothing() {
    let disk = tempfile::tempdir().unwrap();
    let disk = disk.path().to_str().unwrap();
    let mut cluster = Cluster::start(Services::shared(), 1, 0);
    let scenario = Scenario::submit(&cluster);
    let script = format!("mount -t tmpfs -o size=8k none '{disk}' && exec \"$@\"");
    cluster.add_worker_in(&["unshare", "--mount", "--map-root-user", "sh", "-c", &script, "sh"], |command| {
        command.env("PAGEMILL_CACHE_DIR", disk);
    });
    let worker = &cluster.workers[0].daemon;
    wait_until("the disk is full", PATIENCE, || worker.log_tail().contains("No space left"));
    let pid = worker.pid().to_string();
    let mut enlarge = Command::new("nsenter");
    enlarge.args(["--target", &pid, "--user", "--mount", "mount", "-o", "remount,size=64m", "none", disk]);
    finish(&mut enlarge).expect_exit(0);
    let run = scenario.finish(&cluster);
    assert_eq!((&run["losses"], &run["faults"]), (&0.into(), &0.into()));
}

#[test]
fn a_worker_that_is_asked_to_end_hands_back_and_costs_nothing() {
    let cluster = Cluster::start(Services::shared(), 1, 2);
    let scenario = Scenario::submit(&cluster);
    let worker = wait_mid_page(&cluster);
    let start = Instant::now();
    let status = worker.daemon.terminate(PATIENCE);
    assert_eq!(status.code(), Some(0), "{}", worker.daemon.log_tail());
    println!("SIGTERM to end: {:?}", start.elapsed());
    let run = scenario.finish(&cluster);
    assert_eq!((&run["losses"], &run["faults"]), (&0.into(), &0.into()));
}
