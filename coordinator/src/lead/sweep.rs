//! Removing blobs that nothing names, once a day.

use std::time::{Duration, Instant};

use futures::{Stream, TryStreamExt};
use pagemill_backends::blobs::{ORPHAN_AGE, Swept, sweep_orphans};
use pagemill_backends::store::NamedCursor;
use pagemill_domain::hash::ContentHash;

use super::Leadership;
use crate::CoordinatorError;

/// Time from one sweep to the next.
const INTERVAL: Duration = Duration::from_hours(24);

/// How long the broker must have been up without a break: results whose outcomes waited for it look like orphans.
const QUIET: Duration = Duration::from_hours(1);

/// How often there is a look whether it is time.
const TICK: Duration = Duration::from_mins(1);

/// Rows that are read at once.
const ROWS_PER_READ: u32 = 5_000;

impl Leadership {
    pub(super) async fn sweep_loop(&self) -> Result<(), CoordinatorError> {
        let (mut quiet_since, mut swept_at) = (Instant::now(), None::<Instant>);
        while self.sleeps(TICK).await {
            if !self.coordinator.backends.queue.is_up() {
                quiet_since = Instant::now();
            }
            let is_due = swept_at.is_none_or(|at| at.elapsed() >= INTERVAL);
            if !is_due || quiet_since.elapsed() < QUIET {
                continue;
            }
            swept_at = Some(Instant::now());
            let swept = tokio::select! {
                swept = self.sweep() => swept,
                () = self.shutdown.cancelled() => return Ok(()),
            };
            match swept {
                Ok(Swept { removed, kept }) => {
                    tracing::info!(removed, kept, "removed blobs that nothing names");
                }
                // There is another day.
                Err(error) => tracing::warn!(%error, "can't remove blobs that nothing names"),
            }
        }
        Ok(())
    }

    async fn sweep(&self) -> Result<Swept, CoordinatorError> {
        sweep_orphans(self.coordinator.backends.blobs.as_ref(), ORPHAN_AGE, self.named()).await
    }

    /// Hashes of all that rows name.
    fn named(&self) -> impl Stream<Item = Result<ContentHash, CoordinatorError>> {
        let store = &self.coordinator.backends.store;
        let pages = futures::stream::try_unfold(Some(NamedCursor::default()), move |next| async move {
            let Some(after) = next else { return Ok(None) };
            let page = store.named_blobs(after, ROWS_PER_READ).await?;
            let hashes = futures::stream::iter(page.blobs.into_iter().map(|blob| Ok(blob.hash())));
            Ok::<_, CoordinatorError>(Some((hashes, page.next)))
        });
        pages.try_flatten()
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::path::Path;
    use std::sync::Arc;
    use std::time::SystemTime;

    use bytes::Bytes;
    use pagemill_backends::Backends;
    use pagemill_backends::blobs::{BlobOptions, Blobs, connect};
    use pagemill_backends::queue::MemoryQueue;
    use pagemill_backends::store::{NewSource, SqliteStore};
    use pagemill_domain::ids::Epoch;
    use pagemill_domain::job::{NewJob, TENANT_DEFAULT, Urgency};
    use pagemill_domain::limits::Limits;
    use pagemill_domain::recipe::Recipe;
    use pagemill_domain::shard::{FileStamp, SourceLocation};
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::{Coordinator, CoordinatorConfig, WindowRule};

    async fn upload(blobs: &dyn Blobs, bytes: &'static str) -> ContentHash {
        let hash = ContentHash::of(bytes.as_bytes());
        let mut upload = blobs.begin_upload(TENANT_DEFAULT, hash, bytes.len() as u64).await.unwrap();
        upload.write(Bytes::from(bytes)).await.unwrap();
        upload.finish().await.unwrap();
        hash
    }

    /// Makes every file below `folder` two days old.
    fn age(folder: &Path) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                age(&path);
            } else {
                File::open(&path).unwrap().set_modified(SystemTime::now() - 2 * ORPHAN_AGE).unwrap();
            }
        }
    }

    #[tokio::test]
    async fn what_a_source_names_stays_and_old_orphans_go() {
        let folder = tempfile::tempdir().unwrap();
        let shared = folder.path().join("blobs");
        std::fs::create_dir(&shared).unwrap();
        let options = BlobOptions::new(folder.path().join("cache"));
        let blobs = connect(&format!("file:{}", shared.display()), options).await.unwrap();
        let store = SqliteStore::open(&folder.path().join("state.db"), &Limits::default()).await.unwrap();
        let backends = Backends {
            store: Arc::new(store),
            queue: Arc::new(MemoryQueue::default()),
            blobs: blobs.clone(),
        };
        let config = CoordinatorConfig {
            limits: Limits::default(),
            name: "sweeping".into(),
            window: WindowRule::Fixed(1),
            shard_seconds: 4.0,
            sources_per_inspect_shard: 1,
            leases: None,
        };
        let coordinator = Coordinator::new(config, backends.clone()).unwrap();
        let leadership = Leadership::new(coordinator, Epoch(1), CancellationToken::new());
        let (named, orphan) = (upload(&*blobs, "named").await, upload(&*blobs, "orphan").await);
        let result = blobs.put_result(b"a result that was never reported".to_vec()).await.unwrap();
        age(&shared);
        let young = upload(&*blobs, "young").await;
        let job = NewJob {
            tenant: TENANT_DEFAULT.into(),
            key: "job".into(),
            recipe: Recipe::default(),
            urgency: Urgency::default(),
            now_unix_seconds: 1,
            reopen: false,
        };
        let job = backends.store.open_job(&job).await.unwrap();
        let location = SourceLocation::Blob { tenant: TENANT_DEFAULT.into(), hash: named };
        let stamp = FileStamp { bytes: 5, modified_ns: 0, inode: 0 };
        let source = NewSource { path: "a.tif".into(), folder: String::new(), location, stamp };
        backends.store.add_sources(job, &[source]).await.unwrap();
        assert_eq!(leadership.sweep().await.unwrap(), Swept { removed: 2, kept: 1 });
        let missing = blobs.missing_sources(TENANT_DEFAULT, &[named, orphan, young]).await.unwrap();
        assert_eq!(missing, [orphan]);
        assert!(!shared.join(format!("results/{}/{result}", &result.to_string()[..2])).exists());
    }
}
