//! What operators do: cancel, re-drive, look for dead letters, share a cluster among tenants.

use pagemill_domain::hash::ContentHash;
use pagemill_domain::ids::{JobId, PageId, SourceId};
use pagemill_domain::job::{NewJob, Urgency};
use pagemill_domain::limits::Limits;
use pagemill_domain::outcome::{
    DocumentReport, DocumentResult, Outcome, PageResult, Report, SourceReport, SourceResult,
};
use pagemill_domain::page::PageState;
use pagemill_domain::recipe::Recipe;
use pagemill_domain::scan::{ExistingText, PageDefect, Rejection, SourceKind};
use pagemill_domain::shard::{Shard, SourceLocation, Work};

use super::{EPOCH, SIZES, answer, answer_with, crashed, facts, new_job, outcome, recognised, source};
use crate::store::{
    DeadLetterFilter, JobFilter, JobState, PageCursor, Redriven, ShardOrder, Store, StoreError,
};

async fn open_for(store: &dyn Store, tenant: &str, key: &str, paths: &[&str]) -> JobId {
    let job = NewJob { tenant: tenant.into(), reopen: false, ..new_job(key, &Recipe::default()) };
    let job = store.open_job(&job).await.unwrap();
    let sources: Vec<_> = paths.iter().map(|path| source(path)).collect();
    store.add_sources(job, &sources).await.unwrap();
    job
}

pub(super) async fn submit_for(store: &dyn Store, tenant: &str, key: &str, paths: &[&str]) -> JobId {
    let job = open_for(store, tenant, key, paths).await;
    store.seal(job).await.unwrap();
    job
}

pub(super) async fn cut_of(store: &dyn Store, job: JobId) -> Vec<Shard> {
    let order = ShardOrder { job, shards_max: 16, sizes: SIZES, express: false };
    store.cut_shards(EPOCH, &[order]).await.unwrap()
}

/// Works on a job until nothing is left: sources named `bad…` are rejected, of the others the page 2 of 4 crashes.
pub(super) async fn work_with_failures(store: &dyn Store, job: JobId) {
    let limits = Limits { faults_max: 1, ..Limits::default() };
    loop {
        let shards = cut_of(store, job).await;
        if shards.is_empty() {
            return;
        }
        let outcomes: Vec<Outcome> = shards.iter().map(answer_with_failures).collect();
        store.apply(EPOCH, &outcomes, &limits).await.unwrap();
    }
}

fn answer_with_failures(shard: &Shard) -> Outcome {
    let facts = facts(SourceKind::Tiff, &[ExistingText::None; 4]);
    if let Work::Inspect(sources) = &shard.work {
        let inspect = |source: &pagemill_domain::shard::SourceRef| {
            let SourceLocation::File(path) = &source.location else { panic!("{:?}", source.location) };
            let is_bad = path.file_name().unwrap().to_str().unwrap().starts_with("bad");
            let rejected = SourceResult::Rejected(Rejection::UnknownKind);
            let result = if is_bad { rejected } else { SourceResult::Inspected(facts.clone()) };
            SourceReport { source: source.id, hash: Some(ContentHash::of(b"x")), map: None, result }
        };
        return outcome(shard, Report::Inspected(sources.iter().map(inspect).collect()));
    }
    answer_with(shard, &facts, b"x", &|number| if number == 2 { crashed() } else { recognised() })
}

pub(super) async fn a_cancelled_job_balances_and_takes_nothing_more(store: &dyn Store) {
    let job = submit_for(store, "a", "k", &["1.tif", "2.tif"]).await;
    let sizes = crate::store::ShardSizes { sources: 1, pages: 4 };
    let order = ShardOrder { job, shards_max: 4, sizes, express: false };
    let inspect = store.cut_shards(EPOCH, &[order]).await.unwrap();
    assert_eq!(inspect.len(), 2);
    store.apply(EPOCH, &[answer(&inspect[0], 12, b"x")], &Limits::default()).await.unwrap();
    let read = cut_of(store, job).await;
    assert_eq!(read.len(), 3);
    store.apply(EPOCH, &[answer(&read[0], 12, b"x")], &Limits::default()).await.unwrap();
    store.cancel(job, 77).await.unwrap();

    let row = store.job(job).await.unwrap();
    let ledger = row.status.ledger;
    assert_eq!((row.status.state, row.closed_unix_seconds), (JobState::Cancelled, Some(77)));
    assert_eq!(ledger.balance(), Ok(()));
    assert_eq!((ledger.sources.inspected, ledger.sources.cancelled), (1, 1));
    assert_eq!((ledger.pages.recognised, ledger.pages.cancelled), (4, 8));
    assert_eq!(store.open_shards().await.unwrap(), [], "what workers hold is dropped at their next beat");
    let late = [answer(&read[1], 12, b"x"), answer(&inspect[1], 12, b"x")];
    let applied = store.apply(EPOCH, &late, &Limits::default()).await.unwrap();
    assert_eq!((applied.taken, applied.duplicate), (0, 2));
    assert_eq!(cut_of(store, job).await, []);
    let mut with_ignored = row;
    with_ignored.status.outcomes_ignored = 2;
    assert_eq!(
        store.job(job).await.unwrap(),
        with_ignored,
        "what comes late is counted, and changes nothing"
    );
    assert_eq!(store.demands(9).await.unwrap(), []);
    let mut listed = Vec::new();
    for state in [PageState::Cancelled, PageState::Recognised, PageState::Pending] {
        listed.push(store.list_pages(job, Some(state), PageCursor::default(), 99).await.unwrap().len());
    }
    assert_eq!(listed, [8, 4, 0]);

    store.cancel(job, 78).await.unwrap();
    let refused = [
        store.add_sources(job, &[source("3.tif")]).await.err(),
        store.seal(job).await.err(),
        store.redrive(job, &[]).await.err(),
    ];
    for error in refused {
        assert!(matches!(error, Some(StoreError::WrongState { state: "cancelled", .. })), "{error:?}");
    }
    let done = submit_for(store, "a", "done", &[]).await;
    assert!(store.close_job(EPOCH, done, 1).await.unwrap().is_some());
    assert!(matches!(store.cancel(done, 1).await, Err(StoreError::WrongState { state: "closed", .. })));
}

pub(super) async fn dead_letters_come_back_with_a_fresh_ladder(store: &dyn Store) {
    let job = submit_for(store, "a", "k", &["1.tif", "bad.tif", "2.tif"]).await;
    work_with_failures(store, job).await;
    assert!(store.close_job(EPOCH, job, 5).await.unwrap().is_some());
    let closed = store.status(job).await.unwrap();
    assert_eq!((closed.ledger.pages.dead, closed.ledger.sources.rejected, closed.faults), (2, 1, 2));

    let dead = store.list_dead_letters(&DeadLetterFilter::default(), PageCursor::default(), 9).await.unwrap();
    let first = PageId { source: SourceId(dead[0].source), number: dead[0].number };
    assert_eq!((dead[0].reason.as_str(), dead[0].faults), ("page_crashed", 1));
    let redriven = store.redrive(job, &[first]).await.unwrap();
    assert_eq!(redriven, Redriven { pages: 1, sources: 0 });
    let status = store.status(job).await.unwrap();
    assert_eq!((status.state, status.ledger.pages.dead), (JobState::Sealed, 1));
    assert_eq!(status.ledger.documents.delivered, 1, "its document waits for it");
    assert_eq!(store.redrive(job, &[first]).await.unwrap(), Redriven::default(), "it is not dead any more");
    assert_eq!(work_on(store, job).await, (0, 1, 1));

    let redriven = store.redrive(job, &[]).await.unwrap();
    assert_eq!(redriven, Redriven { pages: 1, sources: 1 });
    assert_eq!(work_on(store, job).await, (1, 2, 2), "the source is inspected, read and delivered at last");
    let status = store.status(job).await.unwrap();
    assert!(status.ledger.is_complete());
    assert_eq!((status.ledger.pages.declared, status.ledger.pages.recognised), (12, 12));
    assert_eq!((status.ledger.documents.delivered, status.ledger.sources.rejected), (3, 0));
    assert!(store.close_job(EPOCH, job, 6).await.unwrap().is_some());
    let left = store.list_dead_letters(&DeadLetterFilter::default(), PageCursor::default(), 9).await.unwrap();
    assert_eq!(left, []);
    let pages = store.list_pages(job, None, PageCursor::default(), 99).await.unwrap();
    assert!(pages.iter().all(|page| page.faults == 0 && page.state == PageState::Recognised));
}

/// Works as a healthy worker would, four pages a source.
async fn work_on(store: &dyn Store, job: JobId) -> (usize, usize, usize) {
    let mut taken = [0; 3];
    loop {
        let shards = cut_of(store, job).await;
        if shards.is_empty() {
            return (taken[0], taken[1], taken[2]);
        }
        for shard in shards {
            taken[shard.work.stage() as usize] += 1;
            store.apply(EPOCH, &[answer(&shard, 4, b"x")], &Limits::default()).await.unwrap();
        }
    }
}

pub(super) async fn dead_letters_are_paged_and_kept_apart(store: &dyn Store) {
    let job = submit_for(store, "a", "1", &["1.tif", "2.tif", "bad.tif"]).await;
    let other = submit_for(store, "b", "1", &["3.tif"]).await;
    work_with_failures(store, job).await;
    work_with_failures(store, other).await;
    let list = async |filter: DeadLetterFilter| {
        let (mut all, mut cursor) = (Vec::new(), PageCursor::default());
        loop {
            let page = store.list_dead_letters(&filter, cursor, 2).await.unwrap();
            let Some(last) = page.last() else { return all };
            cursor = PageCursor { source: last.source, number: last.number };
            all.extend(page.iter().map(|dead| (dead.job, dead.path.clone(), dead.number)));
        }
    };
    let of_job = [(job, "1.tif", 2), (job, "2.tif", 2), (job, "bad.tif", 0)];
    let of_job = of_job.map(|(job, path, number)| (job, path.to_owned(), number));
    let of_other = [(other, "3.tif".to_owned(), 2)];
    let (a, b) = (Some("a".to_owned()), Some("b".to_owned()));
    assert_eq!(list(DeadLetterFilter { tenant: a.clone(), job: None }).await, of_job);
    assert_eq!(list(DeadLetterFilter { tenant: None, job: Some(other) }).await, of_other);
    assert_eq!(list(DeadLetterFilter { tenant: b, job: Some(job) }).await, [], "it is another's");
    assert_eq!(list(DeadLetterFilter { tenant: a, job: Some(job) }).await, of_job);
    assert_eq!(list(DeadLetterFilter::default()).await, [&of_job[..], &of_other].concat());
    let dead = store.list_pages(job, Some(PageState::Dead), PageCursor::default(), 9).await.unwrap();
    assert_eq!(dead.iter().map(|page| page.path.as_str()).collect::<Vec<_>>(), ["1.tif", "2.tif"]);
}

pub(super) async fn a_document_whose_pages_cannot_be_had_is_given_up_at_once(store: &dyn Store) {
    let job = submit_for(store, "a", "k", &["1.tif"]).await;
    for _ in 0..2 {
        let shards = cut_of(store, job).await;
        store.apply(EPOCH, &[answer(&shards[0], 4, b"x")], &Limits::default()).await.unwrap();
    }
    let assemble = cut_of(store, job).await;
    let Work::Assemble(plan) = &assemble[0].work else { panic!("{:?}", assemble[0].work) };
    let result = DocumentResult::Defect(PageDefect::Gone("file 1.tif".into()));
    let report = Report::Assembled(DocumentReport { document: plan.id, result });
    store.apply(EPOCH, &[outcome(&assemble[0], report)], &Limits::default()).await.unwrap();
    assert_eq!(cut_of(store, job).await, [], "another try finds the same");
    assert_eq!(store.status(job).await.unwrap().ledger.documents.failed, 1);
    assert!(store.close_job(EPOCH, job, 5).await.unwrap().is_some());
    store.redrive(job, &[]).await.unwrap();
    assert_eq!(work_on(store, job).await, (0, 0, 1), "the file was put back");
    assert_eq!(store.status(job).await.unwrap().ledger.documents.delivered, 1);
}

pub(super) async fn what_could_not_be_had_is_tried_again_when_the_job_is_opened_again(store: &dyn Store) {
    let reopened = NewJob { tenant: "a".into(), ..new_job("k", &Recipe::default()) };
    let job = submit_for(store, "a", "k", &["1.tif", "2.tif"]).await;
    let four = facts(SourceKind::Tiff, &[ExistingText::None; 4]);
    let fate = |number| match number {
        1 => recognised(),
        2 => PageResult::Defect(PageDefect::Gone("file".into())),
        _ => PageResult::Defect(PageDefect::Damaged("bits".into())),
    };
    loop {
        let shards = cut_of(store, job).await;
        let Some(shard) = shards.first() else { break };
        store.apply(EPOCH, &[answer_with(shard, &four, b"x", &fate)], &Limits::default()).await.unwrap();
        let rest: Vec<_> = shards[1..].iter().map(|shard| shard.id).collect();
        store.hand_back_shards(EPOCH, &rest).await.unwrap();
    }
    assert!(store.close_job(EPOCH, job, 5).await.unwrap().is_some());
    assert_eq!(store.status(job).await.unwrap().ledger.pages.dead, 6);

    store.open_job(&reopened).await.unwrap();
    store.add_sources(job, &[source("1.tif"), source("2.tif")]).await.unwrap();
    store.seal(job).await.unwrap();
    assert_eq!(store.status(job).await.unwrap().ledger.pages.dead, 4, "what is damaged stays so");
    assert_eq!(work_on(store, job).await, (0, 1, 2));
    let status = store.status(job).await.unwrap();
    assert!(status.ledger.is_complete());
    assert_eq!((status.ledger.pages.recognised, status.ledger.documents.delivered), (4, 2));
}

pub(super) async fn keys_name_jobs_of_their_tenant(store: &dyn Store) {
    let job = submit_for(store, "a", "k", &["1.tif"]).await;
    let other = submit_for(store, "b", "k", &["1.tif"]).await;
    assert_ne!(job, other);
    let repeat = NewJob { tenant: "a".into(), reopen: false, ..new_job("k", &Recipe::default()) };
    assert_eq!(store.open_job(&repeat).await.unwrap(), job);
    assert_eq!(store.status(job).await.unwrap().state, JobState::Sealed, "a repeat changes nothing");
    assert_eq!(store.find_job("b", "k").await.unwrap(), Some(other));
    assert_eq!(store.find_job("c", "k").await.unwrap(), None);
    store.cancel(other, 1).await.unwrap();
    let list = async |tenant: Option<&str>, open_only, after| {
        let filter = JobFilter { tenant: tenant.map(Into::into), open_only };
        let rows = store.list_jobs(&filter, after, 9).await.unwrap();
        rows.iter().map(|row| (row.id, row.tenant.clone())).collect::<Vec<_>>()
    };
    let (a, b) = ((job, "a".to_owned()), (other, "b".to_owned()));
    assert_eq!(list(None, false, JobId(0)).await, [a.clone(), b.clone()]);
    assert_eq!(list(None, false, job).await, std::slice::from_ref(&b));
    assert_eq!(list(Some("b"), false, JobId(0)).await, [b]);
    assert_eq!(list(None, true, JobId(0)).await, [a]);
    assert!(matches!(store.job(JobId(99)).await, Err(StoreError::NoSuchJob(JobId(99)))));
}

pub(super) async fn orders_share_the_room_and_say_what_is_express(store: &dyn Store) {
    let large = submit_for(store, "a", "large", &["1.tif", "2.tif"]).await;
    let small = submit_for(store, "b", "small", &["3.tif"]).await;
    for job in [large, small] {
        let inspect = cut_of(store, job).await;
        store.apply(EPOCH, &[answer(&inspect[0], 40, b"x")], &Limits::default()).await.unwrap();
    }
    let orders = [
        ShardOrder { job: large, shards_max: 3, sizes: SIZES, express: false },
        ShardOrder {
            job: small,
            shards_max: 2,
            sizes: crate::store::ShardSizes { sources: 1, pages: 1 },
            express: true,
        },
    ];
    let shards = store.cut_shards(EPOCH, &orders).await.unwrap();
    let of = |job| shards.iter().filter(move |shard: &&Shard| shard.job == job);
    assert_eq!((of(large).count(), of(small).count()), (3, 2));
    let pages = |shard: &Shard| match &shard.work {
        Work::Recognise(groups) => groups.iter().map(|group| group.pages.len()).sum::<usize>(),
        other => panic!("{other:?}"),
    };
    assert!(of(large).all(|shard| !shard.express && pages(shard) == 4));
    assert!(of(small).all(|shard| shard.express && pages(shard) == 1));
    let open = store.open_shards().await.unwrap();
    assert_eq!(open.iter().filter(|shard| shard.express).count(), 2);
    let again = store.messages(&[of(small).next().unwrap().id]).await.unwrap();
    assert!(again[0].express);
}

pub(super) async fn demands_are_ranked_and_figures_summed(store: &dyn Store) {
    let mut jobs = Vec::new();
    for (key, priority, deadline) in [("1", 5, None), ("2", 5, Some(50)), ("3", 9, None), ("4", 5, Some(20))]
    {
        let urgency = Urgency { priority, deadline_unix_seconds: deadline };
        let job = NewJob { urgency, now_unix_seconds: 40, reopen: false, ..new_job(key, &Recipe::default()) };
        let job = store.open_job(&job).await.unwrap();
        store.add_sources(job, &[source("1.tif")]).await.unwrap();
        jobs.push(job);
    }
    assert_eq!(store.demands(9).await.unwrap(), [], "a draft demands nothing");
    assert_eq!(store.figures().await.unwrap().sources_pending, 0);
    for &job in &jobs {
        store.seal(job).await.unwrap();
    }
    let inspect = cut_of(store, jobs[0]).await;
    store
        .apply(EPOCH, &[answer(&inspect[0], 6, b"x"), answer(&inspect[0], 6, b"x")], &Limits::default())
        .await
        .unwrap();
    let open = cut_of(store, jobs[0]).await;
    let demands = store.demands(9).await.unwrap();
    let ranked: Vec<JobId> = demands.iter().map(|demand| demand.job).collect();
    assert_eq!(ranked, [jobs[2], jobs[3], jobs[1], jobs[0]]);
    let first = &demands[3];
    assert_eq!((first.pages_open, first.pages_declared, first.shards_in_flight), (6, 6, open.len()));
    assert_eq!((first.sources_open, first.documents_open, demands[0].sources_open), (0, 1, 1));
    assert_eq!(store.demands(2).await.unwrap().len(), 2);
    let figures = store.figures().await.unwrap();
    assert_eq!((figures.sources_pending, figures.pages_pending, figures.documents_pending), (3, 6, 1));
    assert_eq!((figures.ledger.sources.submitted, figures.outcomes_ignored), (4, 1));
    assert_eq!(figures.oldest_pending_unix_seconds, Some(40));
}

pub(super) async fn abandoned_drafts_expire(store: &dyn Store) {
    let draft = open_for(store, "a", "old", &["1.tif"]).await;
    let sealed = submit_for(store, "a", "sealed", &["1.tif"]).await;
    assert_eq!(store.expire_drafts(EPOCH, 1).await.unwrap(), 0, "it is not older than that");
    assert_eq!(store.expire_drafts(EPOCH, 2).await.unwrap(), 1);
    assert!(matches!(store.status(draft).await, Err(StoreError::NoSuchJob(_))));
    assert_eq!(store.list_sources(draft, 0, 9).await.unwrap(), []);
    assert_eq!(store.status(sealed).await.unwrap().state, JobState::Sealed);
    let again = open_for(store, "a", "old", &["1.tif"]).await;
    assert_ne!(again, draft, "a number is never used twice");
}

pub(super) async fn a_shard_answers_only_for_what_it_holds(store: &dyn Store) {
    let job = submit_for(store, "a", "1", &["1.tif"]).await;
    let other = submit_for(store, "b", "1", &["2.tif"]).await;
    let mut shards = Vec::new();
    for job in [job, other] {
        let inspect = cut_of(store, job).await;
        store.apply(EPOCH, &[answer(&inspect[0], 4, b"x")], &Limits::default()).await.unwrap();
        shards.extend(cut_of(store, job).await);
    }
    let mut forged = answer(&shards[0], 4, b"x");
    let stolen = answer(&shards[1], 4, b"x");
    if let (Report::Recognised(own), Report::Recognised(others)) = (&mut forged.report, stolen.report) {
        own.extend(others);
    }
    store.apply(EPOCH, &[forged], &Limits::default()).await.unwrap();
    assert_eq!(store.status(job).await.unwrap().ledger.pages.recognised, 4);
    assert_eq!(store.status(other).await.unwrap().ledger.pages.recognised, 0);
    let nothing_said = outcome(&shards[1], Report::Inspected(Vec::new()));
    store.apply(EPOCH, &[nothing_said], &Limits::default()).await.unwrap();
    assert_eq!(cut_of(store, other).await.len(), 1, "its pages wait again");
}

pub(super) async fn results_and_artifacts_are_found_by_their_job(store: &dyn Store) {
    let job = submit_for(store, "a", "1", &["1.tif"]).await;
    let other = submit_for(store, "b", "1", &["1.tif"]).await;
    work_on(store, job).await;
    let source = store.list_sources(job, 0, 9).await.unwrap()[0].id;
    let page = |number| PageId { source: SourceId(source), number };
    assert!(store.page_result(job, page(1)).await.unwrap().is_some());
    assert_eq!(store.page_result(job, page(9)).await.unwrap(), None);
    assert_eq!(store.page_result(other, page(1)).await.unwrap(), None);
    assert_eq!(store.artifact(job, "1.pdf").await.unwrap().unwrap().name, "1.pdf");
    assert_eq!(store.artifact(other, "1.pdf").await.unwrap(), None);
}
