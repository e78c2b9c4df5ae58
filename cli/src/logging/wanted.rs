//! What is written down at all.

use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{EnvFilter, Layer};

/// What the directives ask for, and our own steps always: so a line says whose it is at any level.
///
/// It filters for all layers at once. Filters of single layers remember, a thread each, what was asked for last; a library
/// that only asks whether it may speak (sqlx, at every statement) makes them lose the line or the span that comes next.
pub(super) struct Wanted(pub(super) EnvFilter);

/// Whether this is a step of ours, such as `shard` or `page`.
pub(crate) fn is_own_step(metadata: &Metadata<'_>) -> bool {
    metadata.is_span() && *metadata.level() <= Level::INFO && metadata.target().starts_with("pagemill")
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Wanted {
    fn enabled(&self, metadata: &Metadata<'_>, context: Context<'_, S>) -> bool {
        is_own_step(metadata) || self.0.enabled(metadata, context)
    }

    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        // Asked in any case: it learns the callsites that directives with fields speak of.
        let interest = <EnvFilter as Layer<S>>::register_callsite(&self.0, metadata);
        if is_own_step(metadata) { Interest::always() } else { interest }
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        <EnvFilter as Layer<S>>::max_level_hint(&self.0).map(|level| level.max(LevelFilter::INFO))
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        self.0.on_new_span(attributes, id, context);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        <EnvFilter as Layer<S>>::on_record(&self.0, id, values, context);
    }

    fn on_enter(&self, id: &Id, context: Context<'_, S>) {
        <EnvFilter as Layer<S>>::on_enter(&self.0, id, context);
    }

    fn on_exit(&self, id: &Id, context: Context<'_, S>) {
        <EnvFilter as Layer<S>>::on_exit(&self.0, id, context);
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        <EnvFilter as Layer<S>>::on_close(&self.0, id, context);
    }
}
