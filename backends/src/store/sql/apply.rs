//! Applying outcomes: taken once, whatever is delivered how often. A batch is a handful of statements, however large.

use std::collections::{BTreeMap, BTreeSet};

use pagemill_domain::ids::JobId;
use pagemill_domain::limits::Limits;
use pagemill_domain::outcome::{Outcome, PageResult, Report};

use super::super::dialect::Connection;
use super::contents::{self, LockedShard};
use super::counters::{Counter, Counters};
use super::jobs::{self, LockedJob};
use super::statement::statement;
use super::{arrange, assembled, inspected, pages};
use crate::store::{Applied, StoreError};

/// An outcome that takes effect, with the shard that it answers.
pub(super) struct Taken<'a> {
    pub(super) shard: LockedShard,
    pub(super) outcome: &'a Outcome,
}

pub(super) async fn apply(
    db: &mut Connection,
    outcomes: &[Outcome],
    limits: &Limits,
) -> Result<Applied, StoreError> {
    let named: BTreeSet<i64> = outcomes.iter().map(|outcome| outcome.shard.0).collect();
    let named_jobs = outcomes.iter().filter_map(|outcome| outcome.job).map(|job| job.0).collect();
    let jobs = jobs::lock_with_shards(db, &named_jobs, named.iter().copied()).await?;
    let open = contents::lock(db, named).await?;
    let mut counters = Counters::default();
    let Chosen { applied, taken, of_nobody } = choose(outcomes, open, &jobs, &mut counters);
    if of_nobody > 0 {
        statement("count ignored outcomes", "UPDATE total SET outcomes_ignored = outcomes_ignored + $1")
            .bind(of_nobody)
            .run(db)
            .await?;
    }
    if !taken.is_empty() {
        take(db, &jobs, &taken, limits, &mut counters).await?;
    }
    counters.write(db).await?;
    Ok(applied)
}

/// The outcomes of a batch, told apart.
struct Chosen<'a> {
    applied: Applied,
    taken: Vec<Taken<'a>>,
    /// Ignored ones of which no job is known.
    of_nobody: i64,
}

/// The outcomes of current attempts, each shard's first one; the others are counted, by their job where it is known.
fn choose<'a>(
    outcomes: &'a [Outcome],
    open: Vec<LockedShard>,
    jobs: &BTreeMap<JobId, LockedJob>,
    counters: &mut Counters,
) -> Chosen<'a> {
    let mut open: BTreeMap<i64, LockedShard> = open.into_iter().map(|shard| (shard.id.0, shard)).collect();
    let mut applied = Applied::default();
    let mut taken = Vec::with_capacity(open.len());
    let mut of_nobody = 0;
    for outcome in outcomes {
        match open.remove(&outcome.shard.0) {
            None => {
                applied.duplicate += 1;
                match outcome.job.filter(|job| jobs.contains_key(job)) {
                    Some(job) => counters.add(job, Counter::OutcomesIgnored, 1),
                    None => of_nobody += 1,
                }
            }
            Some(shard) if shard.attempt == outcome.attempt.0 => {
                applied.taken += 1;
                taken.push(Taken { shard, outcome });
            }
            Some(shard) => {
                applied.stale += 1;
                counters.add(shard.job, Counter::OutcomesIgnored, 1);
                open.insert(shard.id.0, shard);
            }
        }
    }
    Chosen { applied, taken, of_nobody }
}

async fn take(
    db: &mut Connection,
    jobs: &BTreeMap<JobId, LockedJob>,
    taken: &[Taken<'_>],
    limits: &Limits,
    counters: &mut Counters,
) -> Result<(), StoreError> {
    contents::delete(db, taken.iter().map(|taken| taken.shard.id.0)).await?;
    for Taken { shard, outcome } in taken {
        counters.add(shard.job, Counter::CpuMs, outcome.cpu_ms.cast_signed());
        counters.add(shard.job, Counter::PagesRead, pages_read(&outcome.report));
    }
    let jobs_inspected = inspected::take(db, jobs, taken, limits, counters).await?;
    pages::take(db, taken, limits, counters).await?;
    assembled::take(db, taken, limits, counters).await?;
    for job in jobs_inspected.iter().filter_map(|job| jobs.get(job)) {
        arrange::sources(db, job, counters).await?;
    }
    Ok(())
}

/// Pages that an outcome brings to an end, whichever.
fn pages_read(report: &Report) -> i64 {
    let Report::Recognised(pages) = report else { return 0 };
    let ended = pages.iter().filter(|page| {
        matches!(
            page.result,
            PageResult::Recognised { .. } | PageResult::Blank { .. } | PageResult::Defect(_)
        )
    });
    ended.count() as i64
}
