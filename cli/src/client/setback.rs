//! What comes between a stream and its end, and how often it is tried again.

use std::time::Duration;

use tonic::{Code, Status};

use super::connection::Cluster;
use crate::failure::Failure;

/// Tries in a row that bring nothing before it is given up.
const TRIES_MAX: u32 = 8;

/// The wait before the second try; each further one is twice as long, up to [`WAIT_MAX`].
const WAIT_MIN: Duration = Duration::from_millis(250);

/// The longest wait before another try.
const WAIT_MAX: Duration = Duration::from_secs(10);

/// Why a stream ended early.
#[derive(Debug)]
pub(super) enum Setback {
    /// It may go better a moment later: the coordinator died or stops, or has too much to do.
    Passing(Failure),
    /// The bytes are not what they should be, or gone.
    Bad(String),
    /// Another try would bring nothing.
    Final(Failure),
}

impl From<Status> for Setback {
    fn from(status: Status) -> Self {
        match status.code() {
            Code::DataLoss | Code::NotFound => Self::Bad(status.message().to_owned()),
            Code::Unavailable
            | Code::DeadlineExceeded
            | Code::ResourceExhausted
            | Code::Cancelled
            | Code::Aborted
            | Code::Unknown => Self::Passing(status.into()),
            _ => Self::Final(status.into()),
        }
    }
}

/// What is left of the tries.
pub(super) struct Patience {
    tries: u32,
    wait: Duration,
}

impl Patience {
    pub(super) fn new() -> Self {
        Self { tries: 1, wait: WAIT_MIN }
    }

    /// Turns to another coordinator, if there is one, and waits for the next try; after enough of them it fails.
    pub(super) async fn after(&mut self, failure: Failure, cluster: &Cluster) -> Result<(), Failure> {
        if self.tries >= TRIES_MAX {
            return Err(failure);
        }
        cluster.hang_up().await;
        tokio::time::sleep(self.wait).await;
        self.tries += 1;
        self.wait = (self.wait * 2).min(WAIT_MAX);
        Ok(())
    }
}
