//! The cluster loses its parts one after the other, for real, and loses no page: lettered scenarios, each beside the same
//! run without a cluster and without a fault.
#![allow(clippy::unwrap_used, reason = "a test that meets the unexpected fails")]
#![allow(clippy::print_stdout, reason = "what happened, and when, beside a failure")]

use std::time::Duration;

use pagemill_test_services::wait_until;
use pagemill_tests::Workplace;
use pagemill_tests::baseline::Baseline;
use pagemill_tests::cluster::{Cluster, Services, Submission};
use serde_json::Value;

mod broker;
mod coordinators;
mod future;
mod messages;
#[cfg(feature = "slow")]
mod network;
mod storage;
mod workers;

const FLAGS: [&str; 2] = ["--formats", "pdf,txt,json"];

/// Pages of a job: some seconds of work for two workers.
const PAGES: u32 = 10;

static BASELINE: Baseline = Baseline::new(PAGES, &FLAGS);

/// Longest wait for something to happen that takes a moment, or a lease.
const PATIENCE: Duration = Duration::from_secs(90);

/// A job on its way through a cluster.
struct Scenario {
    key: String,
    workplace: Workplace,
    submission: Submission,
}

impl Scenario {
    /// Submits the job and returns at once.
    fn submit(cluster: &Cluster<'_>) -> Self {
        Self::submit_as(cluster, "scenario")
    }

    /// Submits the job under a key of its own, where a cluster is to have several.
    fn submit_as(cluster: &Cluster<'_>, key: &str) -> Self {
        let workplace = BASELINE.scans();
        let submission = cluster.submit(&workplace, key, &FLAGS);
        Self { key: key.to_owned(), workplace, submission }
    }

    /// Submits the job and waits until pages of it were recognised.
    fn begin(cluster: &Cluster<'_>) -> Self {
        let scenario = Self::submit(cluster);
        wait_until("the first page is recognised", PATIENCE, || recognised(cluster) >= 1.0);
        scenario
    }

    /// Waits for the end: nothing lost, nothing done otherwise than without fault, what came twice counted.
    fn finish(self, cluster: &Cluster<'_>) -> Value {
        let mut finished = self.submission.finish(cluster);
        if finished.exit == UNREACHABLE {
            // No part of the cluster has to answer while it is dead; the same command goes on.
            finished = cluster.submit(&self.workplace, &self.key, &FLAGS).finish(cluster);
        }
        assert_eq!(finished.exit, 0, "{}{}\n{}", finished.stdout, finished.stderr, cluster.logs());
        let run = BASELINE.assert_same(&self.workplace);
        println!("{run}");
        run
    }
}

/// Exit code of a client whose coordinator can't be reached.
const UNREACHABLE: i32 = 5;

/// Pages that the cluster has recognised since its leader began to lead.
fn recognised(cluster: &Cluster<'_>) -> f64 {
    cluster.sum("pagemill_pages_total{outcome=\"recognised\"}")
}

#[test]
fn without_a_fault_a_cluster_delivers_the_very_bytes_of_a_single_machine() {
    let cluster = Cluster::start(Services::shared(), 1, 2);
    let run = Scenario::submit(&cluster).finish(&cluster);
    assert_eq!((&run["losses"], &run["faults"], &run["outcomes_ignored"]), (&0.into(), &0.into(), &0.into()));
}
