//! `pagemill jobs`, `job` and `cancel`.

use pagemill_domain::ledger::{DocumentCounts, Ledger, PageCounts, SourceCounts};
use pagemill_proto::v1::{CancelRequest, Job, JobState, ListJobsRequest};
use serde_json::{Value, json};

use super::connection::{Cluster, jobs};
use super::table::{Align, Table, part, shown};
use super::{PAGE_SIZE, moments, watch};
use crate::arguments::{JobArguments, JobsArguments};
use crate::failure::{Exit, Failure};
use crate::progress::{print_json, print_result};
use crate::settings::Settings;
use crate::summary;

/// Lists the jobs.
pub(crate) async fn list(arguments: &JobsArguments, settings: &Settings) -> Result<Exit, Failure> {
    let cluster = Cluster::new(settings)?;
    let mut table = Table::new(&[
        ("JOB", Align::Right),
        ("STATE", Align::Left),
        ("PRIORITY", Align::Right),
        ("SOURCES", Align::Right),
        ("PAGES", Align::Right),
        ("DEAD", Align::Right),
        ("REJECTED", Align::Right),
        ("ETA", Align::Left),
        ("DEADLINE (UTC)", Align::Left),
        ("CREATED (UTC)", Align::Left),
        ("KEY", Align::Left),
    ]);
    let mut request =
        ListJobsRequest { page_size: PAGE_SIZE, open_only: arguments.open, ..Default::default() };
    loop {
        let listed =
            cluster.ask(request.clone(), |line, request| async move { jobs(line).list(request).await });
        let answer = listed.await?;
        if arguments.json {
            answer.jobs.iter().for_each(|job| print_json(&as_json(job)));
        } else {
            table.print(&answer.jobs.iter().map(row).collect::<Vec<_>>());
        }
        if answer.next_page_token.is_empty() {
            return Ok(Exit::Complete);
        }
        request.page_token = answer.next_page_token;
    }
}

fn row(job: &Job) -> Vec<String> {
    let ledger = ledger(job);
    vec![
        job.id.to_string(),
        state(job).into(),
        job.priority.to_string(),
        part(ledger.sources.terminal(), ledger.sources.submitted),
        part(ledger.pages.terminal(), ledger.pages.declared),
        ledger.pages.dead.to_string(),
        ledger.sources.rejected.to_string(),
        moments::a_while(job.eta_seconds),
        moments::shown(job.deadline_unix_seconds),
        moments::shown(job.created_unix_seconds),
        shown(&job.key),
    ]
}

/// Shows one job.
pub(crate) async fn show(arguments: &JobArguments, settings: &Settings) -> Result<Exit, Failure> {
    let job = watch::job(&Cluster::new(settings)?, arguments.job).await?;
    print(&job, arguments.json);
    Ok(Exit::Complete)
}

/// Gives a job up.
pub(crate) async fn cancel(arguments: &JobArguments, settings: &Settings) -> Result<Exit, Failure> {
    let request = CancelRequest { job: arguments.job };
    let cluster = Cluster::new(settings)?;
    let job = cluster.ask(request, |line, request| async move { jobs(line).cancel(request).await }).await?;
    print(&job, arguments.json);
    Ok(Exit::Complete)
}

fn print(job: &Job, json: bool) {
    if json {
        print_json(&as_json(job));
        return;
    }
    let ledger = ledger(job);
    let mut lines = vec![
        format!("job       {} {}", job.id, state(job)),
        format!("key       {}", shown(&job.key)),
        format!("tenant    {}", shown(&job.tenant)),
        format!("priority  {}", job.priority),
        format!("created   {} UTC", moments::shown(job.created_unix_seconds)),
    ];
    if job.deadline_unix_seconds != 0 {
        lines.push(format!("deadline  {} UTC", moments::shown(job.deadline_unix_seconds)));
    }
    if job.closed_unix_seconds != 0 {
        lines.push(format!("closed    {} UTC", moments::shown(job.closed_unix_seconds)));
    }
    if job.eta_seconds > 0.0 {
        lines.push(format!("eta       {}", moments::a_while(job.eta_seconds)));
    }
    lines.extend(summary::equations(&ledger));
    let documents = ledger.documents;
    lines.push(format!(
        "documents {} arranged, {} delivered, {} failed",
        documents.arranged, documents.delivered, documents.failed
    ));
    lines.push(format!(
        "work      {} pages read, {:.1} CPU seconds, {} faults, {} losses, {} outcomes ignored",
        job.pages_read,
        job.cpu_ms as f64 / 1000.0,
        job.faults,
        job.losses,
        job.outcomes_ignored
    ));
    lines.extend(job.fingerprints.iter().map(|fingerprint| format!("read by   {}", shown(fingerprint))));
    for line in lines {
        print_result(&line);
    }
}

fn as_json(job: &Job) -> Value {
    let recipe: Value = serde_json::from_str(&job.recipe_json).unwrap_or_default();
    json!({
        "job": job.id, "tenant": job.tenant, "key": job.key, "state": state(job), "priority": job.priority,
        "deadline_unix_seconds": job.deadline_unix_seconds, "created_unix_seconds": job.created_unix_seconds,
        "closed_unix_seconds": job.closed_unix_seconds, "ledger": ledger(job), "faults": job.faults,
        "losses": job.losses, "outcomes_ignored": job.outcomes_ignored, "cpu_ms": job.cpu_ms,
        "pages_read": job.pages_read, "eta_seconds": job.eta_seconds, "recipe": recipe,
        "fingerprints": job.fingerprints,
    })
}

/// The name of a job's state.
pub(crate) fn state(job: &Job) -> &'static str {
    match job.state() {
        JobState::Draft => "draft",
        JobState::Sealed => "sealed",
        JobState::Closed => "closed",
        JobState::Cancelled => "cancelled",
        JobState::Unspecified => "unknown",
    }
}

/// The counts of a job.
pub(crate) fn ledger(job: &Job) -> Ledger {
    let counts = job.counts.unwrap_or_default();
    Ledger {
        sources: SourceCounts {
            submitted: counts.sources_submitted,
            inspected: counts.sources_inspected,
            rejected: counts.sources_rejected,
            cancelled: counts.sources_cancelled,
        },
        pages: PageCounts {
            declared: counts.pages_declared,
            recognised: counts.pages_recognised,
            blank: counts.pages_blank,
            kept: counts.pages_kept,
            dead: counts.pages_dead,
            cancelled: counts.pages_cancelled,
        },
        documents: DocumentCounts {
            arranged: counts.documents_arranged,
            delivered: counts.documents_delivered,
            failed: counts.documents_failed,
        },
    }
}
