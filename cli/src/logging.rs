//! Logs: to standard error, as `PAGEMILL_LOG` and `PAGEMILL_LOG_FORMAT` ask; and spans, where the build has OpenTelemetry.

use std::io::{self, IsTerminal};

use serde::{Deserialize, Serialize};
use tracing::Subscriber;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::JsonFields;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, fmt};

use crate::failure::Failure;
#[cfg(feature = "otel")]
use crate::telemetry;
use object::Object;
use wanted::Wanted;
#[cfg(feature = "otel")]
pub(crate) use wanted::is_own_step;

mod object;
mod wanted;

/// What a line of the log looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", try_from = "String")]
pub(crate) enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// An object, for programs.
    Json,
}

impl TryFrom<String> for LogFormat {
    type Error = &'static str;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        match name.as_str() {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err("must be text or json"),
        }
    }
}

/// What goes on until the program ends.
#[must_use]
pub(crate) struct Logging {
    #[cfg(feature = "otel")]
    #[expect(dead_code, reason = "sends spans until it is dropped")]
    spans: Option<telemetry::Export>,
}

/// Starts logging; `directives` is a level, or a list such as `info,sqlx=warn`; `service` is what a collector of spans
/// is told.
pub(crate) fn start(directives: &str, format: LogFormat, service: &str) -> Result<Logging, Failure> {
    let filter = EnvFilter::try_new(directives)
        .map_err(|error| Failure::Setting(format!("log (PAGEMILL_LOG): {error}")))?;
    let subscriber = subscriber(filter, format, io::stderr().is_terminal(), io::stderr);
    if format == LogFormat::Json {
        // Also of libraries: the AMQP client's thread may panic when the runtime ends before it.
        std::panic::set_hook(Box::new(|panic| tracing::error!("{panic}")));
    }
    #[cfg(feature = "otel")]
    let (logging, subscriber) = {
        let (spans, layer) = telemetry::start(service)?.unzip();
        (Logging { spans }, subscriber.with(layer))
    };
    #[cfg(not(feature = "otel"))]
    let (logging, _) = (Logging {}, service);
    subscriber.init();
    Ok(logging)
}

/// What takes in spans and lines, and writes the lines.
fn subscriber<W>(
    filter: EnvFilter,
    format: LogFormat,
    in_colour: bool,
    writer: W,
) -> impl Subscriber + for<'a> LookupSpan<'a> + Send + Sync
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let lines = fmt::layer().with_writer(writer).with_target(false);
    let lines = match format {
        LogFormat::Text => lines.with_ansi(in_colour).boxed(),
        LogFormat::Json => lines.with_ansi(false).fmt_fields(JsonFields::new()).event_format(Object).boxed(),
    };
    tracing_subscriber::registry().with(Wanted(filter)).with(lines)
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use serde_json::Value;
    use tracing::dispatcher::get_default;

    use super::*;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn written(directives: &str, say: impl FnOnce()) -> Vec<Value> {
        let written = Written::default();
        let writer = written.clone();
        let filter = EnvFilter::new(directives);
        let subscriber = subscriber(filter, LogFormat::Json, false, move || writer.clone());
        tracing::subscriber::with_default(subscriber, say);
        let bytes = written.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn a_line_says_what_the_steps_around_it_say_and_the_nearest_counts() {
        let lines = written("warn", || {
            tracing::info_span!("worker", worker = "w 1", page = 0).in_scope(|| {
                tracing::info_span!("shard", job = 7, code = "outer").in_scope(|| {
                    tracing::info_span!("page", page = 3_u32)
                        .in_scope(|| tracing::warn!(code = "x\ny", share = 0.5, "a {} failed", "page"));
                });
            });
            tracing::warn!("alone");
            tracing::info!("not asked for");
        });
        let [page, alone] = lines.try_into().unwrap();
        for (key, value) in [
            ("level", Value::from("WARN")),
            ("message", "a page failed".into()),
            ("worker", "w 1".into()),
            ("job", 7.into()),
            ("page", 3.into()),
            ("code", "x\ny".into()),
            ("share", 0.5.into()),
        ] {
            assert_eq!(page[key], value, "{page}");
        }
        assert!(page["timestamp"].as_str().unwrap().ends_with('Z'), "{page}");
        assert_eq!(alone.as_object().unwrap().len(), 3, "{alone}");
    }

    #[test]
    fn no_line_and_no_step_is_lost_after_a_library_asked_whether_it_may_speak() {
        let lines = written("info", || {
            let ask = || {
                let quiet = tracing::debug_span!(target: "sqlx", "statement");
                assert!(!get_default(|subscriber| subscriber.enabled(quiet.metadata().unwrap())));
            };
            ask();
            tracing::info!("first");
            ask();
            tracing::info_span!("shard", job = 7).in_scope(|| tracing::info!("second"));
        });
        let messages: Vec<_> = lines.iter().map(|line| line["message"].as_str().unwrap()).collect();
        assert_eq!(messages, ["first", "second"]);
        assert_eq!(lines[1]["job"], 7);
    }
}
