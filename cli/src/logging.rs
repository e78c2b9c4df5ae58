//! Logs: to standard error, as `PAGEMILL_LOG` asks.

use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;

use crate::failure::Failure;

/// Starts logging; `directives` is a level, or a list such as `info,sqlx=warn`.
pub(crate) fn start(directives: &str) -> Result<(), Failure> {
    let filter = EnvFilter::try_new(directives)
        .map_err(|error| Failure::Setting(format!("log (PAGEMILL_LOG): {error}")))?;
    let colours = io::stderr().is_terminal();
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    subscriber.with_ansi(colours).with_target(false).init();
    Ok(())
}
