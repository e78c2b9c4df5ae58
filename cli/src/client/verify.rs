//! `pagemill verify ID`: whether a cluster holds what a job's ledger says.

use pagemill_proto::v1::JobState;

use super::connection::Cluster;
use super::{cluster_report, fetch, jobs, watch};
use crate::failure::Failure;
use crate::settings::Settings;
use crate::verify::{Complaint, Findings};

/// Checks every artifact of a job against its hash, and its ledger against both equations and its report.
pub(crate) async fn check(job: i64, settings: &Settings) -> Result<Findings, Failure> {
    let cluster = Cluster::new(settings)?;
    let row = watch::job(&cluster, job).await?;
    let mut complaints = Vec::new();
    let mut complain = |path: &str, what: String| complaints.push(Complaint { path: path.into(), what });
    let files = fetch::check(&cluster, job, &mut complain).await?;
    let ledger = jobs::ledger(&row);
    if let Err(imbalance) = ledger.balance() {
        complain("ledger", imbalance.to_string());
    }
    if matches!(row.state(), JobState::Closed | JobState::Cancelled) {
        let report = cluster_report::ledger(&cluster, job, &mut std::io::sink()).await?;
        let counts = serde_json::to_value(ledger).map_err(anyhow::Error::from)?;
        let agrees = report.as_ref().is_some_and(|report| {
            ["sources", "pages", "documents"].iter().all(|part| report[part] == counts[part])
        });
        if !agrees {
            complain("report", "its counts differ from the job's".into());
        }
    } else {
        complain("ledger", "the job is not finished: pagemill watch tells when it is".into());
    }
    Ok(Findings::of_report(files, complaints))
}
