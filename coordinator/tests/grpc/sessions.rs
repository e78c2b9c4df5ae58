//! Workers' sessions, and what an admin sees and tells them.

use std::time::{SystemTime, UNIX_EPOCH};

use pagemill_backends::store::WorkerBeat;
use pagemill_domain::ids::{Attempt, ShardAttempt, ShardId, WorkerId};
use pagemill_proto::v1;
use pagemill_proto::version::PROTOCOL_VERSIONS;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status, Streaming};
use v1::session_request::Part;
use v1::session_response::Part as Answer;

use crate::cluster::{Cluster, PATIENCE};

fn hello() -> v1::Hello {
    v1::Hello::new("host-1", "engine 1", 4)
}

struct Session {
    requests: mpsc::Sender<v1::SessionRequest>,
    answers: Streaming<v1::SessionResponse>,
}

impl Session {
    async fn begin(cluster: &mut Cluster, first: Part) -> Result<Self, Status> {
        let (requests, receiver) = mpsc::channel(4);
        requests.send(v1::SessionRequest { part: Some(first) }).await.unwrap();
        let answers = cluster.workers.session(ReceiverStream::new(receiver)).await?.into_inner();
        Ok(Self { requests, answers })
    }

    async fn next(&mut self) -> Result<Option<Answer>, Status> {
        let message = tokio::time::timeout(PATIENCE, self.answers.message()).await.unwrap()?;
        Ok(message.map(|message| message.part.unwrap()))
    }

    async fn beat(&mut self, number: u64, busy: &[(i64, u32)]) -> v1::BeatAnswer {
        let busy = busy.iter().map(|&(shard, attempt)| v1::ShardAttempt { shard, attempt }).collect();
        let beat = v1::Beat { busy, slots_free: 0, number };
        self.requests.send(v1::SessionRequest { part: Some(Part::Beat(beat)) }).await.unwrap();
        match self.next().await.unwrap().unwrap() {
            Answer::Answer(answer) => answer,
            Answer::Welcome(_) => panic!("welcomed twice"),
        }
    }
}

#[tokio::test]
async fn a_worker_beats_and_is_told_what_to_drop() {
    let mut cluster = Cluster::start().await;
    cluster.submit("job", &["a.tif"]).await;
    let mut session = Session::begin(&mut cluster, Part::Hello(hello())).await.unwrap();
    let Some(Answer::Welcome(welcome)) = session.next().await.unwrap() else { panic!("no welcome") };
    assert!(welcome.beat_seconds > 0.0);
    let delivery = cluster.backends.queue.next_shard(pagemill_backends::queue::Lanes::All).await.unwrap();
    let held = (delivery.message.id.0, delivery.message.attempt.0);
    let answer = session.beat(7, &[held, (999, 1)]).await;
    assert_eq!(answer.number, 7);
    assert_eq!(answer.dropped, [v1::ShardAttempt { shard: 999, attempt: 1 }], "nobody knows that shard");
    let open = cluster.backends.store.open_shards().await.unwrap();
    assert_eq!(open[0].beats, 1);
    assert_eq!(open[0].worker.as_ref().unwrap().0, "host-1");
}

#[tokio::test]
async fn a_silent_workers_shard_goes_to_another() {
    let mut cluster = Cluster::start().await;
    let job = cluster.submit("job", &["a.tif"]).await.id;
    let mut session = Session::begin(&mut cluster, Part::Hello(hello())).await.unwrap();
    session.next().await.unwrap();
    let queue = cluster.backends.queue.clone();
    let first = queue.next_shard(pagemill_backends::queue::Lanes::All).await.unwrap();
    session.beat(1, &[(first.message.id.0, first.message.attempt.0)]).await;
    // Silent from now on: the lease runs out, the shard comes again as the next attempt.
    let again = queue.next_shard(pagemill_backends::queue::Lanes::All);
    let again = tokio::time::timeout(PATIENCE, again).await.unwrap().unwrap();
    assert!(again.message.id != first.message.id || again.message.attempt > first.message.attempt);
    drop(again);
    first.acknowledge().await.unwrap();
    cluster.start_worker();
    let ended = cluster.watch(job).await.pop().unwrap();
    assert_eq!(ended.state(), v1::JobState::Closed);
}

#[tokio::test]
async fn a_worker_of_every_version_that_is_spoken_is_welcome() {
    let mut cluster = Cluster::start().await;
    for protocol_version in PROTOCOL_VERSIONS {
        let hello = v1::Hello { protocol_version, ..hello() };
        let mut session = Session::begin(&mut cluster, Part::Hello(hello)).await.unwrap();
        assert!(matches!(session.next().await.unwrap(), Some(Answer::Welcome(_))), "{protocol_version}");
    }
}

#[tokio::test]
async fn an_incompatible_worker_is_refused_with_a_reason() {
    let mut cluster = Cluster::start().await;
    let of_version = |protocol_version| v1::Hello { protocol_version, ..hello() };
    let named = |worker: &str| v1::Hello { worker: worker.into(), ..hello() };
    for (hello, code, reason) in [
        (of_version(0), Code::FailedPrecondition, "speaks 1 to 2: upgrade this worker"),
        (of_version(3), Code::FailedPrecondition, "speaks 1 to 2: upgrade the coordinators first"),
        (of_version(u32::MAX), Code::FailedPrecondition, "protocol version 4294967295"),
        (v1::Hello { fingerprint: String::new(), ..hello() }, Code::FailedPrecondition, "fingerprint"),
        (v1::Hello { slots: 0, ..hello() }, Code::InvalidArgument, "slots"),
        (named(""), Code::InvalidArgument, "worker"),
        (named("a\u{7}b"), Code::InvalidArgument, "worker"),
    ] {
        let refusal = Session::begin(&mut cluster, Part::Hello(hello)).await.err().unwrap();
        assert_eq!(refusal.code(), code, "{refusal}");
        assert!(refusal.message().contains(reason), "{refusal}");
    }
    let refusal = Session::begin(&mut cluster, Part::Beat(v1::Beat::default())).await.err().unwrap();
    assert_eq!(refusal.code(), Code::InvalidArgument, "{refusal}");
}

#[tokio::test]
async fn a_worker_that_ended_is_shown_as_gone() {
    let mut cluster = Cluster::start().await;
    let mut session = Session::begin(&mut cluster, Part::Hello(hello())).await.unwrap();
    session.next().await.unwrap();
    let an_hour_ago = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs().cast_signed() - 3_000;
    let last_beat = WorkerBeat {
        worker: WorkerId("ended".into()),
        version: "0.1.0".into(),
        fingerprint: "engine 1".into(),
        slots: 4,
        busy: vec![ShardAttempt { shard: ShardId(1), attempt: Attempt(1) }],
        now_unix_seconds: an_hour_ago,
    };
    cluster.backends.store.beat(&last_beat).await.unwrap();
    let listed = cluster.workers.list(v1::ListWorkersRequest::default()).await.unwrap().into_inner().workers;
    let shown: Vec<_> =
        listed.iter().map(|worker| (worker.worker.as_str(), worker.gone, worker.slots_busy)).collect();
    assert_eq!(shown, [("ended", true, 0), ("host-1", false, 0)]);
}

#[tokio::test]
async fn an_admin_sees_and_directs_workers() {
    let mut cluster = Cluster::start().await;
    let mut session = Session::begin(&mut cluster, Part::Hello(hello())).await.unwrap();
    session.next().await.unwrap();
    let worker = || "host-1".to_owned();
    let listed = cluster.workers.list(v1::ListWorkersRequest::default()).await.unwrap().into_inner().workers;
    assert_eq!((listed[0].worker.as_str(), listed[0].slots), ("host-1", 4));
    assert_eq!(listed[0].directive(), v1::Directive::Serve);

    let request = v1::CordonRequest { worker: worker(), undo: false };
    let cordoned = cluster.workers.cordon(request).await.unwrap().into_inner();
    assert_eq!(cordoned.directive(), v1::Directive::Cordon);
    assert_eq!(session.beat(1, &[]).await.directive(), v1::Directive::Cordon);
    cluster.workers.cordon(v1::CordonRequest { worker: worker(), undo: true }).await.unwrap();
    assert_eq!(session.beat(2, &[]).await.directive(), v1::Directive::Serve);
    cluster.workers.drain(v1::DrainRequest { worker: worker() }).await.unwrap();
    assert_eq!(session.beat(3, &[]).await.directive(), v1::Directive::Drain);

    // A reconnected worker still drains; a process that begins anew under that name serves.
    let mut again = Session::begin(&mut cluster, Part::Hello(hello())).await.unwrap();
    again.next().await.unwrap();
    assert_eq!(again.beat(4, &[]).await.directive(), v1::Directive::Drain);
    assert_eq!(again.beat(1, &[]).await.directive(), v1::Directive::Serve);
    assert_eq!(again.beat(2, &[]).await.directive(), v1::Directive::Serve);

    let unknown = v1::DrainRequest { worker: "nobody".into() };
    assert_eq!(cluster.workers.drain(unknown).await.unwrap_err().code(), Code::NotFound);

    let job = cluster.submit("job", &["a.tif"]).await;
    assert_eq!(job.state(), v1::JobState::Sealed);
    let queue = cluster.workers.queue(v1::QueueRequest {}).await.unwrap().into_inner();
    assert_eq!((queue.stages[0].stage(), queue.stages[0].pending), (v1::Stage::Inspect, 1));
    assert!(queue.broker_up);
}
