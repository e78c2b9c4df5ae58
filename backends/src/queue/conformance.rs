//! What every queue promises.

use pagemill_domain::ids::{Attempt, JobId, ShardId};
use pagemill_domain::outcome::{Fingerprint, Outcome, Report};
use pagemill_domain::recipe::Recipe;
use pagemill_domain::shard::{Shard, Work};

use super::{Arrival, Delivery, Lanes, Queue};

pub(crate) async fn run(queue: &dyn Queue) {
    delivers_in_order_and_again_until_acknowledged(queue).await;
    gathers_outcomes_in_batches(queue).await;
}

fn shard(id: i64) -> Shard {
    Shard {
        id: ShardId(id),
        attempt: Attempt(1),
        job: JobId(1),
        express: false,
        recipe: Recipe::default(),
        work: Work::Inspect(Vec::new()),
    }
}

pub(crate) async fn publish_shards(queue: &dyn Queue, count: i64) {
    for id in 1..=count {
        queue.publish_shard(&shard(id)).await.unwrap();
    }
}

fn outcome(id: i64) -> Outcome {
    Outcome {
        shard: ShardId(id),
        attempt: Attempt(1),
        fingerprint: Fingerprint::default(),
        cpu_ms: 0,
        wall_ms: 0,
        report: Report::Inspected(Vec::new()),
    }
}

async fn delivers_in_order_and_again_until_acknowledged(queue: &dyn Queue) {
    publish_shards(queue, 2).await;
    let first = queue.next_shard(Lanes::All).await.unwrap();
    assert_eq!(first.message, shard(1));
    drop(first);
    let second = queue.next_shard(Lanes::All).await.unwrap();
    assert_eq!(second.message, shard(2));
    second.acknowledge().await.unwrap();
    let again = queue.next_shard(Lanes::All).await.unwrap();
    assert_eq!(again.message, shard(1), "a shard that was not acknowledged comes again");
    again.acknowledge().await.unwrap();
}

async fn gathers_outcomes_in_batches(queue: &dyn Queue) {
    for id in 1..=3 {
        queue.publish_outcome(&outcome(id)).await.unwrap();
    }
    let batch = outcomes(queue).await;
    let ids: Vec<i64> = batch.iter().map(|delivery| delivery.message.shard.0).collect();
    assert_eq!(ids, [1, 2]);
    for delivery in batch {
        delivery.acknowledge().await.unwrap();
    }
    let rest = outcomes(queue).await;
    assert_eq!(rest.len(), 1);
    for delivery in rest {
        delivery.acknowledge().await.unwrap();
    }
}

async fn outcomes(queue: &dyn Queue) -> Vec<Delivery<Outcome>> {
    let arrivals = queue.next_arrivals(2).await.unwrap();
    let outcomes = arrivals.into_iter().map(|arrival| match arrival {
        Arrival::Outcome(outcome) => outcome,
        Arrival::Undeliverable(_) => panic!("nothing was undeliverable"),
    });
    outcomes.collect()
}
