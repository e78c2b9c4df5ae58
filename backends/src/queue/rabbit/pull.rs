//! Workers pull: a slot that is free takes one shard, from the best queue that has one.
//!
//! A consumer would have shards waiting in the worker beside the slots, out of the reach of priority and cancel, and a
//! prefetch for each queue. Pulling costs a look now and then: one slot looks for all, at a pace that follows the work.
//! Each shard has a channel of its own while it is in hand, so that a channel which the broker closes (a shard took
//! longer than its `consumer_timeout`) gives back that one only.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures::future::try_join_all;
use lapin::options::{BasicAckOptions, BasicGetOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use lapin::{Acker, Channel, Connection};
use pagemill_domain::shard::Shard;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::super::lanes::Lane;
use super::super::{Delivery, Lanes, QueueError, Receipt};
use super::aside::Aside;
use super::depths::Depths;
use super::link::{ANSWER_WAIT, Link, Role};
use super::{envelope, topology};

/// Pauses between two looks at queues that hold nothing, doubled from the first to the last.
const LOOK_PAUSE_MIN: Duration = Duration::from_millis(10);
const LOOK_PAUSE_MAX: Duration = Duration::from_millis(500);

/// Shortest time from a look to the next, however many slots come asking.
const LOOK_SPACING: Duration = Duration::from_millis(5);

/// Pause after a look that failed.
const ERROR_PAUSE: Duration = Duration::from_millis(200);

/// Channels that are kept open for the next shard.
const IDLE_CHANNELS_MAX: usize = 64;

/// Pulls for all slots of a worker.
pub(super) struct Puller {
    link: Arc<Link<Pulling>>,
    aside: Arc<Aside>,
    depths: Depths,
    /// Held by the slot that looks.
    pace: tokio::sync::Mutex<Pace>,
    /// A look found something.
    found: Notify,
    /// A slot became free: more than the pace is known now.
    asked: Notify,
}

struct Pace {
    pause: Duration,
    not_before: Instant,
}

impl Puller {
    pub(super) fn new(link: Arc<Link<Pulling>>, aside: Arc<Aside>) -> Self {
        let pace = Pace { pause: LOOK_PAUSE_MIN, not_before: Instant::now() };
        Self {
            link,
            aside,
            depths: Depths::default(),
            pace: tokio::sync::Mutex::new(pace),
            found: Notify::new(),
            asked: Notify::new(),
        }
    }

    /// The next shard, as soon as there is one.
    pub(super) async fn next(&self, lanes: Lanes) -> Result<Delivery<Shard>, QueueError> {
        self.asked.notify_one();
        loop {
            let mut found = std::pin::pin!(self.found.notified());
            found.as_mut().enable();
            if let Some(lane) = self.depths.claim(lanes) {
                match self.take(lane).await {
                    Some(delivery) => return Ok(delivery),
                    None => continue,
                }
            }
            tokio::select! {
                mut pace = self.pace.lock() => self.look(lanes, &mut pace).await?,
                () = found => {}
            }
        }
    }

    async fn take(&self, lane: Lane) -> Option<Delivery<Shard>> {
        let Ok(pulling) = self.link.ready() else {
            self.depths.clear(lane);
            return None;
        };
        let taken = timeout(ANSWER_WAIT, async {
            let channel = pulling.channel().await?;
            let message = channel.basic_get(lane.queue().into(), BasicGetOptions::default()).await?;
            Ok::<_, lapin::Error>((channel, message))
        });
        match taken.await {
            Ok(Ok((channel, Some(message)))) => self.open(pulling, channel, message.delivery),
            Ok(Ok((channel, None))) => {
                pulling.give_back(channel);
                self.depths.clear(lane);
                None
            }
            Ok(Err(error)) => {
                tracing::debug!(%error, "a shard could not be pulled");
                self.depths.clear(lane);
                None
            }
            Err(_) => {
                self.link.suspect();
                self.depths.clear(lane);
                None
            }
        }
    }

    fn open(
        &self,
        pulling: Arc<Pulling>,
        channel: Channel,
        delivery: lapin::message::Delivery,
    ) -> Option<Delivery<Shard>> {
        match envelope::open_shard(&delivery.data) {
            Ok(shard) => {
                let receipt = ShardReceipt { acker: delivery.acker, channel, pulling };
                Some(Delivery::new(shard, Box::new(receipt)))
            }
            Err(why) => {
                self.aside.put(delivery, why, channel);
                None
            }
        }
    }

    /// Counts what waits, for all slots.
    async fn look(&self, lanes: Lanes, pace: &mut Pace) -> Result<(), QueueError> {
        if self.depths.promise(lanes) {
            return Ok(());
        }
        tokio::select! {
            () = sleep(pace.pause) => {}
            () = self.asked.notified() => pace.pause = Duration::ZERO,
        }
        sleep_until(pace.not_before).await;
        let pulling = self.link.up().await?;
        let waiting = match timeout(ANSWER_WAIT, pulling.count()).await {
            Ok(Ok(waiting)) => waiting,
            Ok(Err(error)) => return mend(&pulling.connection, &error).await,
            Err(_) => {
                self.link.suspect();
                sleep(ERROR_PAUSE).await;
                return Ok(());
            }
        };
        pace.not_before = Instant::now() + LOOK_SPACING;
        self.depths.set(waiting);
        let found = self.depths.promise(lanes);
        pace.pause =
            if found { Duration::ZERO } else { (pace.pause * 2).clamp(LOOK_PAUSE_MIN, LOOK_PAUSE_MAX) };
        if waiting.iter().any(|waiting| *waiting > 0) {
            self.found.notify_waiters();
        }
        Ok(())
    }
}

/// Declares again what somebody deleted; everything else is mended by waiting.
pub(super) async fn mend(connection: &Connection, error: &lapin::Error) -> Result<(), QueueError> {
    tracing::debug!(%error, "the broker could not be asked");
    if topology::is_missing(error) {
        match topology::declare(connection).await {
            Err(QueueError::Unavailable { .. }) => {}
            declared => return declared,
        }
    }
    sleep(ERROR_PAUSE).await;
    Ok(())
}

/// A connection with the channels that are free for the next shard.
pub(super) struct Pulling {
    connection: Arc<Connection>,
    idle: Mutex<Vec<Channel>>,
}

impl Role for Pulling {
    const NAME: &'static str = "receiving";

    async fn begin(connection: Arc<Connection>) -> lapin::Result<Self> {
        Ok(Self { connection, idle: Mutex::default() })
    }

    fn connection(&self) -> &Connection {
        &self.connection
    }
}

impl Pulling {
    async fn channel(&self) -> lapin::Result<Channel> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        match idle {
            Some(channel) if channel.status().connected() => Ok(channel),
            _ => self.connection.create_channel().await,
        }
    }

    fn give_back(&self, channel: Channel) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < IDLE_CHANNELS_MAX {
            idle.push(channel);
        }
    }

    /// How many shards wait in each queue. Asking for a message would write to the broker's log on disk, even where there
    /// is none; this does not.
    async fn count(&self) -> lapin::Result<[u32; Lane::COUNT]> {
        let channel = self.channel().await?;
        let counts = Lane::ALL.map(|lane| {
            let passive = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
            channel.queue_declare(lane.queue().into(), passive, FieldTable::default())
        });
        let mut waiting = [0; Lane::COUNT];
        for (waiting, queue) in waiting.iter_mut().zip(try_join_all(counts).await?) {
            *waiting = queue.message_count();
        }
        self.give_back(channel);
        Ok(waiting)
    }
}

/// A shard in hand. Dropped, its channel is closed, by which the broker takes it back.
struct ShardReceipt {
    acker: Acker,
    channel: Channel,
    pulling: Arc<Pulling>,
}

#[async_trait]
impl Receipt for ShardReceipt {
    async fn acknowledge(self: Box<Self>) -> Result<(), QueueError> {
        acknowledge(&self.acker).await?;
        self.pulling.give_back(self.channel);
        Ok(())
    }
}

/// Acknowledges one delivery.
pub(super) async fn acknowledge(acker: &Acker) -> Result<(), QueueError> {
    const ACTION: &str = "acknowledge";
    match timeout(ANSWER_WAIT, acker.ack(BasicAckOptions::default())).await {
        Ok(Ok(true)) => Ok(()),
        Ok(Ok(false)) => {
            let why = "its channel is closed; it is delivered again".to_owned();
            Err(QueueError::Unavailable { action: ACTION, why })
        }
        Ok(Err(error)) => Err(topology::explain(ACTION, &error)),
        Err(_) => {
            Err(QueueError::Unavailable { action: ACTION, why: format!("not sent in {ANSWER_WAIT:?}") })
        }
    }
}
