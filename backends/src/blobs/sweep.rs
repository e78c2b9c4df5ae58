//! Orphans: blobs that nothing names. A worker that was killed between its result and its outcome leaves one, and so
//! does a draft that nobody sealed.

use std::time::{Duration, SystemTime};

use futures::{Stream, StreamExt, TryStreamExt};
use pagemill_domain::hash::ContentHash;

use super::{BlobError, Blobs};

/// A blob that nothing names is an orphan when it was put there longer ago.
pub const ORPHAN_AGE: Duration = Duration::from_hours(24);

/// Hashes that are remembered during a sweep, eight bytes each.
const NAMED_MAX: usize = 16 << 20;

/// Orphans that are removed at once.
const REMOVALS_AT_ONCE_MAX: usize = 16;

/// What a sweep did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Swept {
    /// Orphans that were removed.
    pub removed: u64,
    /// Old blobs that something names.
    pub kept: u64,
}

/// Removes blobs older than `age` that are not among those `named`. All that rows name must come through there, in any
/// order; where it is more than a sweep can remember, nothing is removed.
pub async fn sweep_orphans<E: From<BlobError>>(
    blobs: &dyn Blobs,
    age: Duration,
    named: impl Stream<Item = Result<ContentHash, E>>,
) -> Result<Swept, E> {
    // Fixed before anything is read: what comes later is young, however long this takes.
    let put_before = SystemTime::now() - age;
    let Some(named) = remember(named).await? else {
        tracing::warn!(named_max = NAMED_MAX, "too many blobs are named: no orphan is removed");
        return Ok(Swept::default());
    };
    let named = &named;
    let decided = blobs.old_blobs(put_before).map(|name| async move {
        let name = name?;
        let is_orphan = named.binary_search(&beginning(name.hash())).is_err();
        if is_orphan {
            blobs.remove_blob(&name).await?;
        }
        Ok::<_, BlobError>(is_orphan)
    });
    let count = |swept: Swept, is_orphan: bool| async move {
        let (removed, kept) = (swept.removed + u64::from(is_orphan), swept.kept + u64::from(!is_orphan));
        Ok(Swept { removed, kept })
    };
    Ok(decided.buffer_unordered(REMOVALS_AT_ONCE_MAX).try_fold(Swept::default(), count).await?)
}

/// The beginnings of the hashes, sorted; `None` where they are too many.
async fn remember<E>(named: impl Stream<Item = Result<ContentHash, E>>) -> Result<Option<Vec<u64>>, E> {
    let mut beginnings = Vec::new();
    let mut named = std::pin::pin!(named);
    while let Some(hash) = named.try_next().await? {
        if beginnings.len() == NAMED_MAX {
            beginnings.sort_unstable();
            beginnings.dedup();
            // Half of it must be free again, or sorting would never end.
            if beginnings.len() > NAMED_MAX / 2 {
                return Ok(None);
            }
        }
        beginnings.push(beginning(hash));
    }
    beginnings.sort_unstable();
    beginnings.dedup();
    Ok(Some(beginnings))
}

/// Eight bytes of a hash: an orphan that shares them with a named blob stays, which does no harm.
fn beginning(hash: ContentHash) -> u64 {
    u64::from_str_radix(&hash.to_string()[..16], 16).unwrap_or_default()
}
