//! `pagemill fetch`: what a job delivered, brought into a folder.

use std::time::Instant;

use pagemill_proto::v1::JobState;
use serde_json::json;

use super::connection::Cluster;
use super::{cluster_report, fetch, jobs, watch};
use crate::arguments::FetchArguments;
use crate::failure::{Exit, Failure};
use crate::output_folder::OutputFolder;
use crate::progress::{print_json, print_line, print_result};
use crate::settings::Settings;
use crate::summary;

/// Fetches all artifacts of a job and its report. Of a job that goes on, what is there so far.
pub(crate) async fn run(arguments: &FetchArguments, settings: &Settings) -> Result<Exit, Failure> {
    let (cluster, start) = (Cluster::new(settings)?, Instant::now());
    let job = watch::job(&cluster, arguments.job).await?;
    let output = OutputFolder::open(&arguments.output)?;
    let fetched = |name: &str, bytes: u64| {
        if arguments.json {
            print_json(&json!({"event": "fetched", "name": name, "bytes": bytes}));
        }
    };
    let files = fetch::fetch(&cluster, job.id, &output, &fetched).await?;
    cluster_report::write(&cluster, &job, &output).await?;
    let has_ended = matches!(job.state(), JobState::Closed | JobState::Cancelled);
    let exit = if has_ended { summary::exit_of(&jobs::ledger(&job)) } else { Exit::Complete };
    let seconds = start.elapsed().as_secs_f64();
    if arguments.json {
        print_json(&json!({"event": "finished", "job": job.id, "state": jobs::state(&job), "files": files,
            "exit": exit as u8}));
    } else {
        print_result(&format!(
            "{files} files of job {} are in {} ({seconds:.1} s)",
            job.id,
            arguments.output.display()
        ));
        if !has_ended {
            print_line("the job goes on: the same command fetches the rest later");
        }
    }
    Ok(exit)
}
