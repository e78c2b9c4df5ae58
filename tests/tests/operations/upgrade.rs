//! A rolling upgrade under load: coordinators, then workers of protocol version 1, one after the other, for those of version 2;
//! nothing is lost.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};

use pagemill_proto::version::PROTOCOL_VERSION;
use pagemill_test_services::wait_until;
use pagemill_tests::cluster::{Cluster, Services, Worker};
use pagemill_tests::sessions::{Retell, SessionRelay, protocol_version, with_hello};
use pagemill_tests::version_one::{self, VersionOne};
use serde_json::Value;

use crate::{BASELINE, FLAGS, PATIENCE};

/// A worker whose log names each shard that it reported.
fn telling<'a>(cluster: &'a mut Cluster<'_>, version_one: Option<&VersionOne>) -> &'a Worker {
    let worker = cluster.add_worker_in(&[], |command| {
        command.env("PAGEMILL_LOG", "info,pagemill_worker=debug").env("PAGEMILL_LOG_FORMAT", "json");
        if let Some(version_one) = version_one {
            version_one.of(command);
        }
    });
    worker.wait_ready();
    worker
}

/// The jobs of which it reported shards.
fn jobs_of(worker: &Worker) -> BTreeSet<i64> {
    let log = worker.daemon.log();
    // What it is writing just now is no whole line.
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter(|line| line["message"] == "reported").map(|line| line["job"].as_i64().unwrap()).collect()
}

/// Replaces everything: coordinators first, then each worker, once it and its successor worked on the same job.
fn upgrade(cluster: &mut Cluster<'_>) {
    wait_until("each worker of version 1 works", PATIENCE, || {
        cluster.workers.iter().all(|worker| !jobs_of(worker).is_empty())
    });
    for coordinator in &cluster.coordinators {
        assert_eq!(coordinator.daemon.terminate(PATIENCE).code(), Some(0));
        coordinator.restart();
    }
    for old in 0..2 {
        telling(cluster, None);
        let (old, new) = (&cluster.workers[old], cluster.workers.last().unwrap());
        wait_until("both versions work on one job", PATIENCE, || !jobs_of(old).is_disjoint(&jobs_of(new)));
        assert_eq!(old.daemon.terminate(PATIENCE).code(), Some(0));
    }
}

#[test]
fn a_rolling_upgrade_from_one_protocol_version_to_the_next_loses_nothing_under_load() {
    let mut cluster = Cluster::start(Services::shared(), 2, 0);
    let version_one = VersionOne::start(&cluster);
    for _ in 0..2 {
        telling(&mut cluster, Some(&version_one));
    }
    // Jobs follow each other for as long as the upgrade takes: each worker is replaced at work.
    let (upgraded, url) = (AtomicBool::new(false), cluster.url());
    std::thread::scope(|scope| {
        let load = scope.spawn(|| {
            let (mut jobs, mut is_last) = (0, false);
            while !is_last {
                is_last = upgraded.load(Ordering::Relaxed);
                jobs += 1;
                let workplace = BASELINE.scans();
                let mut submit = pagemill_tests::pagemill(&["submit"]);
                submit.arg(workplace.scans()).args(["--key", &format!("load-{jobs}"), "--wait", "-o"]);
                submit.arg(workplace.out()).args(FLAGS).env("PAGEMILL_COORDINATOR_URL", &url);
                pagemill_tests::finish(&mut submit).expect_exit(0);
                let run = BASELINE.assert_same(&workplace);
                assert_eq!((&run["losses"], &run["faults"]), (&0.into(), &0.into()), "{run}");
            }
            jobs
        });
        upgrade(&mut cluster);
        upgraded.store(true, Ordering::Relaxed);
        println!("{} jobs, {} outcomes of version 1", load.join().unwrap(), version_one.outcomes());
    });
    assert!(version_one.outcomes() > 0);
    let listed = cluster.client(&["workers", "--json"]).expect_exit(0).stdout;
    assert!(listed.contains(version_one::VERSION) && listed.contains(env!("CARGO_PKG_VERSION")), "{listed}");
    let coordinators: String =
        cluster.coordinators.iter().map(|coordinator| coordinator.daemon.log()).collect();
    for version in 1..=PROTOCOL_VERSION {
        assert!(coordinators.contains(&format!("protocol_version={version}")), "{coordinators}");
    }
}

#[test]
fn a_worker_whose_protocol_version_is_not_spoken_is_told_what_to_upgrade() {
    let mut cluster = Cluster::start(Services::shared(), 1, 0);
    let too_old = |said| vec![with_hello(said, &protocol_version(0))];
    let too_new = |said| vec![with_hello(said, &protocol_version(PROTOCOL_VERSION as u8 + 1))];
    let cases = [
        (0, too_old as Retell, "upgrade this worker"),
        (PROTOCOL_VERSION + 1, too_new, "upgrade the coordinators first"),
    ];
    for (version, said, remedy) in cases {
        let relay = SessionRelay::start(&cluster.url(), said, |heard| vec![heard]);
        let refused = cluster.add_worker_in(&[], |command| {
            command.env("PAGEMILL_COORDINATOR_URL", relay.url());
        });
        wait_until("the worker ends", PATIENCE, || !refused.daemon.is_running());
        let said = refused.daemon.log();
        let speaks = format!("speaks protocol version {version}, ");
        for part in [&speaks, "speaks 1 to 2: ", remedy, "worker_refused"] {
            assert!(said.contains(part), "{part}: {said}");
        }
    }
}
