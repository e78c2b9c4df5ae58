//! `pagemill verify`: whether an output folder, a job of a cluster, or all that a cluster holds is what its ledger says.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use pagemill_backends::Backends;
use pagemill_backends::store::JobState;
use pagemill_domain::hash::{ContentHash, ContentHasher};
use pagemill_domain::ids::JobId;
use pagemill_domain::job::TENANT_DEFAULT;
use pagemill_domain::outcome::Artifact;
use rayon::prelude::*;
use serde_json::{Value, json};

use crate::arguments::VerifyArguments;
use crate::client;
use crate::embedded::{self, JOB_KEY};
use crate::failure::{Exit, Failure};
use crate::output_folder::OutputFolder;
use crate::progress::{print_json, print_result};
use crate::report;
use crate::settings::Settings;

mod stored;

/// Documents that are checked at once.
const DOCUMENTS_PER_READ: u32 = 500;

/// Bytes that are hashed at once.
const BUFFER_BYTES: usize = 1 << 20;

/// Something that is not as the ledger says.
pub(crate) struct Complaint {
    /// What it is about.
    pub(crate) path: String,
    /// What is wrong.
    pub(crate) what: String,
}

/// What a check found.
#[derive(Default)]
pub(crate) struct Findings {
    /// Files or blobs that were checked.
    pub(crate) files: u64,
    /// What is wrong.
    pub(crate) complaints: Vec<Complaint>,
    /// What is said where nothing is wrong.
    pub(crate) all_is_well: String,
}

impl Findings {
    /// Those of files that a report tells of.
    pub(crate) fn of_report(files: u64, complaints: Vec<Complaint>) -> Self {
        let all_is_well = format!("{files} files match their hashes; the ledger balances; the report agrees");
        Self { files, complaints, all_is_well }
    }

    /// Adds what is wrong with something.
    fn complain(&mut self, path: &str, what: String) {
        self.complaints.push(Complaint { path: path.into(), what });
    }
}

/// Checks an output folder, a job of a cluster where its number is named, or all that a cluster holds.
pub(crate) async fn run(arguments: &VerifyArguments, settings: &Settings) -> Result<Exit, Failure> {
    let findings = match &arguments.target {
        None => stored::check(settings).await?,
        Some(target) => match target.to_str().and_then(|text| text.parse().ok()).filter(|_| !target.exists())
        {
            Some(job) => client::verify::check(job, settings).await?,
            None => check_folder(target, settings).await?,
        },
    };
    show(arguments.json, &findings);
    Ok(if findings.complaints.is_empty() { Exit::Complete } else { Exit::Gaps })
}

async fn check_folder(folder: &Path, settings: &Settings) -> Result<Findings, Failure> {
    let output = OutputFolder::open_existing(folder)?;
    let backends = embedded::backends(&output, settings).await?;
    let job = backends.store.find_job(TENANT_DEFAULT, JOB_KEY).await.map_err(anyhow::Error::from)?;
    let job = job.ok_or_else(|| Failure::NotAnOutput(folder.to_owned()))?;
    let status = backends.store.status(job).await.map_err(anyhow::Error::from)?;
    let (files, mut complaints) = check_artifacts(&backends, job, output.path()).await?;
    if let Err(imbalance) = status.ledger.balance() {
        complaints.push(Complaint { path: "ledger".into(), what: imbalance.to_string() });
    }
    if status.state == JobState::Closed {
        complaints.extend(check_report(&backends, job, settings, output.path()).await?);
    } else {
        complaints.push(Complaint {
            path: "ledger".into(),
            what: "the run is not finished: the same `pagemill ocr` command goes on".into(),
        });
    }
    Ok(Findings::of_report(files, complaints))
}

fn show(as_json: bool, Findings { files, complaints, all_is_well }: &Findings) {
    for complaint in complaints {
        if as_json {
            print_json(&json!({"event": "complaint", "path": complaint.path, "what": complaint.what}));
        } else {
            print_result(&format!("{}: {}", complaint.path, complaint.what));
        }
    }
    if as_json {
        print_json(&json!({"event": "verified", "files": files, "complaints": complaints.len()}));
    } else if complaints.is_empty() {
        print_result(all_is_well);
    } else {
        print_result(&format!("{files} checked, {} complaints", complaints.len()));
    }
}

/// Hashes every artifact in the ledger; returns how many there are.
async fn check_artifacts(
    backends: &Backends,
    job: JobId,
    output: &Path,
) -> Result<(u64, Vec<Complaint>), Failure> {
    let (mut files, mut complaints, mut after) = (0, Vec::new(), 0);
    loop {
        let documents = backends.store.list_documents(job, after, DOCUMENTS_PER_READ).await;
        let documents = documents.map_err(anyhow::Error::from)?;
        let Some(last) = documents.last() else { return Ok((files, complaints)) };
        after = last.id.0;
        let artifacts: Vec<&Artifact> = documents.iter().flat_map(|document| &document.artifacts).collect();
        files += artifacts.len() as u64;
        let found = artifacts.par_iter().filter_map(|artifact| {
            let what = check_artifact(artifact, output)?;
            Some(Complaint { path: artifact.name.clone(), what })
        });
        complaints.par_extend(found);
    }
}

/// What is wrong with an artifact.
fn check_artifact(artifact: &Artifact, output: &Path) -> Option<String> {
    match hash(&output.join(&artifact.name)) {
        Ok((bytes, _)) if bytes != artifact.bytes => {
            Some(format!("{bytes} bytes instead of {}", artifact.bytes))
        }
        Ok((_, hash)) if hash != artifact.hash => Some("its bytes do not match its hash".into()),
        Ok(_) => None,
        Err(error) => Some(error.to_string()),
    }
}

fn hash(path: &Path) -> io::Result<(u64, ContentHash)> {
    let mut file = File::open(path)?;
    let mut buffer = vec![0; BUFFER_BYTES];
    let (mut hasher, mut bytes) = (ContentHasher::default(), 0);
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok((bytes, hasher.finish()));
        }
        hasher.update(&buffer[..read]);
        bytes += read as u64;
    }
}

/// Compares the report's files with what the store would report now.
async fn check_report(
    backends: &Backends,
    job: JobId,
    settings: &Settings,
    output: &Path,
) -> Result<Vec<Complaint>, Failure> {
    let complaint = |path: &str, what: String| vec![Complaint { path: path.into(), what }];
    let written: Value = match std::fs::read(output.join(report::REPORT)) {
        Ok(bytes) => match serde_json::from_slice(&bytes) {
            Ok(written) => written,
            Err(error) => return Ok(complaint(report::REPORT, error.to_string())),
        },
        Err(error) => return Ok(complaint(report::REPORT, error.to_string())),
    };
    let Some(dpi_min) = written["run"]["recipe"]["dpi_min"].as_u64() else {
        return Ok(complaint(report::REPORT, "its recipe is missing".into()));
    };
    let mut pages = HashingWriter::default();
    let coordinator = embedded::coordinator(backends, settings)?;
    let ledger = coordinator.report(job, dpi_min as u32, &mut pages).await.map_err(anyhow::Error::from)?;
    let mut complaints = Vec::new();
    if serde_json::to_value(&ledger).map_err(anyhow::Error::from)? != written["ledger"] {
        complaints.extend(complaint(report::REPORT, "its ledger differs from the state".into()));
    }
    match hash(&output.join(report::PAGES)) {
        Ok((_, hash)) if hash == pages.0.finish() => {}
        Ok(_) => complaints.extend(complaint(report::PAGES, "its pages differ from the state".into())),
        Err(error) => complaints.extend(complaint(report::PAGES, error.to_string())),
    }
    Ok(complaints)
}

/// Hashes what is written to it.
#[derive(Default)]
struct HashingWriter(ContentHasher);

impl Write for HashingWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
