//! Metrics, probes, health and reflection.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tonic::transport::Channel;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;

use crate::cluster::{Cluster, PATIENCE};

async fn get(cluster: &Cluster, path: &str) -> String {
    let mut stream = tokio::net::TcpStream::connect(cluster.http_address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn the_leader_tells_its_figures() {
    let mut cluster = Cluster::start().await;
    assert!(get(&cluster, "/healthz").await.starts_with("HTTP/1.1 200"));
    let ready = get(&cluster, "/readyz").await;
    assert!(ready.starts_with("HTTP/1.1 200") && ready.contains("store up\nbroker up"), "{ready}");
    cluster.start_worker();
    let job = cluster.submit("job", &["a.tif"]).await.id;
    cluster.watch(job).await;
    let metrics = tokio::time::timeout(PATIENCE, async {
        loop {
            let metrics = get(&cluster, "/metrics").await;
            if metrics.contains("pagemill_pages_total{outcome=\"recognised\"} 2") {
                break metrics;
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    })
    .await
    .unwrap();
    for line in [
        "pagemill_leader 1",
        "pagemill_broker_up 1",
        "pagemill_store_up 1",
        "pagemill_dead_letters 1",
        "pagemill_pages_pending{stage=\"recognise\"} 0",
        "pagemill_shards_in_flight{stage=\"inspect\"} 0",
        "pagemill_store_seconds_count{operation=\"apply\"}",
        "pagemill_build_info{role=\"coordinator\",version=",
    ] {
        assert!(metrics.contains(line), "{line} is not in\n{metrics}");
    }
}

#[tokio::test]
async fn the_server_describes_itself() {
    let cluster = Cluster::start().await;
    let address = format!("http://{}", cluster.grpc_address);
    let channel = Channel::from_shared(address).unwrap().connect().await.unwrap();
    let health = HealthClient::new(channel.clone()).check(HealthCheckRequest::default()).await.unwrap();
    assert_eq!(health.into_inner().status, 1);
    let request = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let requests = tokio_stream::once(request);
    let mut answers = ServerReflectionClient::new(channel).server_reflection_info(requests).await.unwrap();
    let answer = answers.get_mut().message().await.unwrap().unwrap();
    let Some(MessageResponse::ListServicesResponse(services)) = answer.message_response else {
        panic!("{answer:?}")
    };
    let names: Vec<String> = services.service.into_iter().map(|service| service.name).collect();
    for name in ["pagemill.v1.Jobs", "pagemill.v1.Workers", "grpc.health.v1.Health"] {
        assert!(names.iter().any(|known| known == name), "{name} is not among {names:?}");
    }
}

/// As many connections as HTTP serves at once.
const HTTP_CONNECTIONS_MAX: usize = 256;

#[tokio::test]
async fn connections_beyond_the_bound_wait_until_one_is_closed() {
    let cluster = Cluster::start().await;
    let mut idle = Vec::new();
    for _ in 0..HTTP_CONNECTIONS_MAX {
        idle.push(tokio::net::TcpStream::connect(cluster.http_address).await.unwrap());
    }
    let mut waiting = Box::pin(get(&cluster, "/healthz"));
    let early = tokio::time::timeout(std::time::Duration::from_millis(300), &mut waiting).await;
    assert!(early.is_err(), "all places are taken");
    idle.truncate(HTTP_CONNECTIONS_MAX / 2);
    let answer = tokio::time::timeout(PATIENCE, waiting).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}
