//! The session: a worker's connection to a coordinator. It says hello, beats with all that is in hand, and takes in
//! what it is told.

use std::sync::Arc;
use std::time::Duration;

use pagemill_domain::ids::{Attempt, ShardAttempt, ShardId};
use pagemill_proto::MESSAGE_BYTES_MAX;
use pagemill_proto::v1::session_request::Part as Said;
use pagemill_proto::v1::session_response::Part as Heard;
use pagemill_proto::v1::workers_client::WorkersClient;
use pagemill_proto::v1::{self, Beat, BeatAnswer, Hello, SessionRequest, SessionResponse, Welcome};
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tokio_stream::wrappers::ReceiverStream;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::Endpoint;
use tonic::{Code, Request, Status, Streaming};

use crate::WorkerError;
use crate::back_off::BackOff;
use crate::standing::{Duty, Standing};

/// To whom a worker answers.
#[derive(Debug, Clone)]
pub enum Session {
    /// To nobody: the coordinator runs in the same process.
    Alone,
    /// To a coordinator elsewhere.
    Remote(RemoteSession),
}

/// How coordinators are reached. Asked anew for each connection: renewed certificates and tokens need no restart.
#[derive(Clone)]
pub struct RemoteSession(Arc<dyn Fn() -> Result<Approach, String> + Send + Sync>);

impl RemoteSession {
    /// Coordinators that are reached as `approach` says. Where it fails, in words, it is asked again later.
    pub fn new(approach: impl Fn() -> Result<Approach, String> + Send + Sync + 'static) -> Self {
        Self(Arc::new(approach))
    }
}

impl std::fmt::Debug for RemoteSession {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RemoteSession").finish_non_exhaustive()
    }
}

/// Where coordinators are, and what they are shown.
pub struct Approach {
    /// The coordinators' addresses, tried in turn; not empty.
    pub endpoints: Vec<Endpoint>,
    /// The worker's token as the header's value, `Bearer …`, where the coordinator asks for one.
    pub authorization: Option<MetadataValue<Ascii>>,
}

/// Time that a coordinator has to answer a hello.
const WELCOME_WAIT: Duration = Duration::from_secs(10);

/// Beats that may wait to be sent; more mean that the connection stands still.
const BEATS_WAITING_MAX: usize = 16;

/// Beats without an answer after which the connection is given up.
const BEATS_UNANSWERED_MAX: f64 = 3.0;

/// Bounds of what a coordinator may ask for between two beats, in seconds.
const BEAT_SECONDS: std::ops::RangeInclusive<f64> = 0.1..=60.0;

/// How a connection ended.
enum End {
    /// It may work again, here or elsewhere.
    Lost(String),
    /// This worker is not wanted.
    Refused(Status),
}

impl From<Status> for End {
    fn from(status: Status) -> Self {
        match status.code() {
            Code::FailedPrecondition
            | Code::InvalidArgument
            | Code::PermissionDenied
            | Code::Unauthenticated
            | Code::Unimplemented => Self::Refused(status),
            _ => Self::Lost(format!("{:?}: {}", status.code(), status.message())),
        }
    }
}

/// Keeps a session, with one coordinator after another. Returns only when one of them refuses the worker.
pub(crate) async fn keep(remote: RemoteSession, hello: Hello, standing: Arc<Standing>) -> WorkerError {
    let mut back_off = BackOff::default();
    let mut turn = 0;
    loop {
        let approach = match (remote.0)() {
            Ok(approach) => approach,
            Err(why) => {
                // A pair of files that is being replaced fits again when its other half comes.
                tracing::warn!(why, "can't prepare a connection to a coordinator; trying again");
                tokio::time::sleep(back_off.next_wait()).await;
                continue;
            }
        };
        let Some(endpoint) = approach.endpoints.get(turn % approach.endpoints.len().max(1)) else {
            return WorkerError::Refused { address: "?".into(), why: "no address is set".into() };
        };
        turn += 1;
        let address = endpoint.uri().to_string();
        let mut was_welcome = false;
        let end = hold(endpoint, approach.authorization, &hello, &standing, &mut was_welcome).await;
        if was_welcome {
            back_off = BackOff::default();
        }
        match end {
            Err(End::Refused(status)) => {
                return WorkerError::Refused { address, why: status.message().to_owned() };
            }
            Err(End::Lost(why)) if back_off.is_first() => {
                tracing::warn!(%address, why, "no coordinator in reach; trying again");
            }
            Err(End::Lost(why)) => tracing::debug!(%address, why, "no coordinator in reach"),
            Ok(never) => match never {},
        }
        tokio::time::sleep(back_off.next_wait()).await;
    }
}

/// Holds a session with one coordinator until it ends.
async fn hold(
    endpoint: &Endpoint,
    authorization: Option<MetadataValue<Ascii>>,
    hello: &Hello,
    standing: &Standing,
    was_welcome: &mut bool,
) -> Result<std::convert::Infallible, End> {
    let channel = endpoint.connect().await.map_err(|error| End::Lost(chain(&error)))?;
    let mut client = WorkersClient::new(channel)
        .max_decoding_message_size(MESSAGE_BYTES_MAX)
        .max_encoding_message_size(MESSAGE_BYTES_MAX);
    let (outbox, outgoing) = mpsc::channel(BEATS_WAITING_MAX);
    say(&outbox, Said::Hello(hello.clone()))?;
    let mut request = Request::new(ReceiverStream::new(outgoing));
    if let Some(authorization) = authorization {
        request.metadata_mut().insert("authorization", authorization);
    }
    let silent = |_| End::Lost("no answer to the hello".into());
    let mut answers = timeout(WELCOME_WAIT, client.session(request)).await.map_err(silent)??.into_inner();
    let welcome = timeout(WELCOME_WAIT, next(&mut answers)).await.map_err(silent)??;
    let Heard::Welcome(Welcome { beat_seconds, coordinator_version }) = welcome else {
        return Err(End::Lost("no welcome".into()));
    };
    *was_welcome = true;
    tracing::info!(address = %endpoint.uri(), %coordinator_version, "accepted by a coordinator");
    let pause = beat_seconds.clamp(*BEAT_SECONDS.start(), *BEAT_SECONDS.end());
    beat(Duration::from_secs_f64(pause), &outbox, &mut answers, hello, standing).await
}

/// Beats, and takes in the answers.
async fn beat(
    pause: Duration,
    outbox: &mpsc::Sender<SessionRequest>,
    answers: &mut Streaming<SessionResponse>,
    hello: &Hello,
    standing: &Standing,
) -> Result<std::convert::Infallible, End> {
    let mut tick = interval(pause);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut last_answer = Instant::now();
    loop {
        tokio::select! {
            answer = next(answers) => {
                last_answer = Instant::now();
                if let Heard::Answer(answer) = answer? {
                    take_in(&answer, standing);
                }
                continue;
            }
            _ = tick.tick() => {}
            () = standing.unnamed() => {}
        }
        if last_answer.elapsed() > pause.mul_f64(BEATS_UNANSWERED_MAX) {
            return Err(End::Lost("its beats are not answered".into()));
        }
        let (number, busy) = standing.next_beat();
        let slots_free = hello.slots.saturating_sub(busy.len() as u32);
        let busy = busy.into_iter().map(to_wire).collect();
        say(outbox, Said::Beat(Beat { busy, slots_free, number }))?;
    }
}

fn say(outbox: &mpsc::Sender<SessionRequest>, part: Said) -> Result<(), End> {
    let sent = outbox.try_send(SessionRequest { part: Some(part) });
    sent.map_err(|_| End::Lost("the connection takes no more beats".into()))
}

/// The next part that this version knows.
async fn next(answers: &mut Streaming<SessionResponse>) -> Result<Heard, End> {
    loop {
        let answer = answers.message().await?;
        if let Some(part) = answer.ok_or_else(|| End::Lost("the coordinator ended the session".into()))?.part
        {
            return Ok(part);
        }
    }
}

fn take_in(answer: &BeatAnswer, standing: &Standing) {
    standing.set_duty(match answer.directive() {
        v1::Directive::Cordon => Duty::Cordon,
        v1::Directive::Drain => Duty::Drain,
        v1::Directive::Serve | v1::Directive::Unspecified => Duty::Serve,
    });
    let dropped: Vec<ShardAttempt> = answer.dropped.iter().map(from_wire).collect();
    standing.answered(answer.number, &dropped);
}

const fn to_wire(dispatch: ShardAttempt) -> v1::ShardAttempt {
    v1::ShardAttempt { shard: dispatch.shard.0, attempt: dispatch.attempt.0 }
}

const fn from_wire(dispatch: &v1::ShardAttempt) -> ShardAttempt {
    ShardAttempt { shard: ShardId(dispatch.shard), attempt: Attempt(dispatch.attempt) }
}

/// An error with its causes: the outer one alone says "transport error".
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

#[cfg(test)]
mod tests;
