//! The queue of the cluster: RabbitMQ, quorum queues.
//!
//! Two connections, because a broker that is short of disk or memory stops reading from those that publish: shards and
//! acknowledgements must get through meanwhile. Each is opened again whenever it is lost, so nothing in here is more than
//! a wait to its callers. Nothing here waits for a worker's work either: heartbeats always flow.

use std::sync::Arc;

use async_trait::async_trait;
use pagemill_domain::outcome::Outcome;
use pagemill_domain::shard::Shard;

use super::{Arrival, Delivery, Lanes, Queue, QueueError, QueueOptions};

mod address;
mod aside;
mod collect;
mod depths;
mod envelope;
mod link;
mod publish;
mod pull;
mod topology;

#[cfg(test)]
mod tests;

pub use envelope::MESSAGE_BYTES_MAX;

use address::Address;
use aside::Aside;
use collect::Collector;
use link::Link;
use publish::{Publisher, Publishing};
use pull::{Puller, Pulling};

/// The queue of the cluster.
pub(super) struct RabbitQueue {
    publishing: Arc<Link<Publishing>>,
    pulling: Arc<Link<Pulling>>,
    publisher: Arc<Publisher>,
    aside: Arc<Aside>,
    puller: Puller,
    collector: Collector,
}

impl RabbitQueue {
    /// Connects and declares our queues. A broker that does not answer yet is no error.
    pub(super) async fn connect(url: &str, options: QueueOptions) -> Result<Self, QueueError> {
        let address = Address::new(url, options)?;
        // One after the other: the first declares the queues.
        let pulling = Arc::new(Link::keep(address.clone()).await?);
        let publishing = Arc::new(Link::keep(address).await?);
        let publisher = Arc::new(Publisher::new(Arc::clone(&publishing)));
        let aside = Arc::new(Aside::new(Arc::clone(&publisher)));
        Ok(Self {
            puller: Puller::new(Arc::clone(&pulling), Arc::clone(&aside)),
            collector: Collector::new(Arc::clone(&pulling), Arc::clone(&aside)),
            publishing,
            pulling,
            publisher,
            aside,
        })
    }
}

#[async_trait]
impl Queue for RabbitQueue {
    async fn publish_shard(&self, shard: &Shard) -> Result<(), QueueError> {
        self.publisher.publish("publish a shard", envelope::seal_shard(shard)?).await
    }

    async fn next_shard(&self, lanes: Lanes) -> Result<Delivery<Shard>, QueueError> {
        self.puller.next(lanes).await
    }

    async fn withdraw_shards(&self) -> Result<Vec<Shard>, QueueError> {
        Ok(Vec::new())
    }

    async fn publish_outcome(&self, outcome: &Outcome) -> Result<(), QueueError> {
        self.publisher.publish("publish an outcome", envelope::seal_outcome(outcome)?).await
    }

    async fn next_arrivals(&self, arrivals_max: usize) -> Result<Vec<Arrival>, QueueError> {
        self.collector.next(arrivals_max).await
    }

    async fn stop_arrivals(&self) {
        self.collector.stop().await;
    }

    fn unreadable_total(&self) -> u64 {
        self.aside.total()
    }

    fn is_up(&self) -> bool {
        self.publishing.ready().is_ok() && self.pulling.ready().is_ok()
    }
}
