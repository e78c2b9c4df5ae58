//! Many at once.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use futures::{StreamExt, stream};
use pagemill_domain::shard::{Shard, Work};

use super::super::super::{Lanes, Queue, conformance};
use super::{fresh, open, within};

/// Publishes so many with up to 256 in flight, as the dispatcher does.
async fn publish_all(queue: &dyn Queue, ids: std::ops::Range<i64>, shard: &Shard) {
    let publishes = ids.map(|id| {
        let shard = Shard { id: pagemill_domain::ids::ShardId(id), ..shard.clone() };
        async move { queue.publish_shard(&shard).await.unwrap() }
    });
    stream::iter(publishes).buffer_unordered(256).collect::<()>().await;
}

/// So many slots take and acknowledge until all have come; counts how often each came.
async fn take_all(queues: Vec<Arc<dyn Queue>>, slots: usize, shards: usize) -> HashMap<i64, u32> {
    let (sender, mut taken) = tokio::sync::mpsc::channel(1_024);
    for queue in queues.iter().cycle().take(slots) {
        let (queue, sender) = (Arc::clone(queue), sender.clone());
        tokio::spawn(async move {
            while sender.send(conformance::take(&*queue, Lanes::All).await).await.is_ok() {}
        });
    }
    let mut counts = HashMap::new();
    while counts.len() < shards {
        *counts.entry(taken.recv().await.unwrap()).or_default() += 1;
    }
    counts
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_publishers_and_two_workers_lose_nothing() {
    let (first, url) = fresh().await;
    let [second, third, worker_a, worker_b] =
        [open(&url).await, open(&url).await, open(&url).await, open(&url).await];
    let shard = conformance::shard(0);
    let workers = tokio::spawn(take_all(vec![worker_a, worker_b], 16, 9_000));
    within("publish", async {
        tokio::join!(
            publish_all(&*first, 0..3_000, &shard),
            publish_all(&*second, 3_000..6_000, &shard),
            publish_all(&*third, 6_000..9_000, &shard)
        )
    })
    .await;
    let counts = within("all shards", workers).await.unwrap();
    assert!(counts.values().all(|count| *count == 1), "without a fault each comes once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn prints_the_rate_of_one_adapter() {
    const SHARDS: i64 = 10_000;
    let (queue, _) = fresh().await;
    let mut shard = Shard { work: Work::Recognise(Vec::new()), ..conformance::shard(0) };
    shard.recipe.languages = vec!["x".repeat(600)];
    let bytes = serde_json::to_vec(&shard).unwrap().len();
    let since = Instant::now();
    let slots = tokio::spawn(take_all(vec![Arc::clone(&queue)], 64, SHARDS as usize));
    within("publish", publish_all(&*queue, 0..SHARDS, &shard)).await;
    let published = since.elapsed();
    let counts = within("all shards", slots).await.unwrap();
    let rate = SHARDS as f64 / since.elapsed().as_secs_f64();
    println!(
        "{SHARDS} shards of {bytes} bytes: published in {published:?}, {rate:.0}/s published, pulled and acknowledged"
    );
    assert_eq!(counts.len(), SHARDS as usize);
}
