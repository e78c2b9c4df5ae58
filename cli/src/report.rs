//! The files that describe a run: `report.json` and `report.pages.jsonl`.
//!
//! `ledger` depends on sources, recipe and what happened to them alone: two runs of the same job can be compared. `run`
//! holds what differs between runs.

use std::fs::{File, Permissions};
use std::io::{BufWriter, Write};
use std::os::unix::fs::PermissionsExt;

use pagemill_coordinator::Coordinator;
use pagemill_coordinator::report::LedgerReport;
use pagemill_domain::ids::JobId;
use pagemill_domain::recipe::Recipe;
use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;

use crate::failure::Failure;
use crate::output_folder::OutputFolder;

/// The report of a run.
pub(crate) const REPORT: &str = "report.json";
/// A line of JSON for each page.
pub(crate) const PAGES: &str = "report.pages.jsonl";

/// What `report.json` holds.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// Comparable between runs.
    pub(crate) ledger: LedgerReport,
    /// This run.
    pub(crate) run: Run,
}

/// What differs between runs.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Run {
    /// Version of Pagemill.
    pub(crate) pagemill: String,
    /// What read the pages; more than one where an earlier run used other versions.
    pub(crate) fingerprints: Vec<String>,
    /// How the pages were treated.
    pub(crate) recipe: Recipe,
    /// Pages read at the same time.
    pub(crate) workers: u32,
    /// Seconds from start to end of this run.
    pub(crate) seconds: f64,
    /// Pages that this run read.
    pub(crate) pages_read: u64,
    /// Documents that were written again because a file of theirs was gone.
    pub(crate) documents_restored: u64,
    /// Over all runs: CPU milliseconds in the recognition processes.
    pub(crate) cpu_ms: u64,
    /// Over all runs: failures that pages caused.
    pub(crate) faults: u64,
    /// Over all runs: failures that pages did not cause.
    pub(crate) losses: u64,
    /// Over all runs: results that came twice or too late.
    pub(crate) outcomes_ignored: u64,
}

/// Writes both files; each appears whole or not at all. Returns the comparable part.
pub(crate) async fn write(
    coordinator: &Coordinator,
    output: &OutputFolder,
    job: JobId,
    run: Run,
) -> Result<Report, Failure> {
    let mut pages = WholeFile::create(output)?;
    let mut lines = BufWriter::new(&mut pages.0);
    let ledger =
        coordinator.report(job, run.recipe.dpi_min, &mut lines).await.map_err(|error| fail(&error))?;
    lines.flush().map_err(|error| fail(&error))?;
    drop(lines);
    pages.publish(output, PAGES)?;
    let report = Report { ledger, run };
    let mut json = serde_json::to_vec_pretty(&report).map_err(|error| fail(&error))?;
    json.push(b'\n');
    let mut file = WholeFile::create(output)?;
    file.0.write_all(&json).map_err(|error| fail(&error))?;
    file.publish(output, REPORT)?;
    Ok(report)
}

fn fail(error: &dyn std::fmt::Display) -> Failure {
    Failure::from(anyhow::anyhow!("write report: {error}"))
}

/// A file that is written aside and appears whole.
pub(crate) struct WholeFile(NamedTempFile);

impl WholeFile {
    /// A file beside the output folder's state.
    pub(crate) fn create(output: &OutputFolder) -> Result<Self, Failure> {
        // The mode that the user's umask gives any new file, not the private one of temporary files.
        let mode = Permissions::from_mode(0o666);
        let file = tempfile::Builder::new().permissions(mode).tempfile_in(output.state());
        file.map(Self).map_err(|error| fail(&error))
    }

    /// What to write to.
    pub(crate) fn writer(&mut self) -> &mut File {
        self.0.as_file_mut()
    }

    /// Makes the file durable, and visible under `name` in the output folder.
    pub(crate) fn publish(self, output: &OutputFolder, name: &str) -> Result<(), Failure> {
        self.0.as_file().sync_all().map_err(|error| fail(&error))?;
        self.0.persist(output.path().join(name)).map_err(|error| fail(&error))?;
        File::open(output.path()).and_then(|folder| folder.sync_all()).map_err(|error| fail(&error))
    }
}
