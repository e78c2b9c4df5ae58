//! `pagemill verify --all`: whether a cluster's store and blobs are whole and agree, without its coordinators: of a backup,
//! after a restore, after a disk that failed.

use std::collections::BTreeMap;

use futures::{StreamExt, TryStreamExt};
use pagemill_backends::blobs::{BlobError, BlobName, Blobs};
use pagemill_backends::store::{JobFilter, JobRow, JobState, NamedCursor, PageCursor, Store, StoreError};
use pagemill_domain::ids::JobId;
use pagemill_domain::ledger::Ledger;
use pagemill_domain::page::PageState;

use super::Findings;
use crate::cluster::{self, store_failed};
use crate::failure::Failure;
use crate::progress::print_line;
use crate::settings::Settings;

/// Rows that are read at once.
const ROWS_PER_READ: u32 = 5_000;

/// Jobs that are read at once.
const JOBS_PER_READ: u32 = 100;

/// Blobs that are hashed at once.
const BLOBS_AT_ONCE_MAX: usize = 8;

/// Checks the counts of every job against its rows and both equations, and every blob that rows name against its hash.
pub(super) async fn check(settings: &Settings) -> Result<Findings, Failure> {
    let (store, blobs) = (cluster::store(settings).await?, cluster::blobs(settings).await?);
    let mut findings = Findings::default();
    let jobs = check_jobs(store.as_ref(), &mut findings).await?;
    let bytes = check_blobs(store.as_ref(), blobs.as_ref(), &mut findings).await?;
    let (blobs, mib) = (findings.files, bytes.div_ceil(1 << 20));
    findings.all_is_well =
        format!("{blobs} blobs ({mib} MiB) match their hashes; the ledgers of {jobs} jobs balance");
    Ok(findings)
}

/// Returns how many jobs there are.
async fn check_jobs(store: &dyn Store, findings: &mut Findings) -> Result<u64, Failure> {
    let (mut jobs, mut after) = (0, JobId(0));
    loop {
        let rows = store
            .list_jobs(&JobFilter::default(), after, JOBS_PER_READ)
            .await
            .map_err(|error| store_failed(&error))?;
        let Some(last) = rows.last() else { return Ok(jobs) };
        after = last.id;
        jobs += rows.len() as u64;
        for job in &rows {
            check_job(store, job, findings).await?;
        }
    }
}

async fn check_job(store: &dyn Store, job: &JobRow, findings: &mut Findings) -> Result<(), Failure> {
    let path = format!("job {}", job.id);
    let ledger = job.status.ledger;
    if matches!(job.status.state, JobState::Closed | JobState::Cancelled)
        && let Err(imbalance) = ledger.balance()
    {
        findings.complain(&path, imbalance.to_string());
    }
    let counted = count(store, job.id).await.map_err(|error| store_failed(&error))?;
    if store.status(job.id).await.map_err(|error| store_failed(&error))?.ledger != ledger {
        print_line(&format!("{path} is being worked on: its counts are not compared with its rows"));
        return Ok(());
    }
    for (what, rows, count) in counted.beside(&ledger) {
        if rows != count {
            findings.complain(&path, format!("{rows} {what} in its rows, {count} in its ledger"));
        }
    }
    Ok(())
}

/// What a job's rows come to.
#[derive(Default)]
struct Counted {
    sources: u64,
    rejected: u64,
    pages: BTreeMap<PageState, u64>,
}

impl Counted {
    /// What was counted, by rows and by the ledger.
    fn beside(&self, ledger: &Ledger) -> [(&'static str, u64, u64); 8] {
        let pages = |state| self.pages.get(&state).copied().unwrap_or_default();
        [
            ("sources", self.sources, ledger.sources.submitted),
            ("rejected sources", self.rejected, ledger.sources.rejected),
            ("pages", self.pages.values().sum(), ledger.pages.declared),
            ("recognised pages", pages(PageState::Recognised), ledger.pages.recognised),
            ("blank pages", pages(PageState::Blank), ledger.pages.blank),
            ("kept pages", pages(PageState::Kept), ledger.pages.kept),
            ("dead pages", pages(PageState::Dead), ledger.pages.dead),
            ("cancelled pages", pages(PageState::Cancelled), ledger.pages.cancelled),
        ]
    }
}

async fn count(store: &dyn Store, job: JobId) -> Result<Counted, StoreError> {
    let mut counted = Counted::default();
    let mut after = 0;
    loop {
        let sources = store.list_sources(job, after, ROWS_PER_READ).await?;
        let Some(last) = sources.last() else { break };
        after = last.id;
        counted.sources += sources.len() as u64;
        counted.rejected += sources.iter().filter(|source| source.rejection.is_some()).count() as u64;
    }
    let mut after = PageCursor::default();
    loop {
        let pages = store.list_pages(job, None, after, ROWS_PER_READ).await?;
        let Some(last) = pages.last() else { return Ok(counted) };
        after = PageCursor { source: last.source, number: last.number };
        for page in &pages {
            *counted.pages.entry(page.state).or_default() += 1;
        }
    }
}

/// Returns how many bytes there are.
async fn check_blobs(store: &dyn Store, blobs: &dyn Blobs, findings: &mut Findings) -> Result<u64, Failure> {
    let (mut bytes, mut next) = (0, Some(NamedCursor::default()));
    while let Some(after) = next {
        let named = store.named_blobs(after, ROWS_PER_READ).await.map_err(|error| store_failed(&error))?;
        next = named.next;
        let checked = futures::stream::iter(named.blobs).map(|name| check_blob(blobs, name));
        let mut checked = checked.buffer_unordered(BLOBS_AT_ONCE_MAX);
        while let Some((name, found)) = checked.try_next().await? {
            findings.files += 1;
            match found {
                Ok(size) => bytes += size,
                Err(what) => findings.complain(&name.to_string(), what),
            }
        }
    }
    Ok(bytes)
}

/// A blob's size, or what is wrong with it. That the blob store can't be reached says nothing about the blob.
async fn check_blob(blobs: &dyn Blobs, name: BlobName) -> Result<(BlobName, Result<u64, String>), Failure> {
    match blobs.check_blob(&name).await {
        Ok(bytes) => Ok((name, Ok(bytes))),
        Err(BlobError::Missing(_)) => Ok((name, Err("it is missing".into()))),
        Err(BlobError::Damaged(_)) => Ok((name, Err("its bytes do not match its hash".into()))),
        Err(error) => Err(cluster::blobs_failed(&error)),
    }
}
