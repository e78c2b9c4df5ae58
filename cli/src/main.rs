//! The `pagemill` program: reads the command line and wires the crates together.

use std::process::ExitCode;

use clap::Parser;

use arguments::{Arguments, Command};
use failure::{Exit, Failure};
use logging::LogFormat;
use settings::Settings;

mod arguments;
mod child;
mod client;
mod cluster;
mod coordinator;
mod doctor;
mod embedded;
mod failure;
mod interrupt;
mod listing;
mod logging;
mod ocr;
mod output_folder;
mod overwriting;
mod plan;
mod progress;
mod recipe;
mod report;
mod settings;
mod summary;
#[cfg(feature = "otel")]
mod telemetry;
mod verify;
mod worker;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if matches!(arguments.command, Command::RecognitionChild) {
        return child::run();
    }
    let json = arguments.command.wants_json();
    match run(&arguments) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            failure.show(json);
            failure.exit().into()
        }
    }
}

fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let coordinator = arguments.coordinator.clone().map(|url| ("coordinator_url", url));
    let flags = arguments.command.settings().into_iter().chain(coordinator).collect();
    let environment = std::env::vars_os().filter_map(|(name, value)| {
        // What is not UTF-8 is none of our names and none of our values.
        Some((name.into_string().ok()?, value.into_string().ok()?))
    });
    let settings = Settings::read(arguments.config.as_deref(), environment, flags)?;
    let (log, service) = (settings.log.as_deref(), arguments.command.service());
    // It outlives the runtime: what still runs then may have something to tell.
    let _logging = logging::start(log.unwrap_or(arguments.command.log()), settings.log_format, service)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(RUNTIME_THREADS)
        .enable_all()
        .build()
        .map_err(anyhow::Error::from)?;
    let ended = match &arguments.command {
        Command::Ocr(ocr) => runtime.block_on(ocr::run(ocr, &settings)),
        Command::Doctor(doctor) => doctor::run(doctor, &settings),
        Command::Verify(verify) => runtime.block_on(verify::run(verify, &settings)),
        Command::Plan(wish) => plan::run(wish),
        Command::Coordinator => runtime.block_on(coordinator::run(&settings)),
        Command::Worker(_) => runtime.block_on(worker::run(&settings)),
        asked => runtime.block_on(client::run(asked, &settings)),
    };
    match ended {
        // Whoever reads objects reads its end as one.
        Err(failure) if arguments.command.serves() && settings.log_format == LogFormat::Json => {
            failure.log();
            Ok(failure.exit())
        }
        ended => ended,
    }
}

/// Threads that move messages; the work itself is done by the slots' threads and their children.
const RUNTIME_THREADS: usize = 2;
