//! What stands between a worker and a coordinator and retells what either says: the session of another release.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use bytes::{Buf as _, BufMut as _};
use futures::future::{BoxFuture, ready};
use futures::stream::BoxStream;
use futures::{StreamExt as _, stream};
use tokio::runtime::Runtime;
use tonic::body::Body;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::Service;
use tonic::codegen::http::{self, uri::PathAndQuery};
use tonic::server::{NamedService, StreamingService};
use tonic::transport::{Channel, Server};
use tonic::{Request, Response, Status, Streaming};

/// What becomes of a message, in its bytes: any number of messages.
pub type Retell = fn(Vec<u8>) -> Vec<Vec<u8>>;

/// Passes sessions on to a coordinator and retells them, both ways.
pub struct SessionRelay {
    address: SocketAddr,
    carried: Arc<AtomicU64>,
    _runtime: Runtime,
}

impl SessionRelay {
    /// Retells what workers said and what they are to hear of `coordinator`, until it is dropped.
    pub fn start(coordinator: &str, said: Retell, heard: Retell) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let carried = Arc::<AtomicU64>::default();
        let (listener, coordinator) = runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            (listener, Channel::from_shared(coordinator.to_owned()).unwrap().connect_lazy())
        });
        let address = listener.local_addr().unwrap();
        let sessions = Sessions { coordinator, said, heard, carried: carried.clone() };
        let incoming = stream::unfold(listener, |listener| async move {
            Some((listener.accept().await.map(|(stream, _)| stream), listener))
        });
        runtime.spawn(Server::builder().add_service(sessions).serve_with_incoming(incoming));
        Self { address, carried, _runtime: runtime }
    }

    /// Where workers find it.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Messages that it was given so far, of both sides.
    pub fn carried(&self) -> u64 {
        self.carried.load(Ordering::Relaxed)
    }
}

/// Field 1 of either side's messages: a hello, a welcome.
pub const FIRST_PART: u8 = 0x0a;

/// The field of a hello that says which version of the protocol is spoken, up to 127.
pub const fn protocol_version(version: u8) -> [u8; 2] {
    [0x10, version]
}

/// A worker's message; if it is a hello, with these fields in place of its own.
pub fn with_hello(mut message: Vec<u8>, fields: &[u8]) -> Vec<u8> {
    if message[0] == FIRST_PART {
        append(&mut message, fields);
    }
    message
}

/// Adds fields to the part that a message holds: a part that comes twice is merged, and the last of a field counts.
pub fn append(message: &mut Vec<u8>, fields: &[u8]) {
    message.extend([message[0], fields.len() as u8]);
    message.extend(fields);
}

#[derive(Clone)]
struct Sessions {
    coordinator: Channel,
    said: Retell,
    heard: Retell,
    carried: Arc<AtomicU64>,
}

impl NamedService for Sessions {
    const NAME: &'static str = "pagemill.v1.Workers";
}

impl Service<http::Request<Body>> for Sessions {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let sessions = self.clone();
        Box::pin(async move { Ok(tonic::server::Grpc::new(Raw).streaming(sessions, request).await) })
    }
}

impl StreamingService<Vec<u8>> for Sessions {
    type Response = Vec<u8>;
    type ResponseStream = BoxStream<'static, Result<Vec<u8>, Status>>;
    type Future = BoxFuture<'static, Result<Response<Self::ResponseStream>, Status>>;

    fn call(&mut self, request: Request<Streaming<Vec<u8>>>) -> Self::Future {
        let mut coordinator = tonic::client::Grpc::new(self.coordinator.clone());
        let (one, other) = (self.carried.clone(), self.carried.clone());
        let (said, heard) = (self.said, self.heard);
        let taken = request.into_inner().take_while(|message| ready(message.is_ok()));
        let requests = taken.filter_map(|message| ready(message.ok())).flat_map(move |message| {
            one.fetch_add(1, Ordering::Relaxed);
            stream::iter(said(message))
        });
        Box::pin(async move {
            coordinator.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
            let path = PathAndQuery::from_static("/pagemill.v1.Workers/Session");
            let answers = coordinator.streaming(Request::new(requests), path, Raw).await?.into_inner();
            let answers = answers.flat_map(move |message| {
                other.fetch_add(1, Ordering::Relaxed);
                stream::iter(match message {
                    Ok(message) => heard(message).into_iter().map(Ok).collect(),
                    Err(status) => vec![Err(status)],
                })
            });
            Ok(Response::new(answers.boxed()))
        })
    }
}

/// Messages as they are.
#[derive(Clone, Copy)]
struct Raw;

impl Codec for Raw {
    type Encode = Vec<u8>;
    type Decode = Vec<u8>;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, message: Vec<u8>, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        to.put_slice(&message);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Vec<u8>;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Vec<u8>>, Status> {
        Ok(Some(from.copy_to_bytes(from.remaining()).to_vec()))
    }
}
