//! What a cluster costs beside a single machine: CPU seconds for the same scans, really read.

use pagemill_test_services::{cpu_seconds, waited_cpu_seconds};
use pagemill_tests::cluster::{Cluster, Services};
use pagemill_tests::scans::sample;
use pagemill_tests::{Workplace, assert_balanced, program};

const SAMPLES: [&str; 3] = ["d02-1.jpg", "d03-1.jpg", "d05-1.jpg"];

/// By how many percent a page costs more CPU in a cluster: coordinator, worker and client, without the services.
pub(crate) fn percent(scans: u64) -> f64 {
    let alone = workplace(scans);
    // Building it, where it is not built yet, is no part of what reading costs.
    program();
    let before = waited_cpu_seconds();
    alone.ocr(&["--workers", "1"]).expect_exit(0);
    let embedded = waited_cpu_seconds() - before;

    let together = workplace(scans);
    let cluster = Cluster::start(Services::shared(), 1, 1);
    let daemons = || {
        let coordinators = cluster.coordinators.iter().map(|coordinator| coordinator.daemon.pid());
        coordinators
            .chain(cluster.workers.iter().map(|worker| worker.daemon.pid()))
            .map(cpu_seconds)
            .sum::<f64>()
    };
    let before = waited_cpu_seconds();
    cluster.submit(&together, "overhead", &[]).finish(&cluster).expect_exit(0);
    let client = waited_cpu_seconds() - before;
    let clustered = daemons() + client;
    assert_eq!(assert_balanced(&alone.report())["recognised"], scans);
    assert_eq!(alone.artifacts(), together.artifacts());
    println!(
        "{scans} scans read: {:.2} CPU s a page embedded, {:.2} in a cluster",
        embedded / scans as f64,
        clustered / scans as f64
    );
    (clustered / embedded - 1.0) * 100.0
}

fn workplace(scans: u64) -> Workplace {
    let workplace = Workplace::new();
    for number in 0..scans {
        workplace.add(format!("{number}.jpg"), &sample(SAMPLES[number as usize % SAMPLES.len()]));
    }
    workplace
}
