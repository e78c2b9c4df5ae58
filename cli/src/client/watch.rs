//! `pagemill watch`, and what comes when a job has ended: its results and its report.

use std::time::Instant;

use pagemill_domain::ledger::Ledger;
use pagemill_proto::v1::{GetJobRequest, Job, JobState, WatchRequest};
use serde_json::{Value, json};

use super::connection::{Cluster, is_away, jobs};
use super::{cluster_report, fetch, jobs as listing};
use crate::arguments::JobArguments;
use crate::failure::{Exit, Failure};
use crate::interrupt;
use crate::output_folder::OutputFolder;
use crate::progress::{INTERVAL, Progress, print_json, print_line, print_result};
use crate::settings::Settings;
use crate::summary;

/// Follows a job until it ends.
pub(crate) async fn run(arguments: &JobArguments, settings: &Settings) -> Result<Exit, Failure> {
    let cluster = Cluster::new(settings)?;
    let interrupted = interrupt::watch()?;
    let (mut progress, start) = (Progress::new(arguments.json), Instant::now());
    tokio::select! {
        finished = until_it_ends(&cluster, arguments.job, &mut progress, start) => {
            finish(&cluster, finished?, None, start, arguments.json).await
        }
        () = interrupted.cancelled() => {
            print_line("interrupted; the job goes on in the cluster");
            Ok(Exit::Interrupted)
        }
    }
}

/// Shows how far a job is until it is closed or cancelled, whichever coordinators come and go.
pub(crate) async fn until_it_ends(
    cluster: &Cluster,
    job: i64,
    progress: &mut Progress,
    start: Instant,
) -> Result<Job, Failure> {
    let request = WatchRequest { job };
    loop {
        let mut stream =
            cluster.ask(request, |line, request| async move { jobs(line).watch(request).await }).await?;
        loop {
            match stream.message().await {
                Ok(Some(job)) => {
                    if matches!(job.state(), JobState::Closed | JobState::Cancelled) {
                        progress.finish(&listing::ledger(&job), start.elapsed());
                        return Ok(job);
                    }
                    progress.update(&listing::ledger(&job), start.elapsed());
                }
                // A coordinator that stops ends its streams; another goes on.
                Ok(None) => break,
                Err(status) if is_away(&status) => {
                    cluster.hang_up().await;
                    break;
                }
                Err(status) => return Err(status.into()),
            }
        }
        tokio::time::sleep(INTERVAL).await;
    }
}

/// Brings the results of a job that has ended home, and says what it came to.
pub(crate) async fn finish(
    cluster: &Cluster,
    job: Job,
    output: Option<&OutputFolder>,
    start: Instant,
    as_json: bool,
) -> Result<Exit, Failure> {
    let ledger = listing::ledger(&job);
    let exit = summary::exit_of(&ledger);
    let mut report = None;
    if let Some(output) = output {
        fetch::fetch(cluster, job.id, output, &|_, _| {}).await?;
        report = Some(cluster_report::write(cluster, &job, output).await?);
    }
    let seconds = (start.elapsed().as_secs_f64() * 1000.0).round() / 1000.0;
    if as_json {
        print_json(&json!({
            "event": "finished", "job": job.id, "state": listing::state(&job), "exit": exit as u8, "ledger": ledger,
            "balanced": ledger.balance().is_ok(), "seconds": seconds,
        }));
        return Ok(exit);
    }
    let shown = report.as_ref().map_or_else(|| json!({}), |report| report["ledger"].clone());
    show(&ledger, &shown, output);
    print_result(&format!("job       {} {}, after {seconds:.1} s of watching", job.id, listing::state(&job)));
    Ok(exit)
}

fn show(ledger: &Ledger, report: &Value, output: Option<&OutputFolder>) {
    for line in summary::exceptions(ledger, report).iter().chain(&summary::equations(ledger)) {
        print_result(line);
    }
    let delivered = ledger.documents.delivered;
    match output {
        Some(output) => {
            let folder = output.path().display();
            print_result(&format!("documents {delivered} delivered to {folder}"));
            print_result(&format!("report    {folder}/{}", crate::report::REPORT));
        }
        None => print_result(&format!("documents {delivered} delivered")),
    }
}

/// How a job stands, with its recipe.
pub(crate) async fn job(cluster: &Cluster, job: i64) -> Result<Job, Failure> {
    let request = GetJobRequest { job };
    cluster.ask(request, |line, request| async move { jobs(line).get(request).await }).await
}
