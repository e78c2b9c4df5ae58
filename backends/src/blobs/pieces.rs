//! Bytes in pieces: memory stays flat however large a blob is, and what was read is what was stored.

use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{Stream, StreamExt, TryStreamExt};
use object_store::{GetResult, GetResultPayload};
use pagemill_domain::hash::{ContentHash, ContentHasher};

use super::BlobError;

/// Bytes that are read from a file at once.
pub(super) const PIECE_BYTES: usize = 256 << 10;

/// Bytes on their way, in order.
pub(super) type Pieces = BoxStream<'static, Result<Bytes, BlobError>>;

/// A range of a file. Reading is done where it may block.
pub(super) fn of_file(
    file: File,
    range: Range<u64>,
    failed: impl Fn(std::io::Error) -> BlobError + Send + Sync + 'static,
) -> Pieces {
    let (file, failed) = (Arc::new(file), Arc::new(failed));
    let pieces = futures::stream::try_unfold(range.start, move |offset| {
        let (file, failed) = (file.clone(), failed.clone());
        async move {
            let piece =
                read_piece(file, offset, range.end, PIECE_BYTES).await.map_err(|error| failed(error))?;
            let next = offset + piece.len() as u64;
            Ok((!piece.is_empty()).then_some((piece, next)))
        }
    });
    pieces.boxed()
}

/// The next bytes of a file: `bytes_max` unless `end` or the file's own end comes first.
pub(super) async fn read_piece(
    file: Arc<File>,
    offset: u64,
    end: u64,
    bytes_max: usize,
) -> std::io::Result<Bytes> {
    let length = usize::try_from(end.saturating_sub(offset)).unwrap_or(usize::MAX).min(bytes_max);
    let read = move || {
        let mut piece = vec![0; length];
        let mut filled = 0;
        while filled < length {
            match file.read_at(&mut piece[filled..], offset + filled as u64)? {
                0 => break,
                count => filled += count,
            }
        }
        piece.truncate(filled);
        Ok(Bytes::from(piece))
    };
    tokio::task::spawn_blocking(read).await.map_err(std::io::Error::other)?
}

/// What a store of objects answered.
pub(super) fn of_object(
    object: GetResult,
    failed: impl Fn(object_store::Error) -> BlobError + Send + Sync + 'static,
) -> Pieces {
    match object.payload {
        GetResultPayload::File(file, _) => of_file(file, object.range, move |error| {
            failed(object_store::Error::Generic { store: "folder", source: error.into() })
        }),
        GetResultPayload::Stream(pieces) => pieces.map_err(failed).boxed(),
    }
}

/// The same pieces, with [`BlobError::Damaged`] in place of the end where they don't hash to `hash`.
pub(super) fn checked(pieces: Pieces, hash: ContentHash) -> Pieces {
    let state = (pieces, ContentHasher::default());
    let checked = futures::stream::try_unfold(state, move |(mut pieces, mut hasher)| async move {
        if let Some(piece) = pieces.try_next().await? {
            hasher.update(&piece);
            return Ok(Some((piece, (pieces, hasher))));
        }
        if hasher.finish() == hash { Ok(None) } else { Err(BlobError::Damaged(hash)) }
    });
    checked.boxed()
}

/// What pieces hash to.
pub(super) async fn hash_of(
    mut pieces: impl Stream<Item = Result<Bytes, BlobError>> + Unpin,
) -> Result<ContentHash, BlobError> {
    let mut hasher = ContentHasher::default();
    while let Some(piece) = pieces.try_next().await? {
        hasher.update(&piece);
    }
    Ok(hasher.finish())
}
