//! The commands that ask a cluster. Each speaks gRPC with whichever coordinator answers.

use crate::arguments::Command;
use crate::failure::{Exit, Failure};
use crate::settings::Settings;

mod cluster_report;
pub(crate) mod connection;
pub(crate) mod delivered;
mod fetch;
mod fetched;
pub(crate) mod jobs;
pub(crate) mod moments;
mod objects;
pub(crate) mod pages;
mod setback;
pub(crate) mod submit;
pub(crate) mod table;
mod upload;
pub(crate) mod verify;
pub(crate) mod watch;
pub(crate) mod workers;

/// Rows of one answer: the most that a coordinator gives.
const PAGE_SIZE: u32 = 1_000;

/// Does what a command asks of the cluster.
pub(crate) async fn run(command: &Command, settings: &Settings) -> Result<Exit, Failure> {
    match command {
        Command::Submit(submit) => submit::run(submit, settings).await,
        Command::Jobs(wanted) => jobs::list(wanted, settings).await,
        Command::Job(job) => jobs::show(job, settings).await,
        Command::Cancel(job) => jobs::cancel(job, settings).await,
        Command::Watch(job) => watch::run(job, settings).await,
        Command::Pages(wanted) => pages::list(wanted, settings).await,
        Command::Dead(wanted) => pages::dead(wanted, settings).await,
        Command::Redrive(wanted) => pages::redrive(wanted, settings).await,
        Command::Fetch(wanted) => delivered::run(wanted, settings).await,
        Command::Workers(client) => workers::list(client, settings).await,
        Command::Cordon(cordon) => workers::cordon(cordon, settings).await,
        Command::Drain(drain) => workers::drain(drain, settings).await,
        Command::Queue(client) => workers::queue(client, settings).await,
        // The others are run without a cluster.
        _ => Ok(Exit::Usage),
    }
}
