//! A thousand pages: memory stays flat, and a second run is over at once.
#![allow(clippy::unwrap_used, reason = "a test that meets the unexpected fails")]

use std::fs;
use std::time::{Duration, Instant};

use image::{GrayImage, Luma};
use pagemill_tests::scans::jpeg;
use pagemill_tests::{Workplace, assert_balanced};

/// A small page with a few strokes: cheap to read, and no two alike.
fn page(number: u32) -> Vec<u8> {
    let ink = |x: u32, y: u32| {
        (40..440).contains(&x) && (60..66).contains(&(y % 100)) && (x / 9 + number).is_multiple_of(3)
    };
    jpeg(&GrayImage::from_fn(480, 680, |x, y| Luma([if ink(x, y) { 20 } else { 245 }])))
}

/// The most memory that a process has had resident so far, in KiB.
fn peak_kib(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

#[test]
fn a_thousand_pages_take_no_more_memory_than_a_few() {
    let workplace = Workplace::new();
    for number in 1..=1_000 {
        workplace.add(format!("{}/{number}.jpg", number / 100), &page(number));
    }
    let mut run = workplace.start_ocr(&[]);
    let mut peak = 0;
    let exit = loop {
        peak = peak_kib(run.id()).unwrap_or(0).max(peak);
        if let Some(exit) = run.try_wait().unwrap() {
            break exit;
        }
        std::thread::sleep(Duration::from_millis(200));
    };
    assert_eq!(exit.code(), Some(0));
    assert_eq!(assert_balanced(&workplace.report())["declared"], 1_000);
    println!("peak memory of the parent: {} MiB", peak / 1024);
    assert!(peak < 150 * 1024, "{peak} KiB");

    let start = Instant::now();
    workplace.ocr(&[]).expect_exit(0);
    println!("second run: {:.2} s", start.elapsed().as_secs_f64());
    assert!(start.elapsed() < Duration::from_secs(2));
    assert_eq!(workplace.report()["run"]["pages_read"], 0);
}
