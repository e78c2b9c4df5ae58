//! Which queues there are: the only place that says so.

use std::time::Duration;

use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::protocol::{AMQPErrorKind, AMQPHardError, AMQPSoftError};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Connection, ErrorKind, ExchangeKind};
use pagemill_domain::shard::Stage;
use tokio::time::timeout;

use super::super::QueueError;
use super::super::lanes::Lane;

pub(super) const OUTCOMES: &str = "pagemill.outcomes";
pub(super) const UNDELIVERABLE: &str = "pagemill.undeliverable";
pub(super) const UNREADABLE: &str = "pagemill.unreadable";

/// Where a queue sends what it gave up delivering.
const DEAD: &str = "pagemill.dead";

/// Deliveries without an acknowledgement after which a message is undeliverable. A high fuse: a worker's end counts as
/// one, and is no fault of the message.
pub(super) const DELIVERIES_MAX: i64 = 100;

/// The same for what is kept for a person or the rescue. Brokers from 4.0 on drop after 20 where nothing is said.
const KEPT_DELIVERIES_MAX: i64 = 1_000_000;

/// Messages that wait in a queue; more are refused. The window of what is out is far smaller.
const WAITING_MAX: i64 = 200_000;

/// Longest wait for all of them; making a quorum queue takes a fraction of a second, on a busy broker more.
const DECLARE_WAIT: Duration = Duration::from_secs(20);

const ACTION: &str = "declare our queues";

struct Declared {
    name: &'static str,
    deliveries_max: i64,
    dead_letters: bool,
}

const QUEUES: [Declared; 7] = [
    working(Lane::Express.queue()),
    working(Lane::Stage(Stage::Inspect).queue()),
    working(Lane::Stage(Stage::Recognise).queue()),
    working(Lane::Stage(Stage::Assemble).queue()),
    working(OUTCOMES),
    keeping(UNDELIVERABLE),
    keeping(UNREADABLE),
];

const fn working(name: &'static str) -> Declared {
    Declared { name, deliveries_max: DELIVERIES_MAX, dead_letters: true }
}

const fn keeping(name: &'static str) -> Declared {
    Declared { name, deliveries_max: KEPT_DELIVERIES_MAX, dead_letters: false }
}

impl Lane {
    /// The queue's name at the broker.
    pub(super) const fn queue(self) -> &'static str {
        match self {
            Self::Express => "pagemill.express",
            Self::Stage(Stage::Inspect) => "pagemill.inspect",
            Self::Stage(Stage::Recognise) => "pagemill.recognise",
            Self::Stage(Stage::Assemble) => "pagemill.assemble",
        }
    }
}

impl Declared {
    fn arguments(&self) -> FieldTable {
        let text = |text: &str| AMQPValue::LongString(text.into());
        let mut arguments = FieldTable::default();
        arguments.insert("x-queue-type".into(), text("quorum"));
        arguments.insert("x-overflow".into(), text("reject-publish"));
        arguments.insert("x-max-length".into(), AMQPValue::LongLongInt(WAITING_MAX));
        arguments.insert("x-delivery-limit".into(), AMQPValue::LongLongInt(self.deliveries_max));
        if self.dead_letters {
            arguments.insert("x-dead-letter-exchange".into(), text(DEAD));
            // The message stays here until it is safe there. Needs `reject-publish` above.
            arguments.insert("x-dead-letter-strategy".into(), text("at-least-once"));
        }
        arguments
    }
}

/// Creates what is missing and compares what is there.
pub(super) async fn declare(connection: &Connection) -> Result<(), QueueError> {
    let late = || QueueError::Unavailable { action: ACTION, why: format!("no answer in {DECLARE_WAIT:?}") };
    timeout(DECLARE_WAIT, declare_all(connection)).await.unwrap_or_else(|_| Err(late()))
}

async fn declare_all(connection: &Connection) -> Result<(), QueueError> {
    let channel = connection.create_channel().await.map_err(|error| explain(ACTION, &error))?;
    let durable = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
    channel
        .exchange_declare(DEAD.into(), ExchangeKind::Fanout, durable, FieldTable::default())
        .await
        .map_err(|error| mismatch(DEAD, &error))?;
    for queue in &QUEUES {
        channel
            .queue_declare(queue.name.into(), QueueDeclareOptions::durable(), queue.arguments())
            .await
            .map_err(|error| mismatch(queue.name, &error))?;
    }
    let options = QueueBindOptions::default();
    channel
        .queue_bind(UNDELIVERABLE.into(), DEAD.into(), "".into(), options, FieldTable::default())
        .await
        .map_err(|error| explain(ACTION, &error))
}

fn mismatch(name: &str, error: &lapin::Error) -> QueueError {
    if is_soft(error, AMQPSoftError::PRECONDITIONFAILED) {
        return QueueError::Mismatch { name: name.to_owned(), why: error.to_string() };
    }
    explain(ACTION, error)
}

/// What an error of the client means to callers.
pub(super) fn explain(action: &'static str, error: &lapin::Error) -> QueueError {
    let is_refusal = is_soft(error, AMQPSoftError::ACCESSREFUSED)
        || is_hard(error, AMQPHardError::NOTALLOWED)
        || matches!(error.kind(), ErrorKind::AuthProviderError(_));
    let why = error.to_string();
    if is_refusal { QueueError::Refused { why } } else { QueueError::Unavailable { action, why } }
}

/// Whether a queue of ours is gone: somebody deleted it.
pub(super) fn is_missing(error: &lapin::Error) -> bool {
    is_soft(error, AMQPSoftError::NOTFOUND)
}

fn is_soft(error: &lapin::Error, code: AMQPSoftError) -> bool {
    matches!(error.kind(), ErrorKind::ProtocolError(said) if *said.kind() == AMQPErrorKind::Soft(code))
}

fn is_hard(error: &lapin::Error, code: AMQPHardError) -> bool {
    matches!(error.kind(), ErrorKind::ProtocolError(said) if *said.kind() == AMQPErrorKind::Hard(code))
}
