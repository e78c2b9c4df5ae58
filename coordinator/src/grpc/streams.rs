//! Long answers: how a job moves on, and its report.

use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use pagemill_backends::store::{JobRow, JobState};
use pagemill_domain::ids::JobId;
use pagemill_proto::{MESSAGE_BYTES_MAX, PIECE_BYTES, v1};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use super::status::of_coordinator;
use super::{Services, place};
use crate::access::Caller;
use crate::report::ReportBuilder;

/// Least time between two looks at a watched job.
const WATCH_INTERVAL: Duration = Duration::from_secs(1);

/// Messages that wait for a slow reader; the next are not made before.
const MESSAGES_WAITING_MAX: usize = 4;

/// Bytes of a report's ledger: its lists are shortened to it, and say so.
const LEDGER_BYTES_MAX: usize = MESSAGE_BYTES_MAX / 2;

pub(super) type Answers<T> = mpsc::Sender<Result<T, Status>>;

impl Services {
    /// How a job stands, now and whenever it changed.
    pub(super) fn watch_job(
        &self,
        row: JobRow,
        caller: Caller,
    ) -> Result<BoxStream<'static, Result<v1::Job, Status>>, Status> {
        let place = place(&self.watches, "watches")?;
        let services = self.clone();
        Ok(answers(move |answers| async move {
            let _place = place;
            services.send_changes(row, &caller, &answers).await
        }))
    }

    async fn send_changes(
        &self,
        row: JobRow,
        caller: &Caller,
        answers: &Answers<v1::Job>,
    ) -> Result<(), Status> {
        let (mut row, mut sent) = (row, None);
        loop {
            let (id, status) = (row.id, row.status);
            if sent.replace(status) != Some(status) && answers.send(Ok(self.job(row))).await.is_err() {
                return Ok(());
            }
            if matches!(status.state, JobState::Closed | JobState::Cancelled) {
                return Ok(());
            }
            tokio::select! {
                () = answers.closed() => return Ok(()),
                () = self.shutdown.cancelled() => return Err(stopping()),
                () = tokio::time::sleep(WATCH_INTERVAL) => {}
            }
            row = self.own_job(id.0, caller).await?;
        }
    }

    /// A job's report, piece by piece.
    pub(super) async fn report_job(
        &self,
        row: JobRow,
    ) -> Result<BoxStream<'static, Result<v1::ReportPart, Status>>, Status> {
        let place = place(&self.reports, "reports")?;
        let report =
            self.coordinator.begin_report(row.id, row.recipe.dpi_min).await.map_err(of_coordinator)?;
        let services = self.clone();
        Ok(answers(move |answers| async move {
            let _place = place;
            tokio::select! {
                sent = send_report(report, row.id, &answers) => sent,
                () = services.shutdown.cancelled() => Err(stopping()),
            }
        }))
    }
}

async fn send_report(
    mut report: ReportBuilder,
    job: JobId,
    answers: &Answers<v1::ReportPart>,
) -> Result<(), Status> {
    let part = |part| Ok(v1::ReportPart { part: Some(part) });
    while let Some(lines) = report.next_pages().await.map_err(of_coordinator)? {
        let mut lines = Bytes::from(lines);
        while !lines.is_empty() {
            let piece = lines.split_to(lines.len().min(PIECE_BYTES));
            if answers.send(part(v1::report_part::Part::Pages(piece))).await.is_err() {
                return Ok(());
            }
        }
    }
    let ledger = report.finish().await.map_err(of_coordinator)?.shortened(LEDGER_BYTES_MAX);
    let ledger = ledger.map_err(|error| {
        tracing::error!(%error, job = job.0, "a ledger can't be written down");
        Status::internal("the ledger can't be written down; the coordinator's log says more")
    })?;
    let _ = answers.send(part(v1::report_part::Part::LedgerJson(ledger))).await;
    Ok(())
}

/// A stream of what `work` sends; an error ends it.
pub(super) fn answers<T, F>(work: impl FnOnce(Answers<T>) -> F) -> BoxStream<'static, Result<T, Status>>
where
    T: Send + 'static,
    F: Future<Output = Result<(), Status>> + Send + 'static,
{
    let (sender, receiver) = mpsc::channel(MESSAGES_WAITING_MAX);
    let work = work(sender.clone());
    tokio::spawn(async move {
        if let Err(status) = work.await {
            let _ = sender.send(Err(status)).await;
        }
    });
    ReceiverStream::new(receiver).boxed()
}

pub(super) fn stopping() -> Status {
    Status::unavailable("this coordinator stops: ask another, or again")
}
