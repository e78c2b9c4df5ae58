//! Workers of protocol version 1: today's program, behind what says of it that it speaks version 1, and takes away what that
//! version lacks.

use std::net::SocketAddr;
use std::process::Command;

use crate::cluster::Cluster;
use crate::frames::FrameRelay;
use crate::sessions::{SessionRelay, with_hello};

/// What its workers say which Pagemill they are.
pub const VERSION: &str = "0.0.1";

/// The same in a hello, which is of protocol version 1.
const HELLO: &[u8] = b"\x10\x01\x1a\x050.0.1";

/// Stands between a cluster's workers of version 1 and everybody else.
pub struct VersionOne {
    sessions: SessionRelay,
    broker: FrameRelay,
    queue_url: String,
}

impl VersionOne {
    /// Stands in a cluster's midst until it is dropped.
    pub fn start(cluster: &Cluster<'_>) -> Self {
        let sessions =
            SessionRelay::start(&cluster.url(), |said| vec![with_hello(said, HELLO)], |heard| vec![heard]);
        let port = cluster.services.rabbitmq.port();
        let broker = FrameRelay::start(SocketAddr::from(([127, 0, 0, 1], port)), take_job_away);
        let through = |port: u16| format!("@127.0.0.1:{port}/");
        let queue_url = cluster.services.worker_queue_url.replace(&through(port), &through(broker.port()));
        assert_ne!(queue_url, cluster.services.worker_queue_url);
        Self { sessions, broker, queue_url }
    }

    /// Makes a worker, not yet started, one of version 1.
    pub fn of(&self, worker: &mut Command) {
        worker
            .env("PAGEMILL_COORDINATOR_URL", self.sessions.url())
            .env("PAGEMILL_QUEUE_URL", &self.queue_url);
    }

    /// Outcomes that its workers sent so far.
    pub fn outcomes(&self) -> u64 {
        self.broker.changed()
    }
}

/// What version 1 lacks: an outcome does not say whose shard it was. Space stands in its place, so that no length changes.
fn take_job_away(message: &mut [u8]) -> bool {
    const KEY: &[u8] = b"\"job\":";
    let Some(start) = message.windows(KEY.len()).position(|part| part == KEY) else { return false };
    let length = message[start..].iter().position(|byte| *byte == b',').unwrap() + 1;
    message[start..start + length].fill(b' ');
    true
}

#[cfg(test)]
mod tests {
    use pagemill_domain::ids::{Attempt, DocumentId, JobId, ShardId};
    use pagemill_domain::outcome::{DocumentReport, DocumentResult, Fingerprint, Loss, Outcome, Report};

    use super::take_job_away;

    #[test]
    fn an_outcome_is_the_same_but_for_its_job() {
        let result = DocumentResult::Lost(Loss::Interrupted);
        let today = Outcome {
            shard: ShardId(1),
            attempt: Attempt(2),
            job: Some(JobId(34)),
            fingerprint: Fingerprint("engine, with a comma".into()),
            cpu_ms: 5,
            wall_ms: 6,
            report: Report::Assembled(DocumentReport { document: DocumentId(7), result }),
        };
        let mut json = serde_json::to_vec(&today).unwrap();
        assert!(take_job_away(&mut json));
        assert!(!take_job_away(&mut json), "once");
        let earlier: Outcome = serde_json::from_slice(&json).unwrap();
        assert_eq!(earlier, Outcome { job: None, ..today });
    }
}
