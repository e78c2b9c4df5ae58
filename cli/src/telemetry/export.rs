//! Sending spans: a thread of its own, so that neither a slow collector nor a dead one is felt anywhere else.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use pagemill_proto::otlp::trace_service_client::TraceServiceClient;
use pagemill_proto::otlp::{
    ExportTraceServiceRequest, InstrumentationScope, Resource, ResourceSpans, ScopeSpans, Span,
};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_util::sync::CancellationToken;
use tonic::metadata::MetadataMap;
use tonic::transport::Channel;
use tonic::{Code, Request, Status};

use super::options::Options;
use crate::failure::Failure;

/// Spans of one request.
const SPANS_PER_REQUEST_MAX: usize = 512;

/// How long a span waits for others.
const GATHER_WAIT: Duration = Duration::from_secs(5);

/// First wait for a collector that is away, and the longest: each is twice the one before.
const RETRY_WAIT: Duration = Duration::from_secs(1);
const RETRY_WAIT_MAX: Duration = Duration::from_secs(30);

/// How long a program that ends waits for its last spans to be taken.
const FLUSH_WAIT: Duration = Duration::from_secs(3);

/// The thread that sends. Dropped, it sends what waits, and ends.
pub(crate) struct Export {
    stop: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

impl Export {
    /// Begins to send.
    pub(super) fn start(
        options: Options,
        inbox: mpsc::Receiver<Span>,
        dropped: Arc<AtomicU64>,
    ) -> Result<Self, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(anyhow::Error::from)?;
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let body = move || {
            runtime.block_on(async move {
                let sender = Sender::new(options);
                Queue { inbox, batch: Vec::new(), sender, dropped }.run(stopped).await;
            });
        };
        let thread = std::thread::Builder::new().name("spans".into()).spawn(body);
        Ok(Self { stop, thread: Some(thread.map_err(anyhow::Error::from)?) })
    }
}

impl Drop for Export {
    fn drop(&mut self) {
        self.stop.cancel();
        // It ends within the time to flush. Should it have failed, there is nothing left to send.
        drop(self.thread.take().map(JoinHandle::join));
    }
}

/// Spans on their way to the collector.
struct Queue {
    inbox: mpsc::Receiver<Span>,
    /// Those of the next request.
    batch: Vec<Span>,
    sender: Sender,
    dropped: Arc<AtomicU64>,
}

impl Queue {
    async fn run(mut self, stop: CancellationToken) {
        while stop.run_until_cancelled(self.gather()).await.is_some() {
            if stop.run_until_cancelled(self.deliver()).await.is_none() {
                break;
            }
        }
        // What the collector does not take now is lost with this program.
        let _ = timeout(FLUSH_WAIT, self.flush()).await;
    }

    /// Waits for a span, and then a while for more.
    async fn gather(&mut self) {
        while self.batch.is_empty() {
            if self.inbox.recv_many(&mut self.batch, SPANS_PER_REQUEST_MAX).await == 0 {
                return std::future::pending().await;
            }
        }
        let full = Instant::now() + GATHER_WAIT;
        while self.batch.len() < SPANS_PER_REQUEST_MAX {
            let room = SPANS_PER_REQUEST_MAX - self.batch.len();
            match timeout_at(full, self.inbox.recv_many(&mut self.batch, room)).await {
                Ok(1..) => {}
                Ok(0) | Err(_) => return,
            }
        }
    }

    /// Sends the batch, however long the collector is away: meanwhile the inbox fills, and then spans are dropped.
    async fn deliver(&mut self) {
        let mut wait = RETRY_WAIT;
        while let Err(status) = self.sender.send(&self.batch).await {
            if !may_pass(&status) {
                tracing::warn!(
                    why = status.message(),
                    spans = self.batch.len(),
                    "the collector refuses spans"
                );
                break;
            }
            if wait == RETRY_WAIT {
                tracing::warn!(why = status.message(), "no collector takes spans; trying again");
            }
            sleep(wait).await;
            wait = (2 * wait).min(RETRY_WAIT_MAX);
        }
        self.batch.clear();
        let dropped = self.dropped.swap(0, Ordering::Relaxed);
        if dropped > 0 {
            tracing::warn!(dropped, "spans found no room while the collector was slow or away");
        }
    }

    async fn flush(&mut self) {
        loop {
            while self.batch.len() < SPANS_PER_REQUEST_MAX
                && let Ok(span) = self.inbox.try_recv()
            {
                self.batch.push(span);
            }
            if self.batch.is_empty() || self.sender.send(&self.batch).await.is_err() {
                return;
            }
            self.batch.clear();
        }
    }
}

/// Whether the same spans may be taken later: OTLP names these.
fn may_pass(status: &Status) -> bool {
    matches!(
        status.code(),
        Code::Unavailable
            | Code::Cancelled
            | Code::DeadlineExceeded
            | Code::ResourceExhausted
            | Code::Aborted
            | Code::OutOfRange
            | Code::DataLoss
    ) || std::error::Error::source(status).is_some()
}

/// The line to the collector.
struct Sender {
    client: TraceServiceClient<Channel>,
    headers: MetadataMap,
    resource: Resource,
}

impl Sender {
    fn new(options: Options) -> Self {
        Self {
            client: TraceServiceClient::new(options.collector.connect_lazy()),
            headers: options.headers,
            resource: Resource { attributes: options.resource },
        }
    }

    async fn send(&mut self, spans: &[Span]) -> Result<(), Status> {
        let scope =
            InstrumentationScope { name: "pagemill".into(), version: env!("CARGO_PKG_VERSION").into() };
        let spans = ScopeSpans { scope: Some(scope), spans: spans.to_vec() };
        let spans = ResourceSpans { resource: Some(self.resource.clone()), scope_spans: vec![spans] };
        let mut request = Request::new(ExportTraceServiceRequest { resource_spans: vec![spans] });
        request.metadata_mut().clone_from(&self.headers);
        let answer = self.client.export(request).await?;
        if let Some(part) = answer.into_inner().partial_success.filter(|part| part.rejected_spans > 0) {
            tracing::warn!(
                rejected = part.rejected_spans,
                why = part.error_message,
                "the collector refuses spans"
            );
        }
        Ok(())
    }
}
