//! What a message looks like on its way: `pagemill/v1/queue.proto`, with what brokers and people look at beside it.

use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable};
use pagemill_domain::ids::{Attempt, JobId, ShardAttempt, ShardId};
use pagemill_domain::outcome::Outcome;
use pagemill_domain::recipe::Recipe;
use pagemill_domain::shard::Shard;
use pagemill_proto::v1::{QueuedOutcome, QueuedShard};
use prost::Message;
use serde_json::Value;

use super::super::QueueError;
use super::super::lanes::Lane;
use super::topology::OUTCOMES;

/// Largest message, in bytes: larger ones are neither sent nor read. A plan of a large document does not travel in one.
pub const MESSAGE_BYTES_MAX: usize = 8 << 20;

const CONTENT_TYPE: &str = "application/protobuf";
const SHARD: &str = "pagemill.v1.QueuedShard";
const OUTCOME: &str = "pagemill.v1.QueuedOutcome";
const PERSISTENT: u8 = 2;

/// A message that is ready to go.
pub(super) struct Sealed {
    /// Where to.
    pub(super) queue: &'static str,
    pub(super) body: Vec<u8>,
    pub(super) properties: BasicProperties,
}

/// Why a message can't be read. It shows no content.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unreadable {
    #[error("it has {0} bytes, more than MESSAGE_BYTES_MAX")]
    TooLarge(usize),
    #[error("it is no {0}")]
    Envelope(&'static str),
    #[error("its {part} can't be read: {kind:?} error at byte {byte}")]
    Json { part: &'static str, kind: serde_json::error::Category, byte: usize },
}

/// What arrives at the coordinator.
pub(super) enum Opened {
    Outcome(Box<Outcome>),
    Undeliverable(ShardAttempt),
}

pub(super) fn seal_shard(shard: &Shard) -> Result<Sealed, QueueError> {
    const ACTION: &str = "publish a shard";
    let traceparent = shard.traceparent();
    let mut headers = FieldTable::default();
    headers.insert("traceparent".into(), AMQPValue::LongString(traceparent.to_string().into()));
    let message = QueuedShard {
        id: shard.id.0,
        attempt: shard.attempt.0,
        job: shard.job.0,
        recipe_json: json(ACTION, &shard.recipe)?.into(),
        work_json: json(ACTION, &shard.work)?.into(),
        trace: traceparent.trace.to_string(),
        express: shard.express,
    };
    let properties = properties(SHARD, shard.dispatch()).with_headers(headers);
    seal(ACTION, Lane::of(shard).queue(), &message, properties)
}

pub(super) fn seal_outcome(outcome: &Outcome) -> Result<Sealed, QueueError> {
    const ACTION: &str = "publish an outcome";
    let dispatch = ShardAttempt { shard: outcome.shard, attempt: outcome.attempt };
    let message = QueuedOutcome {
        shard: outcome.shard.0,
        attempt: outcome.attempt.0,
        outcome_json: json(ACTION, outcome)?.into(),
    };
    seal(ACTION, OUTCOMES, &message, properties(OUTCOME, dispatch))
}

pub(super) fn open_shard(body: &[u8]) -> Result<Shard, Unreadable> {
    let message: QueuedShard = decode(body, SHARD)?;
    Ok(Shard {
        id: ShardId(message.id),
        attempt: Attempt(message.attempt),
        job: JobId(message.job),
        express: message.express,
        recipe: recipe(&message.recipe_json)?,
        work: parse("work", &message.work_json)?,
    })
}

/// Reads what arrived for the coordinator: an outcome, or a message of any kind that was given up.
pub(super) fn open_arrival(body: &[u8], properties: &BasicProperties) -> Result<Opened, Unreadable> {
    let kind = properties.kind().as_ref().map(lapin::types::ShortString::as_str);
    if kind == Some(SHARD) {
        // Rescue needs to know only which it was: what its work was may be just what can't be read.
        let message: QueuedShard = decode(body, SHARD)?;
        let (shard, attempt) = (ShardId(message.id), Attempt(message.attempt));
        return Ok(Opened::Undeliverable(ShardAttempt { shard, attempt }));
    }
    let message: QueuedOutcome = decode(body, OUTCOME)?;
    Ok(Opened::Outcome(Box::new(parse("outcome", &message.outcome_json)?)))
}

fn properties(kind: &str, dispatch: ShardAttempt) -> BasicProperties {
    BasicProperties::default()
        .with_delivery_mode(PERSISTENT)
        .with_content_type(CONTENT_TYPE.into())
        .with_type(kind.into())
        .with_message_id(format!("{}.{}", dispatch.shard, dispatch.attempt.0).into())
}

fn seal(
    action: &'static str,
    queue: &'static str,
    message: &impl Message,
    properties: BasicProperties,
) -> Result<Sealed, QueueError> {
    let bytes = message.encoded_len();
    if bytes > MESSAGE_BYTES_MAX {
        return Err(QueueError::TooLarge { action, bytes, bytes_max: MESSAGE_BYTES_MAX });
    }
    Ok(Sealed { queue, body: message.encode_to_vec(), properties })
}

fn json(action: &'static str, part: &impl serde::Serialize) -> Result<Vec<u8>, QueueError> {
    serde_json::to_vec(part).map_err(|error| QueueError::Unwritable { action, why: error.to_string() })
}

fn decode<M: Message + Default>(body: &[u8], kind: &'static str) -> Result<M, Unreadable> {
    if body.len() > MESSAGE_BYTES_MAX {
        return Err(Unreadable::TooLarge(body.len()));
    }
    M::decode(body).map_err(|_| Unreadable::Envelope(kind))
}

/// A recipe that a person writes may hold no unknown key; one of a newer coordinator may.
fn recipe(json: &[u8]) -> Result<Recipe, Unreadable> {
    const PART: &str = "recipe";
    let mut recipe: Value = parse(PART, json)?;
    let known = serde_json::to_value(Recipe::default()).map_err(|error| illegible(PART, &error))?;
    keep_known(&mut recipe, &known);
    serde_json::from_value(recipe).map_err(|error| illegible(PART, &error))
}

/// Removes the keys that `known` does not have.
fn keep_known(value: &mut Value, known: &Value) {
    if let (Value::Object(value), Value::Object(known)) = (value, known) {
        value.retain(|key, _| known.contains_key(key));
        for (key, value) in value {
            keep_known(value, &known[key]);
        }
    }
}

fn parse<T: serde::de::DeserializeOwned>(part: &'static str, json: &[u8]) -> Result<T, Unreadable> {
    serde_json::from_slice(json).map_err(|error| illegible(part, &error))
}

fn illegible(part: &'static str, error: &serde_json::Error) -> Unreadable {
    Unreadable::Json { part, kind: error.classify(), byte: error.column() }
}
