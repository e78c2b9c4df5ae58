//! What every store promises.

use futures::FutureExt;
use futures::future::BoxFuture;
use pagemill_domain::geometry::Orientation;
use pagemill_domain::hash::ContentHash;
use pagemill_domain::ids::{Attempt, Epoch, JobId, ShardId, SourceId};
use pagemill_domain::job::{NewJob, TENANT_DEFAULT, Urgency};
use pagemill_domain::limits::Limits;
use pagemill_domain::outcome::{
    Artifact, DocumentReport, DocumentResult, Fault, Fingerprint, Outcome, PageReport, PageResult, Report,
    SourceReport, SourceResult,
};
use pagemill_domain::page::{PageState, PageSummary};
use pagemill_domain::recipe::{ExistingTextRule, Format, Grouping, Recipe};
use pagemill_domain::scan::{Dpi, DpiRule, ExistingText, PageFacts, Rejection, SourceFacts, SourceKind};
use pagemill_domain::shard::{FileStamp, ResultRef, Shard, SourceLocation, SourceRef, Stage, Work};

use super::{JobState, LeaderLease, NewSource, PageCursor, Reclaim, ShardOrder, ShardSizes, Store};

mod leadership;
mod named;
mod operators;
mod totals;

pub(crate) type Check = fn(Box<dyn Store>) -> BoxFuture<'static, ()>;

/// A check with a fresh store, which it leads in epoch 1.
macro_rules! check {
    ($name:path) => {
        |store| {
            async move {
                assert_eq!(store.seize_lease(&LeaderLease::default(), "test").await.unwrap(), Some(EPOCH));
                $name(&*store).await;
            }
            .boxed()
        }
    };
}

pub(crate) const CHECKS: &[Check] = &[
    check!(a_job_runs_to_a_balanced_close),
    check!(nothing_counts_twice),
    check!(an_outcome_of_nobody_is_counted_for_all),
    check!(faults_climb_the_ladder_alone),
    check!(lost_shards_come_back_and_stale_outcomes_do_not_count),
    check!(a_worker_killer_is_given_up),
    check!(an_unchanged_repeat_has_nothing_to_do),
    check!(changed_content_is_read_again),
    check!(another_format_only_assembles_again),
    check!(what_is_gone_is_withdrawn_unless_delivered),
    check!(folders_make_documents_in_natural_order),
    check!(kept_pages_are_never_dispatched),
    check!(what_nobody_took_is_handed_back_uncounted),
    check!(pages_that_were_not_reached_are_handed_back),
    check!(named::every_blob_that_rows_name_is_listed),
    check!(named::a_source_s_map_goes_with_its_pages),
    check!(leadership::one_challenger_takes_over),
    check!(leadership::a_deposed_leader_writes_nothing),
    check!(leadership::beats_renew_leases_and_tell_what_was_dropped),
    check!(leadership::workers_are_listed_directed_and_forgotten),
    check!(leadership::only_lost_dispatches_are_reclaimed),
    check!(operators::a_cancelled_job_balances_and_takes_nothing_more),
    check!(operators::dead_letters_come_back_with_a_fresh_ladder),
    check!(operators::dead_letters_are_paged_and_kept_apart),
    check!(operators::what_could_not_be_had_is_tried_again_when_the_job_is_opened_again),
    check!(operators::a_document_whose_pages_cannot_be_had_is_given_up_at_once),
    check!(operators::keys_name_jobs_of_their_tenant),
    check!(operators::orders_share_the_room_and_say_what_is_express),
    check!(operators::demands_are_ranked_and_figures_summed),
    check!(totals::figures_are_the_sum_of_all_jobs_whatever_becomes_of_them),
    check!(operators::abandoned_drafts_expire),
    check!(operators::a_shard_answers_only_for_what_it_holds),
    check!(operators::results_and_artifacts_are_found_by_their_job),
];

const SIZES: ShardSizes = ShardSizes { sources: 8, pages: 4 };
const EPOCH: Epoch = Epoch(1);

pub(crate) fn new_job(key: &str, recipe: &Recipe) -> NewJob {
    let (tenant, recipe) = (TENANT_DEFAULT.into(), recipe.clone());
    NewJob { tenant, key: key.into(), recipe, urgency: Urgency::default(), now_unix_seconds: 1, reopen: true }
}

fn order(shards_max: usize) -> ShardOrder {
    ShardOrder { job: JobId(1), shards_max, sizes: SIZES, express: false }
}

pub(crate) fn source(path: &str) -> NewSource {
    NewSource {
        path: path.into(),
        folder: path.rsplit_once('/').map_or(String::new(), |(folder, _)| folder.into()),
        location: SourceLocation::File(format!("/scans/{path}").into()),
        stamp: FileStamp { bytes: 10, modified_ns: 1, inode: 1 },
    }
}

async fn submit(store: &dyn Store, recipe: &Recipe, sources: &[NewSource]) -> JobId {
    let job = store.open_job(&new_job("out", recipe)).await.unwrap();
    store.add_sources(job, sources).await.unwrap();
    store.seal(job).await.unwrap();
    job
}

async fn cut(store: &dyn Store) -> Vec<Shard> {
    store.cut_shards(EPOCH, &[order(16)]).await.unwrap()
}

fn facts(kind: SourceKind, existing_text: &[ExistingText]) -> SourceFacts {
    let page = |&existing_text| PageFacts {
        width: 2480,
        height: 3508,
        dpi: Dpi::square(300),
        dpi_rule: DpiRule::Declared,
        orientation: Orientation::default(),
        existing_text,
        defect: None,
    };
    SourceFacts { kind, pages: existing_text.iter().map(page).collect(), signed: false }
}

fn recognised() -> PageResult {
    let hash = ContentHash::of(b"text");
    let result = ResultRef { blob: hash, offset: 0, length: 4, hash };
    PageResult::Recognised { result, summary: PageSummary::default() }
}

/// Where the map of each source that [`answer`] inspects lies.
fn map() -> ResultRef {
    let hash = ContentHash::of(b"map");
    ResultRef { blob: hash, offset: 0, length: 3, hash }
}

fn crashed() -> PageResult {
    PageResult::Fault(Fault::Crashed { how: "signal 11".into() })
}

fn outcome(shard: &Shard, report: Report) -> Outcome {
    let fingerprint = Fingerprint("test".into());
    Outcome {
        shard: shard.id,
        attempt: shard.attempt,
        job: Some(shard.job),
        fingerprint,
        cpu_ms: 5,
        wall_ms: 5,
        report,
    }
}

/// Answers a shard as a healthy worker would: sources have `pages` pages, every page is read.
pub(crate) fn answer(shard: &Shard, pages: usize, content: &[u8]) -> Outcome {
    answer_with(shard, &facts(SourceKind::Tiff, &vec![ExistingText::None; pages]), content, &|_| recognised())
}

fn answer_with(
    shard: &Shard,
    facts: &SourceFacts,
    content: &[u8],
    read: &dyn Fn(u32) -> PageResult,
) -> Outcome {
    let report = match &shard.work {
        Work::Inspect(sources) => {
            let inspect = |source: &SourceRef| SourceReport {
                source: source.id,
                hash: Some(ContentHash::of(content)),
                map: Some(map()),
                result: SourceResult::Inspected(facts.clone()),
            };
            Report::Inspected(sources.iter().map(inspect).collect())
        }
        Work::AssembleStored(_) => unreachable!("a store never stores plans aside"),
        Work::Recognise(groups) => {
            let pages = groups.iter().flat_map(|group| {
                let source = group.source.id;
                group.pages.iter().map(move |&number| PageReport { source, number, result: read(number) })
            });
            Report::Recognised(pages.collect())
        }
        Work::Assemble(plan) => {
            let artifact = Artifact {
                format: Format::Pdf,
                name: format!("{}.pdf", plan.name),
                bytes: 1,
                hash: ContentHash::of(b"pdf"),
            };
            let result = DocumentResult::Delivered { artifacts: vec![artifact], gaps: Vec::new() };
            Report::Assembled(DocumentReport { document: plan.id, result })
        }
    };
    outcome(shard, report)
}

/// Works until nothing is left; returns how many shards of each stage it took.
async fn work(store: &dyn Store, job: JobId, pages: usize, content: &[u8]) -> (usize, usize, usize) {
    let mut taken = (0, 0, 0);
    loop {
        store.arrange_folders(EPOCH, job).await.unwrap();
        let shards = cut(store).await;
        if shards.is_empty() {
            return taken;
        }
        for shard in shards {
            match shard.work {
                Work::Inspect(_) => taken.0 += 1,
                Work::Recognise(_) => taken.1 += 1,
                Work::Assemble(_) | Work::AssembleStored(_) => taken.2 += 1,
            }
            let applied =
                store.apply(EPOCH, &[answer(&shard, pages, content)], &Limits::default()).await.unwrap();
            assert_eq!(applied.taken, 1);
        }
    }
}

async fn a_job_runs_to_a_balanced_close(store: &dyn Store) {
    let job = submit(store, &Recipe::default(), &[source("a/1.tif"), source("a/2.tif")]).await;
    assert_eq!(store.close_job(EPOCH, job, 9).await.unwrap(), None, "nothing is done yet");
    let taken = work(store, job, 5, b"content").await;
    assert_eq!(taken, (1, 3, 2), "ten pages are three shards of up to four");
    let status = store.status(job).await.unwrap();
    assert!(status.ledger.is_complete(), "{status:?}");
    assert_eq!((status.ledger.pages.declared, status.ledger.pages.recognised), (10, 10));
    assert_eq!(store.close_job(EPOCH, job, 9).await.unwrap(), Some(Vec::new()));
    assert_eq!(store.status(job).await.unwrap().state, JobState::Closed);
    let pages = store.list_pages(job, None, PageCursor::default(), 7).await.unwrap();
    let last = pages.last().unwrap();
    let cursor = PageCursor { source: last.source, number: last.number };
    let rest = store.list_pages(job, None, cursor, 7).await.unwrap();
    assert_eq!((pages.len(), rest.len()), (7, 3));
    assert!(
        rest.iter().chain(&pages).all(|page| page.state == PageState::Recognised && page.document.is_some())
    );
    let documents = store.list_documents(job, 0, 10).await.unwrap();
    assert_eq!(documents.iter().map(|document| document.artifacts.len()).sum::<usize>(), 2);
    assert_eq!(store.fingerprints(job).await.unwrap(), [Fingerprint("test".into())]);
}

async fn nothing_counts_twice(store: &dyn Store) {
    let job = submit(store, &Recipe::default(), &[source("1.tif")]).await;
    let mut ignored = 0;
    loop {
        let shards = cut(store).await;
        if shards.is_empty() {
            break;
        }
        let outcomes: Vec<Outcome> = shards.iter().map(|shard| answer(shard, 5, b"content")).collect();
        let thrice: Vec<Outcome> = outcomes.iter().cycle().take(outcomes.len() * 3).cloned().collect();
        let applied = store.apply(EPOCH, &thrice, &Limits::default()).await.unwrap();
        assert_eq!(applied.taken as usize, outcomes.len());
        assert_eq!(applied.duplicate as usize, outcomes.len() * 2);
        ignored += applied.duplicate;
    }
    let status = store.status(job).await.unwrap();
    assert!(status.ledger.is_complete());
    assert_eq!((status.ledger.pages.recognised, status.ledger.documents.delivered), (5, 1));
    assert_eq!(status.outcomes_ignored, ignored, "the job's report tells what came twice");
}

async fn an_outcome_of_nobody_is_counted_for_all(store: &dyn Store) {
    let job = submit(store, &Recipe::default(), &[source("1.tif")]).await;
    let shard = cut(store).await.remove(0);
    let taken = answer(&shard, 1, b"x");
    let from_an_old_worker = Outcome { job: None, ..taken.clone() };
    let of_no_job = Outcome { job: Some(JobId(4_711)), ..taken.clone() };
    let outcomes = [taken.clone(), taken, from_an_old_worker, of_no_job];
    let applied = store.apply(EPOCH, &outcomes, &Limits::default()).await.unwrap();
    assert_eq!((applied.taken, applied.duplicate), (1, 3));
    assert_eq!(store.status(job).await.unwrap().outcomes_ignored, 1);
    assert_eq!(store.figures().await.unwrap().outcomes_ignored, 3);
}

async fn faults_climb_the_ladder_alone(store: &dyn Store) {
    let limits = Limits { faults_max: 4, ..Limits::default() };
    let job = submit(store, &Recipe::default(), &[source("1.tif")]).await;
    let facts = facts(SourceKind::Tiff, &[ExistingText::None; 4]);
    let poison = |number| if number == 3 { crashed() } else { recognised() };
    let mut company = Vec::new();
    loop {
        let shards = cut(store).await;
        if shards.is_empty() {
            break;
        }
        for shard in &shards {
            if let Work::Recognise(groups) = &shard.work {
                company.push((groups[0].pages.clone(), groups[0].degraded));
            }
            store.apply(EPOCH, &[answer_with(shard, &facts, b"x", &poison)], &limits).await.unwrap();
        }
    }
    let expected = [(vec![1, 2, 3, 4], false), (vec![3], false), (vec![3], false), (vec![3], true)];
    assert_eq!(company, expected);
    let status = store.status(job).await.unwrap();
    assert!(status.ledger.is_complete());
    assert_eq!((status.ledger.pages.recognised, status.ledger.pages.dead, status.faults), (3, 1, 4));
    let pages = store.list_pages(job, None, PageCursor::default(), 10).await.unwrap();
    assert_eq!(pages[2].reason.as_deref(), Some("page_crashed"));
}

async fn lost_shards_come_back_and_stale_outcomes_do_not_count(store: &dyn Store) {
    let job = submit(store, &Recipe::default(), &[source("1.tif")]).await;
    let inspect = cut(store).await.remove(0);
    store.apply(EPOCH, &[answer(&inspect, 2, b"x")], &Limits::default()).await.unwrap();
    let lost = cut(store).await.remove(0);
    assert!(cut(store).await.is_empty(), "what is dispatched is not dispatched again");
    let again = store.reclaim_shards(EPOCH, Reclaim::All, &Limits::default()).await.unwrap();
    assert_eq!(again.len(), 1);
    assert_eq!((again[0].id, again[0].attempt, &again[0].work), (lost.id, Attempt(2), &lost.work));
    let late = store.apply(EPOCH, &[answer(&lost, 2, b"x")], &Limits::default()).await.unwrap();
    assert_eq!((late.taken, late.stale), (0, 1));
    let current = store.apply(EPOCH, &[answer(&again[0], 2, b"x")], &Limits::default()).await.unwrap();
    assert_eq!(current.taken, 1);
    let status = store.status(job).await.unwrap();
    assert_eq!((status.ledger.pages.recognised, status.losses, status.outcomes_ignored), (2, 2, 1));
}

async fn a_worker_killer_is_given_up(store: &dyn Store) {
    let limits = Limits { losses_max: 6, ..Limits::default() };
    let job = submit(store, &Recipe::default(), &[source("1.tif")]).await;
    let inspect = cut(store).await.remove(0);
    store.apply(EPOCH, &[answer(&inspect, 2, b"x")], &limits).await.unwrap();
    for _ in 0..limits.losses_max {
        cut(store).await;
        store.reclaim_shards(EPOCH, Reclaim::All, &limits).await.unwrap();
    }
    let ledger = store.status(job).await.unwrap().ledger;
    assert_eq!(ledger.pages.dead, 2, "{ledger:?}");
    work(store, job, 2, b"x").await;
    assert!(store.status(job).await.unwrap().ledger.is_complete());
}

async fn an_unchanged_repeat_has_nothing_to_do(store: &dyn Store) {
    let sources = [source("a.tif"), source("b.tif")];
    let job = submit(store, &Recipe::default(), &sources).await;
    work(store, job, 2, b"x").await;
    store.close_job(EPOCH, job, 9).await.unwrap();
    let again = submit(store, &Recipe::default(), &sources).await;
    assert_eq!(again, job);
    assert!(cut(store).await.is_empty());
    assert_eq!(store.close_job(EPOCH, job, 9).await.unwrap(), Some(Vec::new()));
    let documents = store.list_documents(job, 0, 10).await.unwrap();
    store.reassemble(documents[0].id).await.unwrap();
    let job = submit(store, &Recipe::default(), &sources).await;
    assert_eq!(work(store, job, 2, b"x").await, (0, 0, 1), "a missing artifact is written again");
}

async fn changed_content_is_read_again(store: &dyn Store) {
    let mut changed = source("a.tif");
    let job = submit(store, &Recipe::default(), &[changed.clone(), source("b.tif")]).await;
    work(store, job, 3, b"x").await;
    changed.stamp.modified_ns = 2;
    submit(store, &Recipe::default(), &[changed.clone(), source("b.tif")]).await;
    assert_eq!(work(store, job, 3, b"x").await, (1, 0, 0), "touched, but the same content");
    changed.stamp.modified_ns = 3;
    submit(store, &Recipe::default(), &[changed, source("b.tif")]).await;
    assert_eq!(work(store, job, 2, b"other").await, (1, 1, 1));
    let ledger = store.status(job).await.unwrap().ledger;
    assert!(ledger.is_complete());
    assert_eq!((ledger.pages.declared, ledger.documents.arranged), (5, 2));
}

async fn another_format_only_assembles_again(store: &dyn Store) {
    let sources = [source("a.tif"), source("b.tif")];
    let job = submit(store, &Recipe::default(), &sources).await;
    work(store, job, 2, b"x").await;
    let more = Recipe { formats: vec![Format::Pdf, Format::Txt], ..Recipe::default() };
    submit(store, &more, &sources).await;
    assert_eq!(work(store, job, 2, b"x").await, (0, 0, 2));
    assert_eq!(store.close_job(EPOCH, job, 9).await.unwrap(), Some(Vec::new()), "the names are taken again");
    let english = Recipe { languages: vec!["eng".into()], ..more };
    submit(store, &english, &sources).await;
    assert_eq!(work(store, job, 2, b"x").await, (1, 1, 2));
    assert!(store.status(job).await.unwrap().ledger.is_complete());
}

async fn what_is_gone_is_withdrawn_unless_delivered(store: &dyn Store) {
    let job = submit(store, &Recipe::default(), &[source("good.tif"), source("bad.tif")]).await;
    let inspect = cut(store).await.remove(0);
    let report = |id, result| SourceReport {
        source: SourceId(id),
        hash: Some(ContentHash::of(b"x")),
        map: None,
        result,
    };
    let good = report(1, SourceResult::Inspected(facts(SourceKind::Tiff, &[ExistingText::None])));
    let bad = report(2, SourceResult::Rejected(Rejection::UnknownKind));
    store
        .apply(EPOCH, &[outcome(&inspect, Report::Inspected(vec![good, bad]))], &Limits::default())
        .await
        .unwrap();
    work(store, job, 1, b"x").await;
    assert!(store.close_job(EPOCH, job, 9).await.unwrap().is_some());
    assert_eq!(store.list_sources(job, 0, 10).await.unwrap()[1].rejection, Some(Rejection::UnknownKind));
    let another = [source("new.tif")];
    submit(store, &Recipe::default(), &another).await;
    work(store, job, 1, b"x").await;
    let ledger = store.status(job).await.unwrap().ledger;
    assert!(ledger.is_complete(), "{ledger:?}");
    assert_eq!((ledger.sources.submitted, ledger.sources.rejected), (2, 0), "good and new; bad is withdrawn");
}

async fn folders_make_documents_in_natural_order(store: &dyn Store) {
    let recipe = Recipe { group: Grouping::Folder, ..Recipe::default() };
    let mut sources = vec![source("box/10.tif"), source("box/2.tif"), source("other/1.tif")];
    let job = submit(store, &recipe, &sources).await;
    work(store, job, 1, b"x").await;
    let documents = store.list_documents(job, 0, 10).await.unwrap();
    assert_eq!(documents.iter().map(|document| document.name.as_str()).collect::<Vec<_>>(), ["box", "other"]);
    sources.push(source("box/3.tif"));
    submit(store, &recipe, &sources).await;
    let inspect = cut(store).await.remove(0);
    store.apply(EPOCH, &[answer(&inspect, 1, b"x")], &Limits::default()).await.unwrap();
    let mut order = Vec::new();
    loop {
        store.arrange_folders(EPOCH, job).await.unwrap();
        let shards = cut(store).await;
        if shards.is_empty() {
            break;
        }
        for shard in shards {
            if let Work::Assemble(plan) = &shard.work {
                order = plan.sources.iter().map(|source| source.source.location.clone()).collect();
            }
            store.apply(EPOCH, &[answer(&shard, 1, b"x")], &Limits::default()).await.unwrap();
        }
    }
    let expected = ["2", "3", "10"].map(|page| SourceLocation::File(format!("/scans/box/{page}.tif").into()));
    assert_eq!(order, expected);
    let ledger = store.status(job).await.unwrap().ledger;
    assert!(ledger.is_complete());
    assert_eq!(ledger.documents.arranged, 2);
}

async fn kept_pages_are_never_dispatched(store: &dyn Store) {
    let recipe = Recipe { existing_text: ExistingTextRule::Skip, ..Recipe::default() };
    let job = submit(store, &recipe, &[source("a.pdf")]).await;
    let inspect = cut(store).await.remove(0);
    let text = [ExistingText::Visible, ExistingText::None, ExistingText::Invisible];
    let answer = answer_with(&inspect, &facts(SourceKind::Pdf, &text), b"x", &|_| recognised());
    store.apply(EPOCH, &[answer], &Limits::default()).await.unwrap();
    let shards = cut(store).await;
    let Work::Recognise(groups) = &shards[0].work else { panic!("{:?}", shards[0].work) };
    assert_eq!((shards.len(), &groups[0].pages), (1, &vec![2]));
    let ledger = store.status(job).await.unwrap().ledger;
    assert_eq!((ledger.pages.declared, ledger.pages.kept), (3, 2));
}

async fn pages_that_were_not_reached_are_handed_back(store: &dyn Store) {
    let job = submit(store, &Recipe::default(), &[source("a.tif")]).await;
    let inspect = cut(store).await.remove(0);
    store.apply(EPOCH, &[answer(&inspect, 4, b"x")], &Limits::default()).await.unwrap();
    let shard = cut(store).await.remove(0);
    let first = PageReport { source: SourceId(1), number: 1, result: recognised() };
    store
        .apply(EPOCH, &[outcome(&shard, Report::Recognised(vec![first]))], &Limits::default())
        .await
        .unwrap();
    let rest = cut(store).await;
    let Work::Recognise(groups) = &rest[0].work else { panic!("{:?}", rest[0].work) };
    assert_eq!(groups[0].pages, [2, 3, 4]);
    let status = store.status(job).await.unwrap();
    assert_eq!((status.faults, status.losses), (0, 0));
}

async fn what_nobody_took_is_handed_back_uncounted(store: &dyn Store) {
    let job = submit(store, &Recipe::default(), &[source("a.tif")]).await;
    let mut taken = Vec::new();
    for _ in 0..3 {
        let untaken: Vec<ShardId> = cut(store).await.iter().map(|shard| shard.id).collect();
        assert_eq!(untaken.len(), 1);
        store.hand_back_shards(EPOCH, &untaken).await.unwrap();
        let again = cut(store).await.remove(0);
        store.apply(EPOCH, &[answer(&again, 4, b"x")], &Limits::default()).await.unwrap();
        taken.push(again.work.stage());
    }
    assert_eq!(taken, [Stage::Inspect, Stage::Recognise, Stage::Assemble]);
    let status = store.status(job).await.unwrap();
    assert!(status.ledger.is_complete());
    assert_eq!((status.faults, status.losses), (0, 0));
}
