//! Each way in which a child can fail gives its typed error within its limit, and the next page works.

use std::time::{Duration, Instant};

use libtest_mimic::Trial;
use pagemill_domain::limits::Limits;
use pagemill_domain::outcome::{Fault, Loss};
use pagemill_recognition::boxed::client::{
    BoxClient, BoxError, BoxOptions, ENVIRONMENT, Program, SourceFile, StartError,
};

use crate::test;

pub(crate) fn tests() -> Vec<Trial> {
    vec![
        test("a_crash_is_a_fault", a_crash_is_a_fault),
        test("an_exit_is_a_fault_with_its_last_words", an_exit_is_a_fault_with_its_last_words),
        test("a_busy_child_overruns_its_cpu_budget", a_busy_child_overruns_its_cpu_budget),
        test("an_idle_child_misses_the_wall_deadline", an_idle_child_misses_the_wall_deadline),
        test("eaten_memory_is_told_from_a_crash", eaten_memory_is_told_from_a_crash),
        test("rubbish_is_a_fault", rubbish_is_a_fault),
        test("half_a_frame_is_a_fault", half_a_frame_is_a_fault),
        test("an_engine_that_gives_up_keeps_its_child", an_engine_that_gives_up_keeps_its_child),
        test("a_kill_from_outside_is_a_loss", a_kill_from_outside_is_a_loss),
        test("a_child_that_died_between_pages_costs_nothing", a_child_that_died_between_pages_costs_nothing),
        test("a_chatty_child_does_not_block", a_chatty_child_does_not_block),
        test("the_environment_is_clean", the_environment_is_clean),
        test("children_are_recycled", children_are_recycled),
        test("cancel_stops_the_page_at_once", cancel_stops_the_page_at_once),
        test("a_child_that_does_not_start_is_no_fault", a_child_that_does_not_start_is_no_fault),
        test("require_sandbox_refuses_a_child_with_a_gap", require_sandbox_refuses_a_child_with_a_gap),
    ]
}

fn options(behaviour: &str) -> BoxOptions {
    let limits = Limits {
        page_cpu_seconds_max: 1,
        // A starved machine must not fail a test: only a child that shall hang has a short deadline.
        page_wall_seconds_max: if ["idle", "slow start"].contains(&behaviour) { 1 } else { 20 },
        child_message_mib_max: 1,
        child_memory_mib_max: 256,
        ..Limits::default()
    };
    let program =
        Program { path: "/proc/self/exe".into(), arguments: vec!["role:fake".into(), behaviour.into()] };
    BoxOptions { program, limits, reader: None, require_sandbox: true }
}

fn source() -> SourceFile {
    SourceFile::new(tempfile::tempfile().unwrap()).unwrap()
}

/// Page 1 fails as `behaviour` has it, and page 2 of the same client is read.
fn page_1_fails(behaviour: &str) -> BoxError {
    let mut client = BoxClient::new(options(behaviour));
    let source = source();
    let error = client.read(&source, 1, false).result.expect_err(behaviour);
    assert!(client.read(&source, 2, false).result.is_ok(), "the page after {behaviour}");
    error
}

fn a_crash_is_a_fault() {
    let BoxError::Fault(Fault::Crashed { how }) = page_1_fails("segfault") else { panic!() };
    assert!(how.contains("SIGSEGV"), "{how}");
}

fn an_exit_is_a_fault_with_its_last_words() {
    let BoxError::Fault(Fault::Crashed { how }) = page_1_fails("exit") else { panic!() };
    assert!(how.contains("status: 3") && how.ends_with("no such thing") && how.len() < 4096, "{how}");
}

fn a_busy_child_overruns_its_cpu_budget() {
    let mut client = BoxClient::new(options("busy"));
    let answered = client.read(&source(), 1, false);
    assert_eq!(answered.result.unwrap_err(), BoxError::Fault(Fault::CpuBudget { seconds: 1 }));
    let cpu = answered.cost.cpu;
    assert!((Duration::from_secs(1)..Duration::from_millis(1500)).contains(&cpu), "{cpu:?}");
    assert!(client.read(&source(), 2, false).result.is_ok());
}

fn an_idle_child_misses_the_wall_deadline() {
    let start = Instant::now();
    assert_eq!(page_1_fails("idle"), BoxError::Loss(Loss::WallDeadline { seconds: 1 }));
    assert!(start.elapsed() >= Duration::from_secs(1));
}

fn eaten_memory_is_told_from_a_crash() {
    assert_eq!(page_1_fails("memory"), BoxError::Fault(Fault::OutOfMemory { mib: 256 }));
}

fn rubbish_is_a_fault() {
    for (behaviour, says) in [
        ("rubbish", "undecodable"),
        ("rubbish after the answer", "undecodable"),
        ("oversize", "child_message_mib_max"),
        ("closed", "closed its socket"),
        ("another answer", "to another question: Open"),
        ("word outside", "a block at"),
    ] {
        let BoxError::Fault(Fault::Rubbish { what }) = page_1_fails(behaviour) else { panic!("{behaviour}") };
        assert!(what.contains(says), "{behaviour}: {what}");
    }
}

fn half_a_frame_is_a_fault() {
    let BoxError::Fault(Fault::Crashed { how }) = page_1_fails("half a frame") else { panic!() };
    assert!(how.contains("status: 0"), "{how}");
    // A child that goes on without its socket ends within the grace, too, or is killed.
    assert!(matches!(page_1_fails("half a frame, alive"), BoxError::Fault(_)));
}

fn an_engine_that_gives_up_keeps_its_child() {
    let engine = Fault::Engine { what: "it gave up".into() };
    assert_eq!(page_1_fails("failure"), BoxError::Fault(engine));
}

fn a_kill_from_outside_is_a_loss() {
    assert!(matches!(page_1_fails("killed"), BoxError::Loss(Loss::Killed { .. })));
}

fn a_child_that_died_between_pages_costs_nothing() {
    let mut client = BoxClient::new(options("pid"));
    let source = source();
    let pid = client.read(&source, 1, false).result.unwrap().text.language;
    let pid = rustix::process::Pid::from_raw(pid.parse().unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    // The child is a zombie once it has ended; only then does the next request meet a dead child for sure.
    while !std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).unwrap().contains(") Z ") {
        std::thread::yield_now();
    }
    assert!(client.read(&source, 1, false).result.is_ok());
}

fn a_chatty_child_does_not_block() {
    let mut client = BoxClient::new(options("chatty"));
    assert!(client.read(&source(), 1, false).result.is_ok());
}

fn the_environment_is_clean() {
    let mut client = BoxClient::new(options("environment"));
    let environment = client.read(&source(), 1, false).result.unwrap().text.language;
    let names: Vec<&str> = environment.split(' ').filter_map(|pair| pair.split('=').next()).collect();
    assert!(environment.contains("OMP_THREAD_LIMIT=1"), "{environment}");
    let set = ENVIRONMENT.map(|(name, _)| name);
    assert!(
        names.iter().all(|name| set.contains(name) || ["PAGEMILL_KERNEL", "TESSDATA_PREFIX"].contains(name)),
        "{environment}"
    );
}

fn children_are_recycled() {
    let mut options = options("pid");
    options.limits.child_pages_max = 2;
    let mut client = BoxClient::new(options);
    let source = source();
    let pids: Vec<String> =
        (0..4).map(|_| client.read(&source, 1, false).result.unwrap().text.language).collect();
    assert!(pids[0] == pids[1] && pids[1] != pids[2] && pids[2] == pids[3], "{pids:?}");
}

fn cancel_stops_the_page_at_once() {
    let mut options = options("idle");
    options.limits.page_wall_seconds_max = 20;
    let mut client = BoxClient::new(options);
    client.start().unwrap();
    let canceller = client.canceller();
    let start = Instant::now();
    let later = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(50));
        canceller.cancel();
    });
    let interrupted = BoxError::Loss(Loss::Interrupted);
    assert_eq!(client.read(&source(), 1, false).result.unwrap_err(), interrupted);
    later.join().unwrap();
    assert!(start.elapsed() < Duration::from_secs(10));
    assert_eq!(client.read(&source(), 2, false).result.unwrap_err(), interrupted, "still cancelled");
    let retired = client.canceller();
    assert!(client.read(&source(), 2, false).result.is_ok(), "a new canceller, a new start");
    let child = client.child_id();
    client.canceller();
    retired.cancel();
    assert!(client.read(&source(), 2, false).result.is_ok());
    assert_eq!(client.child_id(), child, "an old canceller has no hold on later requests");
}

fn a_child_that_does_not_start_is_no_fault() {
    let start = |behaviour| BoxClient::new(options(behaviour)).start().unwrap_err();
    assert_eq!(start("no model"), StartError::Setup("the model vie.traineddata is missing".into()));
    assert_eq!(start("slow start"), StartError::Slow("page_wall_seconds_max"));
    assert!(matches!(start("other version"), StartError::Setup(_)));
    let StartError::Failed(what) = start("no start") else { panic!() };
    assert!(what.contains("no start"), "{what}");
    let mut options = options("pid");
    options.program.path = "/nonexistent".into();
    assert!(matches!(BoxClient::new(options).start(), Err(StartError::Spawn(_))));
    let answered = BoxClient::new(self::options("no model")).read(&source(), 1, false);
    assert!(matches!(answered.result, Err(BoxError::Loss(Loss::NotStarted { .. }))));
}

fn require_sandbox_refuses_a_child_with_a_gap() {
    let mut options = options("no landlock");
    let Err(StartError::SandboxMissing(what)) = BoxClient::new(options.clone()).start() else { panic!() };
    assert!(what.contains("landlock is not in force (an old kernel)"), "{what}");
    options.require_sandbox = false;
    let ready = BoxClient::new(options).start().unwrap();
    assert!(!ready.sandbox.is_complete());
}
