//! The report of a cluster's job: the same two files as `pagemill ocr` writes.

use std::io::{BufWriter, Write};

use pagemill_proto::v1::report_part::Part;
use pagemill_proto::v1::{GetReportRequest, Job};
use serde_json::{Value, json};

use super::connection::{Cluster, is_away, jobs};
use super::watch;
use crate::failure::Failure;
use crate::output_folder::OutputFolder;
use crate::report::{PAGES, REPORT, WholeFile};

/// Tries to get a report in one piece, while coordinators come and go.
const TRIES_MAX: u32 = 5;

/// Writes both files into `output`; returns what `report.json` holds.
pub(crate) async fn write(cluster: &Cluster, job: &Job, output: &OutputFolder) -> Result<Value, Failure> {
    let mut tries = 0;
    let (pages, ledger) = loop {
        tries += 1;
        let mut pages = WholeFile::create(output)?;
        match ledger(cluster, job.id, pages.writer()).await? {
            Some(ledger) => break (pages, ledger),
            None if tries < TRIES_MAX => cluster.hang_up().await,
            None => return Err(Failure::CoordinatorFailed("the report broke off again and again".into())),
        }
    };
    pages.publish(output, PAGES)?;
    // Its recipe and fingerprints come with this answer alone.
    let job = watch::job(cluster, job.id).await?;
    let report = json!({"ledger": ledger, "run": run(&job)?});
    let mut text = serde_json::to_vec_pretty(&report).map_err(anyhow::Error::from)?;
    text.push(b'\n');
    let mut file = WholeFile::create(output)?;
    file.writer().write_all(&text).map_err(anyhow::Error::from)?;
    file.publish(output, REPORT)?;
    Ok(report)
}

/// The ledger of a job's report, after the lines of its pages went to `pages`; `None` where it broke off.
pub(crate) async fn ledger(
    cluster: &Cluster,
    job: i64,
    pages: &mut (dyn Write + Send),
) -> Result<Option<Value>, Failure> {
    let request = GetReportRequest { job };
    let mut parts =
        cluster.ask(request, |line, request| async move { jobs(line).get_report(request).await }).await?;
    let mut pages = BufWriter::new(pages);
    loop {
        match parts.message().await {
            Ok(Some(part)) => match part.part {
                Some(Part::Pages(lines)) => pages.write_all(&lines).map_err(anyhow::Error::from)?,
                Some(Part::LedgerJson(text)) => {
                    pages.flush().map_err(anyhow::Error::from)?;
                    return Ok(Some(serde_json::from_str(&text).map_err(anyhow::Error::from)?));
                }
                None => {}
            },
            Ok(None) => return Ok(None),
            Err(status) if is_away(&status) => return Ok(None),
            Err(status) => return Err(status.into()),
        }
    }
}

/// What differs between runs of the same job.
fn run(job: &Job) -> Result<Value, Failure> {
    let recipe: Value = serde_json::from_str(&job.recipe_json).map_err(anyhow::Error::from)?;
    Ok(json!({
        "pagemill": env!("CARGO_PKG_VERSION"),
        "job": job.id,
        "fingerprints": job.fingerprints,
        "recipe": recipe,
        "created_unix_seconds": job.created_unix_seconds,
        "closed_unix_seconds": job.closed_unix_seconds,
        "pages_read": job.pages_read,
        "cpu_ms": job.cpu_ms,
        "faults": job.faults,
        "losses": job.losses,
        "outcomes_ignored": job.outcomes_ignored,
    }))
}
