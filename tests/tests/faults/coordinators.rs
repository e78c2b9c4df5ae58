//! Coordinators that die or sleep.

use std::time::{Duration, Instant};

use pagemill_test_services::wait_until;
use pagemill_tests::cluster::{Cluster, Services};
use pagemill_tests::dice::Dice;

use crate::{PATIENCE, Scenario};

/// By when another coordinator leads.
const TAKEOVER_MAX: Duration = Duration::from_secs(10);

#[test]
fn b_the_only_coordinator_is_killed_at_any_moment() {
    let mut dice = Dice::new(3);
    let cluster = Cluster::start(Services::shared(), 1, 2);
    let scenario = Scenario::submit(&cluster);
    for _ in 0..4 {
        dice.sleep(50..2_000);
        cluster.coordinators[0].daemon.kill();
        cluster.coordinators[0].restart();
    }
    scenario.finish(&cluster);
}

#[test]
fn b_the_leader_is_killed_and_the_other_takes_over_within_ten_seconds() {
    let mut dice = Dice::new(5);
    let cluster = Cluster::start(Services::shared(), 2, 2);
    let scenario = Scenario::begin(&cluster);
    let mut leader = cluster.wait_for_leader(None, PATIENCE);
    for _ in 0..2 {
        dice.sleep(0..800);
        cluster.coordinators[leader].daemon.kill();
        let start = Instant::now();
        let successor = cluster.wait_for_leader(Some(leader), TAKEOVER_MAX);
        println!("takeover: {:?}", start.elapsed());
        cluster.coordinators[leader].restart();
        leader = successor;
    }
    scenario.finish(&cluster);
}

#[test]
fn n_a_leader_that_slept_wakes_up_deposed_and_writes_nothing() {
    let cluster = Cluster::start(Services::shared(), 2, 2);
    let scenario = Scenario::begin(&cluster);
    let leader = cluster.wait_for_leader(None, PATIENCE);
    cluster.coordinators[leader].daemon.pause();
    let successor = cluster.wait_for_leader(Some(leader), TAKEOVER_MAX);
    cluster.coordinators[leader].daemon.resume();
    wait_until("the sleeper knows that it no longer leads", PATIENCE, || {
        cluster.coordinators[leader].figure("pagemill_leader") == Some(0.0)
    });
    assert_eq!(cluster.leader(), Some(successor));
    scenario.finish(&cluster);
    assert_eq!(cluster.leader(), Some(successor));
}
