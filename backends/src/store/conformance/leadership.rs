//! Leaders and their leases, workers and theirs.

use pagemill_domain::ids::{Attempt, Epoch, ShardAttempt, ShardId, WorkerId};
use pagemill_domain::limits::Limits;
use pagemill_domain::recipe::Recipe;
use pagemill_domain::shard::Shard;

use super::{EPOCH, answer, cut, order, source, submit, work};
use crate::store::{
    Directive, LeaderLease, OpenShard, PageCursor, PageRow, Reclaim, Store, StoreError, WorkerBeat,
};

pub(super) async fn one_challenger_takes_over(store: &dyn Store) {
    let seen = store.leader_lease().await.unwrap();
    assert_eq!((seen.epoch, seen.holder.as_str()), (EPOCH.0, "test"));
    store.renew_lease(EPOCH).await.unwrap();
    assert_eq!(store.seize_lease(&seen, "late").await.unwrap(), None, "the leader lives: its beat moved");
    let seen = store.leader_lease().await.unwrap();
    let seized =
        [store.seize_lease(&seen, "first").await.unwrap(), store.seize_lease(&seen, "second").await.unwrap()];
    assert_eq!(seized, [Some(Epoch(2)), None]);
    assert!(matches!(store.renew_lease(EPOCH).await, Err(StoreError::Deposed)));
    let lease = store.leader_lease().await.unwrap();
    assert_eq!((lease.epoch, lease.holder.as_str()), (2, "first"));
}

/// All that a background write could have changed.
async fn everything(store: &dyn Store) -> (Vec<OpenShard>, Vec<PageRow>, String, LeaderLease) {
    let figures = format!("{:?} {:?}", store.figures().await.unwrap(), store.demands(9).await.unwrap());
    let pages =
        store.list_pages(pagemill_domain::ids::JobId(1), None, PageCursor::default(), 99).await.unwrap();
    (store.open_shards().await.unwrap(), pages, figures, store.leader_lease().await.unwrap())
}

pub(super) async fn a_deposed_leader_writes_nothing(store: &dyn Store) {
    let job = submit(store, &Recipe::default(), &[source("a.tif"), source("b.tif")]).await;
    let inspect = cut(store).await.remove(0);
    store.apply(EPOCH, &[answer(&inspect, 3, b"x")], &Limits::default()).await.unwrap();
    let open = cut(store).await;
    let seen = store.leader_lease().await.unwrap();
    let successor = store.seize_lease(&seen, "successor").await.unwrap().unwrap();

    let before = everything(store).await;
    let limits = Limits::default();
    let named: Vec<ShardId> = open.iter().map(|shard| shard.id).collect();
    let dispatches: Vec<ShardAttempt> = open.iter().map(Shard::dispatch).collect();
    let outcomes: Vec<_> = open.iter().map(|shard| answer(shard, 3, b"x")).collect();
    let refused = [
        store.cut_shards(EPOCH, &[order(4)]).await.err(),
        store.reclaim_shards(EPOCH, Reclaim::All, &limits).await.err(),
        store.reclaim_shards(EPOCH, Reclaim::These(&dispatches), &limits).await.err(),
        store.hand_back_shards(EPOCH, &named).await.err(),
        store.apply(EPOCH, &outcomes, &limits).await.err(),
        store.arrange_folders(EPOCH, job).await.err(),
        store.close_job(EPOCH, job, 9).await.err(),
        store.expire_drafts(EPOCH, i64::MAX).await.err(),
        store.renew_lease(EPOCH).await.err(),
    ];
    for (place, error) in refused.iter().enumerate() {
        assert!(matches!(error, Some(StoreError::Deposed)), "write {place}: {error:?}");
    }
    assert_eq!(everything(store).await, before);
    let applied = store.apply(successor, &outcomes, &limits).await.unwrap();
    assert_eq!(applied.taken as usize, outcomes.len(), "the successor goes on where it was");
}

fn beat(worker: &str, busy: Vec<ShardAttempt>) -> WorkerBeat {
    WorkerBeat {
        worker: WorkerId(worker.into()),
        version: "1.0.0".into(),
        fingerprint: "print".into(),
        slots: 4,
        busy,
        now_unix_seconds: 100,
    }
}

pub(super) async fn beats_renew_leases_and_tell_what_was_dropped(store: &dyn Store) {
    submit(store, &Recipe::default(), &[source("a.tif")]).await;
    let held = cut(store).await.remove(0).dispatch();
    let unknown = ShardAttempt { shard: ShardId(999), attempt: Attempt(1) };
    for beats in 1..=2 {
        let answer = store.beat(&beat("w1", vec![held, unknown])).await.unwrap();
        assert_eq!((answer.directive, answer.dropped), (Directive::Serve, vec![unknown]));
        let open = store.open_shards().await.unwrap();
        assert_eq!((open[0].dispatch, open[0].beats), (held, beats));
        assert_eq!(open[0].worker, Some(WorkerId("w1".into())));
    }
    store.reclaim_shards(EPOCH, Reclaim::These(&[held]), &Limits::default()).await.unwrap();
    let again = cut(store).await.remove(0).dispatch();
    let answer = store.beat(&beat("w1", vec![held])).await.unwrap();
    assert_eq!(answer.dropped, [held], "somebody else has it now");
    let open = store.open_shards().await.unwrap();
    assert_eq!((open[0].dispatch, open[0].beats, &open[0].worker), (again, 0, &None));
}

pub(super) async fn workers_are_listed_directed_and_forgotten(store: &dyn Store) {
    for name in ["b", "a", "c"] {
        store.beat(&beat(name, Vec::new())).await.unwrap();
    }
    let (a, nobody) = (WorkerId("a".into()), WorkerId("nobody".into()));
    assert!(store.direct(&a, Directive::Drain).await.unwrap());
    assert!(!store.direct(&nobody, Directive::Cordon).await.unwrap());
    assert_eq!(store.beat(&beat("a", Vec::new())).await.unwrap().directive, Directive::Drain);
    let first = store.list_workers("", 2).await.unwrap();
    assert_eq!((first[0].worker.0.as_str(), first[0].directive, first[0].slots), ("a", Directive::Drain, 4));
    let rest = store.list_workers(&first[1].worker.0, 2).await.unwrap();
    assert_eq!(rest.iter().map(|row| row.worker.0.as_str()).collect::<Vec<_>>(), ["c"]);
    store.beat(&WorkerBeat { now_unix_seconds: 200, ..beat("b", Vec::new()) }).await.unwrap();
    assert_eq!(store.forget_workers(150).await.unwrap(), 2);
    assert_eq!(store.list_workers("", 9).await.unwrap().len(), 1);
}

pub(super) async fn only_lost_dispatches_are_reclaimed(store: &dyn Store) {
    let job = submit(store, &Recipe::default(), &[source("a.tif")]).await;
    let inspect = cut(store).await.remove(0);
    store.apply(EPOCH, &[answer(&inspect, 8, b"x")], &Limits::default()).await.unwrap();
    let shards = cut(store).await;
    assert_eq!(shards.len(), 2);
    let again = store
        .reclaim_shards(EPOCH, Reclaim::These(&[shards[0].dispatch()]), &Limits::default())
        .await
        .unwrap();
    assert_eq!((again.len(), again[0].id, again[0].attempt), (1, shards[0].id, Attempt(2)));
    let stale = store
        .reclaim_shards(EPOCH, Reclaim::These(&[shards[0].dispatch()]), &Limits::default())
        .await
        .unwrap();
    assert_eq!(stale, [], "that dispatch was taken back already");
    let messages = store.messages(&[shards[1].id, again[0].id, ShardId(999)]).await.unwrap();
    assert_eq!(messages, [again[0].clone(), shards[1].clone()], "as they are now, in their order");
    for shard in [&again[0], &shards[1]] {
        store.apply(EPOCH, &[answer(shard, 8, b"x")], &Limits::default()).await.unwrap();
    }
    work(store, job, 8, b"x").await;
    assert!(store.status(job).await.unwrap().ledger.is_complete());
}
