//! A cluster of real parts on this machine: coordinators behind a balancer, workers, and the services they need.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use pagemill_test_services::{Daemon, Place, Postgres, RabbitMq, S3, free_port, request, shared, wait_until};

use crate::balancer::Balancer;
use crate::{Finished, Workplace, finish, pagemill};

/// Longest wait for a coordinator or a worker to be ready, on a busy machine.
const READY_PATIENCE: Duration = Duration::from_secs(90);

/// Longest wait for a job of a few pages, faults and leases included.
pub const JOB_PATIENCE: Duration = Duration::from_mins(4);

/// Name of the folder below which sources may be referred to.
const SOURCE_ROOT: &str = "sources";

/// The services of a cluster, and its own corner of each.
pub struct Services<'a> {
    /// The broker.
    pub rabbitmq: &'a RabbitMq,
    /// The database server.
    pub postgres: &'a Postgres,
    /// The S3 server.
    pub s3: &'a S3,
    /// The coordinators' queue.
    pub queue_url: String,
    /// The workers' queue: the same, unless a test stands between them.
    pub worker_queue_url: String,
    /// The coordinators' database.
    pub store_url: String,
    /// Everybody's bucket.
    pub blobs_url: String,
}

impl<'a> Services<'a> {
    /// A fresh virtual host, database and bucket of these.
    pub fn of(rabbitmq: &'a RabbitMq, postgres: &'a Postgres, s3: &'a S3) -> Self {
        let queue_url = rabbitmq.fresh_url();
        Self {
            rabbitmq,
            postgres,
            s3,
            worker_queue_url: queue_url.clone(),
            queue_url,
            store_url: postgres.fresh_url(),
            blobs_url: s3.fresh_bucket_url(),
        }
    }
}

impl Services<'static> {
    /// A fresh virtual host, database and bucket of the services that all tests of this process share.
    pub fn shared() -> Self {
        // Side by side: a test of its own needs all three.
        std::thread::scope(|scope| {
            scope.spawn(shared::postgres);
            scope.spawn(shared::s3);
            shared::rabbitmq();
        });
        Self::of(shared::rabbitmq(), shared::postgres(), shared::s3())
    }
}

/// A running cluster. Everything that it started dies with it.
pub struct Cluster<'a> {
    /// What it stands on.
    pub services: Services<'a>,
    /// Its coordinators.
    pub coordinators: Vec<Coordinator>,
    /// Its workers.
    pub workers: Vec<Worker>,
    balancer: Balancer,
    place: Place,
}

/// One coordinator.
pub struct Coordinator {
    /// The running program.
    pub daemon: Daemon,
    command: Command,
    grpc_port: u16,
    http_port: u16,
}

/// One worker.
pub struct Worker {
    /// The running program.
    pub daemon: Daemon,
    command: Command,
    /// Its name.
    pub name: String,
    http_port: u16,
}

impl<'a> Cluster<'a> {
    /// Starts as many coordinators and workers, each worker with one slot.
    pub fn start(services: Services<'a>, coordinators: u16, workers: u16) -> Self {
        let place = Place::new("cluster");
        fs::create_dir(place.join(SOURCE_ROOT)).unwrap();
        let coordinators: Vec<_> =
            (1..=coordinators).map(|number| Coordinator::start(&services, &place, number)).collect();
        let backends = coordinators.iter().map(Coordinator::grpc_address).collect();
        let balancer = Balancer::start("127.0.0.1:0", backends);
        let mut cluster = Self { services, coordinators, workers: Vec::new(), balancer, place };
        for coordinator in &cluster.coordinators {
            coordinator.wait_ready();
        }
        for _ in 0..workers {
            cluster.add_worker();
        }
        cluster
    }

    /// Starts one more worker and waits until it is ready.
    pub fn add_worker(&mut self) -> &Worker {
        let worker = self.add_worker_in(&[], |_| ());
        worker.wait_ready();
        worker
    }

    /// Starts one more worker inside `wrapper`, a command that becomes what its further arguments say, with its settings
    /// changed. Does not wait: it may be out of reach.
    pub fn add_worker_in(&mut self, wrapper: &[&str], change: impl FnOnce(&mut Command)) -> &Worker {
        let (name, http_port) = (format!("worker-{}", self.workers.len() + 1), free_port());
        let command = worker_command(&self.services, &self.place, &self.url(), &name, http_port);
        let mut command = wrapped(wrapper, &command);
        command.current_dir(self.place.path());
        change(&mut command);
        let daemon = Daemon::start(&name, &self.place.join(&format!("{name}.log")), &command);
        self.workers.push(Worker { daemon, command, name, http_port });
        self.workers.last().unwrap()
    }

    /// The folder whose files everybody may refer to.
    pub fn source_root(&self) -> PathBuf {
        self.place.join(SOURCE_ROOT)
    }

    /// Where clients and workers find the coordinators.
    pub fn url(&self) -> String {
        format!("http://{}", self.balancer.address())
    }

    /// A client's command, not yet started.
    pub fn client_command(&self, arguments: &[&str]) -> Command {
        let mut command = pagemill(arguments);
        command.env("PAGEMILL_COORDINATOR_URL", self.url());
        command
    }

    /// Runs a client's command to its end.
    pub fn client(&self, arguments: &[&str]) -> Finished {
        finish(&mut self.client_command(arguments))
    }

    /// Starts `pagemill submit SCANS --key KEY --wait -o OUT` with more flags.
    pub fn submit(&self, workplace: &Workplace, key: &str, flags: &[&str]) -> Submission {
        let mut command = self.client_command(&["submit"]);
        command.arg(workplace.scans()).args(["--key", key, "--wait", "-o"]).arg(workplace.out());
        let child = command.args(flags).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        Submission { child: Some(child) }
    }

    /// Which of the coordinators leads, as it says itself; `None` where none does at present.
    pub fn leader(&self) -> Option<usize> {
        let leads = |coordinator: &Coordinator| coordinator.figure("pagemill_leader") == Some(1.0);
        self.coordinators.iter().position(leads)
    }

    /// Waits until a coordinator leads, one of those that are not `except`.
    pub fn wait_for_leader(&self, except: Option<usize>, patience: Duration) -> usize {
        let mut leader = None;
        wait_until("a coordinator leads", patience, || {
            let mut others = (0..self.coordinators.len()).filter(|number| Some(*number) != except);
            leader = others.find(|number| self.coordinators[*number].figure("pagemill_leader") == Some(1.0));
            leader.is_some()
        });
        leader.unwrap()
    }

    /// Over all coordinators, the sum of the samples whose name and labels begin so.
    pub fn sum(&self, name: &str) -> f64 {
        let all = self.coordinators.iter().filter_map(|coordinator| figures(coordinator.http_port));
        all.flatten().filter(|(sample, _)| sample.starts_with(name)).map(|(_, value)| value).sum()
    }

    /// The last lines of everybody's logs, for the message of a failure.
    pub fn logs(&self) -> String {
        let coordinators = self.coordinators.iter().map(|coordinator| &coordinator.daemon);
        let daemons = coordinators.chain(self.workers.iter().map(|worker| &worker.daemon));
        let tails = daemons.map(|daemon| format!("--- {}\n{}", daemon.name(), daemon.log_tail()));
        tails.collect::<Vec<_>>().join("\n")
    }
}

impl Coordinator {
    fn start(services: &Services<'_>, place: &Place, number: u16) -> Self {
        let (grpc_port, http_port) = (free_port(), free_port());
        let command = coordinator_command(services, place, grpc_port, http_port);
        let name = format!("coordinator-{number}");
        let daemon = Daemon::start(&name, &place.join(&format!("{name}.log")), &command);
        Self { daemon, command, grpc_port, http_port }
    }

    /// Starts it again after a kill and waits until it serves.
    pub fn restart(&self) {
        self.daemon.start_again(&self.command);
        self.wait_ready();
    }

    /// Where it serves gRPC, without the balancer.
    pub fn grpc_address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.grpc_port))
    }

    /// The same as a URL.
    pub fn grpc_url(&self) -> String {
        format!("http://{}", self.grpc_address())
    }

    /// Where its figures are.
    pub fn metrics_url(&self) -> String {
        format!("http://127.0.0.1:{}/metrics", self.http_port)
    }

    /// A figure of its `/metrics`, without labels; `None` where it does not answer or has none.
    pub fn figure(&self, name: &str) -> Option<f64> {
        figures(self.http_port)?.get(name).copied()
    }

    fn wait_ready(&self) {
        self.daemon.wait_ready(READY_PATIENCE, || is_ready(self.http_port));
    }
}

impl Worker {
    /// Starts it again after a kill and waits until it is ready.
    pub fn restart(&self) {
        self.daemon.start_again(&self.command);
        self.wait_ready();
    }

    /// Where its figures are.
    pub fn metrics_url(&self) -> String {
        format!("http://127.0.0.1:{}/metrics", self.http_port)
    }

    /// A figure of its `/metrics`, with its labels as they stand there.
    pub fn figure(&self, name: &str) -> Option<f64> {
        figures(self.http_port)?.get(name).copied()
    }

    /// The recognition processes that it has at present.
    pub fn children(&self) -> Vec<u32> {
        let pid = self.daemon.pid().to_string();
        let listed = finish(Command::new("ps").args(["-o", "pid=", "--ppid", &pid]));
        listed.stdout.split_whitespace().map(|pid| pid.parse().unwrap()).collect()
    }

    /// Waits until it is ready.
    pub fn wait_ready(&self) {
        self.daemon.wait_ready(READY_PATIENCE, || is_ready(self.http_port));
    }
}

/// `pagemill coordinator` on these services, not yet started.
pub fn coordinator_command(
    services: &Services<'_>,
    place: &Place,
    grpc_port: u16,
    http_port: u16,
) -> Command {
    let mut command = pagemill(&["coordinator"]);
    command
        .current_dir(place.path())
        .envs(services.s3.env())
        .env("PAGEMILL_QUEUE_URL", &services.queue_url)
        .env("PAGEMILL_STORE_URL", &services.store_url)
        .env("PAGEMILL_BLOBS_URL", &services.blobs_url)
        .env("PAGEMILL_SOURCE_ROOTS", place.join(SOURCE_ROOT))
        .env("PAGEMILL_GRPC_LISTEN", format!("127.0.0.1:{grpc_port}"))
        .env("PAGEMILL_HTTP_LISTEN", format!("127.0.0.1:{http_port}"))
        .env("PAGEMILL_LOG", "info");
    command
}

/// `pagemill worker` with one slot on these services, not yet started.
pub fn worker_command(
    services: &Services<'_>,
    place: &Place,
    coordinator_url: &str,
    name: &str,
    http_port: u16,
) -> Command {
    let mut command = pagemill(&["worker"]);
    command
        .current_dir(place.path())
        .envs(services.s3.env())
        .env("PAGEMILL_QUEUE_URL", &services.worker_queue_url)
        .env("PAGEMILL_BLOBS_URL", &services.blobs_url)
        .env("PAGEMILL_SOURCE_ROOTS", place.join(SOURCE_ROOT))
        .env("PAGEMILL_COORDINATOR_URL", coordinator_url)
        .env("PAGEMILL_HTTP_LISTEN", format!("127.0.0.1:{http_port}"))
        .env("PAGEMILL_WORKER_NAME", name)
        .env("PAGEMILL_WORKER_SLOTS", "1")
        .env("PAGEMILL_CACHE_DIR", place.join(&format!("{name}.cache")))
        .env("PAGEMILL_LOG", "info");
    command
}

/// A `pagemill submit --wait` on its way.
pub struct Submission {
    child: Option<Child>,
}

impl Submission {
    /// Waits for its end; panics after [`JOB_PATIENCE`], with the cluster's logs.
    pub fn finish(mut self, cluster: &Cluster<'_>) -> Finished {
        let mut child = self.child.take().unwrap();
        let deadline = Instant::now() + JOB_PATIENCE;
        while child.try_wait().unwrap().is_none() {
            if Instant::now() > deadline {
                child.kill().unwrap();
                let output = child.wait_with_output().unwrap();
                let said = String::from_utf8_lossy(&output.stderr);
                panic!("the job does not end within {JOB_PATIENCE:?}: {said}\n{}", cluster.logs());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Finished::of(child.wait_with_output().unwrap())
    }
}

impl Drop for Submission {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// `wrapper… program arguments…`, with the environment of `command`.
fn wrapped(wrapper: &[&str], command: &Command) -> Command {
    let whole = wrapper.iter().map(OsStr::new).chain([command.get_program()]).chain(command.get_args());
    let mut words = whole.map(OsStr::to_owned);
    let mut outer = Command::new(words.next().unwrap());
    outer.args(words);
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => outer.env(name, value),
            None => outer.env_remove(name),
        };
    }
    outer
}

fn is_ready(http_port: u16) -> bool {
    request(http_port, "GET", "/readyz", None, "").is_ok_and(|answer| answer.status == 200)
}

/// What `/metrics` says: each sample by its name and labels.
fn figures(http_port: u16) -> Option<BTreeMap<String, f64>> {
    let answer = request(http_port, "GET", "/metrics", None, "").ok()?;
    let samples = answer.body.lines().filter(|line| !line.starts_with('#'));
    let parsed = samples.filter_map(|line| {
        let (name, value) = line.rsplit_once(' ')?;
        Some((name.to_owned(), value.parse().ok()?))
    });
    Some(parsed.collect())
}
