//! The control plane at a million pages: synthetic sources, workers that answer at once, everything else real. Prints
//! each figure beside its goal.
//!
//! `PAGEMILL_BENCH_PAGES` (a million) is the size of a job, `PAGEMILL_BENCH_PAGES_BEFORE` (none) the pages that the
//! store holds already, `PAGEMILL_BENCH_SCANS` (12) the pages that are really read, to compare what a cluster costs. The figures of one machine stand in `docs/benchmarks.md`.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement that meets the unexpected fails")]

use std::time::{Duration, Instant};

use pagemill_proto::v1::{Job, JobState};
use pagemill_test_services::peak_memory_mib;
use pagemill_tests::cluster::{Cluster, Services};
use tokio::runtime::Runtime;

use crate::client::Client;
use crate::usage::Spent;
use crate::watch::{Depths, Latencies};

mod client;
mod filling;
mod overhead;
mod synthetic;
mod usage;
mod watch;
mod workers;

/// How often a client asks how the job stands.
const STATUS_EVERY: Duration = Duration::from_millis(20);

/// Goals of the project, as they stand in its issue "The cluster".
const PAGES_PER_SECOND_MIN: f64 = 10_000.0;
const MEMORY_MIB_MAX: f64 = 200.0;
const STATUS_P99_MS_MAX: f64 = 50.0;
const RECOVERY_SECONDS_MAX: f64 = 10.0;
const OVERHEAD_PERCENT_MAX: f64 = 3.0;

fn main() {
    let pages = setting("PAGEMILL_BENCH_PAGES", 1_000_000);
    let before = setting("PAGEMILL_BENCH_PAGES_BEFORE", 0);
    let overhead = overhead::percent(setting("PAGEMILL_BENCH_SCANS", 12));
    row("CPU per page, more in a cluster", overhead, "%", OVERHEAD_PERCENT_MAX, true);
    let cluster = Cluster::start(Services::shared(), 1, 0);
    let runtime = Runtime::new().unwrap();
    runtime.block_on(async {
        let workers = tokio::spawn(workers::run(
            cluster.services.worker_queue_url.clone(),
            cluster.coordinators[0].grpc_url(),
        ));
        if before > 0 {
            run_job(&cluster, "before", filling::MODEL_PAGES, false).await;
            filling::copy_rows(&cluster, before);
        }
        println!("{pages} pages in sources of {} pages", synthetic::PAGES_PER_SOURCE);
        let steady = run_job(&cluster, "steady", pages, false).await;
        steady.print(&cluster);
        let killed = run_job(&cluster, "killed", pages, true).await;
        row("recovery after kill -9", killed.recovery_seconds.unwrap(), "s", RECOVERY_SECONDS_MAX, true);
        row("pages/s, the kill included", killed.pages_per_second, "", PAGES_PER_SECOND_MIN, false);
        workers.abort();
    });
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |value| value.parse().unwrap())
}

/// What a job showed.
struct Figures {
    submit_seconds: f64,
    pages_per_second: f64,
    status: Latencies,
    depth_max: u64,
    spent: Spent,
    recovery_seconds: Option<f64>,
}

impl Figures {
    fn print(&self, cluster: &Cluster<'_>) {
        println!("submitted in {:.1} s", self.submit_seconds);
        row("pages/s, submit to closed", self.pages_per_second, "", PAGES_PER_SECOND_MIN, false);
        self.spent.print();
        row(
            "coordinator's peak memory",
            peak_memory_mib(cluster.coordinators[0].daemon.pid()) as f64,
            "MiB",
            MEMORY_MIB_MAX,
            true,
        );
        row("status call, p99", self.status.p99_ms(), "ms", STATUS_P99_MS_MAX, true);
        println!(
            "{:34} {:>10.1} ms   of {} calls",
            "status call, median",
            self.status.median_ms(),
            self.status.count()
        );
        row("broker's deepest", self.depth_max as f64, "messages", f64::from(workers::window()), true);
    }
}

/// A figure beside its goal.
fn row(name: &str, figure: f64, unit: &str, goal: f64, is_limit: bool) {
    let met = if is_limit { figure <= goal } else { figure >= goal };
    let (sign, verdict) = (if is_limit { "≤" } else { "≥" }, if met { "met" } else { "MISSED" });
    println!("{name:34} {figure:>10.1} {unit:9} goal {sign} {goal:>8.0}  {verdict}");
}

/// Submits a job and follows it to its end; kills the coordinator at half, if told so.
async fn run_job(cluster: &Cluster<'_>, key: &str, pages: u64, kill: bool) -> Figures {
    let mut client = Client::connect(&cluster.coordinators[0].grpc_url()).await;
    let depths = Depths::watch(&cluster.services.queue_url).await;
    let (start, before) = (Instant::now(), Spent::now(cluster));
    let job = client.submit(key, pages, &cluster.source_root()).await;
    let submit_seconds = start.elapsed().as_secs_f64();
    let (mut status, mut recovery_seconds) = (Latencies::default(), None);
    let mut last_told = Instant::now();
    loop {
        let asked = Instant::now();
        let state = client.get(job).await;
        status.add(asked.elapsed());
        if last_told.elapsed() > Duration::from_secs(10) {
            let counts = state.counts.as_ref().unwrap();
            println!("  {:4.0} s: {} pages read", start.elapsed().as_secs_f64(), counts.pages_recognised);
            last_told = Instant::now();
        }
        if state.state() == JobState::Closed {
            assert_eq!(recognised(&state), pages);
            break;
        }
        if kill && recovery_seconds.is_none() && recognised(&state) > pages / 2 {
            recovery_seconds = Some(kill_and_recover(cluster, &mut client, job).await);
        }
        tokio::time::sleep(STATUS_EVERY).await;
    }
    let pages_per_second = pages as f64 / start.elapsed().as_secs_f64();
    // Of a coordinator that was killed it counts from its new start.
    let spent = Spent::now(cluster).since(before);
    Figures { submit_seconds, pages_per_second, status, depth_max: depths.deepest(), spent, recovery_seconds }
}

/// Seconds from the kill of the coordinator to the next page that counts, its start included.
async fn kill_and_recover(cluster: &Cluster<'_>, client: &mut Client, job: i64) -> f64 {
    let killed = Instant::now();
    cluster.coordinators[0].daemon.kill();
    cluster.coordinators[0].restart();
    let counted = recognised(&client.get(job).await);
    while recognised(&client.get(job).await) <= counted {
        tokio::time::sleep(STATUS_EVERY).await;
    }
    killed.elapsed().as_secs_f64()
}

fn recognised(job: &Job) -> u64 {
    job.counts.as_ref().map_or(0, |counts| counts.pages_recognised)
}
