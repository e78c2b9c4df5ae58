//! A line of the log as an object: what is said, and all that the spans around it say, side by side.

use std::fmt;

use serde_json::{Map, Value};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::{JsonFields, Writer};
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields};
use tracing_subscriber::registry::LookupSpan;

/// Writes lines as objects without depth, so that a page is found by `job` and `page` wherever it is spoken of.
pub(super) struct Object;

impl<S> FormatEvent<S, JsonFields> for Object
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, JsonFields>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut own = String::new();
        context.format_fields(Writer::new(&mut own), event)?;
        let mut fields = object(&own)?;
        // From the inner to the outer: what is nearer counts.
        for span in context.event_scope().into_iter().flatten() {
            let extensions = span.extensions();
            let Some(written) = extensions.get::<FormattedFields<JsonFields>>() else { continue };
            for (key, value) in object(written)? {
                fields.entry(key).or_insert(value);
            }
        }
        let mut time = String::new();
        SystemTime.format_time(&mut Writer::new(&mut time))?;
        fields.insert("timestamp".into(), time.into());
        fields.insert("level".into(), event.metadata().level().as_str().into());
        writeln!(writer, "{}", Value::Object(fields))
    }
}

/// Fields that were written as JSON.
fn object(written: &str) -> Result<Map<String, Value>, fmt::Error> {
    serde_json::from_str(written).map_err(|_| fmt::Error)
}
