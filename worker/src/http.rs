//! The worker's HTTP side: `/metrics`, `/healthz`, `/readyz`.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use pagemill_backends::blobs::Blobs;
use pagemill_backends::queue::Queue;
use pagemill_proto::incoming::{HTTP_CONNECTIONS_MAX, Incoming};
use tokio::net::TcpListener;

use crate::WorkerError;
use crate::metrics::Metrics;
use crate::standing::{Duty, Standing};

/// What the answers come from.
#[derive(Clone)]
pub(crate) struct Observed {
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) blobs: Arc<dyn Blobs>,
    pub(crate) standing: Arc<Standing>,
    pub(crate) queue: Arc<dyn Queue>,
}

/// Answers on `address` for as long as the process lives.
pub(crate) async fn listen(address: SocketAddr, observed: Observed) -> Result<(), WorkerError> {
    let refused = |source| WorkerError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(refused)?;
    tracing::info!(address = %listener.local_addr().map_err(refused)?, "metrics are served");
    serve(listener, HTTP_CONNECTIONS_MAX, observed);
    Ok(())
}

fn serve(listener: TcpListener, connections_max: usize, observed: Observed) {
    tokio::spawn(async move {
        if let Err(error) = axum::serve(Incoming::new(listener, connections_max), router(observed)).await {
            tracing::error!(%error, "metrics are no longer served");
        }
    });
}

fn router(observed: Observed) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .with_state(observed)
}

async fn metrics(State(observed): State<Observed>) -> impl IntoResponse {
    let (slots, busy) = observed.standing.slots();
    observed.metrics.set_source_bytes(observed.blobs.source_bytes_fetched());
    observed.metrics.set_slots(slots, busy, observed.standing.duty() == Duty::Serve);
    match observed.metrics.text() {
        Ok(text) => (StatusCode::OK, [(CONTENT_TYPE, prometheus::TEXT_FORMAT)], text),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, [(CONTENT_TYPE, "text/plain")], error.to_string()),
    }
}

/// Ready once a coordinator has accepted the worker, until it drains.
async fn ready(State(observed): State<Observed>) -> impl IntoResponse {
    let duty = observed.standing.duty();
    let is_ready = matches!(duty, Duty::Serve | Duty::Cordon);
    let status = if is_ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let broker = if observed.queue.is_up() { "up" } else { "down" };
    (status, format!("{}\nbroker {broker}\n", duty.name()))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::body::to_bytes;
    use pagemill_backends::blobs::FolderBlobs;
    use pagemill_backends::queue::MemoryQueue;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    use super::*;

    fn observed() -> Observed {
        let (metrics, standing) = (Arc::new(Metrics::new().unwrap()), Standing::applicant(4));
        let folder = tempfile::tempdir().unwrap();
        let blobs = FolderBlobs::open(folder.path(), &folder.path().join("state")).unwrap();
        Observed { metrics, blobs: Arc::new(blobs), standing, queue: Arc::new(MemoryQueue::default()) }
    }

    #[tokio::test]
    async fn tells_how_the_worker_stands() {
        let observed = observed();
        let ask = || async { ready(State(observed.clone())).await.into_response().status() };
        assert_eq!(ask().await, StatusCode::SERVICE_UNAVAILABLE);
        observed.standing.set_duty(Duty::Serve);
        assert_eq!(ask().await, StatusCode::OK);
        let answer = metrics(State(observed.clone())).await.into_response();
        let text = to_bytes(answer.into_body(), 1 << 20).await.unwrap();
        let text = String::from_utf8(text.to_vec()).unwrap();
        assert!(text.contains(r#"pagemill_worker_slots{state="free"} 4"#), "{text}");
        assert!(text.contains("pagemill_build_info{"), "{text}");
    }

    #[tokio::test]
    async fn connections_beyond_the_bound_wait_until_one_is_closed() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        serve(listener, 2, observed());
        let mut idle =
            [TcpStream::connect(address).await.unwrap(), TcpStream::connect(address).await.unwrap()];
        // Both have their places once they are answered.
        for stream in &mut idle {
            stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: test\r\n\r\n").await.unwrap();
            stream.read_exact(&mut [0; 12]).await.unwrap();
        }
        let mut third = TcpStream::connect(address).await.unwrap();
        third.write_all(b"GET /healthz HTTP/1.1\r\nHost: test\r\n\r\n").await.unwrap();
        let mut answer = [0; 12];
        let early = tokio::time::timeout(Duration::from_millis(200), third.read_exact(&mut answer)).await;
        assert!(early.is_err(), "all places are taken");
        drop(idle);
        tokio::time::timeout(Duration::from_secs(20), third.read_exact(&mut answer)).await.unwrap().unwrap();
        assert_eq!(&answer, b"HTTP/1.1 200");
    }
}
