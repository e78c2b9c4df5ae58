//! Ctrl-C: the first asks the run to stop where it can go on later, the second stops at once.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::failure::{Exit, Failure};

/// A token that the first SIGINT or SIGTERM cancels. The next one ends the process: nothing is lost by it, since all
/// state is written as if power could fail at any time.
pub(crate) fn watch() -> Result<CancellationToken, Failure> {
    let mut interrupt = signal(SignalKind::interrupt()).map_err(anyhow::Error::from)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(anyhow::Error::from)?;
    let token = CancellationToken::new();
    let first = token.clone();
    tokio::spawn(async move {
        for second in [false, true] {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            if second {
                std::process::exit(Exit::Interrupted as i32);
            }
            first.cancel();
        }
    });
    Ok(token)
}
