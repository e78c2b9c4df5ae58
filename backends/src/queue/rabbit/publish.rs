//! Publishing: persistent, routed or returned, confirmed, in bounded time; many at once on one channel.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;

use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{Channel, Confirmation, Connection};
use tokio::sync::Semaphore;
use tokio::time::{Duration, Instant, timeout};

use super::super::QueueError;
use super::envelope::Sealed;
use super::link::{ANSWER_WAIT, Link, Role};
use super::topology;

/// Messages of one adapter that wait for their confirm; more wait for their turn.
const IN_FLIGHT_MAX: usize = 1_024;

/// Age from which a channel is given up whose message was refused.
///
/// A channel of RabbitMQ 3.10 that was opened just after the node which led a queue died had all its messages refused as if
/// that queue were full, until the node was back (as it seems, its first message decides to which node it sends them); another
/// channel found the next leader. Queues that are full indeed cost a channel now and then.
const REFUSED_CHANNEL_AGE_MIN: Duration = Duration::from_secs(1);

/// Publishes for all callers of an adapter.
pub(super) struct Publisher {
    link: Arc<Link<Publishing>>,
    in_flight: Semaphore,
}

/// A connection with its channel in confirm mode.
pub(super) struct Publishing {
    connection: Arc<Connection>,
    confirming: Mutex<Arc<Confirming>>,
    renewing: tokio::sync::Mutex<()>,
}

/// A channel in confirm mode. Closed when the last message on it is answered.
struct Confirming {
    channel: Channel,
    opened: Instant,
    turn: Mutex<()>,
}

impl Role for Publishing {
    const NAME: &'static str = "publishing";

    async fn begin(connection: Arc<Connection>) -> lapin::Result<Self> {
        let confirming = Mutex::new(Arc::new(Confirming::open(&connection).await?));
        Ok(Self { connection, confirming, renewing: tokio::sync::Mutex::default() })
    }

    fn connection(&self) -> &Connection {
        &self.connection
    }

    fn is_well(&self) -> bool {
        self.connection.status().connected() && self.confirming().channel.status().connected()
    }
}

impl Publisher {
    pub(super) fn new(link: Arc<Link<Publishing>>) -> Self {
        Self { link, in_flight: Semaphore::new(IN_FLIGHT_MAX) }
    }

    /// Publishes and waits for the confirm.
    pub(super) async fn publish(&self, action: &'static str, message: Sealed) -> Result<(), QueueError> {
        // Known outages are told at once, not after a wait for those who wait for theirs.
        self.link.ready()?;
        let _place = self.in_flight.acquire().await.map_err(|_| QueueError::Closed)?;
        let publishing = self.link.ready()?;
        let confirming = publishing.confirming();
        let confirmed = tokio::select! {
            biased;
            confirmed = timeout(ANSWER_WAIT, confirming.send(&message)) => confirmed,
            error = self.link.failed(&publishing) => return Err(error),
        };
        match confirmed {
            Ok(Ok(Confirmation::Ack(None) | Confirmation::NotRequested)) => Ok(()),
            Ok(Ok(Confirmation::Ack(Some(_)))) => {
                // Somebody deleted the queue. The next attempt finds it again.
                topology::declare(&publishing.connection).await?;
                let why = format!("queue {} was missing and is declared again", message.queue);
                Err(QueueError::Unavailable { action, why })
            }
            Ok(Ok(Confirmation::Nack(_))) => {
                match timeout(ANSWER_WAIT, publishing.renew(&confirming)).await {
                    Ok(renewed) => renewed.map_err(|error| topology::explain(action, &error))?,
                    Err(_) => self.link.suspect(),
                }
                Err(QueueError::Full { action, why: format!("queue {} is full", message.queue) })
            }
            Ok(Err(error)) => Err(topology::explain(action, &error)),
            Err(_) => {
                self.link.suspect();
                Err(QueueError::Unavailable { action, why: format!("no confirm in {ANSWER_WAIT:?}") })
            }
        }
    }
}

impl Publishing {
    fn confirming(&self) -> Arc<Confirming> {
        Arc::clone(&self.confirming.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Opens another channel in place of one that refuses messages.
    async fn renew(&self, refusing: &Arc<Confirming>) -> lapin::Result<()> {
        let _turn = self.renewing.lock().await;
        let is_renewed = !Arc::ptr_eq(&self.confirming(), refusing);
        if is_renewed || refusing.opened.elapsed() < REFUSED_CHANNEL_AGE_MIN {
            return Ok(());
        }
        let next = Arc::new(Confirming::open(&self.connection).await?);
        *self.confirming.lock().unwrap_or_else(PoisonError::into_inner) = next;
        Ok(())
    }
}

impl Confirming {
    async fn open(connection: &Connection) -> lapin::Result<Self> {
        let channel = connection.create_channel().await?;
        channel.confirm_select(ConfirmSelectOptions::default()).await?;
        Ok(Self { channel, opened: Instant::now(), turn: Mutex::default() })
    }

    async fn send(&self, message: &Sealed) -> lapin::Result<Confirmation> {
        let options = BasicPublishOptions { mandatory: true, immediate: false };
        let properties = message.properties.clone();
        let mut publishing = pin!(self.channel.basic_publish(
            "".into(),
            message.queue.into(),
            options,
            &message.body,
            properties
        ));
        // The client numbers a message, then hands over its frames. Two threads between these steps would exchange
        // their confirms, so only one may stand there; nobody waits there.
        let begun = poll_fn(|context| {
            let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
            Poll::Ready(publishing.as_mut().poll(context))
        })
        .await;
        let confirm = match begun {
            Poll::Ready(published) => published,
            Poll::Pending => publishing.await,
        }?;
        confirm.await
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::{QueueOptions, conformance};
    use super::super::address::Address;
    use super::super::envelope::seal_shard;
    use super::super::tests::short_queue_url;
    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_channel_that_refuses_is_given_up_when_it_is_old_enough() {
        let address =
            Address::new(&short_queue_url(1), QueueOptions { name: "test".to_owned(), ca_pem: None })
                .unwrap();
        let publisher = Publisher::new(Arc::new(Link::<Publishing>::keep(address).await.unwrap()));
        let refused = async || {
            let publish =
                async || publisher.publish("publish", seal_shard(&conformance::shard(1)).unwrap()).await;
            while !matches!(publish().await, Err(QueueError::Full { .. })) {}
        };
        let channel = || publisher.link.ready().unwrap().confirming();
        refused().await;
        let first = channel();
        tokio::time::sleep(REFUSED_CHANNEL_AGE_MIN).await;
        refused().await;
        let second = channel();
        assert!(!Arc::ptr_eq(&first, &second), "old enough, and given up");
        refused().await;
        // Even on a machine that takes its time.
        let is_young = second.opened.elapsed() < REFUSED_CHANNEL_AGE_MIN;
        assert!(!is_young || Arc::ptr_eq(&second, &channel()), "too young to be given up");
    }
}
