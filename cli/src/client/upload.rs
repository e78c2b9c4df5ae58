//! Uploading sources: hashed here, sent where the cluster doesn't hold them yet. Broken off, the same again sends the rest.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use pagemill_domain::hash::{ContentHash, ContentHasher};
use pagemill_proto::v1::upload_request::Part;
use pagemill_proto::{PIECE_BYTES, v1};
use rayon::prelude::*;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::connection::{self, Cluster};
use super::setback::{Patience, Setback};
use crate::failure::Failure;
use crate::listing::ListedSource;

/// Bytes that are hashed at once.
const HASH_PIECE_BYTES: usize = 1 << 20;

/// Sources that are on their way at once.
const UPLOADS_AT_ONCE_MAX: usize = 4;

/// Pieces of a source that are read ahead.
const PIECES_AHEAD_MAX: usize = 4;

/// A file and what its bytes hashed to.
#[derive(Debug, Clone)]
struct Hashed {
    path: PathBuf,
    bytes: u64,
    hash: ContentHash,
}

/// Sees to it that the cluster holds these sources, and returns what they hash to, in their order. `uploaded` hears of
/// bytes that are there, one source at a time.
pub(crate) async fn upload(
    cluster: &Cluster,
    sources: &[ListedSource],
    uploaded: &dyn Fn(u64),
) -> Result<Vec<ContentHash>, Failure> {
    let paths: Vec<PathBuf> = sources.iter().map(|source| source.path.clone()).collect();
    let read = tokio::task::spawn_blocking(move || hash_all(paths)).await.map_err(anyhow::Error::from)??;
    let hashes: Vec<ContentHash> = read.iter().map(|source| source.hash).collect();
    // The same content need not travel twice.
    let by_hash: HashMap<ContentHash, &Hashed> = read.iter().map(|source| (source.hash, source)).collect();
    let missing = missing(cluster, by_hash.keys().map(ContentHash::to_string).collect()).await?;
    let to_send: Vec<&Hashed> = missing.iter().filter_map(|hash| by_hash.get(hash).copied()).collect();
    let sent: u64 = to_send.iter().map(|source| source.bytes).sum();
    uploaded(read.iter().map(|source| source.bytes).sum::<u64>() - sent);
    let sending = to_send.into_iter().map(|source| async move {
        send(cluster, source).await?;
        uploaded(source.bytes);
        Ok::<(), Failure>(())
    });
    futures::stream::iter(sending).buffer_unordered(UPLOADS_AT_ONCE_MAX).try_collect::<()>().await?;
    Ok(hashes)
}

fn hash_all(paths: Vec<PathBuf>) -> Result<Vec<Hashed>, Failure> {
    let hash = |path: PathBuf| match hash_file(&path) {
        Ok((bytes, hash)) => Ok(Hashed { path, bytes, hash }),
        Err(error) => Err(unreadable(&path, &error)),
    };
    paths.into_par_iter().map(hash).collect()
}

/// A file's size and what it hashes to.
pub(super) fn hash_file(path: &Path) -> io::Result<(u64, ContentHash)> {
    let mut file = File::open(path)?;
    let (mut hasher, mut bytes, mut piece) = (ContentHasher::default(), 0, vec![0; HASH_PIECE_BYTES]);
    loop {
        match file.read(&mut piece)? {
            0 => return Ok((bytes, hasher.finish())),
            count => {
                hasher.update(&piece[..count]);
                bytes += count as u64;
            }
        }
    }
}

fn unreadable(path: &Path, why: &(impl ToString + ?Sized)) -> Failure {
    Failure::InputUnreadable { path: path.to_owned(), why: why.to_string() }
}

/// Which of these the cluster doesn't hold.
async fn missing(cluster: &Cluster, hashes: Vec<String>) -> Result<Vec<ContentHash>, Failure> {
    let request = v1::MissingRequest { hashes };
    let answer =
        cluster.ask(request, |line, request| async move { connection::sources(line).missing(request).await });
    let hash = |text: &String| {
        text.parse().map_err(|_| Failure::CoordinatorFailed("it answered with what is no hash".into()))
    };
    answer.await?.hashes.iter().map(hash).collect()
}

/// Sends one source, as often as it takes within reason.
async fn send(cluster: &Cluster, source: &Hashed) -> Result<(), Failure> {
    let mut patience = Patience::new();
    loop {
        match send_once(cluster, source).await {
            Ok(()) => return Ok(()),
            Err(Setback::Passing(failure)) => patience.after(failure, cluster).await?,
            Err(Setback::Bad(_)) => {
                return Err(unreadable(&source.path, "it changed while it was read: submit it again"));
            }
            Err(Setback::Final(failure)) => return Err(failure),
        }
    }
}

async fn send_once(cluster: &Cluster, source: &Hashed) -> Result<(), Setback> {
    let line = cluster.line().await.map_err(Setback::Passing)?;
    let (sender, parts) = mpsc::channel(PIECES_AHEAD_MAX);
    let (path, header) =
        (source.path.clone(), v1::UploadHeader { hash: source.hash.to_string(), bytes: source.bytes });
    let reading = tokio::task::spawn_blocking(move || read_parts(&path, header, &sender));
    let answer = connection::sources(line).upload(ReceiverStream::new(parts)).await;
    // The reader ends when nobody listens any more.
    let read = reading.await.unwrap_or_else(|error| Err(io::Error::other(error)));
    match (answer, read) {
        (Ok(_), _) => Ok(()),
        (Err(_), Err(error)) => Err(Setback::Final(unreadable(&source.path, &error))),
        (Err(status), Ok(())) => Err(status.into()),
    }
}

/// The parts of an upload, for as long as somebody takes them.
fn read_parts(
    path: &Path,
    header: v1::UploadHeader,
    parts: &mpsc::Sender<v1::UploadRequest>,
) -> io::Result<()> {
    let mut left = header.bytes;
    let mut file = File::open(path)?;
    let mut part = Part::Header(header);
    while parts.blocking_send(v1::UploadRequest { part: Some(part) }).is_ok() && left > 0 {
        let mut piece = vec![0; left.min(PIECE_BYTES as u64) as usize];
        file.read_exact(&mut piece)?;
        left -= piece.len() as u64;
        part = Part::Piece(Bytes::from(piece));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
