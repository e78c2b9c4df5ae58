//! Logs: to standard error, as `PAGEMILL_LOG` and `PAGEMILL_LOG_FORMAT` ask; and spans, where the build has OpenTelemetry.

use std::io::{self, IsTerminal};

use serde::{Deserialize, Serialize};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, fmt};

use crate::failure::Failure;
#[cfg(feature = "otel")]
use crate::telemetry;

/// What a line of the log looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// An object, for programs.
    Json,
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
    let lines = fmt::layer().with_writer(io::stderr).with_target(false);
    let lines = match format {
        LogFormat::Text => lines.with_ansi(io::stderr().is_terminal()).boxed(),
        LogFormat::Json => lines.with_ansi(false).json().flatten_event(true).boxed(),
    };
    let subscriber = tracing_subscriber::registry().with(lines.with_filter(filter));
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
