//! Services that die under load: the database, the blobs, and everything in a random sequence.

use pagemill_test_services::{Postgres, RabbitMq, S3, shared};
use pagemill_tests::cluster::{Cluster, Services};
use pagemill_tests::dice::Dice;

use crate::Scenario;

#[test]
fn d_the_database_is_killed_and_comes_back() {
    let mut dice = Dice::new(7);
    let postgres = Postgres::start();
    let services = Services::of(shared::rabbitmq(), &postgres, shared::s3());
    let cluster = Cluster::start(services, 1, 2);
    let scenario = Scenario::begin(&cluster);
    for _ in 0..2 {
        dice.sleep(0..1_000);
        postgres.kill();
        dice.sleep(500..2_000);
        postgres.restart();
    }
    scenario.finish(&cluster);
}

#[test]
fn e_the_blobs_are_killed_and_come_back() {
    let mut dice = Dice::new(11);
    let s3 = S3::start();
    let services = Services::of(shared::rabbitmq(), shared::postgres(), &s3);
    let cluster = Cluster::start(services, 1, 2);
    let scenario = Scenario::begin(&cluster);
    dice.sleep(0..1_000);
    s3.kill();
    dice.sleep(1_000..3_000);
    s3.restart();
    let run = scenario.finish(&cluster);
    // An outage is nobody's fault, and degrades no page.
    assert_eq!(run["faults"], 0);
}

#[test]
fn f_everything_dies_in_a_random_sequence() {
    let mut dice = Dice::new(13);
    let (rabbitmq, postgres, s3) = (RabbitMq::start(), Postgres::start(), S3::start());
    let cluster = Cluster::start(Services::of(&rabbitmq, &postgres, &s3), 2, 2);
    let scenario = Scenario::begin(&cluster);
    let deaths = if cfg!(feature = "slow") { 30 } else { 6 };
    for _ in 0..deaths {
        match dice.number(0..5) {
            0 => kill(&mut dice, "broker", || rabbitmq.kill(), || rabbitmq.restart()),
            1 => kill(&mut dice, "database", || postgres.kill(), || postgres.restart()),
            2 => kill(&mut dice, "blobs", || s3.kill(), || s3.restart()),
            3 => {
                let coordinator = &cluster.coordinators[dice.number(0..2) as usize];
                kill(&mut dice, "coordinator", || coordinator.daemon.kill(), || coordinator.restart());
            }
            _ => {
                let worker = &cluster.workers[dice.number(0..2) as usize];
                kill(&mut dice, "worker", || worker.daemon.kill(), || worker.restart());
            }
        }
    }
    scenario.finish(&cluster);
}

fn kill(dice: &mut Dice, what: &str, kill: impl FnOnce(), restart: impl FnOnce()) {
    println!("kill the {what}");
    dice.sleep(0..500);
    kill();
    dice.sleep(0..1_500);
    restart();
}
