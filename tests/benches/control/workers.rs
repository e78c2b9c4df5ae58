//! A worker of many slots that answers at once, through the real queue, with a real session.

use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt as _, stream};
use pagemill_backends::queue::{Lanes, Queue, QueueOptions, connect};
use pagemill_proto::v1::workers_client::WorkersClient;
use pagemill_proto::v1::{Beat, Hello, SessionRequest, session_request::Part};

use crate::synthetic::{FINGERPRINT, answer};

/// Shards in hand at the same time.
const SLOTS: u32 = 64;

/// Seconds between beats.
const BEAT: Duration = Duration::from_secs(2);

/// Pause before something is tried again.
const RETRY_PAUSE: Duration = Duration::from_millis(50);

/// Messages that the broker should hold at most: each stage's window is about twice the live slots.
pub(crate) const fn window() -> u32 {
    2 * SLOTS
}

/// Works until it is aborted.
pub(crate) async fn run(queue_url: String, coordinator_url: String) {
    let queue = connect(&queue_url, QueueOptions::default()).await.unwrap();
    let slots = (0..SLOTS).map(|_| slot(queue.clone()));
    futures::future::join(futures::future::join_all(slots), session(coordinator_url)).await;
}

async fn slot(queue: Arc<dyn Queue>) {
    loop {
        let Ok(delivery) = queue.next_shard(Lanes::All).await else {
            tokio::time::sleep(RETRY_PAUSE).await;
            continue;
        };
        let outcome = answer(&delivery.message);
        while queue.publish_outcome(&outcome).await.is_err() {
            tokio::time::sleep(RETRY_PAUSE).await;
        }
        // Refused only where the connection was lost: then the shard comes again, and counts once.
        let _ = delivery.acknowledge().await;
    }
}

/// Says hello and beats, again and again where the coordinator goes away.
async fn session(url: String) {
    loop {
        if let Ok(mut workers) = WorkersClient::connect(url.clone()).await {
            let hello = Part::Hello(Hello::new("synthetic", FINGERPRINT, SLOTS));
            let beats = stream::unfold(1, |number| async move {
                tokio::time::sleep(BEAT).await;
                Some((Part::Beat(Beat { busy: Vec::new(), slots_free: SLOTS, number }), number + 1))
            });
            let requests = stream::iter([hello]).chain(beats).map(|part| SessionRequest { part: Some(part) });
            if let Ok(answers) = workers.session(requests).await {
                let mut answers = answers.into_inner();
                while let Some(Ok(_)) = answers.next().await {}
            }
        }
        tokio::time::sleep(RETRY_PAUSE).await;
    }
}
