//! The cluster of a schedule, and the steps that it can take.

use std::sync::Arc;
use std::time::Duration;

use pagemill_backends::Backends;
use pagemill_backends::queue::{Delivery, Queue};
use pagemill_backends::store::{JobState, NewSource, Store, StoreError, WorkerBeat};
use pagemill_domain::ids::{JobId, WorkerId};
use pagemill_domain::job::{NewJob, TENANT_DEFAULT, Urgency};
use pagemill_domain::limits::Limits;
use pagemill_domain::outcome::Outcome;
use pagemill_domain::recipe::{Grouping, Recipe};
use pagemill_domain::shard::{FileStamp, Shard, SourceLocation};
use tokio_util::sync::CancellationToken;

use super::super::Leadership;
use super::answers::answer;
use super::dice::Dice;
use super::ground::Ground;
use super::queue::SimulatedQueue;
use super::store::FailingStore;
use super::witness::SharedWitness;
use crate::{Coordinator, CoordinatorConfig, CoordinatorError, LeaseConfig, WindowRule, now_unix_seconds};

/// How the name of a source ends that every worker rejects.
pub(super) const REJECTED: &str = "2.tif";

const WORKERS: u64 = 3;

/// Of a hundred answers of the store, and of a hundred messages, so many go wrong in each way.
const FAILURES_PERCENT: u64 = 4;

/// How much time passes between two looks at the leases.
const LOOK: Duration = Duration::from_secs(11);

/// The same once everything is calm: who is gone then is gone.
const CALM_LOOK: Duration = Duration::from_secs(20);

/// Of so many schedules one is large.
const SCHEDULES_PER_LARGE: u64 = 20;

/// How large a schedule is. Small ones meet the same accidents, and many more of them fit into the same time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Size {
    pub(super) pages_per_source: usize,
    /// Steps of chaos before everything calms down.
    pub(super) chaos_steps: u64,
    sources_per_job: u64,
    jobs_max: usize,
}

impl Size {
    fn draw(seed: u64, dice: &mut Dice) -> Self {
        if seed % SCHEDULES_PER_LARGE == SCHEDULES_PER_LARGE - 1 {
            return Self { pages_per_source: 5, chaos_steps: 150, sources_per_job: 4, jobs_max: 3 };
        }
        Self {
            pages_per_source: 1 + dice.roll(2) as usize,
            chaos_steps: 8 + dice.roll(25),
            sources_per_job: 1 + dice.roll(2),
            jobs_max: 1 + dice.roll(2) as usize,
        }
    }
}

pub(super) struct World {
    pub(super) store: Arc<FailingStore>,
    pub(super) limits: Limits,
    pub(super) size: Size,
    pub(super) jobs: Vec<SimulatedJob>,
    /// Writes of old leaders that were refused.
    pub(super) deposed: u64,
    pub(super) witness: SharedWitness,
    queue: SimulatedQueue,
    backends: Backends,
    leader: Leadership,
    /// A leader that was stopped and doesn't know that another leads.
    old_leader: Option<Leadership>,
    workers: Vec<Worker>,
    dice: Dice,
    earlier: LeaderTally,
    seed: u64,
}

pub(super) struct SimulatedJob {
    pub(super) id: JobId,
    pub(super) sources: u64,
}

/// What leaders count.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct LeaderTally {
    pub(super) outcomes_ignored: u64,
    pub(super) leases_lost: u64,
    pub(super) shards_rescued: u64,
}

impl LeaderTally {
    fn and(self, leader: &Leadership) -> Self {
        let metrics = &leader.coordinator.metrics;
        let sum = |counters: &prometheus::IntCounterVec, labels: &[&str]| -> u64 {
            labels.iter().map(|label| counters.with_label_values(&[label]).get()).sum()
        };
        Self {
            outcomes_ignored: self.outcomes_ignored
                + sum(&metrics.outcomes_ignored_total, &["stale", "duplicate"]),
            leases_lost: self.leases_lost + metrics.leases_lost_total.get(),
            shards_rescued: self.shards_rescued
                + sum(&metrics.shards_rescued_total, &["lease", "unclaimed", "unpublished", "undeliverable"]),
        }
    }
}

struct Worker {
    id: WorkerId,
    held: Vec<Held>,
}

struct Held {
    delivery: Delivery<Shard>,
    /// What came of it, where the outcome could not be handed over yet.
    outcome: Option<Outcome>,
}

impl Worker {
    fn beat(&self) -> WorkerBeat {
        WorkerBeat {
            worker: self.id.clone(),
            version: "1".into(),
            fingerprint: "simulated".into(),
            slots: 4,
            busy: self.held.iter().map(|held| held.delivery.message.dispatch()).collect(),
            now_unix_seconds: now_unix_seconds(),
        }
    }
}

impl World {
    pub(super) async fn begin(seed: u64, mut dice: Dice, ground: &Ground) -> Self {
        let size = Size::draw(seed, &mut dice);
        let failing = Dice::new(dice.roll(u64::MAX));
        let witness = SharedWitness::default();
        let store = FailingStore::new(ground.store.clone(), failing, FAILURES_PERCENT, witness.clone());
        let store = Arc::new(store);
        let queue = SimulatedQueue::new(Dice::new(dice.roll(u64::MAX)), FAILURES_PERCENT, witness.clone());
        let backends =
            Backends { store: store.clone(), queue: Arc::new(queue.clone()), blobs: ground.blobs.clone() };
        let leader = lead(&backends, &ground.limits).await;
        let worker = |number| Worker { id: WorkerId(format!("worker-{number}")), held: Vec::new() };
        let mut world = Self {
            store,
            limits: ground.limits.clone(),
            size,
            jobs: Vec::new(),
            deposed: 0,
            witness,
            queue,
            backends,
            leader,
            old_leader: None,
            workers: (0..WORKERS).map(worker).collect(),
            dice,
            earlier: LeaderTally::default(),
            seed,
        };
        // What the workers of the last schedule had in hand is no concern of this one.
        world.store.inner.forget_workers(i64::MAX).await.unwrap();
        world.submit(Grouping::Source).await;
        world
    }

    pub(super) async fn step(&mut self) {
        match self.dice.roll(100) {
            0..10 => self.dispatch().await,
            10..16 => {
                self.leader.window().look_everywhere();
                self.dispatch().await;
            }
            16..34 => self.collect().await,
            34..50 => drop(self.take_shard()),
            50..68 => drop(self.finish_shard().await),
            68..76 => self.beat_of_one().await,
            76..83 => self.rescue(LOOK).await,
            83..87 => self.kill_worker(),
            87..90 => self.change_leader().await,
            90..94 => self.wake_old_leader().await,
            94..96 => self.queue.give_up(),
            96..99 => self.wipe_queue_or_submit().await,
            _ => self.cancel_rarely().await,
        }
    }

    /// Nothing fails any more, and nobody is killed.
    pub(super) fn calm_down(&mut self) {
        self.store.calm_down();
        self.queue.calm_down();
        self.old_leader = None;
    }

    pub(super) async fn calm_step(&mut self, step: u32) {
        self.dispatch().await;
        while self.take_shard() {}
        while self.finish_shard().await {}
        while self.queue.holds_arrivals() {
            self.collect().await;
        }
        if step == 0 {
            for worker in 0..self.workers.len() {
                self.beat(worker).await;
            }
        }
        // Not at each step: most of them need nobody to come to the rescue.
        if step % 3 == 2 {
            self.leader.window().look_everywhere();
            self.rescue(CALM_LOOK).await;
        }
    }

    pub(super) async fn all_closed(&self) -> bool {
        for job in &self.jobs {
            let state = self.store.inner.status(job.id).await.unwrap().state;
            if !matches!(state, JobState::Closed | JobState::Cancelled) {
                return false;
            }
        }
        true
    }

    pub(super) async fn describe(&self) -> String {
        let mut jobs = Vec::new();
        for job in &self.jobs {
            jobs.push(self.store.inner.status(job.id).await.unwrap());
        }
        format!("{:?}, open {:?}", jobs, self.store.inner.open_shards().await.unwrap())
    }

    /// What all leaders so far counted.
    pub(super) fn tally(&self) -> LeaderTally {
        self.earlier.and(&self.leader)
    }

    async fn submit(&mut self, group: Grouping) {
        let key = format!("job-{}-{}", self.seed, self.jobs.len());
        let job = NewJob {
            tenant: TENANT_DEFAULT.into(),
            key: key.clone(),
            recipe: Recipe { group, ..Recipe::default() },
            urgency: Urgency::default(),
            now_unix_seconds: 1,
            reopen: false,
        };
        let source = |number: u64| NewSource {
            path: format!("{}/{number}.tif", number % 2),
            folder: (number % 2).to_string(),
            location: SourceLocation::Object(format!("s3://scans/{key}/{number}.tif")),
            stamp: FileStamp { bytes: 1, modified_ns: 1, inode: number },
        };
        let sources: Vec<NewSource> = (1..=self.size.sources_per_job).map(source).collect();
        let store = &self.store.inner;
        let id = store.open_job(&job).await.unwrap();
        store.add_sources(id, &sources).await.unwrap();
        store.seal(id).await.unwrap();
        self.jobs.push(SimulatedJob { id, sources: self.size.sources_per_job });
    }

    async fn dispatch(&mut self) {
        let result = self.leader.dispatch().await;
        self.note(&result, false);
    }

    async fn collect(&mut self) {
        let result = self.leader.collect(self.queue.take_arrivals()).await;
        self.note(&result, false);
    }

    async fn rescue(&mut self, passed: Duration) {
        let result = self.leader.rescue(&LeaseConfig::default(), passed).await;
        self.note(&result, false);
    }

    fn note(&mut self, result: &Result<(), CoordinatorError>, is_old: bool) {
        match result {
            Ok(()) => {}
            Err(CoordinatorError::Store(StoreError::Deposed)) => {
                assert!(is_old, "the leader is deposed by nobody");
                self.deposed += 1;
            }
            Err(CoordinatorError::Store(error)) if error.is_unavailable() => {}
            Err(error) => panic!("{error}"),
        }
    }

    /// Returns whether there was one.
    fn take_shard(&mut self) -> bool {
        let worker = self.one_of_the_workers();
        let taken = self.queue.take_shard();
        let is_taken = taken.is_some();
        self.workers[worker].held.extend(taken.map(|delivery| Held { delivery, outcome: None }));
        is_taken
    }

    fn one_of_the_workers(&mut self) -> usize {
        self.dice.roll(self.workers.len() as u64) as usize
    }

    /// A worker works on a shard and reports; what can't be handed over it keeps. Returns whether there was one.
    async fn finish_shard(&mut self) -> bool {
        let with_work = self.workers.iter_mut().filter(|worker| !worker.held.is_empty());
        let mut with_work: Vec<&mut Worker> = with_work.collect();
        if with_work.is_empty() {
            return false;
        }
        let chosen = self.dice.roll(with_work.len() as u64) as usize;
        let held = &mut with_work[chosen].held;
        let mut shard = held.swap_remove(self.dice.roll(held.len() as u64) as usize);
        let (pages, dice) = (self.size.pages_per_source, &mut self.dice);
        let outcome = shard.outcome.take().unwrap_or_else(|| answer(&shard.delivery.message, pages, dice));
        if self.queue.publish_outcome(&outcome).await.is_ok() {
            shard.delivery.acknowledge().await.unwrap();
        } else {
            held.push(Held { outcome: Some(outcome), ..shard });
        }
        true
    }

    async fn beat_of_one(&mut self) {
        let worker = self.one_of_the_workers();
        self.beat(worker).await;
    }

    async fn beat(&mut self, worker: usize) {
        let worker = &mut self.workers[worker];
        let Ok(answer) = self.store.beat(&worker.beat()).await else { return };
        for held in std::mem::take(&mut worker.held) {
            if answer.dropped.contains(&held.delivery.message.dispatch()) {
                held.delivery.acknowledge().await.unwrap();
            } else {
                worker.held.push(held);
            }
        }
    }

    /// What it held goes back to the broker, or is lost on the way.
    fn kill_worker(&mut self) {
        let worker = self.one_of_the_workers();
        self.workers[worker].held.clear();
    }

    async fn change_leader(&mut self) {
        let next = lead(&self.backends, &self.limits).await;
        self.earlier = self.tally();
        self.old_leader = Some(std::mem::replace(&mut self.leader, next));
    }

    /// A leader that was stopped goes on as if nothing had happened.
    async fn wake_old_leader(&mut self) {
        let Some(old) = self.old_leader.take() else { return };
        let result = match self.dice.roll(3) {
            0 => old.dispatch().await,
            1 => old.collect(self.queue.take_arrivals()).await,
            _ => old.rescue(&LeaseConfig::default(), LOOK * 10).await,
        };
        self.note(&result, true);
        self.old_leader = Some(old);
    }

    async fn wipe_queue_or_submit(&mut self) {
        if self.dice.percent(30) {
            self.queue.wipe();
        } else if self.jobs.len() < self.size.jobs_max {
            let group = if self.dice.percent(60) { Grouping::Folder } else { Grouping::Source };
            self.submit(group).await;
        }
    }

    async fn cancel_rarely(&mut self) {
        let last = self.jobs.len() - 1;
        let job = self.jobs[last].id;
        let is_sealed = self.store.inner.status(job).await.unwrap().state == JobState::Sealed;
        if last > 0 && is_sealed && self.dice.percent(30) {
            self.store.inner.cancel(job, 1).await.unwrap();
        }
    }
}

/// A new leader, as [`Coordinator::run`] makes one.
async fn lead(backends: &Backends, limits: &Limits) -> Leadership {
    // No time passes but what a schedule says: nobody waits after a failure.
    let leases = LeaseConfig { tick: Duration::ZERO, leader_tick: Duration::ZERO, ..LeaseConfig::default() };
    let config = CoordinatorConfig {
        limits: limits.clone(),
        name: "simulated".into(),
        window: WindowRule::Fixed(4),
        shard_seconds: 4.0,
        sources_per_inspect_shard: 2,
        leases: Some(leases),
    };
    let coordinator = Coordinator::new(config, backends.clone()).unwrap();
    loop {
        let epoch = async {
            let lease = backends.store.leader_lease().await?;
            backends.store.seize_lease(&lease, "simulated").await
        };
        let Ok(Some(epoch)) = epoch.await else { continue };
        let leadership = Leadership::new(coordinator.clone(), epoch, CancellationToken::new());
        while leadership.inherit(&LeaseConfig::default()).await.is_err() {}
        return leadership;
    }
}
