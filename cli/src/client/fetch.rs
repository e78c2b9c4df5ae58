//! Fetching artifacts: each is staged, checked against its hash, and only then stands under its name. Broken off, the same
//! again fetches the rest.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use futures::{StreamExt, TryStreamExt};
use pagemill_domain::hash::{ContentHash, ContentHasher};
use pagemill_domain::naming::is_artifact_name;
use pagemill_proto::v1;

use super::connection::{self, Cluster};
use super::fetched::Fetched;
use super::setback::{Patience, Setback};
use super::upload::hash_file;
use crate::failure::Failure;
use crate::output_folder::OutputFolder;

/// Documents of one listing.
const PAGE_SIZE: u32 = 200;

/// Artifacts that are on their way at once.
const FETCHES_AT_ONCE_MAX: usize = 4;

/// An artifact as the list names it.
#[derive(Debug, Clone)]
struct Listed {
    job: i64,
    name: String,
    bytes: u64,
    hash: ContentHash,
}

/// Fetches all artifacts of a job into the folder, and returns how many files they are. One that is there already stays
/// untouched. `fetched` hears the name and size of each.
pub(crate) async fn fetch(
    cluster: &Cluster,
    job: i64,
    output: &OutputFolder,
    fetched: &dyn Fn(&str, u64),
) -> Result<u64, Failure> {
    let staging = output.state().join("fetch");
    fs::create_dir_all(&staging).map_err(|error| unusable(&staging, &error))?;
    let record = output.state().join("fetched");
    let known = Fetched::open(&record).map_err(|error| unusable(&record, &error))?;
    let (mut files, mut token) = (0, String::new());
    loop {
        let (artifacts, next) = list(cluster, job, token).await?;
        files += artifacts.len() as u64;
        let (staging, known) = (&staging, &known);
        let fetching = artifacts.into_iter().map(|artifact| async move {
            fetch_one(cluster, &artifact, known, output.path(), staging).await?;
            fetched(&artifact.name, artifact.bytes);
            Ok::<(), Failure>(())
        });
        futures::stream::iter(fetching).buffer_unordered(FETCHES_AT_ONCE_MAX).try_collect::<()>().await?;
        if next.is_empty() {
            break;
        }
        token = next;
    }
    // Whatever is left there belongs to a file that is no more.
    fs::remove_dir_all(&staging).map_err(|error| unusable(&staging, &error))?;
    Ok(files)
}

/// Reads all artifacts of a job as the cluster holds them, and returns how many there are; `bad` hears of those that are
/// not what the list says.
pub(crate) async fn check(
    cluster: &Cluster,
    job: i64,
    bad: &mut dyn FnMut(&str, String),
) -> Result<u64, Failure> {
    let (mut files, mut token) = (0, String::new());
    loop {
        let (artifacts, next) = list(cluster, job, token).await?;
        for artifact in artifacts {
            files += 1;
            let mut sink = Sum::default();
            match receive(cluster, &artifact, &mut sink).await {
                Ok(()) if sink.is(&artifact) => {}
                Ok(()) => bad(&artifact.name, "its bytes do not match its hash".into()),
                Err(Setback::Bad(why)) => bad(&artifact.name, why),
                Err(Setback::Passing(failure) | Setback::Final(failure)) => return Err(failure),
            }
        }
        if next.is_empty() {
            return Ok(files);
        }
        token = next;
    }
}

/// Artifacts from `token` on, and the token after them.
async fn list(cluster: &Cluster, job: i64, token: String) -> Result<(Vec<Listed>, String), Failure> {
    let request = v1::ListArtifactsRequest { job, page_size: PAGE_SIZE, page_token: token };
    let answer =
        cluster.ask(request, |line, request| async move { connection::artifacts(line).list(request).await });
    let answer = answer.await?;
    let listed = |artifact: v1::Artifact| match artifact.hash.parse() {
        Ok(hash) if is_artifact_name(&artifact.name) => {
            Ok(Listed { job, name: artifact.name, bytes: artifact.bytes, hash })
        }
        _ => {
            let why = format!("it names an artifact that can't be one: {:?}", artifact.name);
            Err(Failure::CoordinatorFailed(why))
        }
    };
    let artifacts = answer.artifacts.into_iter().map(listed).collect::<Result<_, _>>()?;
    Ok((artifacts, answer.next_page_token))
}

/// Sees to it that the file is there.
async fn fetch_one(
    cluster: &Cluster,
    artifact: &Listed,
    known: &Fetched,
    folder: &Path,
    staging: &Path,
) -> Result<(), Failure> {
    let path = folder.join(&artifact.name);
    let (found, wanted) = (path.clone(), artifact.clone());
    let is_there = tokio::task::spawn_blocking(move || is_same(&found, &wanted)).await;
    if is_there.map_err(anyhow::Error::from)? {
        return Ok(());
    }
    known.claim(&artifact.name, &path)?;
    let staged =
        staging.join(ContentHash::of(format!("{}\0{}", artifact.hash, artifact.name).as_bytes()).to_string());
    let mut partial = Partial::open(&staged, artifact).map_err(|error| unusable(&staged, &error))?;
    match receive(cluster, artifact, &mut partial).await {
        Ok(()) if partial.sum.is(artifact) => {}
        Ok(()) => {
            // What was staged is of no use.
            let _ = fs::remove_file(&staged);
            return Err(bad(artifact, "its bytes do not match its hash"));
        }
        Err(Setback::Bad(why)) => return Err(bad(artifact, &why)),
        Err(Setback::Passing(failure) | Setback::Final(failure)) => return Err(failure),
    }
    let shown = path.clone();
    let placed = tokio::task::spawn_blocking(move || place(&partial.file, &staged, &path)).await;
    placed.map_err(anyhow::Error::from)?.map_err(|error| unusable(&shown, &error))
}

fn bad(artifact: &Listed, why: &str) -> Failure {
    Failure::CoordinatorFailed(format!("{}: {why}", artifact.name))
}

fn is_same(path: &Path, artifact: &Listed) -> bool {
    let is_file =
        fs::symlink_metadata(path).is_ok_and(|found| found.is_file() && found.len() == artifact.bytes);
    is_file && hash_file(path).is_ok_and(|(_, hash)| hash == artifact.hash)
}

/// Makes the staged file durable under its name.
fn place(file: &File, staged: &Path, path: &Path) -> io::Result<()> {
    let folder = path.parent().unwrap_or(path);
    fs::create_dir_all(folder)?;
    file.sync_all()?;
    fs::rename(staged, path)?;
    File::open(folder)?.sync_all()
}

fn unusable(path: &Path, error: &io::Error) -> Failure {
    Failure::Output { folder: path.to_owned(), why: error.to_string() }
}

/// Where the bytes of an artifact go.
trait Sink {
    /// How many there are so far.
    fn bytes(&self) -> u64;
    /// Takes the next ones.
    fn take(&mut self, piece: &[u8]) -> Result<(), Failure>;
}

/// Receives what `sink` doesn't have yet; a stream that breaks off goes on where it was.
async fn receive(cluster: &Cluster, artifact: &Listed, sink: &mut impl Sink) -> Result<(), Setback> {
    let mut patience = Patience::new();
    while sink.bytes() < artifact.bytes {
        let before = sink.bytes();
        match receive_once(cluster, artifact, sink).await {
            Err(Setback::Passing(failure)) => {
                // Whatever came shows that it is worth another try.
                if sink.bytes() > before {
                    patience = Patience::new();
                }
                patience.after(failure, cluster).await.map_err(Setback::Final)?;
            }
            answer => answer?,
        }
    }
    Ok(())
}

async fn receive_once(cluster: &Cluster, artifact: &Listed, sink: &mut impl Sink) -> Result<(), Setback> {
    let line = cluster.line().await.map_err(Setback::Passing)?;
    let request = v1::FetchRequest { job: artifact.job, name: artifact.name.clone(), offset: sink.bytes() };
    let mut pieces = connection::artifacts(line).fetch(request).await?.into_inner();
    while let Some(v1::FetchResponse { piece }) = pieces.message().await? {
        if sink.bytes() + piece.len() as u64 > artifact.bytes {
            return Err(Setback::Bad("it is longer than it should be".into()));
        }
        sink.take(&piece).map_err(Setback::Final)?;
    }
    if sink.bytes() == artifact.bytes {
        return Ok(());
    }
    Err(Setback::Passing(Failure::CoordinatorFailed("a stream ended before its artifact".into())))
}

/// Size and hash of what came.
#[derive(Default)]
struct Sum {
    hasher: ContentHasher,
    bytes: u64,
}

impl Sum {
    fn is(&mut self, artifact: &Listed) -> bool {
        self.bytes == artifact.bytes && std::mem::take(&mut self.hasher).finish() == artifact.hash
    }
}

impl Sink for Sum {
    fn bytes(&self) -> u64 {
        self.bytes
    }

    fn take(&mut self, piece: &[u8]) -> Result<(), Failure> {
        self.hasher.update(piece);
        self.bytes += piece.len() as u64;
        Ok(())
    }
}

/// An artifact that is not complete yet; what an earlier try left is taken up.
struct Partial {
    path: PathBuf,
    file: File,
    sum: Sum,
}

impl Partial {
    fn open(path: &Path, artifact: &Listed) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
        if file.metadata()?.len() > artifact.bytes {
            file.set_len(0)?;
        }
        let mut partial = Self { path: path.to_owned(), file, sum: Sum::default() };
        let (mut earlier, mut piece) = (File::open(path)?, vec![0; 1 << 20]);
        loop {
            match earlier.read(&mut piece)? {
                0 => return Ok(partial),
                count => {
                    partial.sum.hasher.update(&piece[..count]);
                    partial.sum.bytes += count as u64;
                }
            }
        }
    }
}

impl Sink for Partial {
    fn bytes(&self) -> u64 {
        self.sum.bytes
    }

    fn take(&mut self, piece: &[u8]) -> Result<(), Failure> {
        self.file.write_all(piece).map_err(|error| unusable(&self.path, &error))?;
        self.sum.take(piece)
    }
}

#[cfg(test)]
mod tests;
