//! Bad files beside good ones: each costs itself and nothing else.
#![allow(clippy::unwrap_used, reason = "a test that meets the unexpected fails")]

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::process::Command;

use pagemill_tests::scans::{blank, png_bomb, strip};
use pagemill_tests::{Workplace, assert_balanced};
use serde_json::Value;

/// The codes of rejected sources and of dead pages, by path.
fn codes(report: &Value) -> Vec<(String, String)> {
    let list = |name: &str| report["ledger"][name].as_array().unwrap().clone();
    let entries = list("rejected").into_iter().chain(list("gaps"));
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let mut codes: Vec<_> = entries.map(|entry| (text(&entry["path"]), text(&entry["code"]))).collect();
    codes.sort();
    codes
}

#[test]
fn bad_files_are_listed_and_good_ones_delivered() {
    let good = strip("d02-1", 2);
    let truncated = good[..good.len() / 3].to_vec();
    let workplace = Workplace::with([
        ("good.jpg", good.clone()),
        ("empty.jpg", Vec::new()),
        ("text.png", b"this is no image".to_vec()),
        ("wrong.pdf", good),
        ("header.jpg", truncated[..20].to_vec()),
        ("bomb.png", png_bomb(60_000)),
        ("broken.pdf", b"%PDF-1.7\nnothing follows\n%%EOF\n".to_vec()),
        ("animation.gif", b"GIF89a\x01\0\x01\0\0\0\0;".to_vec()),
    ]);
    fs::write(workplace.path().join("plain.pdf"), minimal_pdf()).unwrap();
    let locked = workplace.scans().join("locked.pdf");
    let encrypt = ["--warning-exit-0", "--no-warn", "--encrypt", "user", "owner", "256", "--"];
    let qpdf =
        Command::new("qpdf").args(encrypt).arg(workplace.path().join("plain.pdf")).arg(locked).status();
    assert!(qpdf.unwrap().success());
    workplace.ocr(&[]).expect_exit(4);
    let report = workplace.report();
    assert_balanced(&report);
    let codes = codes(&report);
    let code = |path: &str| codes.iter().find(|(found, _)| found == path).map(|(_, code)| code.as_str());
    assert_eq!(code("good.jpg"), None);
    // A file is what it holds, not what it is called.
    assert_eq!(code("wrong.pdf"), None);
    assert_eq!(code("empty.jpg"), Some("source_empty"));
    assert_eq!(code("text.png"), Some("source_unknown_kind"));
    assert_eq!(code("animation.gif"), Some("source_unknown_kind"));
    assert_eq!(code("locked.pdf"), Some("source_encrypted"));
    assert_eq!(code("bomb.png"), Some("page_too_many_pixels"));
    for path in ["header.jpg", "broken.pdf"] {
        assert!(code(path).is_some(), "{path} is missing among {codes:?}");
    }
    let names = workplace.artifact_names();
    assert!(names.contains(&"good.pdf".to_owned()) && names.contains(&"wrong.pdf".to_owned()), "{names:?}");
    workplace.verify().expect_exit(0);

    // What is repaired is taken up again.
    workplace.add("empty.jpg", &blank());
    workplace.ocr(&[]).expect_exit(4);
    assert!(!codes_of(&workplace).iter().any(|(path, _)| path == "empty.jpg"));
}

fn codes_of(workplace: &Workplace) -> Vec<(String, String)> {
    codes(&workplace.report())
}

/// A PDF of one empty page.
fn minimal_pdf() -> Vec<u8> {
    b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n\
      3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]>>endobj\ntrailer<</Root 1 0 R>>\n"
        .to_vec()
}

#[test]
fn no_name_leads_out_of_the_output_folder() {
    let scan = blank();
    let workplace = Workplace::new();
    let long = format!("{}.jpg", "Ệ".repeat(80));
    let names: [&[u8]; 12] = [
        b"report.jpg",
        b"CON.jpg",
        b"a.pdf/1.jpg",
        b"a.jpg",
        b"A.jpg",
        b"caf\xe9\n.jpg",
        "e\u{301}.jpg".as_bytes(),
        "é.jpg".as_bytes(),
        "x\u{202e}gpj.jpg".as_bytes(),
        b"-rf *;.jpg",
        b"..jpg.jpg",
        long.as_bytes(),
    ];
    for name in names {
        workplace.add(OsStr::from_bytes(name), &scan);
    }
    symlink("/etc", workplace.scans().join("etc")).unwrap();
    symlink(workplace.scans(), workplace.scans().join("circle")).unwrap();
    let run = workplace.ocr(&["--formats", "txt"]).expect_exit(0);
    assert!(run.stderr.contains("2 symbolic links"), "{}", run.stderr);
    let report = workplace.report();
    assert_balanced(&report);
    // ("..jpg.jpg" is hidden.)
    assert_eq!(report["ledger"]["pages"]["blank"], 11);
    let artifacts = workplace.artifact_names();
    assert_eq!(artifacts.len(), 11, "{artifacts:?}");
    for expected in
        ["_report.txt", "_CON.txt", "a.pdf_/1.txt", "caf%E9%0A.txt", "x%E2%80%AEgpj.txt", "-rf %2A;.txt"]
    {
        assert!(artifacts.iter().any(|name| name == expected), "{expected} is missing among {artifacts:?}");
    }
    let beside: Vec<_> =
        fs::read_dir(workplace.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(beside.len(), 2, "{beside:?}");
    workplace.verify().expect_exit(0);
}
