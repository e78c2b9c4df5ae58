//! Files of many pages, our own among them: PDFs of scans, PDFs that have text, TIFFs.
#![allow(clippy::unwrap_used, reason = "a test that meets the unexpected fails")]

use std::fs;

use pagemill_tests::scans::strips;
use pagemill_tests::{Workplace, assert_balanced};
use serde_json::Value;

/// Two pages as a PDF of images, a searchable PDF and a TIFF, made by a run.
fn containers() -> Workplace {
    let maker = Workplace::new();
    for (name, bytes) in strips(2) {
        maker.add(name, &bytes);
    }
    maker.ocr(&["--group", "folder", "--formats", "pdf,image-pdf,tiff"]).expect_exit(0);
    let made = |suffix: &str| fs::read(maker.out().join(format!("scans{suffix}"))).unwrap();
    Workplace::with([
        ("bare.pdf", made(".image.pdf")),
        ("searchable.pdf", made(".pdf")),
        ("pages.tif", made(".tif")),
    ])
}

/// What became of the pages of each file.
fn outcomes(workplace: &Workplace) -> Vec<(String, String)> {
    let lines = fs::read_to_string(workplace.out().join("report.pages.jsonl")).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let pages = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    pages.map(|page| (text(&page["path"]), text(&page["outcome"]))).collect()
}

fn each_twice(outcomes: [(&str, &str); 3]) -> Vec<(String, String)> {
    outcomes
        .iter()
        .flat_map(|&(path, outcome)| std::iter::repeat_n((path.into(), outcome.into()), 2))
        .collect()
}

#[test]
fn pages_that_have_text_are_kept_until_they_are_to_be_read_anew() {
    let workplace = containers();
    let searchable = fs::read(workplace.scans().join("searchable.pdf")).unwrap();
    workplace.ocr(&["--formats", "pdf,txt"]).expect_exit(0);
    let kept = [("bare.pdf", "recognised"), ("pages.tif", "recognised"), ("searchable.pdf", "kept")];
    assert_eq!(outcomes(&workplace), each_twice(kept));
    assert_balanced(&workplace.report());
    // A file of which every page is kept is delivered as it was.
    assert_eq!(fs::read(workplace.out().join("searchable.pdf")).unwrap(), searchable);
    let read = |name: &str| fs::read_to_string(workplace.out().join(name)).unwrap();
    assert!(read("bare.txt").len() > 200);
    assert_eq!(read("bare.txt"), read("pages.txt"));

    // The text layer that we wrote ourselves is somebody's invisible text: read anew on demand.
    workplace.ocr(&["--formats", "pdf,txt", "--existing-text", "redo"]).expect_exit(0);
    let redone = [("bare.pdf", "recognised"), ("pages.tif", "recognised"), ("searchable.pdf", "recognised")];
    assert_eq!(outcomes(&workplace), each_twice(redone));
    assert_eq!(read("searchable.txt"), read("bare.txt"));
    workplace.verify().expect_exit(0);
}
