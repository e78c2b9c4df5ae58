//! A rolling upgrade under load: coordinators, then workers, one after the other; nothing is lost.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::{Stream, StreamExt};
use pagemill_proto::PROTOCOL_VERSION;
use pagemill_proto::v1::session_request::Part;
use pagemill_proto::v1::workers_client::WorkersClient;
use pagemill_proto::v1::workers_server::{Workers, WorkersServer};
use pagemill_proto::v1::{
    CordonRequest, DrainRequest, Hello, ListWorkersRequest, ListWorkersResponse, QueueRequest, QueueResponse,
    SessionRequest, SessionResponse, Worker,
};
use pagemill_test_services::{free_port, wait_until};
use pagemill_tests::cluster::{Cluster, Services};
use tonic::{Request, Response, Status, Streaming, async_trait};

use crate::{BASELINE, FLAGS, PATIENCE};

/// Stands between workers and coordinators and changes what a worker says of itself: a build of another version.
struct OtherBuild {
    coordinators: String,
    change: fn(&mut Hello),
}

impl OtherBuild {
    /// Returns where workers find it; it serves until the test process ends.
    fn start(coordinators: String, change: fn(&mut Hello)) -> String {
        let address = std::net::SocketAddr::from(([127, 0, 0, 1], free_port()));
        let service = WorkersServer::new(Self { coordinators, change });
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime
                .block_on(tonic::transport::Server::builder().add_service(service).serve(address))
                .unwrap();
        });
        format!("http://{address}")
    }
}

#[async_trait]
impl Workers for OtherBuild {
    type SessionStream = Pin<Box<dyn Stream<Item = Result<SessionResponse, Status>> + Send>>;

    async fn session(
        &self,
        request: Request<Streaming<SessionRequest>>,
    ) -> Result<Response<Self::SessionStream>, Status> {
        let unavailable = |error: tonic::transport::Error| Status::unavailable(error.to_string());
        let mut coordinator = WorkersClient::connect(self.coordinators.clone()).await.map_err(unavailable)?;
        let change = self.change;
        let said = request.into_inner().filter_map(|said| std::future::ready(said.ok()));
        let said = said.map(move |mut said| {
            if let Some(Part::Hello(hello)) = &mut said.part {
                change(hello);
            }
            said
        });
        let heard = coordinator.session(said).await?.into_inner();
        Ok(Response::new(Box::pin(heard)))
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

/// Replaces everything: coordinators first, then each worker, once its successor works.
fn upgrade(cluster: &mut Cluster<'_>, successors: &str) {
    for coordinator in &cluster.coordinators {
        assert_eq!(coordinator.daemon.terminate(PATIENCE).code(), Some(0));
        coordinator.restart();
    }
    for old in 0..2 {
        let new = cluster.add_worker_in(&[], |command| {
            command.env("PAGEMILL_COORDINATOR_URL", successors);
        });
        let slots = "pagemill_worker_slots{state=\"busy\"}";
        wait_until("the new worker works", PATIENCE, || new.figure(slots).is_some_and(|busy| busy > 0.0));
        assert_eq!(cluster.workers[old].daemon.terminate(PATIENCE).code(), Some(0));
    }
}

#[test]
fn a_rolling_upgrade_under_load_loses_nothing_and_a_worker_that_does_not_fit_is_told_why() {
    let mut cluster = Cluster::start(Services::shared(), 2, 2);
    let fits = OtherBuild::start(cluster.url(), |hello| hello.version = "0.2.0".into());
    let too_new = OtherBuild::start(cluster.url(), |hello| {
        (hello.version, hello.protocol_version) = ("9.0.0".into(), PROTOCOL_VERSION + 1);
    });
    // Jobs follow each other for as long as the upgrade takes: each worker is replaced at work.
    let (upgraded, url) = (AtomicBool::new(false), cluster.url());
    std::thread::scope(|scope| {
        let load = scope.spawn(|| {
            let (mut jobs, mut is_last) = (0, false);
            while !is_last {
                is_last = upgraded.load(Ordering::Relaxed);
                jobs += 1;
                let workplace = BASELINE.scans();
                let mut submit = pagemill_tests::pagemill(&["submit"]);
                submit.arg(workplace.scans()).args(["--key", &format!("load-{jobs}"), "--wait", "-o"]);
                submit.arg(workplace.out()).args(FLAGS).env("PAGEMILL_COORDINATOR_URL", &url);
                pagemill_tests::finish(&mut submit).expect_exit(0);
                let run = BASELINE.assert_same(&workplace);
                assert_eq!((&run["losses"], &run["faults"]), (&0.into(), &0.into()), "{run}");
            }
            jobs
        });
        upgrade(&mut cluster, &fits);
        upgraded.store(true, Ordering::Relaxed);
        println!("{} jobs", load.join().unwrap());
    });
    let listed = cluster.client(&["workers", "--json"]).expect_exit(0).stdout;
    assert!(listed.contains("\"0.2.0\""), "{listed}");

    let refused = cluster.add_worker_in(&[], |command| {
        command.env("PAGEMILL_COORDINATOR_URL", &too_new);
    });
    wait_until("the worker that does not fit ends", Duration::from_mins(1), || !refused.daemon.is_running());
    let said = refused.daemon.log();
    for part in ["speaks protocol version 2", "speaks 1 to 1", "upgrade coordinators first", "worker_refused"]
    {
        assert!(said.contains(part), "{part}: {said}");
    }
}
