//! A day of a cluster, simulated: jobs come, the scaler asks for workers, workers start, read and go. Draws
//! `docs/scaling-day.svg`, and holds `plan` against what happens.

#![allow(clippy::unwrap_used, reason = "a test that meets the unexpected fails")]

use std::path::Path;

use pagemill_domain::plan::{PAGE_CPU_SECONDS, Plan, START_SECONDS, UNMEASURED_SPREAD, Wish, plan};
use pagemill_domain::scaling::ScalingPolicy;
use world::{Fleet, Submission, World};

mod drawing;
mod world;

const HOUR: f64 = 3_600.0;

/// A night's archive, an office's day with a heavy job by noon and a large one without a deadline, and five late pages.
fn day() -> Vec<Submission> {
    let mut jobs = vec![
        Submission { at: 0.25 * HOUR, pages: 600_000.0, due: Some(6.0 * HOUR), page_seconds: 0.95 },
        Submission { at: 10.5 * HOUR, pages: 60_000.0, due: Some(13.0 * HOUR), page_seconds: 1.4 },
        Submission { at: 14.0 * HOUR, pages: 250_000.0, due: None, page_seconds: 0.95 },
        Submission { at: 23.0 * HOUR, pages: 5.0, due: None, page_seconds: 0.95 },
    ];
    for visit in 0..66 {
        let pages = f64::from(20 + (visit * 137) % 380);
        jobs.push(Submission {
            at: 7.0 * HOUR + f64::from(visit) * 600.0,
            pages,
            due: None,
            page_seconds: 0.8,
        });
    }
    jobs.sort_by(|a, b| a.at.total_cmp(&b.at));
    jobs
}

#[test]
fn a_day_is_kept_up_with_and_costs_little_more_than_its_work() {
    let policy = ScalingPolicy::default();
    let mut world = World::new(day(), Fleet::Scaled(policy));
    let record = world.run_until(24.0 * HOUR);

    for job in &world.finished {
        let due = job.submission.due.unwrap_or(job.submission.at + policy.patience_seconds);
        assert!(job.at <= due, "due {due}, done {}: {:?}", job.at, job.submission);
    }
    assert_eq!(world.finished.len(), day().len(), "something was not finished");
    // From nothing, and back to nothing.
    assert_eq!((record[0].wanted, record.last().unwrap().running), (0, 0));
    assert!(record.iter().map(|moment| moment.running).max().unwrap() > 10);
    // Headroom, start and calm cost something; much more would be a scaler that keeps workers for nothing.
    let (paid, worked) = (world.slot_seconds_paid, world.slot_seconds_worked);
    assert!(paid < worked * 1.35, "paid {paid:.0}, worked {worked:.0}");
    // Seventy jobs, a handful of changes of direction: the fleet doesn't flap.
    let turns = turns(&record.iter().map(|moment| moment.wanted).collect::<Vec<_>>());
    assert!(turns <= 12, "{turns} turns");

    let drawn = drawing::draw(&record, paid / worked);
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/scaling-day.svg");
    if std::env::var_os("PAGEMILL_DRAW").is_some() {
        std::fs::write(&file, &drawn).unwrap();
    }
    let kept = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(kept == drawn, "docs/scaling-day.svg is another day: draw it with PAGEMILL_DRAW=1");
}

/// How often the number went from growing to falling or back.
fn turns(wanted: &[u32]) -> usize {
    let moves: Vec<bool> = wanted.windows(2).filter(|w| w[0] != w[1]).map(|w| w[1] > w[0]).collect();
    moves.windows(2).filter(|w| w[0] != w[1]).count()
}

/// The fleet that was planned, and nobody else, on one job of pages of that weight: when it is done.
fn finish(planned: &Plan, pages: f64, weight: f64) -> f64 {
    let job = Submission { at: 0.0, pages, due: None, page_seconds: PAGE_CPU_SECONDS * weight };
    let mut world = World::new(vec![job], Fleet::Fixed(planned.workers));
    world.run_until(72.0 * HOUR);
    world.finished[0].at
}

#[test]
fn a_plan_comes_true_within_its_range() {
    for (pages, hours) in [(5_000, 0.5), (600_000, 5.75), (2_000_000, 48.0)] {
        let deadline_seconds = hours * HOUR;
        let wish = Wish { pages, deadline_seconds, pages_per_slot_second: None, slots_per_worker: 4 };
        let planned = plan(&wish).unwrap();
        let range = planned.finish_seconds;
        let likely = finish(&planned, pages as f64, 1.0);
        assert!((range.low..=range.high).contains(&likely), "{likely} is not in {range:?}");
        assert!((likely - range.likely).abs() < range.likely * 0.05 + world::STEP_SECONDS);
        // The slow end of the range holds the deadline; pages that are lighter end at its low end.
        assert!(finish(&planned, pages as f64, UNMEASURED_SPREAD.1) <= deadline_seconds * 1.01);
        let light = finish(&planned, pages as f64, UNMEASURED_SPREAD.0);
        assert!((light - range.low).abs() < range.low * 0.05 + world::STEP_SECONDS, "{light} {range:?}");
    }
}

#[test]
fn the_scaler_and_the_plan_agree_on_when_workers_start() {
    assert!((ScalingPolicy::default().start_seconds - START_SECONDS).abs() < f64::EPSILON);
}
