//! From the setting to the adapter.

use std::sync::Arc;

use super::rabbit::RabbitQueue;
use super::{MemoryQueue, Queue, QueueError};

/// What the address does not say.
#[derive(Debug, Clone, Default)]
pub struct QueueOptions {
    /// Who connects, as the broker's management page shows it.
    pub name: String,
    /// Certificates of those who may vouch for the broker besides the system's own, in PEM; for `amqps:`.
    pub ca_pem: Option<String>,
}

/// Opens the queue that `url` names: `memory:`, `amqp://user:password@host:port/vhost` or `amqps://…`.
///
/// A broker that does not answer is no error: the adapter goes on trying, and [`Queue::is_up`] tells. One that refuses
/// us, or whose queues are others than we need, is.
pub async fn connect(url: &str, options: QueueOptions) -> Result<Arc<dyn Queue>, QueueError> {
    match url.split_once(':') {
        Some(("memory", "")) => Ok(Arc::new(MemoryQueue::default())),
        Some(("amqp" | "amqps", _)) => Ok(Arc::new(RabbitQueue::connect(url, options).await?)),
        _ => Err(QueueError::Url("it must begin with amqp:// or amqps://, or be memory:".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::super::QueueError;
    use super::{QueueOptions, connect};

    #[tokio::test]
    async fn refuses_what_is_no_queue() {
        for url in ["", "memory", "memory:x", "http://localhost", "amqp:", "amqp://[::1]:5672/%2f"] {
            let refused = connect(url, QueueOptions::default()).await.err();
            assert!(matches!(refused, Some(QueueError::Url(_))), "{url}: {refused:?}");
        }
        assert!(connect("memory:", QueueOptions::default()).await.unwrap().is_up());
    }
}
