//! From the spans of the program to those of OpenTelemetry.

use std::fmt::Debug;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use pagemill_domain::trace::{SpanId, TraceId};
use pagemill_proto::otlp::any_value::Value;
use pagemill_proto::otlp::{KeyValue, Span, SpanKind};
use tokio::sync::mpsc;
use tracing::Subscriber;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use super::options::attribute;
use crate::logging::is_own_step;

/// Characters of an attribute's text.
const TEXT_CHARACTERS_MAX: usize = 256;

/// Writes down each span that belongs to a trace.
pub(super) struct Spans {
    outbox: mpsc::Sender<Span>,
    share: f64,
    dropped: Arc<AtomicU64>,
}

/// What is kept of an open span.
struct Open {
    trace: TraceId,
    id: SpanId,
    parent: Option<SpanId>,
    start: SystemTime,
    attributes: Vec<KeyValue>,
}

impl Spans {
    /// Spans of so large a share of all traces.
    pub(super) fn new(outbox: mpsc::Sender<Span>, share: f64) -> Self {
        Self { outbox, share, dropped: Arc::default() }
    }

    /// How many found no room, since it was set to 0 last.
    pub(super) fn dropped(&self) -> Arc<AtomicU64> {
        self.dropped.clone()
    }

    /// By the lower half of the trace's number, as OpenTelemetry's own samplers do.
    fn is_sampled(&self, trace: TraceId) -> bool {
        (trace.0 as u64) as f64 / (u64::MAX as f64) < self.share || self.share >= 1.0
    }

    /// A new span: in the trace that it names, else in that of the span around it.
    fn open(&self, fields: Fields, around: Option<(TraceId, SpanId)>) -> Option<Open> {
        let (trace, parent) = match fields.trace {
            None => around.map(|(trace, parent)| (trace, Some(parent)))?,
            Some(trace) if !self.is_sampled(trace) => return None,
            Some(trace) if fields.span == Some(trace.root()) => (trace, None),
            Some(trace) => (trace, Some(fields.parent.unwrap_or(trace.root()))),
        };
        let since = fields.start_unix_seconds.map(|seconds| UNIX_EPOCH + Duration::from_secs(seconds));
        Some(Open {
            trace,
            id: fields.span.unwrap_or_else(random),
            parent,
            start: since.unwrap_or_else(SystemTime::now),
            attributes: fields.attributes,
        })
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Spans {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        // Those of libraries belong to no job.
        if !is_own_step(attributes.metadata()) {
            return;
        }
        let Some(span) = context.span(id) else { return };
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        let around = span.parent().and_then(|parent| {
            let extensions = parent.extensions();
            extensions.get::<Open>().map(|open| (open.trace, open.id))
        });
        if let Some(open) = self.open(fields, around) {
            span.extensions_mut().insert(open);
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let Some(span) = context.span(&id) else { return };
        let Some(open) = span.extensions_mut().remove::<Open>() else { return };
        if self.outbox.try_send(closed(span.name(), open, SystemTime::now())).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn closed(name: &str, open: Open, end: SystemTime) -> Span {
    let kind = match name {
        "rpc" => SpanKind::Server,
        "dispatch" => SpanKind::Producer,
        "shard" => SpanKind::Consumer,
        _ => SpanKind::Internal,
    };
    Span {
        trace_id: open.trace.0.to_be_bytes().to_vec(),
        span_id: open.id.0.to_be_bytes().to_vec(),
        parent_span_id: open.parent.map(|parent| parent.0.to_be_bytes().to_vec()).unwrap_or_default(),
        name: name.to_owned(),
        kind: kind.into(),
        start_time_unix_nano: unix_nanoseconds(open.start),
        // A clock may be set back meanwhile.
        end_time_unix_nano: unix_nanoseconds(end.max(open.start)),
        attributes: open.attributes,
    }
}

fn unix_nanoseconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64)
}

/// A number that no other span has, and that is not 0.
fn random() -> SpanId {
    SpanId(RandomState::new().build_hasher().finish().max(1))
}

/// What a span says of itself.
#[derive(Default)]
struct Fields {
    trace: Option<TraceId>,
    span: Option<SpanId>,
    parent: Option<SpanId>,
    start_unix_seconds: Option<u64>,
    attributes: Vec<KeyValue>,
}

impl Fields {
    fn text(&mut self, field: &Field, text: &str) {
        let id = || u64::from_str_radix(text, 16).ok().map(SpanId);
        match field.name() {
            "trace" => self.trace = u128::from_str_radix(text, 16).ok().map(TraceId),
            "span" => self.span = id(),
            "parent" => self.parent = id(),
            _ => self.add(field, Value::StringValue(text.chars().take(TEXT_CHARACTERS_MAX).collect())),
        }
    }

    fn add(&mut self, field: &Field, value: Value) {
        self.attributes.push(attribute(&format!("pagemill.{}", field.name()), value));
    }
}

impl Visit for Fields {
    fn record_i64(&mut self, field: &Field, value: i64) {
        if field.name() == "start_unix_seconds" {
            self.start_unix_seconds = value.try_into().ok();
        } else {
            self.add(field, Value::IntValue(value));
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, Value::IntValue(value as i64));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.add(field, Value::DoubleValue(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, Value::BoolValue(value));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.text(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.text(field, &format!("{value:?}"));
    }
}

#[cfg(test)]
mod tests {
    use pagemill_domain::ids::JobId;
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    /// What `say` exports where there is room for `room` spans, and how many found none.
    fn exported(share: f64, room: usize, say: impl FnOnce()) -> (Vec<Span>, u64) {
        let (outbox, mut inbox) = mpsc::channel(room);
        let spans = Spans::new(outbox, share);
        let dropped = spans.dropped();
        tracing::subscriber::with_default(tracing_subscriber::registry().with(spans), say);
        let mut exported = Vec::new();
        while let Ok(span) = inbox.try_recv() {
            exported.push(span);
        }
        (exported, dropped.load(Ordering::Relaxed))
    }

    #[test]
    fn a_step_and_those_within_stand_in_its_trace_below_the_job() {
        let trace = JobId(7).trace();
        let (spans, dropped) = exported(1.0, 8, || {
            let shard = tracing::info_span!("shard", job = 7, trace = %trace, stage = "recognise");
            shard.in_scope(|| tracing::info_span!("page", page = 3_u32).in_scope(|| ()));
            drop(shard);
            tracing::info_span!("of no job").in_scope(|| ());
            tracing::info_span!("job", trace = %trace, span = %trace.root(), start_unix_seconds = 5_i64)
                .in_scope(|| ());
        });
        let [page, shard, job] = spans.try_into().unwrap();
        assert_eq!((page.name.as_str(), shard.name.as_str(), job.name.as_str()), ("page", "shard", "job"));
        assert!([&page, &shard, &job].iter().all(|span| span.trace_id == trace.0.to_be_bytes()));
        assert_eq!(page.parent_span_id, shard.span_id);
        assert_eq!(shard.parent_span_id, job.span_id);
        assert_eq!((job.parent_span_id.len(), job.start_time_unix_nano), (0, 5_000_000_000));
        assert_eq!(shard.kind(), SpanKind::Consumer);
        let keys: Vec<&str> = shard.attributes.iter().map(|attribute| attribute.key.as_str()).collect();
        assert_eq!(keys, ["pagemill.job", "pagemill.stage"]);
        assert_eq!(dropped, 0);
    }

    #[test]
    fn a_share_of_the_jobs_is_exported_each_as_a_whole() {
        let (spans, _) = exported(0.3, 4_000, || {
            for job in 0..1_000 {
                let shard = tracing::info_span!("shard", trace = %JobId(job).trace());
                shard.in_scope(|| tracing::info_span!("page").in_scope(|| ()));
            }
        });
        let pages = spans.iter().filter(|span| span.name == "page").count();
        assert!((250..350).contains(&pages), "{pages}");
        assert_eq!(spans.len(), 2 * pages);
        assert_eq!(exported(0.0, 8, || drop(tracing::info_span!("x", trace = %JobId(1).trace()))).0.len(), 0);
    }

    #[test]
    fn spans_without_room_are_dropped_and_counted() {
        let (spans, dropped) = exported(1.0, 2, || {
            for job in 0..5 {
                drop(tracing::info_span!("shard", trace = %JobId(job).trace()));
            }
        });
        assert_eq!((spans.len(), dropped), (2, 3));
    }
}
