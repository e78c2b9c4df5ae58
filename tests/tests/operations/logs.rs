//! The logs of coordinator and worker as objects: a page is found in them by its job, and followed by its trace.

use std::collections::BTreeSet;
use std::process::Command;

use pagemill_domain::ids::JobId;
use pagemill_test_services::{Daemon, Place, free_port};
use pagemill_tests::cluster::{Services, coordinator_command, worker_command};
use pagemill_tests::scans::strips;
use pagemill_tests::{Workplace, finish, pagemill};
use serde_json::Value;

use crate::PATIENCE;

/// All that a program said; fails unless each line is an object that says when, how grave and what.
fn lines(log: &str) -> Vec<Value> {
    let parse = |line: &str| {
        serde_json::from_str::<Value>(line).unwrap_or_else(|error| panic!("{error}: {line:?} in {log}"))
    };
    let lines: Vec<_> = log.lines().map(parse).collect();
    for line in &lines {
        let says = |key: &str| line[key].as_str().is_some_and(|value| !value.is_empty());
        assert!(says("timestamp") && says("level") && says("message"), "{line}");
    }
    lines
}

#[test]
fn each_line_is_an_object_and_those_of_a_pages_way_say_whose_they_are() {
    let (services, place, port) = (Services::shared(), Place::new("logs"), free_port());
    let url = format!("http://127.0.0.1:{port}");
    let start = |name: &str, mut command: Command| {
        command.env("PAGEMILL_LOG", "info,pagemill_worker=debug,pagemill_coordinator=debug");
        command.env("PAGEMILL_LOG_FORMAT", "json");
        Daemon::start(name, &place.join(&format!("{name}.log")), &command)
    };
    let coordinator = start("coordinator", coordinator_command(&services, &place, port, free_port()));
    let worker = start("worker", worker_command(&services, &place, &url, "reader", free_port()));
    let client = |arguments: &[&str]| {
        let mut command = pagemill(arguments);
        command.env("PAGEMILL_COORDINATOR_URL", &url);
        command
    };
    coordinator.wait_ready(PATIENCE, || finish(&mut client(&["queue"])).exit == 0);
    let workplace = Workplace::with(strips(1).iter().map(|(name, scan)| (name.as_str(), scan.clone())));
    let mut submit = client(&["submit", "--wait", "--formats", "txt"]);
    finish(submit.arg(workplace.scans()).arg("-o").arg(workplace.out())).expect_exit(0);
    for daemon in [&worker, &coordinator] {
        assert_eq!(daemon.terminate(PATIENCE).code(), Some(0), "{}", daemon.log_tail());
    }

    let job = JobId(1);
    let trace = Value::from(job.trace().to_string());
    let [of_coordinator, of_worker] = [&coordinator, &worker].map(|daemon| lines(&daemon.log()));
    let said = |lines: &[Value], message: &str| {
        let found: Vec<_> = lines.iter().filter(|line| line["message"] == message).cloned().collect();
        for line in &found {
            assert_eq!((&line["job"], &line["trace"]), (&job.0.into(), &trace), "{line}");
        }
        found
    };
    // Three shards go all the way: to inspect, to read, to assemble. On a busy machine one may go twice.
    let way = [
        said(&of_coordinator, "sent"),
        said(&of_worker, "begun"),
        said(&of_worker, "reported"),
        said(&of_coordinator, "answered"),
    ];
    for lines in &way {
        let shards: BTreeSet<_> = lines.iter().map(|line| line["shard"].as_i64().unwrap()).collect();
        assert_eq!(shards.len(), 3, "{lines:?}");
        assert!(lines.iter().all(|line| line["attempt"].as_i64() >= Some(1)), "{lines:?}");
    }
    let pages = said(&of_worker, "looked at");
    assert!(!pages.is_empty(), "{of_worker:?}");
    let reading = Value::from("recognise");
    let sent = way[0].iter().find(|line| line["stage"] == reading).unwrap();
    for page in pages {
        assert_eq!((&page["worker"], &page["stage"]), (&"reader".into(), &reading), "{page}");
        assert_eq!((&page["source"], &page["page"]), (&1.into(), &1.into()), "{page}");
        assert_eq!(page["shard"], sent["shard"], "{page}");
        assert!(page["attempt"].is_i64() && page["cpu_ms"].is_i64(), "{page}");
    }
    assert_eq!(said(&of_coordinator, "closed").len(), 1);
}

#[test]
fn the_end_of_a_service_that_can_not_serve_is_an_object_too() {
    let place = Place::new("no-blobs");
    for role in ["coordinator", "worker"] {
        let mut command = pagemill(&[role]);
        command.current_dir(place.path()).env("PAGEMILL_LOG_FORMAT", "json");
        command.env("PAGEMILL_QUEUE_URL", "amqp://127.0.0.1:1").env("PAGEMILL_STORE_URL", "sqlite:state.db");
        command.env("PAGEMILL_BLOBS_URL", "file:missing").env("PAGEMILL_CACHE_DIR", place.join("cache"));
        let ended = finish(&mut command).expect_exit(2);
        let last = lines(&ended.stderr).pop().unwrap();
        assert_eq!((&last["level"], &last["code"]), (&"ERROR".into(), &"setting_invalid".into()), "{last}");
        assert!(
            last["message"].as_str().unwrap().contains("missing") && last["remedy"].is_string(),
            "{last}"
        );
    }
}
