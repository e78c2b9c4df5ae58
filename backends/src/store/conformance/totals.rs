//! The figures of all jobs together, which are kept apart from the jobs that they sum up.

use pagemill_domain::ids::JobId;
use pagemill_domain::job::NewJob;
use pagemill_domain::ledger::Ledger;
use pagemill_domain::limits::Limits;
use pagemill_domain::outcome::Outcome;
use pagemill_domain::recipe::{Format, Recipe};

use super::operators::{cut_of, submit_for, work_with_failures};
use super::{EPOCH, answer, new_job, source};
use crate::store::{JobFilter, Store};

pub(super) async fn figures_are_the_sum_of_all_jobs_whatever_becomes_of_them(store: &dyn Store) {
    let finished = submit_for(store, "a", "finished", &["1.tif", "bad.tif", "2.tif"]).await;
    work_with_failures(store, finished).await;
    check(store, "a job is worked on").await;
    assert!(store.close_job(EPOCH, finished, 5).await.unwrap().is_some());
    check(store, "it is closed").await;

    let given_up = submit_for(store, "b", "given up", &["1.tif", "2.tif"]).await;
    let inspect = cut_of(store, given_up).await;
    store.apply(EPOCH, &[answer(&inspect[0], 12, b"x")], &Limits::default()).await.unwrap();
    let read = cut_of(store, given_up).await;
    store.cancel(given_up, 6).await.unwrap();
    check(store, "another is cancelled").await;
    let late = answer(&read[0], 12, b"x");
    let of_nobody = Outcome { job: None, ..late.clone() };
    store.apply(EPOCH, &[late, of_nobody], &Limits::default()).await.unwrap();
    check(store, "outcomes come too late").await;
    assert_eq!(store.figures().await.unwrap().outcomes_ignored, 2);

    assert!(store.redrive(finished, &[]).await.unwrap().pages > 0);
    check(store, "dead pages come back").await;
    work_with_failures(store, finished).await;
    assert!(store.close_job(EPOCH, finished, 7).await.unwrap().is_some());
    check(store, "the job is closed again").await;

    let other = Recipe { formats: vec![Format::Txt], ..Recipe::default() };
    let reopened = NewJob { tenant: "a".into(), ..new_job("finished", &other) };
    assert_eq!(store.open_job(&reopened).await.unwrap(), finished);
    check(store, "it is opened again").await;
    store.add_sources(finished, &[source("3.tif")]).await.unwrap();
    store.seal(finished).await.unwrap();
    work_with_failures(store, finished).await;
    assert!(store.close_job(EPOCH, finished, 8).await.unwrap().is_some());
    check(store, "and closed with other sources").await;
    assert_eq!(store.figures().await.unwrap().oldest_pending_unix_seconds, None);
}

async fn check(store: &dyn Store, when: &str) {
    let mut sum = [0; 13];
    for job in store.list_jobs(&JobFilter::default(), JobId(0), 99).await.unwrap() {
        for (sum, count) in sum.iter_mut().zip(counts(&job.status.ledger)) {
            *sum += count;
        }
    }
    assert_eq!(counts(&store.figures().await.unwrap().ledger), sum, "{when}");
    let open = JobFilter { open_only: true, ..JobFilter::default() };
    let open = store.list_jobs(&open, JobId(0), 99).await.unwrap();
    assert!(open.iter().all(|job| job.closed_unix_seconds.is_none()), "{when}: {open:?}");
}

fn counts(ledger: &Ledger) -> [u64; 13] {
    let Ledger { sources, pages, documents } = ledger;
    [
        sources.submitted,
        sources.inspected,
        sources.rejected,
        sources.cancelled,
        pages.declared,
        pages.recognised,
        pages.blank,
        pages.kept,
        pages.dead,
        pages.cancelled,
        documents.arranged,
        documents.delivered,
        documents.failed,
    ]
}
