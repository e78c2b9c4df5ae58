//! OpenTelemetry: the steps of a job as spans, to the collector that `OTEL_EXPORTER_OTLP_ENDPOINT` names.
//!
//! A span is exported if it, or one around it, has a field `trace`. `span`, `parent` and `start_unix_seconds` say what
//! else has to be as others know it; the other fields become attributes. What the crates below write down is the same
//! with and without a collector, and knows nothing of it.

use tokio::sync::mpsc;
use tracing::Subscriber;
use tracing_subscriber::Layer;
use tracing_subscriber::registry::LookupSpan;

pub(crate) use export::Export;
use options::Options;
use spans::Spans;

use crate::failure::Failure;

mod export;
mod options;
mod spans;

/// Spans that wait to be sent. Further ones are dropped, and counted: work never waits for a collector.
const SPANS_WAITING_MAX: usize = 8_192;

/// Begins to send the spans of `service`, where the environment names a collector.
pub(crate) fn start<S>(service: &str) -> Result<Option<(Export, impl Layer<S> + use<S>)>, Failure>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let Some(options) = Options::read(service, |name| std::env::var(name).ok())? else { return Ok(None) };
    let (outbox, inbox) = mpsc::channel(SPANS_WAITING_MAX);
    let spans = Spans::new(outbox, options.share);
    let export = Export::start(options, inbox, spans.dropped())?;
    Ok(Some((export, spans)))
}
