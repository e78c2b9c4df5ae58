//! A run that is killed at any moment goes on with the same command and delivers the same bytes.
#![allow(clippy::unwrap_used, reason = "a test that meets the unexpected fails")]

use std::process::Command;
use std::time::{Duration, Instant};

use pagemill_tests::dice::Dice;
use pagemill_tests::scans::strips;
use pagemill_tests::{Workplace, assert_balanced};

const FLAGS: [&str; 2] = ["--formats", "pdf,txt,json"];

fn workplace() -> Workplace {
    let workplace = Workplace::new();
    for (name, bytes) in strips(6) {
        workplace.add(name, &bytes);
    }
    workplace
}

#[test]
fn kills_at_any_moment_change_no_byte() {
    let untouched = workplace();
    let start = Instant::now();
    untouched.ocr(&FLAGS).expect_exit(0);
    let whole = start.elapsed().as_millis() as u64;
    let expected = (untouched.artifacts(), untouched.report()["ledger"].clone());

    let (mut dice, killed) = (Dice::new(20_261_123), workplace());
    for round in 0..10 {
        // Each run gets less than a whole one takes, so that every part of a run is hit.
        let moment = dice.number(0..whole.max(10));
        println!("round {round}: killed after {moment} ms");
        let mut run = killed.start_ocr(&FLAGS);
        std::thread::sleep(Duration::from_millis(moment));
        run.kill().unwrap();
        run.wait().unwrap();
        // What is there under its final name is whole.
        for (name, hash) in killed.artifacts() {
            assert_eq!(Some(&hash), expected.0.get(&name), "{name} after round {round}");
        }
    }
    killed.ocr(&FLAGS).expect_exit(0);
    assert_eq!(killed.artifacts(), expected.0);
    assert_balanced(&killed.report());
    assert_eq!(killed.report()["ledger"], expected.1);
    killed.verify().expect_exit(0);
}

#[test]
fn ctrl_c_stops_softly_and_the_same_command_goes_on() {
    let workplace = workplace();
    let mut run = workplace.start_ocr(&FLAGS);
    std::thread::sleep(Duration::from_millis(1_500));
    assert!(Command::new("kill").args(["-INT", &run.id().to_string()]).status().unwrap().success());
    let exit = run.wait().unwrap().code();
    // A fast machine may have finished.
    assert!(exit == Some(130) || exit == Some(0), "{exit:?}");
    workplace.ocr(&FLAGS).expect_exit(0);
    assert_eq!(assert_balanced(&workplace.report())["recognised"], 6);
    // A soft stop finishes the pages in hand: nothing counts as lost.
    assert_eq!(workplace.report()["run"]["losses"], 0);
}

#[test]
fn a_file_that_vanishes_is_given_up_at_once_and_read_when_it_is_back() {
    let workplace = workplace();
    let (there, away) = (workplace.scans().join("6.jpg"), workplace.path().join("away.jpg"));
    let mut run = workplace.start_ocr(&[&FLAGS[..], &["--workers", "1"]].concat());
    // The first page was read, so all sources were inspected; the last one is some pages away.
    let results = workplace.out().join(".pagemill/results");
    let patience = Instant::now();
    while !std::fs::read_dir(&results).is_ok_and(|mut results| results.next().is_some()) {
        assert!(patience.elapsed() < Duration::from_mins(1), "no page was ever read");
        std::thread::sleep(Duration::from_millis(2));
    }
    std::fs::rename(&there, &away).unwrap();
    assert_eq!(run.wait().unwrap().code(), Some(4));
    let report = workplace.report();
    assert_eq!(assert_balanced(&report)["dead"], 1, "{report}");
    assert_eq!((&report["run"]["losses"], &report["run"]["faults"]), (&0.into(), &0.into()));
    assert!(report.to_string().contains("page_source_gone"), "{report}");

    std::fs::rename(&away, &there).unwrap();
    workplace.ocr(&FLAGS).expect_exit(0);
    assert_eq!(assert_balanced(&workplace.report())["recognised"], 6);
    let untouched = self::workplace();
    untouched.ocr(&FLAGS).expect_exit(0);
    assert_eq!(workplace.artifacts(), untouched.artifacts());
}

#[test]
fn a_second_run_at_the_same_time_is_kept_out() {
    let workplace = workplace();
    let mut first = workplace.start_ocr(&FLAGS);
    let lock = workplace.out().join(".pagemill/lock");
    let patience = Instant::now();
    while std::fs::read_to_string(&lock).unwrap_or_default().is_empty() {
        assert!(patience.elapsed() < Duration::from_secs(30), "the first run never locked its folder");
        std::thread::sleep(Duration::from_millis(5));
    }
    let second = workplace.ocr(&FLAGS).expect_exit(1);
    assert!(second.stderr.contains("in use by another run (process "), "{}", second.stderr);
    first.kill().unwrap();
    first.wait().unwrap();
    workplace.ocr(&FLAGS).expect_exit(0);
}
