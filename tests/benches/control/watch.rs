//! What is looked at while a job runs: how deep the queues are, how long a status takes, how much memory is used.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use lapin::options::QueueDeclareOptions;
use lapin::types::FieldTable;
use lapin::{Connection, ConnectionProperties};
use tokio::task::JoinHandle;

/// How often the queues are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// The queues on which work waits for workers.
const WORK: [&str; 4] = ["pagemill.inspect", "pagemill.recognise", "pagemill.assemble", "pagemill.express"];

/// The most messages that have waited for workers at the same time.
pub(crate) struct Depths {
    deepest: Arc<AtomicU64>,
    looking: JoinHandle<()>,
}

impl Depths {
    /// Looks until it is dropped.
    pub(crate) async fn watch(queue_url: &str) -> Self {
        let connection = Connection::connect(queue_url, ConnectionProperties::default()).await.unwrap();
        let channel = connection.create_channel().await.unwrap();
        let deepest = Arc::new(AtomicU64::new(0));
        let seen = deepest.clone();
        let looking = tokio::spawn(async move {
            let _connection = connection;
            loop {
                let mut waiting = 0;
                for queue in WORK {
                    let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
                    let declared = channel.queue_declare(queue.into(), options, FieldTable::default()).await;
                    waiting += u64::from(declared.unwrap().message_count());
                }
                seen.fetch_max(waiting, Ordering::Relaxed);
                tokio::time::sleep(LOOK_EVERY).await;
            }
        });
        Self { deepest, looking }
    }

    pub(crate) fn deepest(&self) -> u64 {
        self.deepest.load(Ordering::Relaxed)
    }
}

impl Drop for Depths {
    fn drop(&mut self) {
        self.looking.abort();
    }
}

/// How long calls took.
#[derive(Default)]
pub(crate) struct Latencies(Vec<Duration>);

impl Latencies {
    pub(crate) fn add(&mut self, latency: Duration) {
        self.0.push(latency);
    }

    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn p99_ms(&self) -> f64 {
        self.quantile_ms(99)
    }

    pub(crate) fn median_ms(&self) -> f64 {
        self.quantile_ms(50)
    }

    fn quantile_ms(&self, percent: usize) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        sorted[(sorted.len() * percent / 100).min(sorted.len() - 1)].as_secs_f64() * 1_000.0
    }
}
