//! The leader's side: outcomes, and shards that were given up, as they come.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::{FutureExt, StreamExt};
use lapin::options::{BasicConsumeOptions, BasicNackOptions, BasicQosOptions};
use lapin::types::FieldTable;
use lapin::{Acker, Channel, Consumer};
use pagemill_domain::ids::ShardAttempt;
use pagemill_domain::outcome::Outcome;
use tokio::runtime::Handle;
use tokio::time::{Instant, timeout, timeout_at};

use super::super::{Arrival, Delivery, QueueError, Receipt};
use super::aside::Aside;
use super::envelope::{self, Opened};
use super::link::{ANSWER_WAIT, Link, Role as _};
use super::pull::{Pulling, acknowledge, mend};
use super::topology::{OUTCOMES, UNDELIVERABLE};

/// Messages of each queue that the broker sends ahead of their acknowledgement.
const PREFETCH: u16 = 512;

/// How long a batch waits for more after its first message.
const GATHER_WAIT: Duration = Duration::from_millis(2);

/// Collects for the leader.
pub(super) struct Collector {
    link: Arc<Link<Pulling>>,
    aside: Arc<Aside>,
    consuming: tokio::sync::Mutex<Option<Consuming>>,
}

/// What a leader has open.
struct Consuming {
    channel: Channel,
    outcomes: Consumer,
    undeliverable: Consumer,
    /// Received and not handed out yet. Here, and not in a future, because that may be dropped.
    received: Vec<lapin::message::Delivery>,
}

impl Collector {
    pub(super) fn new(link: Arc<Link<Pulling>>, aside: Arc<Aside>) -> Self {
        Self { link, aside, consuming: tokio::sync::Mutex::default() }
    }

    /// At least one arrival, as soon as there is one.
    pub(super) async fn next(&self, arrivals_max: usize) -> Result<Vec<Arrival>, QueueError> {
        let mut place = self.consuming.lock().await;
        loop {
            let consuming = match &mut *place {
                Some(consuming) => consuming,
                None => place.insert(self.begin().await?),
            };
            if consuming.gather(arrivals_max.max(1)).await {
                let received = std::mem::take(&mut consuming.received);
                let arrivals: Vec<Arrival> =
                    received.into_iter().filter_map(|delivery| self.open(delivery)).collect();
                if !arrivals.is_empty() {
                    return Ok(arrivals);
                }
            } else {
                // Cancelled, because the queue was deleted, or cut off.
                *place = None;
            }
        }
    }

    /// Gives back what is not acknowledged.
    pub(super) async fn stop(&self) {
        if let Some(consuming) = self.consuming.lock().await.take() {
            // Where this fails the channel is closed already.
            let _ = timeout(ANSWER_WAIT, consuming.channel.close(200, "not the leader".into())).await;
        }
    }

    async fn begin(&self) -> Result<Consuming, QueueError> {
        loop {
            let pulling = self.link.up().await?;
            match timeout(ANSWER_WAIT, Consuming::begin(&pulling)).await {
                Ok(Ok(consuming)) => return Ok(consuming),
                Ok(Err(error)) => mend(pulling.connection(), &error).await?,
                Err(_) => self.link.suspect(),
            }
        }
    }

    fn open(&self, delivery: lapin::message::Delivery) -> Option<Arrival> {
        match envelope::open_arrival(&delivery.data, &delivery.properties) {
            Ok(Opened::Outcome(outcome)) => {
                let receipt = ArrivalReceipt { acker: Some(delivery.acker) };
                Some(Arrival::Outcome(Delivery::<Outcome>::new(*outcome, Box::new(receipt))))
            }
            Ok(Opened::Undeliverable(dispatch)) => {
                let receipt = ArrivalReceipt { acker: Some(delivery.acker) };
                Some(Arrival::Undeliverable(Delivery::<ShardAttempt>::new(dispatch, Box::new(receipt))))
            }
            Err(why) => {
                self.aside.put(delivery, why, ());
                None
            }
        }
    }
}

impl Consuming {
    async fn begin(pulling: &Pulling) -> lapin::Result<Self> {
        let channel = pulling.connection().create_channel().await?;
        channel.basic_qos(PREFETCH, BasicQosOptions::default()).await?;
        let consume = async |queue: &str| {
            let options = BasicConsumeOptions::default();
            channel.basic_consume(queue.into(), "".into(), options, FieldTable::default()).await
        };
        let (outcomes, undeliverable) = (consume(OUTCOMES).await?, consume(UNDELIVERABLE).await?);
        Ok(Self { outcomes, undeliverable, channel, received: Vec::new() })
    }

    /// Waits for the first message, then gathers what comes with it; `false` when no more can come.
    async fn gather(&mut self, messages_max: usize) -> bool {
        if self.received.is_empty() && !self.receive().await {
            return false;
        }
        let end = Instant::now() + GATHER_WAIT;
        while self.received.len() < messages_max {
            let goes_on = match self.receive().now_or_never() {
                Some(goes_on) => goes_on,
                None => match timeout_at(end, self.receive()).await {
                    Ok(goes_on) => goes_on,
                    Err(_) => break,
                },
            };
            if !goes_on {
                return false;
            }
        }
        true
    }

    async fn receive(&mut self) -> bool {
        let message = tokio::select! {
            message = self.outcomes.next() => message,
            message = self.undeliverable.next() => message,
        };
        match message {
            Some(Ok(delivery)) => {
                self.received.push(delivery);
                true
            }
            Some(Err(error)) => {
                tracing::debug!(%error, "the outcomes' consumer ended");
                false
            }
            None => false,
        }
    }
}

/// An arrival in hand. Dropped, it is given back as far as possible.
struct ArrivalReceipt {
    acker: Option<Acker>,
}

#[async_trait]
impl Receipt for ArrivalReceipt {
    async fn acknowledge(mut self: Box<Self>) -> Result<(), QueueError> {
        match self.acker.take() {
            Some(acker) => acknowledge(&acker).await,
            None => Ok(()),
        }
    }
}

impl Drop for ArrivalReceipt {
    fn drop(&mut self) {
        if let (Some(acker), Ok(runtime)) = (self.acker.take(), Handle::try_current()) {
            let requeue = BasicNackOptions { requeue: true, multiple: false };
            // Where this fails the channel is closed, which gives it back, too.
            runtime.spawn(async move { acker.nack(requeue).await });
        }
    }
}
