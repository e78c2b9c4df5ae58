//! Rows as messages.

use pagemill_backends::store::{DeadLetter, Directive, JobRow, JobState, PageRow, WorkerRow};
use pagemill_domain::ids::ShardAttempt;
use pagemill_domain::ledger::Ledger;
use pagemill_domain::page::PageState;
use pagemill_domain::shard::Stage;
use pagemill_proto::v1;

/// A job as listed: without its recipe.
pub(crate) fn job(row: JobRow, eta_seconds: Option<f64>) -> v1::Job {
    let status = row.status;
    v1::Job {
        id: row.id.0,
        tenant: row.tenant,
        key: row.key,
        state: job_state(status.state).into(),
        priority: row.urgency.priority.into(),
        deadline_unix_seconds: row.urgency.deadline_unix_seconds.unwrap_or(0),
        created_unix_seconds: row.created_unix_seconds,
        closed_unix_seconds: row.closed_unix_seconds.unwrap_or(0),
        counts: Some(counts(&status.ledger)),
        faults: status.faults,
        losses: status.losses,
        outcomes_ignored: status.outcomes_ignored,
        cpu_ms: status.cpu_ms,
        pages_read: status.pages_read,
        eta_seconds: eta_seconds.filter(|_| status.state == JobState::Sealed).unwrap_or(0.0),
        recipe_json: String::new(),
        fingerprints: Vec::new(),
    }
}

fn counts(ledger: &Ledger) -> v1::Counts {
    v1::Counts {
        sources_submitted: ledger.sources.submitted,
        sources_inspected: ledger.sources.inspected,
        sources_rejected: ledger.sources.rejected,
        sources_cancelled: ledger.sources.cancelled,
        pages_declared: ledger.pages.declared,
        pages_recognised: ledger.pages.recognised,
        pages_blank: ledger.pages.blank,
        pages_kept: ledger.pages.kept,
        pages_dead: ledger.pages.dead,
        pages_cancelled: ledger.pages.cancelled,
        documents_arranged: ledger.documents.arranged,
        documents_delivered: ledger.documents.delivered,
        documents_failed: ledger.documents.failed,
    }
}

fn job_state(state: JobState) -> v1::JobState {
    match state {
        JobState::Draft => v1::JobState::Draft,
        JobState::Sealed => v1::JobState::Sealed,
        JobState::Closed => v1::JobState::Closed,
        JobState::Cancelled => v1::JobState::Cancelled,
    }
}

fn page_state(state: PageState) -> v1::PageState {
    match state {
        PageState::Pending => v1::PageState::Pending,
        PageState::Recognised => v1::PageState::Recognised,
        PageState::Blank => v1::PageState::Blank,
        PageState::Kept => v1::PageState::Kept,
        PageState::Dead => v1::PageState::Dead,
        PageState::Cancelled => v1::PageState::Cancelled,
    }
}

/// The state that a listing is held to; `None`: any.
pub(crate) fn wanted_state(state: v1::PageState) -> Option<PageState> {
    match state {
        v1::PageState::Unspecified => None,
        v1::PageState::Pending => Some(PageState::Pending),
        v1::PageState::Recognised => Some(PageState::Recognised),
        v1::PageState::Blank => Some(PageState::Blank),
        v1::PageState::Kept => Some(PageState::Kept),
        v1::PageState::Dead => Some(PageState::Dead),
        v1::PageState::Cancelled => Some(PageState::Cancelled),
    }
}

/// A page of a job.
pub(crate) fn page(job: i64, row: PageRow) -> v1::Page {
    let summary = row.summary.as_ref();
    let percent = |confidence: pagemill_domain::page_text::Confidence| u32::from(confidence.percent());
    v1::Page {
        id: Some(v1::PageId { source: row.source, number: row.number }),
        confidence: summary.and_then(|summary| summary.confidence).map(percent),
        worst_confidence: summary.and_then(|summary| summary.worst_confidence).map(percent),
        words: summary.map_or(0, |summary| summary.words),
        degraded: summary.is_some_and(|summary| summary.degraded),
        path: row.path,
        document: row.document.unwrap_or_default(),
        width: row.width,
        height: row.height,
        state: page_state(row.state).into(),
        faults: row.faults,
        losses: row.losses,
        reason: row.reason.unwrap_or_default(),
        detail: row.detail.unwrap_or_default(),
        job,
    }
}

/// A dead page or a rejected source.
pub(crate) fn dead_letter(row: DeadLetter) -> v1::DeadLetter {
    v1::DeadLetter {
        job: row.job.0,
        source: row.source,
        path: row.path,
        number: row.number,
        faults: row.faults,
        losses: row.losses,
        reason: row.reason,
        detail: row.detail,
    }
}

/// A worker, `now_unix_seconds`; `gone` where it is live no more.
pub(crate) fn worker(row: WorkerRow, gone: bool, now_unix_seconds: i64) -> v1::Worker {
    v1::Worker {
        gone,
        worker: row.worker.0,
        version: row.version,
        fingerprint: row.fingerprint,
        slots: row.slots,
        slots_busy: if gone { 0 } else { row.slots_busy },
        directive: directive(row.directive).into(),
        silent_seconds: (now_unix_seconds - row.beat_unix_seconds).max(0) as f64,
    }
}

/// What a worker is told.
pub(crate) fn directive(directive: Directive) -> v1::Directive {
    match directive {
        Directive::Serve => v1::Directive::Serve,
        Directive::Cordon => v1::Directive::Cordon,
        Directive::Drain => v1::Directive::Drain,
    }
}

/// A stage.
pub(crate) fn stage(stage: Stage) -> v1::Stage {
    match stage {
        Stage::Inspect => v1::Stage::Inspect,
        Stage::Recognise => v1::Stage::Recognise,
        Stage::Assemble => v1::Stage::Assemble,
    }
}

/// One dispatch of a shard.
pub(crate) fn shard_attempt(dispatch: ShardAttempt) -> v1::ShardAttempt {
    v1::ShardAttempt { shard: dispatch.shard.0, attempt: dispatch.attempt.0 }
}
