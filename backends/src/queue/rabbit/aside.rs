//! Messages that can't be read: kept for a person, never lost, never delivered in a circle.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicNackOptions};
use lapin::types::{AMQPValue, FieldTable};

use super::super::QueueError;
use super::envelope::{Sealed, Unreadable};
use super::publish::Publisher;
use super::topology::UNREADABLE;

/// The header that tells why.
pub(super) const REASON_HEADER: &str = "unreadable";

/// Pause before a message that could not be set aside is given back.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// Sets messages aside.
pub(super) struct Aside {
    publisher: Arc<Publisher>,
    total: AtomicU64,
}

impl Aside {
    pub(super) const fn new(publisher: Arc<Publisher>) -> Self {
        Self { publisher, total: AtomicU64::new(0) }
    }

    /// How many were set aside.
    pub(super) fn total(&self) -> u64 {
        self.total.load(Ordering::Relaxed)
    }

    /// Moves a message to [`UNREADABLE`], in its original bytes; one that can't be moved now is given back and comes
    /// again. Meanwhile `kept`, such as its channel, is kept. There are never more of these at once than deliveries.
    pub(super) fn put(self: &Arc<Self>, delivery: Delivery, why: Unreadable, kept: impl Send + 'static) {
        let aside = Arc::clone(self);
        tokio::spawn(async move {
            let message_id = delivery.properties.message_id().as_ref().map(ToString::to_string);
            tracing::error!(%why, queue = %delivery.routing_key, message_id, "a message can't be read and is set aside");
            if let Err(error) = aside.moved(delivery, &why).await {
                tracing::warn!(%error, "a message could not be set aside yet");
            }
            drop(kept);
        });
    }

    async fn moved(&self, delivery: Delivery, why: &Unreadable) -> Result<(), QueueError> {
        let mut headers: FieldTable = delivery.properties.headers().clone().unwrap_or_default();
        headers.insert(REASON_HEADER.into(), AMQPValue::LongString(why.to_string().into()));
        headers.insert("queue".into(), AMQPValue::LongString(delivery.routing_key.to_string().into()));
        let message = Sealed {
            queue: UNREADABLE,
            body: delivery.data,
            properties: delivery.properties.with_headers(headers).with_delivery_mode(2),
        };
        let moved = self.publisher.publish("set a message aside", message).await;
        let told = if moved.is_ok() {
            self.total.fetch_add(1, Ordering::Relaxed);
            delivery.acker.ack(BasicAckOptions::default()).await
        } else {
            tokio::time::sleep(RETRY_PAUSE).await;
            delivery.acker.nack(BasicNackOptions { requeue: true, multiple: false }).await
        };
        if let Err(error) = told {
            // The connection is lost, and the message with it: it comes again.
            tracing::debug!(%error, "a message was not acknowledged");
        }
        moved
    }
}
