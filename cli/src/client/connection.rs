//! The connection to the cluster: whichever of its coordinators answers.

use std::error::Error;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use pagemill_domain::ids::JobId;
use pagemill_domain::trace::Traceparent;
use pagemill_proto::MESSAGE_BYTES_MAX;
use pagemill_proto::v1::artifacts_client::ArtifactsClient;
use pagemill_proto::v1::jobs_client::JobsClient;
use pagemill_proto::v1::sources_client::SourcesClient;
use pagemill_proto::v1::workers_client::WorkersClient;
use tokio::sync::Mutex;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Response, Status};

use crate::failure::Failure;
use crate::settings::{Secret, Settings};

/// How long a coordinator that answered before may be away: another takes over within ten seconds.
const AWAY_MAX: Duration = Duration::from_mins(1);

/// Time between attempts to find one.
const RETRY_WAIT: Duration = Duration::from_secs(1);

/// Time for the answer to one request; sealing a job of millions of sources takes the longest.
const ANSWER_WAIT: Duration = Duration::from_mins(3);

/// A connection that says who we are, and what for we ask.
pub(crate) type Line = InterceptedService<Channel, Headers>;

/// Adds the caller's token, and the trace of the job that is worked on, to each request.
#[derive(Clone)]
pub(crate) struct Headers {
    authorization: Option<MetadataValue<Ascii>>,
    traceparent: Option<MetadataValue<Ascii>>,
}

impl Interceptor for Headers {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        for (name, value) in [("authorization", &self.authorization), ("traceparent", &self.traceparent)] {
            if let Some(value) = value {
                request.metadata_mut().insert(name, value.clone());
            }
        }
        Ok(request)
    }
}

/// The header of a token.
pub(crate) fn authorization(token: Option<&Secret>) -> Result<Option<MetadataValue<Ascii>>, Failure> {
    let Some(token) = token else { return Ok(None) };
    let value = format!("Bearer {}", token.expose()).parse::<MetadataValue<Ascii>>();
    let mut value = value.map_err(|_| Failure::Setting("token must be visible ASCII".into()))?;
    value.set_sensitive(true);
    Ok(Some(value))
}

/// The coordinators of a cluster, as one.
pub(crate) struct Cluster {
    endpoints: Vec<Endpoint>,
    authorization: Option<MetadataValue<Ascii>>,
    followed: OnceLock<MetadataValue<Ascii>>,
    current: Mutex<Current>,
}

#[derive(Default)]
struct Current {
    /// Which endpoint is tried next.
    index: usize,
    channel: Option<Channel>,
    has_answered: bool,
}

impl Cluster {
    /// The cluster that the settings name; nothing is connected yet.
    pub(crate) fn new(settings: &Settings) -> Result<Self, Failure> {
        let authorization = authorization(settings.token()?.as_ref())?;
        let (endpoints, current) = (settings.coordinators()?, Mutex::default());
        Ok(Self { endpoints, authorization, followed: OnceLock::new(), current })
    }

    /// From now on, requests stand in the trace of this job.
    pub(crate) fn follow(&self, job: JobId) {
        let trace = job.trace();
        let header = Traceparent { trace, parent: trace.root(), sampled: true }.to_string();
        if let Ok(header) = header.parse() {
            // Only the first job is followed: a command works on one.
            let _ = self.followed.set(header);
        }
    }

    fn headers(&self) -> Headers {
        Headers { authorization: self.authorization.clone(), traceparent: self.followed.get().cloned() }
    }

    /// A line to a coordinator that can be reached.
    pub(crate) async fn line(&self) -> Result<Line, Failure> {
        let mut current = self.current.lock().await;
        if let Some(channel) = &current.channel {
            return Ok(InterceptedService::new(channel.clone(), self.headers()));
        }
        let mut failure = Failure::Setting("coordinator_url names no address".into());
        for _ in &self.endpoints {
            let endpoint = &self.endpoints[current.index % self.endpoints.len()];
            match endpoint.connect().await {
                Ok(channel) => {
                    current.channel = Some(channel.clone());
                    return Ok(InterceptedService::new(channel, self.headers()));
                }
                Err(error) => {
                    let address = endpoint.uri().to_string();
                    failure = Failure::ServiceUnreachable { address, why: with_causes(&error) };
                    current.index += 1;
                }
            }
        }
        Err(failure)
    }

    /// Leaves the coordinator that stopped answering; the next line leads to another, if there is one.
    pub(crate) async fn hang_up(&self) {
        let mut current = self.current.lock().await;
        current.channel = None;
        current.index += 1;
    }

    /// The answer to a request that may be made more than once. Once a coordinator has answered, one that goes away is
    /// waited for.
    pub(crate) async fn ask<R, T, F>(&self, request: R, call: impl Fn(Line, R) -> F) -> Result<T, Failure>
    where
        R: Clone,
        F: Future<Output = Result<Response<T>, Status>>,
    {
        let start = Instant::now();
        loop {
            let failure = match self.line().await {
                Ok(line) => match tokio::time::timeout(ANSWER_WAIT, call(line, request.clone())).await {
                    Ok(Ok(answer)) => {
                        self.current.lock().await.has_answered = true;
                        return Ok(answer.into_inner());
                    }
                    Ok(Err(status)) if !is_away(&status) => return Err(status.into()),
                    Ok(Err(status)) => status.into(),
                    Err(_) => away("no answer within three minutes"),
                },
                Err(failure) => failure,
            };
            self.hang_up().await;
            if start.elapsed() >= AWAY_MAX || !self.current.lock().await.has_answered {
                return Err(failure);
            }
            tokio::time::sleep(RETRY_WAIT).await;
        }
    }
}

/// Whether a status means that nobody answered, as opposed to an answer that is an error.
pub(crate) fn is_away(status: &Status) -> bool {
    status.code() == Code::Unavailable || status.source().is_some()
}

fn away(why: &str) -> Failure {
    Failure::ServiceUnreachable { address: "the coordinator".into(), why: why.into() }
}

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        let message = status.message().to_owned();
        if is_away(&status) {
            return away(if message.is_empty() { "it went away" } else { &message });
        }
        match status.code() {
            Code::NotFound => Self::NotFound(message),
            Code::InvalidArgument | Code::OutOfRange => Self::RequestInvalid(message),
            Code::FailedPrecondition | Code::AlreadyExists | Code::Aborted => Self::RequestRefused(message),
            Code::Unauthenticated | Code::PermissionDenied => Self::NotPermitted(message),
            Code::ResourceExhausted => Self::LimitReached(message),
            Code::DeadlineExceeded => away(&message),
            Code::Unimplemented => {
                Self::CoordinatorFailed("it does not know this request: it is of another version".into())
            }
            code => Self::CoordinatorFailed(format!("{message} ({code:?})")),
        }
    }
}

/// An error with its causes: the outer one alone says "transport error".
fn with_causes(error: &dyn Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| (*cause).source());
    let mut parts = vec![error.to_string()];
    for cause in causes.map(ToString::to_string) {
        if parts.last() != Some(&cause) {
            parts.push(cause);
        }
    }
    parts.join(": ")
}

/// Asks about jobs.
pub(crate) fn jobs(line: Line) -> JobsClient<Line> {
    JobsClient::new(line)
        .max_decoding_message_size(MESSAGE_BYTES_MAX)
        .max_encoding_message_size(MESSAGE_BYTES_MAX)
}

/// Asks about workers.
pub(crate) fn workers(line: Line) -> WorkersClient<Line> {
    WorkersClient::new(line).max_decoding_message_size(MESSAGE_BYTES_MAX)
}

/// Uploads sources.
pub(crate) fn sources(line: Line) -> SourcesClient<Line> {
    SourcesClient::new(line)
        .max_decoding_message_size(MESSAGE_BYTES_MAX)
        .max_encoding_message_size(MESSAGE_BYTES_MAX)
}

/// Fetches what was delivered.
pub(crate) fn artifacts(line: Line) -> ArtifactsClient<Line> {
    ArtifactsClient::new(line).max_decoding_message_size(MESSAGE_BYTES_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Exit;

    #[tokio::test]
    async fn a_cluster_that_is_not_there_is_said_at_once() {
        let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let settings = Settings { coordinator_url: format!("http://{nobody}"), ..Settings::default() };
        let cluster = Cluster::new(&settings).unwrap();
        let request = pagemill_proto::v1::QueueRequest {};
        let asked = cluster.ask(request, |line, request| async move { workers(line).queue(request).await });
        let failure = asked.await.unwrap_err();
        assert_eq!((failure.exit(), failure.code()), (Exit::Unreachable, "service_unreachable"));
        assert!(failure.to_string().contains(&nobody.to_string()), "{failure}");
    }

    #[test]
    fn each_status_becomes_an_error_of_its_own() {
        for (status, code, exit) in [
            (Status::not_found("job 7"), "not_found", Exit::Usage),
            (Status::invalid_argument("key"), "request_invalid", Exit::Usage),
            (Status::failed_precondition("job 7 is closed"), "request_refused", Exit::Usage),
            (Status::permission_denied("no"), "not_permitted", Exit::Usage),
            (Status::resource_exhausted("limit"), "limit_reached", Exit::Internal),
            (Status::unavailable("down"), "service_unreachable", Exit::Unreachable),
            (Status::internal("oh"), "coordinator_failed", Exit::Internal),
            (Status::unimplemented(""), "coordinator_failed", Exit::Internal),
        ] {
            let failure = Failure::from(status);
            assert_eq!((failure.code(), failure.exit()), (code, exit));
        }
    }

    #[test]
    fn a_token_is_sent_as_bearer_and_marked_sensitive() {
        let value = authorization(Some(&Secret::new("abc".into()))).unwrap().unwrap();
        assert_eq!(value.to_str().unwrap(), "Bearer abc");
        assert!(value.is_sensitive());
    }
}
