//! What schedules stand on, one after the other: a store takes longer to make than a schedule to run.

use std::sync::Arc;

use pagemill_backends::blobs::FolderBlobs;
use pagemill_backends::store::SqliteStore;
use pagemill_domain::limits::Limits;
use tempfile::TempDir;

/// A store with the history of earlier schedules, of which nothing is left open; and a place for blobs.
pub(super) struct Ground {
    pub(super) store: Arc<SqliteStore>,
    pub(super) blobs: Arc<FolderBlobs>,
    pub(super) limits: Limits,
    _folder: TempDir,
}

impl Ground {
    pub(super) async fn make() -> Self {
        let folder = folder();
        let limits = Limits { losses_max: 1_000, pages_per_shard_max: 4, ..Limits::default() };
        let store = SqliteStore::open(&folder.path().join("state.db"), &limits).await.unwrap();
        let blobs = FolderBlobs::open(folder.path(), &folder.path().join("state")).unwrap();
        Self { store: Arc::new(store), blobs: Arc::new(blobs), limits, _folder: folder }
    }
}

/// In memory where the machine has such a place: a simulation need not survive a power loss.
fn folder() -> TempDir {
    let memory = std::path::Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory).unwrap() } else { tempfile::tempdir().unwrap() }
}
