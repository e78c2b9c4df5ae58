//! Exit codes and what the program says when it can't go on.
#![allow(clippy::unwrap_used, reason = "a test that meets the unexpected fails")]

use pagemill_tests::scans::blank;
use pagemill_tests::{Workplace, finish, pagemill};
use serde_json::Value;

#[test]
fn a_wrong_command_line_is_a_usage_error() {
    for arguments in [&["ocr"][..], &["ocr", "x"], &["read"], &["ocr", "x", "-o", "y", "--formats", "docx"]] {
        finish(&mut pagemill(arguments)).expect_exit(2);
    }
    let workplace = Workplace::with([("1.jpg", blank())]);
    let refused = finish(workplace.ocr_command(&[]).env("PAGEMILL_WORKER_SLOTS", "many")).expect_exit(2);
    assert!(refused.stderr.contains("worker_slots"), "{}", refused.stderr);
    let refused = workplace.ocr(&["-l", "klingon"]).expect_exit(2);
    assert!(refused.stderr.contains("klingon"), "{}", refused.stderr);
    let refused =
        finish(pagemill(&["ocr"]).arg(workplace.scans()).arg("-o").arg(workplace.scans())).expect_exit(2);
    assert!(refused.stderr.contains("the output folder is the input folder"), "{}", refused.stderr);
}

#[test]
fn nothing_readable_is_told_apart_from_gaps() {
    let workplace = Workplace::new();
    workplace.ocr(&[]).expect_exit(3);
    workplace.add("notes.txt", b"x");
    let run = workplace.ocr(&[]).expect_exit(3);
    assert!(run.stderr.contains("1 .txt"), "{}", run.stderr);
    workplace.add("empty.jpg", b"");
    workplace.ocr(&[]).expect_exit(3);
    workplace.add("1.jpg", &blank());
    let run = workplace.ocr(&[]).expect_exit(4);
    assert!(run.stdout.contains("empty.jpg: the file is empty (source_empty)"), "{}", run.stdout);
    let missing = finish(pagemill(&["ocr", "no-such-folder", "-o"]).arg(workplace.out())).expect_exit(3);
    assert!(missing.stderr.contains("no-such-folder"), "{}", missing.stderr);
}

#[test]
fn machines_read_lines_of_json() {
    let workplace = Workplace::with([("1.jpg", blank()), ("empty.jpg", Vec::new())]);
    let run = workplace.ocr(&["--json"]).expect_exit(4);
    let events: Vec<Value> = run.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let last = events.last().unwrap();
    assert_eq!((&last["event"], &last["exit"]), (&"finished".into(), &4.into()));
    assert_eq!(last["ledger"]["sources"]["rejected"], 1);
    assert!(events.iter().any(|event| event["event"] == "progress"), "{events:?}");
}

#[test]
fn verify_wants_an_output_folder() {
    let workplace = Workplace::new();
    let refused = finish(pagemill(&["verify"]).arg(workplace.scans())).expect_exit(2);
    assert!(refused.stderr.contains("not the output folder of a run"), "{}", refused.stderr);
}

#[test]
fn doctor_finds_this_machine_able() {
    let workplace = Workplace::new();
    let run = finish(pagemill(&["doctor", "-o"]).arg(workplace.out())).expect_exit(0);
    for check in ["models", "engine", "sandbox", "cores", "memory", "disk", "file system"] {
        assert!(run.stdout.contains(check), "{check} is missing in\n{}", run.stdout);
    }
    let run = finish(pagemill(&["doctor", "--json", "-l", "klingon"]).arg("-o").arg(workplace.out()))
        .expect_exit(1);
    assert!(run.stdout.contains("klingon.traineddata"), "{}", run.stdout);
}
