//! A store whose answers get lost, before the work is done or after it, as the dice say.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use pagemill_backends::store::{
    Applied, BeatAnswer, DeadLetter, DeadLetterFilter, Directive, DocumentRow, JobFilter, JobRow, JobStatus,
    LeaderLease, NamedBlobs, NamedCursor, NewSource, OpenShard, PageCursor, PageRow, Reclaim, Redriven,
    ShardOrder, SourceRow, SqliteStore, Store, StoreError, StoreFigures, WorkerBeat, WorkerRow,
};
use pagemill_domain::ids::{DocumentId, Epoch, JobId, PageId, ShardId, WorkerId};
use pagemill_domain::job::NewJob;
use pagemill_domain::limits::Limits;
use pagemill_domain::outcome::{Artifact, Fingerprint, Outcome};
use pagemill_domain::page::PageState;
use pagemill_domain::schedule::Demand;
use pagemill_domain::shard::{ResultRef, Shard};

use super::dice::Dice;
use super::witness::SharedWitness;

pub(super) struct FailingStore {
    /// The store itself, which never fails: what the schedule looks at and submits to.
    pub(super) inner: Arc<SqliteStore>,
    dice: Mutex<(Dice, u64)>,
    witness: SharedWitness,
}

impl FailingStore {
    pub(super) fn new(
        inner: Arc<SqliteStore>,
        dice: Dice,
        failures_percent: u64,
        witness: SharedWitness,
    ) -> Self {
        Self { inner, dice: Mutex::new((dice, failures_percent)), witness }
    }

    pub(super) fn calm_down(&self) {
        self.dice.lock().unwrap().1 = 0;
    }

    fn fail(&self) -> Result<(), StoreError> {
        let (dice, failures_percent) = &mut *self.dice.lock().unwrap();
        if dice.percent(*failures_percent) {
            return Err(StoreError::Database { action: "simulate", source: sqlx::Error::PoolTimedOut });
        }
        Ok(())
    }
}

/// Passes calls on; the witness sees those that say with what, as soon as the store has done them.
macro_rules! pass_on {
    ($(
        $name:ident($($argument:ident: $kind:ty),*) -> $answer:ty
            $(=> |$witness:ident, $done:ident| $($see:expr),+)?;
    )*) => {
        #[async_trait]
        impl Store for FailingStore {
            $(async fn $name(&self, $($argument: $kind),*) -> Result<$answer, StoreError> {
                self.fail()?;
                let answer = self.inner.$name($($argument),*).await?;
                $({
                    let ($witness, $done) = (&mut *self.witness.lock().unwrap(), &answer);
                    $($see;)+
                })?
                self.fail()?;
                Ok(answer)
            })*
        }
    };
}

pass_on! {
    open_job(job: &NewJob) -> JobId;
    add_sources(job: JobId, sources: &[NewSource]) -> ();
    seal(job: JobId) -> ();
    cancel(job: JobId, now_unix_seconds: i64) -> ();
    redrive(job: JobId, pages: &[PageId]) -> Redriven;
    status(job: JobId) -> JobStatus;
    job(job: JobId) -> JobRow;
    find_job(tenant: &str, key: &str) -> Option<JobId>;
    list_jobs(filter: &JobFilter, after: JobId, rows_max: u32) -> Vec<JobRow>;
    demands(rows_max: u32) -> Vec<Demand>;
    figures() -> StoreFigures;
    leader_lease() -> LeaderLease;
    seize_lease(seen: &LeaderLease, holder: &str) -> Option<Epoch> => |witness, done|
        witness.seized(*done);
    renew_lease(epoch: Epoch) -> ();
    cut_shards(epoch: Epoch, orders: &[ShardOrder]) -> Vec<Shard> => |witness, done|
        witness.wrote(epoch), witness.advanced(done);
    open_shards() -> Vec<OpenShard>;
    messages(shards: &[ShardId]) -> Vec<Shard>;
    reclaim_shards(epoch: Epoch, which: Reclaim<'_>, limits: &Limits) -> Vec<Shard> => |witness, done|
        witness.wrote(epoch), witness.reclaimed(which, done);
    hand_back_shards(epoch: Epoch, shards: &[ShardId]) -> ();
    apply(epoch: Epoch, outcomes: &[Outcome], limits: &Limits) -> Applied => |witness, done|
        witness.wrote(epoch), witness.applied(outcomes, *done);
    arrange_folders(epoch: Epoch, job: JobId) -> u64 => |witness, _done|
        witness.wrote(epoch);
    close_job(epoch: Epoch, job: JobId, now_unix_seconds: i64) -> Option<Vec<String>> => |witness, _done|
        witness.wrote(epoch);
    expire_drafts(epoch: Epoch, opened_before_unix_seconds: i64) -> u64;
    reassemble(document: DocumentId) -> ();
    beat(beat: &WorkerBeat) -> BeatAnswer;
    direct(worker: &WorkerId, directive: Directive) -> bool;
    list_workers(after: &str, rows_max: u32) -> Vec<WorkerRow>;
    forget_workers(silent_since_unix_seconds: i64) -> u64;
    list_sources(job: JobId, after: i64, rows_max: u32) -> Vec<SourceRow>;
    list_pages(job: JobId, state: Option<PageState>, after: PageCursor, rows_max: u32) -> Vec<PageRow>;
    list_dead_letters(filter: &DeadLetterFilter, after: PageCursor, rows_max: u32) -> Vec<DeadLetter>;
    page_result(job: JobId, page: PageId) -> Option<ResultRef>;
    list_documents(job: JobId, after: i64, rows_max: u32) -> Vec<DocumentRow>;
    artifact(job: JobId, name: &str) -> Option<Artifact>;
    named_blobs(after: NamedCursor, rows_max: u32) -> NamedBlobs;
    fingerprints(job: JobId) -> Vec<Fingerprint>;
}
