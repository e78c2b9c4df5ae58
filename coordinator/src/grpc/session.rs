//! A worker's session: hello, then beats.

use std::time::Duration;

use futures::StreamExt;
use futures::stream::BoxStream;
use pagemill_backends::store::{Directive, WorkerBeat};
use pagemill_domain::ids::{Attempt, ShardAttempt, ShardId, WorkerId};
use pagemill_proto::v1;
use pagemill_proto::version::PROTOCOL_VERSIONS;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

use super::status::{invalid, of_store};
use super::streams::stopping;
use super::{Services, convert, place};
use crate::now_unix_seconds;
use v1::session_request::Part;

/// Bytes of a worker's name, version and fingerprint each.
pub(super) const WORKER_TEXT_BYTES_MAX: usize = 1_000;

/// Slots of a worker.
const SLOTS_MAX: u32 = 4_096;

/// Shards that a beat names.
const BUSY_MAX: usize = 2 * SLOTS_MAX as usize;

/// How long a worker may take to say hello.
const HELLO_WAIT: Duration = Duration::from_secs(10);

/// Beats in the time after which a silent worker's shards are lost: some may get lost on the way.
const BEATS_PER_LEASE: u32 = 5;

/// Answers that wait for a slow worker.
const ANSWERS_WAITING_MAX: usize = 4;

type Answers = mpsc::Sender<Result<v1::SessionResponse, Status>>;

/// What a worker said of itself.
struct Identity {
    worker: WorkerId,
    protocol_version: u32,
    version: String,
    fingerprint: String,
    slots: u32,
}

impl Services {
    /// Opens a session, or says why not.
    pub(super) async fn begin_session(
        &self,
        mut requests: Streaming<v1::SessionRequest>,
    ) -> Result<BoxStream<'static, Result<v1::SessionResponse, Status>>, Status> {
        let place = place(&self.sessions, "workers' sessions")?;
        let hello = match tokio::time::timeout(HELLO_WAIT, requests.message()).await {
            Ok(message) => message?,
            Err(_) => return Err(Status::deadline_exceeded("a session begins with a hello")),
        };
        let Some(v1::SessionRequest { part: Some(Part::Hello(hello)) }) = hello else {
            return Err(invalid("a session begins with a hello"));
        };
        let identity = identity(hello)?;
        let (answers, receiver) = mpsc::channel(ANSWERS_WAITING_MAX);
        let services = self.clone();
        tokio::spawn(async move {
            let _place = place;
            let worker = identity.worker.clone();
            let (version, protocol_version) = (&identity.version, identity.protocol_version);
            tracing::info!(%worker, version, protocol_version, "a worker's session begins");
            if let Err(status) = services.follow_worker(identity, requests, &answers).await {
                let _ = answers.send(Err(status)).await;
            }
            tracing::info!(%worker, "a worker's session ends");
        });
        Ok(ReceiverStream::new(receiver).boxed())
    }

    async fn follow_worker(
        &self,
        identity: Identity,
        mut requests: Streaming<v1::SessionRequest>,
        answers: &Answers,
    ) -> Result<(), Status> {
        let silence_max = self.coordinator.config.leases.unwrap_or_default().shard_silence_max;
        // Its slots count from now on.
        self.beat(&identity, Vec::new()).await?;
        let welcome = v1::Welcome {
            beat_seconds: (silence_max / BEATS_PER_LEASE).as_secs_f64(),
            coordinator_version: env!("CARGO_PKG_VERSION").into(),
        };
        if !send(answers, v1::session_response::Part::Welcome(welcome)).await {
            return Ok(());
        }
        loop {
            let message = tokio::select! {
                () = self.shutdown.cancelled() => return Err(stopping()),
                () = answers.closed() => return Ok(()),
                message = tokio::time::timeout(silence_max, requests.message()) => message,
            };
            let Ok(message) = message else {
                return Err(Status::deadline_exceeded("no beat came in time: begin a new session"));
            };
            let beat = match message?.map(|message| message.part) {
                None => return Ok(()),
                Some(Some(Part::Beat(beat))) => beat,
                Some(Some(Part::Hello(_))) => return Err(invalid("a session has one hello")),
                // A message of a later version.
                Some(None) => continue,
            };
            if beat.busy.len() > BUSY_MAX {
                return Err(invalid(format!("a beat names at most {BUSY_MAX} shards")));
            }
            let busy = beat.busy.into_iter().map(|dispatch| ShardAttempt {
                shard: ShardId(dispatch.shard),
                attempt: Attempt(dispatch.attempt),
            });
            let mut answer = self.beat(&identity, busy.collect()).await?;
            answer.number = beat.number;
            if beat.number == 1 && answer.directive() == v1::Directive::Drain {
                // A process that has just begun is not the one of its name that was drained.
                let told = self.coordinator.backends.store.direct(&identity.worker, Directive::Serve).await;
                told.map_err(of_store)?;
                answer.set_directive(v1::Directive::Serve);
            }
            if !send(answers, v1::session_response::Part::Answer(answer)).await {
                return Ok(());
            }
        }
    }

    async fn beat(&self, identity: &Identity, busy: Vec<ShardAttempt>) -> Result<v1::BeatAnswer, Status> {
        let beat = WorkerBeat {
            worker: identity.worker.clone(),
            version: identity.version.clone(),
            fingerprint: identity.fingerprint.clone(),
            slots: identity.slots,
            busy,
            now_unix_seconds: now_unix_seconds(),
        };
        let answer = self.coordinator.timed("beat", self.coordinator.backends.store.beat(&beat)).await;
        let answer = answer.map_err(of_store)?;
        Ok(v1::BeatAnswer {
            number: 0,
            directive: convert::directive(answer.directive).into(),
            dropped: answer.dropped.into_iter().map(convert::shard_attempt).collect(),
        })
    }
}

/// Returns whether the worker still listens.
async fn send(answers: &Answers, part: v1::session_response::Part) -> bool {
    answers.send(Ok(v1::SessionResponse { part: Some(part) })).await.is_ok()
}

/// The worker that a hello speaks of, if it may work here.
fn identity(hello: v1::Hello) -> Result<Identity, Status> {
    if !PROTOCOL_VERSIONS.contains(&hello.protocol_version) {
        let remedy = if hello.protocol_version > *PROTOCOL_VERSIONS.end() {
            "upgrade the coordinators first"
        } else {
            "upgrade this worker"
        };
        return Err(Status::failed_precondition(format!(
            "this worker (pagemill {:?}) speaks protocol version {}, this coordinator (pagemill {}) speaks {} to {}: {remedy}",
            hello.version.chars().take(50).collect::<String>(),
            hello.protocol_version,
            env!("CARGO_PKG_VERSION"),
            PROTOCOL_VERSIONS.start(),
            PROTOCOL_VERSIONS.end(),
        )));
    }
    if hello.fingerprint.is_empty() {
        return Err(Status::failed_precondition(
            "this worker does not say what it reads with (fingerprint): its pages could not be told from others",
        ));
    }
    for (field, text) in
        [("worker", &hello.worker), ("version", &hello.version), ("fingerprint", &hello.fingerprint)]
    {
        if text.is_empty() || text.len() > WORKER_TEXT_BYTES_MAX || text.chars().any(char::is_control) {
            return Err(invalid(format!(
                "{field} must have 1 to {WORKER_TEXT_BYTES_MAX} bytes and no control characters"
            )));
        }
    }
    if !(1..=SLOTS_MAX).contains(&hello.slots) {
        return Err(invalid(format!("slots must be 1 to {SLOTS_MAX}")));
    }
    Ok(Identity {
        worker: WorkerId(hello.worker),
        protocol_version: hello.protocol_version,
        version: hello.version,
        fingerprint: hello.fingerprint,
        slots: hello.slots,
    })
}
