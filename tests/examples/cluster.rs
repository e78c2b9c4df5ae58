//! A cluster on this machine to look at: real services, a coordinator, two workers. Ctrl-C ends them all.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "says how to use it, and where it fails")]

use pagemill_test_services::{Postgres, RabbitMq, S3};
use pagemill_tests::cluster::{Cluster, Services};
use pagemill_tests::program;
use tokio::signal::unix::{SignalKind, signal};

fn main() {
    println!("cluster: starting RabbitMQ, PostgreSQL, SeaweedFS (S3), a coordinator and two workers…");
    let (rabbitmq, postgres, s3) = std::thread::scope(|scope| {
        let (postgres, s3) = (scope.spawn(Postgres::start), scope.spawn(S3::start));
        (RabbitMq::start(), postgres.join().unwrap(), s3.join().unwrap())
    });
    let cluster = Cluster::start(Services::of(&rabbitmq, &postgres, &s3), 1, 2);
    let services = &cluster.services;
    println!(
        "
Submit scans and wait for the archive:
    export PAGEMILL_COORDINATOR_URL={url}
    {program} submit samples --wait -o out

What to look at:
    {program} jobs                # and: job ID, pages ID, dead, queue
    {program} workers             # and: cordon, drain
    curl {metrics}
    RabbitMQ:   {management} (guest, guest)
    PostgreSQL: psql {store}
    S3:         {blobs} at {s3} (key, secret)

All state is in a temporary folder and gone afterwards. Ctrl-C ends everything.",
        url = cluster.url(),
        program = program().display(),
        metrics = cluster.coordinators[0].metrics_url(),
        management = services.rabbitmq.management_url(),
        store = services.store_url,
        blobs = services.blobs_url,
        s3 = services.s3.endpoint(),
    );
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut terminated = signal(SignalKind::terminate()).unwrap();
        tokio::select! {
            interrupted = tokio::signal::ctrl_c() => interrupted.unwrap(),
            _ = terminated.recv() => {}
        }
    });
    println!("cluster: ended");
}
