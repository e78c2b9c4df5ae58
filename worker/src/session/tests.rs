//! A session against a coordinator that says what the test wants.

use std::net::SocketAddr;
use std::pin::Pin;

use futures::Stream;
use pagemill_proto::v1::workers_server::{Workers, WorkersServer};
use pagemill_proto::v1::{
    CordonRequest, DrainRequest, ListWorkersRequest, ListWorkersResponse, QueueRequest, QueueResponse, Worker,
};
use pagemill_proto::version::PROTOCOL_VERSION;
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Response, async_trait};

use super::*;

/// Answers each beat with a directive, and drops what it names.
struct Stern {
    directive: v1::Directive,
    refusal: Option<Status>,
}

#[async_trait]
impl Workers for Stern {
    type SessionStream = Pin<Box<dyn Stream<Item = Result<SessionResponse, Status>> + Send>>;

    async fn session(
        &self,
        request: Request<Streaming<SessionRequest>>,
    ) -> Result<Response<Self::SessionStream>, Status> {
        if let Some(refusal) = &self.refusal {
            return Err(refusal.clone());
        }
        let directive = self.directive;
        let answers = futures::stream::try_unfold(request.into_inner(), move |mut said| async move {
            let Some(SessionRequest { part: Some(part) }) = said.message().await? else { return Ok(None) };
            let part = match part {
                Said::Hello(hello) => {
                    assert_eq!((hello.protocol_version, hello.slots), (PROTOCOL_VERSION, 2));
                    Heard::Welcome(Welcome { beat_seconds: 0.1, coordinator_version: "1".into() })
                }
                Said::Beat(beat) => Heard::Answer(BeatAnswer {
                    number: beat.number,
                    directive: directive.into(),
                    dropped: beat.busy,
                }),
            };
            Ok(Some((SessionResponse { part: Some(part) }, said)))
        });
        Ok(Response::new(Box::pin(answers)))
    }

    async fn list(&self, _: Request<ListWorkersRequest>) -> Result<Response<ListWorkersResponse>, Status> {
        Err(Status::unimplemented("list"))
    }

    async fn cordon(&self, _: Request<CordonRequest>) -> Result<Response<Worker>, Status> {
        Err(Status::unimplemented("cordon"))
    }

    async fn drain(&self, _: Request<DrainRequest>) -> Result<Response<Worker>, Status> {
        Err(Status::unimplemented("drain"))
    }

    async fn queue(&self, _: Request<QueueRequest>) -> Result<Response<QueueResponse>, Status> {
        Err(Status::unimplemented("queue"))
    }
}

async fn start(directive: v1::Directive, refusal: Option<Status>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tonic::transport::Server::builder()
        .add_service(WorkersServer::new(Stern { directive, refusal }))
        .serve_with_incoming(TcpListenerStream::new(listener));
    tokio::spawn(server);
    address
}

fn remote(addresses: &[SocketAddr]) -> RemoteSession {
    let endpoint = |address| Endpoint::from_shared(format!("http://{address}")).unwrap();
    let endpoints: Vec<_> = addresses.iter().map(endpoint).collect();
    RemoteSession::new(move || Ok(Approach { endpoints: endpoints.clone(), authorization: None }))
}

fn applicant(addresses: &[SocketAddr]) -> (Arc<Standing>, tokio::task::JoinHandle<WorkerError>) {
    let standing = Standing::applicant(2);
    let session = keep(remote(addresses), Hello::new("w", "f", 2), standing.clone());
    (standing.clone(), tokio::spawn(session))
}

#[tokio::test]
async fn serves_once_it_is_accepted_and_learns_what_is_dropped() {
    let (standing, session) = applicant(&[start(v1::Directive::Serve, None).await]);
    assert!(standing.may_take().await);
    let hold = standing.take(ShardAttempt { shard: ShardId(7), attempt: Attempt(3) }).unwrap();
    standing.named().await;
    assert!(hold.dropped().is_cancelled());
    session.abort();
}

#[tokio::test]
async fn a_drain_is_passed_on() {
    let (standing, session) = applicant(&[start(v1::Directive::Drain, None).await]);
    assert!(!standing.may_take().await);
    session.abort();
}

#[tokio::test]
async fn a_coordinator_that_is_away_is_passed_over() {
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let (standing, session) = applicant(&[nobody, start(v1::Directive::Serve, None).await]);
    assert!(standing.may_take().await);
    session.abort();
}

#[tokio::test]
async fn a_refusal_says_why() {
    let refusal = Status::failed_precondition("protocol version 1 is too old: this coordinator needs 2");
    let (standing, session) = applicant(&[start(v1::Directive::Serve, Some(refusal)).await]);
    let error = session.await.unwrap().to_string();
    assert!(error.contains("refuses this worker") && error.contains("needs 2"), "{error}");
    assert_eq!(standing.duty(), Duty::Wait);
}

#[tokio::test]
async fn what_is_shown_is_read_anew_for_each_connection() {
    let (address, standing) = (start(v1::Directive::Serve, None).await, Standing::applicant(2));
    let half_written = std::sync::atomic::AtomicBool::new(true);
    let session = RemoteSession::new(move || {
        if half_written.swap(false, std::sync::atomic::Ordering::Relaxed) {
            return Err("certificate and key are no pair".into());
        }
        let endpoints = vec![Endpoint::from_shared(format!("http://{address}")).unwrap()];
        Ok(Approach { endpoints, authorization: None })
    });
    let session = tokio::spawn(keep(session, Hello::new("w", "f", 2), standing.clone()));
    assert!(standing.may_take().await);
    session.abort();
}
