//! The HTTP side of a coordinator: metrics for Prometheus, probes for whoever keeps it running.

use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::get;

use crate::Coordinator;

/// How long a probe waits for the store.
const STORE_WAIT: Duration = Duration::from_secs(2);

/// Everything that is served by HTTP.
pub(crate) fn router(coordinator: Coordinator) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .with_state(coordinator)
}

async fn metrics(State(coordinator): State<Coordinator>) -> impl IntoResponse {
    let content_type = [(axum::http::header::CONTENT_TYPE, "text/plain; version=0.0.4")];
    let queue = &coordinator.backends.queue;
    coordinator.metrics.show_unreadable(queue.unreadable_total());
    (content_type, coordinator.metrics.render(queue.is_up()))
}

/// Ready to serve requests: the store can be reached. The broker's state is told, not required: submits go on without.
async fn ready(State(coordinator): State<Coordinator>) -> impl IntoResponse {
    let lease = tokio::time::timeout(STORE_WAIT, coordinator.backends.store.leader_lease()).await;
    let broker = if coordinator.backends.queue.is_up() { "up" } else { "down" };
    match lease {
        Ok(Ok(lease)) => (StatusCode::OK, format!("store up\nbroker {broker}\nleader {}\n", lease.holder)),
        Ok(Err(_)) | Err(_) => (StatusCode::SERVICE_UNAVAILABLE, format!("store down\nbroker {broker}\n")),
    }
}
