//! The program built with its feature `otel`: the spans of a job reach a collector, under one trace from the client to the
//! page; and a collector that is away changes nothing.
#![allow(clippy::unwrap_used, reason = "a test that meets the unexpected fails")]

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pagemill_domain::ids::JobId;
use pagemill_proto::otlp::any_value::Value;
use pagemill_proto::otlp::trace_service_server::{TraceService, TraceServiceServer};
use pagemill_proto::otlp::{ExportTraceServiceRequest, ExportTraceServiceResponse, KeyValue, Span};
use pagemill_test_services::{Daemon, Place, free_port, wait_until};
use pagemill_tests::cluster::{Services, coordinator_command, worker_command};
use pagemill_tests::scans::strips;
use pagemill_tests::{Workplace, finish, pagemill};
use tonic::{Request, Response, Status, async_trait};

/// Longest wait for something that takes a moment, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(90);

/// What a program says, once, whose collector is away.
const AWAY: &str = "no collector takes spans";

/// A program does not wait for one when it ends; a coordinator has ten seconds for requests in hand.
const ENDS_WITHIN: Duration = Duration::from_secs(20);

/// What the collector asks for, and nobody else is to see.
const TOKEN: &str = "s3cret-of-the-collector";

/// A collector that keeps what it is sent: service and span.
#[derive(Clone, Default)]
struct Collector(Arc<Mutex<Vec<(String, Span)>>>);

impl Collector {
    /// Returns where it listens; it does until the test process ends.
    fn start(&self) -> String {
        let address = std::net::SocketAddr::from(([127, 0, 0, 1], free_port()));
        let service = TraceServiceServer::new(self.clone());
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let server = tonic::transport::Server::builder().add_service(service);
            runtime.block_on(server.serve(address)).unwrap();
        });
        format!("http://{address}")
    }

    fn spans(&self) -> Vec<(String, Span)> {
        self.0.lock().unwrap().clone()
    }
}

#[async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let shown = request.metadata().get("authorization");
        if shown.is_none_or(|shown| shown != format!("Bearer {TOKEN}").as_str()) {
            return Err(Status::unauthenticated("no token"));
        }
        for of_program in request.into_inner().resource_spans {
            let service = text(&of_program.resource.unwrap().attributes, "service.name").unwrap();
            let spans = of_program.scope_spans.into_iter().flat_map(|scope| scope.spans);
            self.0.lock().unwrap().extend(spans.map(|span| (service.clone(), span)));
        }
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

fn text(attributes: &[KeyValue], key: &str) -> Option<String> {
    let attribute = attributes.iter().find(|attribute| attribute.key == key)?;
    match attribute.value.clone()?.value? {
        Value::StringValue(text) => Some(text),
        other => Some(format!("{other:?}")),
    }
}

/// Has a program send its spans there.
fn send_to(command: &mut Command, endpoint: &str) {
    command.env("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint);
    command.env("OTEL_EXPORTER_OTLP_HEADERS", format!("authorization=Bearer%20{TOKEN}"));
}

/// A coordinator and a worker that send spans there.
struct Traced {
    coordinator: Daemon,
    worker: Daemon,
    url: String,
    endpoint: String,
    _place: Place,
}

impl Traced {
    fn start(endpoint: String) -> Self {
        let (services, place, port) = (Services::shared(), Place::new("traced"), free_port());
        let url = format!("http://127.0.0.1:{port}");
        let start = |name: &str, mut command: Command| {
            send_to(&mut command, &endpoint);
            // Whatever a library says of what it sends.
            command.env("PAGEMILL_LOG", "info,tonic=trace,hyper=trace,h2=trace");
            Daemon::start(name, &place.join(&format!("{name}.log")), &command)
        };
        let coordinator = start("coordinator", coordinator_command(&services, &place, port, free_port()));
        let worker = start("worker", worker_command(&services, &place, &url, "worker", free_port()));
        let traced = Self { coordinator, worker, url, endpoint, _place: place };
        traced.coordinator.wait_ready(PATIENCE, || finish(&mut traced.client(&["queue"])).exit == 0);
        traced
    }

    fn client(&self, arguments: &[&str]) -> Command {
        let mut command = pagemill(arguments);
        command.env("PAGEMILL_COORDINATOR_URL", &self.url);
        send_to(&mut command, &self.endpoint);
        command
    }

    /// One page through the cluster.
    fn read_a_page(&self) {
        let workplace = Workplace::with(strips(1).iter().map(|(name, scan)| (name.as_str(), scan.clone())));
        let mut submit = self.client(&["submit", "--wait", "--formats", "txt"]);
        submit.arg(workplace.scans()).arg("-o").arg(workplace.out());
        finish(&mut submit).expect_exit(0);
    }
}

#[test]
fn a_page_is_followed_from_the_client_to_the_box_and_back() {
    let collector = Collector::default();
    let traced = Traced::start(collector.start());
    traced.read_a_page();
    // A program that ends sends what it has.
    for daemon in [&traced.worker, &traced.coordinator] {
        assert_eq!(daemon.terminate(PATIENCE).code(), Some(0), "{}", daemon.log_tail());
        assert!(!daemon.log().contains(TOKEN), "{}", daemon.log());
    }
    let trace = JobId(1).trace();
    let spans = collector.spans();
    assert!(spans.iter().all(|(_, span)| span.trace_id == trace.0.to_be_bytes()), "{spans:?}");

    let mut named = BTreeMap::<_, Vec<_>>::new();
    for (service, span) in &spans {
        let what = ["pagemill.rpc", "pagemill.stage"].iter().find_map(|key| text(&span.attributes, key));
        let name = format!("{service} {} {}", span.name, what.unwrap_or_default());
        named.entry(name.trim().to_owned()).or_default().push(span);
    }
    let one = |name: &str| {
        let found = named.get(name).unwrap_or_else(|| panic!("{name}: {:?}", named.keys()));
        assert_eq!(found.len(), 1, "{name}");
        found[0]
    };
    let job = one("pagemill-coordinator job");
    assert!(job.parent_span_id.is_empty());
    for below_job in [
        "pagemill submit",
        "pagemill-coordinator rpc Jobs/AddSources",
        "pagemill-coordinator rpc Jobs/Seal",
        "pagemill-coordinator dispatch recognise",
    ] {
        assert_eq!(one(below_job).parent_span_id, job.span_id, "{below_job}");
    }
    for stage in ["inspect", "recognise", "assemble"] {
        let dispatch = one(&format!("pagemill-coordinator dispatch {stage}"));
        let shard = one(&format!("pagemill-worker shard {stage}"));
        assert_eq!(shard.parent_span_id, dispatch.span_id, "{stage}");
        assert!(shard.end_time_unix_nano > shard.start_time_unix_nano);
    }
    let page = one("pagemill-worker page");
    assert_eq!(page.parent_span_id, one("pagemill-worker shard recognise").span_id);
    assert!(text(&page.attributes, "pagemill.page").unwrap().contains('1'), "{page:?}");
}

#[test]
fn without_a_collector_everything_goes_on_as_ever() {
    let traced = Traced::start(format!("http://127.0.0.1:{}", free_port()));
    traced.read_a_page();
    for daemon in [&traced.worker, &traced.coordinator] {
        wait_until("it says so", PATIENCE, || daemon.log().contains(AWAY));
        assert_eq!(daemon.terminate(ENDS_WITHIN).code(), Some(0), "{}", daemon.log_tail());
        assert_eq!(daemon.log().matches(AWAY).count(), 1, "{}", daemon.log());
    }
}
