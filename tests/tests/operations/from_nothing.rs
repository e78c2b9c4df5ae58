//! The way from nothing to a secured cluster, as `docs/operating.md` tells it: every command, as it stands there.

use std::fs;
use std::process::Command;

use pagemill_test_services::{Place, free_port, shared};
use pagemill_tests::page::commands;
use pagemill_tests::scans::strips;
use pagemill_tests::{finish, program, root};

/// Longest run of all commands, in seconds, on a busy machine.
const SECONDS_MAX: &str = "300";

/// What an admin would see: where a command fails, all ends there, and what was started ends with it.
const BEFORE: &str =
    "set -euo pipefail\ntrap 'kill $(jobs -p) 2>/dev/null || true; tail -n 5 *.log >&2 || true' EXIT\n";

#[test]
fn every_command_from_nothing_to_a_secured_cluster_does_what_the_page_says() {
    let (place, postgres, rabbitmq) = (Place::new("from-nothing"), shared::postgres(), shared::rabbitmq());
    fs::create_dir(place.join("scans")).unwrap();
    for (name, scan) in strips(1) {
        fs::write(place.join("scans").join(name), scan).unwrap();
    }
    let mut script = commands("On machines of your own, from nothing to scaled and secured").join("\n");
    let ports = [("5432", postgres.port()), ("5672", rabbitmq.port())];
    let own = ["7070", "7071", "7072", "7073"].map(|port| (port, free_port()));
    for (port, ours) in ports.into_iter().chain(own) {
        assert!(script.contains(&format!(":{port}")), "{port}");
        script = script.replace(&format!(":{port}"), &format!(":{ours}"));
    }

    let path = format!("{}:{}", program().parent().unwrap().display(), std::env::var("PATH").unwrap());
    let mut bash = Command::new("timeout");
    bash.args(["-k", "5", SECONDS_MAX, "bash", "-c", &(BEFORE.to_owned() + &script)]);
    rabbitmq.reach(&mut bash, &path);
    bash.current_dir(place.path()).env("SOURCE", root());
    bash.envs([("PGHOST", "127.0.0.1"), ("PGPORT", &postgres.port().to_string()), ("PGUSER", "postgres")]);
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("PAGEMILL_")) {
        bash.env_remove(name);
    }
    let told = finish(&mut bash).expect_exit(0);
    for part in ["SUCCESS: prometheus.yaml", "the ledgers of 2 jobs balance", "second"] {
        assert!(told.stdout.contains(part), "{part}: {}{}", told.stdout, told.stderr);
    }
    let read = |name: &str| fs::read(place.join(name)).unwrap();
    assert_eq!(read("out/1.pdf"), read("again/1.pdf"));
    let audit = String::from_utf8(read("pagemill/audit.jsonl")).unwrap();
    assert!(audit.contains("\"caller\":\"operator\"") && audit.contains("\"caller\":\"admin\""), "{audit}");
}
