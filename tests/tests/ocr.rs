//! `pagemill ocr` on real scans: what is delivered, what is done again, what is not.
#![allow(clippy::unwrap_used, reason = "a test that meets the unexpected fails")]

use std::collections::HashMap;
use std::fs;
use std::process::Command;

use pagemill_tests::scans::{blank, sample, strips};
use pagemill_tests::{Workplace, assert_balanced, finish, root};
use unicode_normalization::UnicodeNormalization;

const EVERY_FORMAT: &str = "pdf,txt,alto,hocr,tsv,json,image-pdf,jpeg,tiff";

/// Share of the truth's words that were read, wherever they stand.
fn words_found(truth: &str, read: &str) -> f64 {
    let words =
        |text: &str| text.nfc().collect::<String>().split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let mut read_counts: HashMap<String, u32> = HashMap::new();
    for word in words(read) {
        *read_counts.entry(word).or_default() += 1;
    }
    let truth = words(truth);
    let found = truth.iter().filter(|word| {
        read_counts.get_mut(*word).filter(|count| **count > 0).map(|count| *count -= 1).is_some()
    });
    found.count() as f64 / truth.len() as f64
}

fn assert_accepts(program: &str, arguments: &[&str], file: &std::path::Path) {
    let finished = finish(Command::new(program).args(arguments).arg(file));
    assert_eq!(finished.exit, 0, "{program} {}: {}{}", file.display(), finished.stdout, finished.stderr);
}

#[test]
fn samples_become_a_checked_searchable_archive() {
    let workplace = Workplace::with([
        ("Hồ sơ 1/trang 1.jpg", sample("d02-1.jpg")),
        ("Hồ sơ 1/trang 2.jpg", sample("d07-1.jpg")),
        ("blank.jpg", blank()),
    ]);
    workplace.ocr(&["--formats", EVERY_FORMAT]).expect_exit(0);
    let pages = assert_balanced(&workplace.report());
    assert_eq!((&pages["recognised"], &pages["blank"]), (&2.into(), &1.into()));
    for (name, truth) in [("Hồ sơ 1/trang 1", "d02-1"), ("Hồ sơ 1/trang 2", "d07-1")] {
        let truth = fs::read_to_string(root().join(format!("samples/{truth}.txt"))).unwrap();
        let read = fs::read_to_string(workplace.out().join(format!("{name}.txt"))).unwrap();
        let found = words_found(&truth, &read);
        assert!(found > 0.85, "{name}: only {found:.2} of the words");
        let in_pdf =
            finish(Command::new("pdftotext").arg(workplace.out().join(format!("{name}.pdf"))).arg("-"));
        let found = words_found(&read, &in_pdf.stdout);
        assert!(found > 0.95, "{name}.pdf: only {found:.2} of the words that were read");
    }
    for name in ["Hồ sơ 1/trang 1", "Hồ sơ 1/trang 2", "blank"] {
        let file = |suffix: &str| workplace.out().join(format!("{name}{suffix}"));
        assert_accepts("qpdf", &["--check"], &file(".pdf"));
        assert_accepts("qpdf", &["--check"], &file(".image.pdf"));
        assert_accepts("xmllint", &["--noout", "--nonet"], &file(".alto.xml"));
        assert_accepts("xmllint", &["--noout", "--nonet"], &file(".hocr.html"));
        assert_accepts("tiffinfo", &[], &file(".tif"));
        assert!(serde_json::from_slice::<serde_json::Value>(&fs::read(file(".json")).unwrap()).is_ok());
        assert!(fs::read_to_string(file(".tsv")).unwrap().contains('\t'));
    }
    let original = sample("d02-1.jpg");
    assert_eq!(fs::read(workplace.out().join("Hồ sơ 1/trang 1.jpg")).unwrap(), original);
    workplace.verify().expect_exit(0);
}

#[test]
fn the_strictest_profile_passes_preflight() {
    let workplace = Workplace::with([("1.jpg", sample("d05-1.jpg"))]);
    let recipe = workplace.path().join("recipe.toml");
    fs::write(&recipe, "pdf_part = '1b'").unwrap();
    workplace.ocr(&["--recipe", recipe.to_str().unwrap()]).expect_exit(0);
    let jars = [
        "pdfbox2",
        "preflight",
        "xmpbox",
        "fontbox2",
        "commons-logging",
        "commons-io",
        "javax.activation",
        "jaxb-api",
    ]
    .map(|jar| format!("/usr/share/java/{jar}.jar"));
    let validator = "org.apache.pdfbox.preflight.Validator_A1b";
    assert_accepts("java", &["-cp", &jars.join(":"), validator], &workplace.out().join("1.pdf"));
}

#[test]
fn a_second_run_does_nothing_and_a_change_only_what_it_must() {
    let scans = strips(4);
    let workplace = Workplace::new();
    for (name, bytes) in &scans {
        workplace.add(name, bytes);
    }
    let pages_read = |flags: &[&str]| {
        workplace.ocr(flags).expect_exit(0);
        assert_balanced(&workplace.report());
        workplace.report()["run"]["pages_read"].as_u64().unwrap()
    };
    assert_eq!(pages_read(&[]), 4);
    let first = workplace.artifacts();
    let first_ledger = workplace.report()["ledger"].clone();
    assert_eq!(pages_read(&[]), 0);
    assert_eq!(workplace.artifacts(), first);
    assert_eq!(workplace.report()["ledger"], first_ledger);

    // Touched, not changed: hashed again, not read again.
    workplace.add(&scans[0].0, &scans[0].1);
    assert_eq!(pages_read(&[]), 0);
    assert_eq!(workplace.artifacts(), first);

    // Another content: that page alone.
    workplace.add(&scans[0].0, &scans[2].1);
    assert_eq!(pages_read(&[]), 1);
    let changed = workplace.artifacts();
    assert_ne!(changed["1.pdf"], first["1.pdf"]);
    assert_eq!(changed["2.pdf"], first["2.pdf"]);

    // Another format: nothing is read, everything is delivered.
    assert_eq!(pages_read(&["--formats", "pdf,txt"]), 0);
    assert_eq!(workplace.artifact_names().len(), 8);
    assert_eq!(workplace.artifacts()["1.pdf"], changed["1.pdf"]);

    // A new file: it alone.
    workplace.add("9.jpg", &scans[1].1);
    assert_eq!(pages_read(&["--formats", "pdf,txt"]), 1);

    // A lost and a damaged artifact come back.
    fs::remove_file(workplace.out().join("2.pdf")).unwrap();
    fs::write(workplace.out().join("3.txt"), "x").unwrap();
    let complaint = workplace.verify().expect_exit(4).stdout;
    assert!(complaint.contains("2.pdf") && complaint.contains("3.txt"), "{complaint}");
    assert_eq!(pages_read(&["--formats", "pdf,txt"]), 0);
    assert_eq!(workplace.artifacts()["2.pdf"], changed["2.pdf"]);
    workplace.verify().expect_exit(0);
}

#[test]
fn the_native_engine_gives_the_same_bytes_with_one_worker_and_with_two() {
    let read = |workers: &str| {
        let workplace = Workplace::new();
        for (name, bytes) in strips(4) {
            workplace.add(name, &bytes);
        }
        workplace
            .ocr(&["--engine", "native", "--workers", workers, "--formats", "pdf,txt,json"])
            .expect_exit(0);
        assert_balanced(&workplace.report());
        workplace.artifacts()
    };
    let alone = read("1");
    assert_eq!(alone.len(), 12);
    assert_eq!(read("2"), alone);
}

#[test]
fn a_flipped_byte_is_found() {
    let workplace = Workplace::with([("1.jpg", blank())]);
    workplace.ocr(&[]).expect_exit(0);
    let pdf = workplace.out().join("1.pdf");
    let mut bytes = fs::read(&pdf).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&pdf, bytes).unwrap();
    let complaint = workplace.verify().expect_exit(4).stdout;
    assert!(complaint.contains("1.pdf: its bytes do not match its hash"), "{complaint}");
}

#[test]
fn a_folder_of_images_becomes_one_document() {
    let workplace = Workplace::new();
    for (name, bytes) in strips(3) {
        workplace.add(format!("Hồ sơ 7/{name}"), &bytes);
    }
    workplace.add("alone.jpg", &blank());
    workplace.ocr(&["--group", "folder"]).expect_exit(0);
    assert_eq!(workplace.artifact_names(), ["Hồ sơ 7.pdf", "scans.pdf"]);
    let pages = finish(Command::new("qpdf").arg("--show-npages").arg(workplace.out().join("Hồ sơ 7.pdf")));
    assert_eq!(pages.stdout.trim(), "3");
}

#[test]
fn a_run_waits_for_its_children_so_that_their_cpu_time_is_its_own() {
    let workplace = Workplace::with([("page.jpg", sample("d02-1.jpg"))]);
    let ocr = workplace.ocr_command(&["--workers", "1"]);
    // The shell tells the time of programs that it waited for, and of children that those waited for.
    let mut shell = Command::new("bash");
    shell.args(["-c", "\"$@\" && times", "times"]).arg(ocr.get_program()).args(ocr.get_args());
    for (name, value) in ocr.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    let finished = finish(&mut shell).expect_exit(0);
    let seconds = |time: &str| {
        let (minutes, seconds) = time.trim_end_matches('s').split_once('m').unwrap();
        minutes.parse::<f64>().unwrap() * 60.0 + seconds.parse::<f64>().unwrap()
    };
    let paid: f64 = finished.stdout.lines().last().unwrap().split(' ').map(seconds).sum();
    let pages = fs::read_to_string(workplace.out().join("report.pages.jsonl")).unwrap();
    let page: serde_json::Value = serde_json::from_str(pages.lines().next().unwrap()).unwrap();
    let read_ms: f64 = page["cpu_ms"].as_object().unwrap().values().map(|ms| ms.as_f64().unwrap()).sum();
    assert!(read_ms > 0.0 && paid * 1000.0 > read_ms, "{paid} s paid, {read_ms} ms for reading");
}
