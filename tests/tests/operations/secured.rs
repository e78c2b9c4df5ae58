//! The whole program locked down: TLS, certificates of workers, tokens, audit log; and certificates that are renewed while a
//! job runs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use pagemill_domain::hash::ContentHash;
use pagemill_test_services::{Authority, Daemon, Place, free_port, wait_until};
use pagemill_tests::cluster::{Services, coordinator_command, worker_command};
use pagemill_tests::{Finished, finish, pagemill};

use crate::{BASELINE, FLAGS, PATIENCE};

/// Who may call; each is named like its role.
const CALLERS: [&str; 3] = ["operator", "viewer", "worker"];

/// Longer than files are left unlooked at.
const FOLLOWED: std::time::Duration = std::time::Duration::from_millis(1_500);

/// A coordinator that lets in only whom it knows.
struct Secured {
    services: Services<'static>,
    coordinator: Daemon,
    command: Command,
    port: u16,
    place: Place,
}

impl Secured {
    fn start(authority: &Authority) -> Self {
        let (services, place) = (Services::shared(), Place::new("secured"));
        let line = |caller: &&str| {
            let hash = ContentHash::of(token(caller).as_bytes());
            format!(
                "[[token]]\nname = \"{caller}\"\ntenant = \"archive\"\nrole = \"{caller}\"\nsha256 = \"{hash}\"\n"
            )
        };
        place.write("tokens.toml", &CALLERS.iter().map(line).collect::<String>());
        authority.sign("server", place.path());
        authority.sign("worker", place.path());
        place.write("clients.crt", &authority.certificate());
        place.write("servers.crt", &authority.certificate());
        let port = free_port();
        let mut command = coordinator_command(&services, &place, port, free_port());
        command
            .env("PAGEMILL_TOKENS_FILE", place.join("tokens.toml"))
            .env("PAGEMILL_AUDIT_FILE", place.join("audit.jsonl"))
            .env("PAGEMILL_TLS_CERT_FILE", place.join("server.crt"))
            .env("PAGEMILL_TLS_KEY_FILE", place.join("server.key"))
            .env("PAGEMILL_TLS_CLIENT_CA_FILE", place.join("clients.crt"));
        let coordinator = Daemon::start("coordinator", &place.join("coordinator.log"), &command);
        let secured = Self { services, coordinator, command, port, place };
        secured.wait_ready();
        secured
    }

    fn wait_ready(&self) {
        self.coordinator.wait_ready(PATIENCE, || finish(&mut self.client("viewer", &["queue"])).exit == 0);
    }

    fn url(&self) -> String {
        format!("https://127.0.0.1:{}", self.port)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.place.join(name)
    }

    /// A client's command, not yet started.
    fn client(&self, caller: &str, arguments: &[&str]) -> Command {
        let mut command = pagemill(arguments);
        command
            .env("PAGEMILL_COORDINATOR_URL", self.url())
            .env("PAGEMILL_CA_FILE", self.file("servers.crt"))
            .env("PAGEMILL_TOKEN", token(caller));
        command
    }

    /// A worker with its token and its certificate, unless they are changed.
    fn worker(&self, name: &str, change: impl FnOnce(&mut Command)) -> Daemon {
        let mut command = worker_command(&self.services, &self.place, &self.url(), name, free_port());
        command
            .env("PAGEMILL_CA_FILE", self.file("servers.crt"))
            .env("PAGEMILL_TLS_CERT_FILE", self.file("worker.crt"))
            .env("PAGEMILL_TLS_KEY_FILE", self.file("worker.key"))
            .env("PAGEMILL_TOKEN", token("worker"));
        change(&mut command);
        Daemon::start(name, &self.place.join(&format!("{name}.log")), &command)
    }

    /// Why a worker is not let in.
    fn refusal(&self, name: &str, change: impl FnOnce(&mut Command)) -> String {
        let worker = self.worker(name, change);
        wait_until("the worker is refused", PATIENCE, || !worker.is_running());
        worker.log()
    }

    /// Replaces every certificate by one of another authority, the trust in both in between, as an admin does.
    fn renew(&self, old: &Authority, new: &Authority) {
        let both = old.certificate() + &new.certificate();
        for file in ["clients.crt", "servers.crt"] {
            self.place.write(file, &both);
        }
        std::thread::sleep(FOLLOWED);
        new.sign("server", self.place.path());
        new.sign("worker", self.place.path());
        std::thread::sleep(FOLLOWED);
        for file in ["clients.crt", "servers.crt"] {
            self.place.write(file, &new.certificate());
        }
        std::thread::sleep(FOLLOWED);
    }
}

fn token(caller: &str) -> String {
    format!("secret-of-{caller}")
}

fn expect_refusal(command: &mut Command, exit: i32, part: &str) {
    let Finished { stderr, .. } = finish(command).expect_exit(exit);
    assert!(stderr.contains(part), "{part}: {stderr}");
}

fn submit(secured: &Secured, caller: &str, scans: &Path, out: &Path, key: &str) -> Command {
    let mut command = secured.client(caller, &["submit"]);
    command.arg(scans).args(["--key", key, "--wait", "-o"]).arg(out).args(FLAGS);
    command
}

#[test]
fn a_cluster_that_is_locked_down_works_refuses_strangers_and_takes_new_certificates() {
    let (old, new) = (Authority::new(), Authority::new());
    let secured = Secured::start(&old);
    let worker = secured.worker("worker", |_| ());
    let workplace = BASELINE.scans();
    let mut job = submit(&secured, "operator", &workplace.scans(), &workplace.out(), "first");
    let mut job = job.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();

    // Strangers, of each kind.
    let elsewhere = Place::new("elsewhere");
    new.sign("stranger", elsewhere.path());
    let strange_ca = elsewhere.write("ca.crt", &new.certificate());
    let jobs = |change: fn(&mut Command, &Path)| {
        let mut command = secured.client("viewer", &["jobs"]);
        change(&mut command, &strange_ca);
        command
    };
    expect_refusal(
        &mut jobs(|command, ca| _ = command.env("PAGEMILL_CA_FILE", ca)),
        5,
        "service_unreachable",
    );
    let in_clear = secured.url().replace("https", "http");
    expect_refusal(secured.client("viewer", &["jobs"]).env("PAGEMILL_COORDINATOR_URL", in_clear), 5, "reach");
    expect_refusal(&mut jobs(|command, _| _ = command.env_remove("PAGEMILL_TOKEN")), 2, "a token is needed");
    expect_refusal(
        &mut jobs(|command, _| _ = command.env("PAGEMILL_TOKEN", "guess")),
        2,
        "a token is needed",
    );
    let (scans_of_viewer, out) = (workplace.scans(), elsewhere.join("out"));
    expect_refusal(&mut submit(&secured, "viewer", &scans_of_viewer, &out, "second"), 2, "not_permitted");
    expect_refusal(&mut secured.client("worker", &["jobs"]), 2, "not_permitted");
    let said = secured.refusal("uncertified", |command| {
        command.env_remove("PAGEMILL_TLS_CERT_FILE").env_remove("PAGEMILL_TLS_KEY_FILE");
    });
    assert!(said.contains("certificate") && said.contains("worker_refused"), "{said}");
    let said = secured.refusal("miscast", |command| _ = command.env("PAGEMILL_TOKEN", token("operator")));
    assert!(said.contains("worker_refused"), "{said}");

    // The coordinator takes the new pair while it runs; the worker shows its own when it next connects.
    secured.renew(&old, &new);
    finish(&mut secured.client("viewer", &["jobs"])).expect_exit(0);
    let old_ca = elsewhere.write("old.crt", &old.certificate());
    expect_refusal(secured.client("viewer", &["jobs"]).env("PAGEMILL_CA_FILE", old_ca), 5, "reach");
    secured.coordinator.terminate(PATIENCE);
    secured.coordinator.start_again(&secured.command);
    secured.wait_ready();

    // This client trusts what it read at its start; the same command goes on.
    job.kill().unwrap();
    job.wait().unwrap();
    finish(&mut submit(&secured, "operator", &workplace.scans(), &workplace.out(), "first")).expect_exit(0);
    BASELINE.assert_same(&workplace);
    let (again, out) = (BASELINE.scans(), elsewhere.join("again"));
    finish(&mut submit(&secured, "operator", &again.scans(), &out, "third")).expect_exit(0);
    assert!(worker.is_running(), "{}", worker.log_tail());
    let accepted = worker.log().matches("accepted by a coordinator").count();
    assert!(accepted >= 2, "{}", worker.log_tail());

    let audit = fs::read_to_string(secured.file("audit.jsonl")).unwrap();
    assert!(audit.contains("\"caller\":\"operator\"") && audit.contains("\"admitted\":false"), "{audit}");
    for log in [audit, secured.coordinator.log(), worker.log()] {
        assert!(!log.contains("secret-of-"), "a token is in a log: {log}");
    }
}
