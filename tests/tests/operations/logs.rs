//! The logs of coordinator and worker as objects: a page is found in them by its job, and followed by its trace.

use std::process::Command;

use pagemill_domain::ids::JobId;
use pagemill_test_services::{Daemon, Place, free_port};
use pagemill_tests::cluster::{Services, coordinator_command, worker_command};
use pagemill_tests::scans::strips;
use pagemill_tests::{Workplace, finish, pagemill};
use serde_json::Value;

use crate::PATIENCE;

/// All that a program said; fails unless each line is an object that says when, how grave and what.
fn lines(daemon: &Daemon) -> Vec<Value> {
    let log = daemon.log();
    let parse =
        |line: &str| serde_json::from_str::<Value>(line).unwrap_or_else(|error| panic!("{error}: {line}"));
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
    let [of_coordinator, of_worker] = [&coordinator, &worker].map(lines);
    let said = |lines: &[Value], message: &str, count: usize| {
        let found: Vec<_> = lines.iter().filter(|line| line["message"] == message).cloned().collect();
        assert_eq!(found.len(), count, "{message}: {lines:#?}");
        for line in &found {
            assert_eq!((&line["job"], &line["trace"]), (&job.0.into(), &trace), "{line}");
        }
        found
    };
    // Three shards: to inspect, to read, to assemble.
    let mut ways = Vec::new();
    for (lines, message) in [
        (&of_coordinator, "sent"),
        (&of_worker, "begun"),
        (&of_worker, "reported"),
        (&of_coordinator, "answered"),
    ] {
        let way: Vec<_> = said(lines, message, 3)
            .iter()
            .map(|line| (line["shard"].clone(), line["attempt"].clone()))
            .collect();
        assert!(way.iter().all(|(shard, attempt)| shard.is_i64() && *attempt == 1), "{way:?}");
        ways.push(way);
    }
    assert!(ways.iter().all(|way| *way == ways[0]), "{ways:?}");
    let page = said(&of_worker, "looked at", 1).remove(0);
    for (key, value) in [
        ("worker", Value::from("reader")),
        ("stage", "recognise".into()),
        ("attempt", 1.into()),
        ("source", 1.into()),
        ("page", 1.into()),
    ] {
        assert_eq!(page[key], value, "{page}");
    }
    assert_eq!(page["shard"], ways[0][1].0, "{page}");
    said(&of_coordinator, "closed", 1);
}
