//! `pagemill submit`: the sources of a job to the cluster, and with `--wait` its results back.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use pagemill_domain::ids::JobId;
use pagemill_domain::naming::escape;
use pagemill_proto::v1::new_source::Location;
use pagemill_proto::v1::{AddSourcesRequest, Job, JobState, NewSource, OpenRequest, SealRequest};
use serde_json::json;
use tracing::Instrument;

use super::connection::{Cluster, jobs};
use super::{moments, objects, upload, watch};
use crate::arguments::SubmitArguments;
use crate::failure::{Exit, Failure};
use crate::listing::{self, ListedSource};
use crate::output_folder::OutputFolder;
use crate::progress::{Progress, print_json, print_line};
use crate::settings::Settings;
use crate::{interrupt, recipe};

/// Sources of a chunk; the coordinator takes ten times as many.
const SOURCES_PER_CHUNK: usize = 1_000;

/// Bytes of the names in a chunk: far below a message's bound.
const CHUNK_BYTES_MAX: usize = 2 << 20;

/// Submits what the arguments name.
pub(crate) async fn run(arguments: &SubmitArguments, settings: &Settings) -> Result<Exit, Failure> {
    let recipe = recipe::read(&arguments.recipe)?;
    let output = arguments.output.as_deref().map(OutputFolder::open).transpose()?;
    let (objects, paths): (Vec<&PathBuf>, Vec<&PathBuf>) =
        arguments.inputs.iter().partition(|input| objects::is_address(input));
    let objects = objects::sources(&objects)?;
    let paths: Vec<PathBuf> = paths.into_iter().cloned().collect();
    let listed = if paths.is_empty() {
        listing::Listing::default()
    } else {
        listing::list(&paths, output.as_ref().map(OutputFolder::path))?
    };
    let mut progress = Progress::new(arguments.json);
    if let Some(summary) = listed.skipped.summary() {
        progress.note(&format!("passed over: {summary}"));
    }
    if listed.sources.is_empty() && objects.is_empty() {
        let inputs: Vec<String> = arguments.inputs.iter().map(|input| input.display().to_string()).collect();
        return Err(Failure::NoScan { inputs: inputs.join(", ") });
    }
    let cluster = Cluster::new(settings)?;
    let job = open(&cluster, arguments, &recipe).await?;
    let id = JobId(job.id);
    cluster.follow(id);
    let submission = Submission { cluster: &cluster, job: job.id, progress: &progress };
    if job.state() == JobState::Draft {
        let span = tracing::info_span!("submit", job = id.0, trace = %id.trace());
        submission.fill(objects, &listed.sources, arguments.by_reference).instrument(span).await?;
    } else {
        progress.note(&format!("job {} was submitted with this key before; nothing is added", job.id));
    }
    say_submitted(&job, arguments);
    if !arguments.wait {
        return Ok(Exit::Complete);
    }
    let interrupted = interrupt::watch()?;
    let start = Instant::now();
    tokio::select! {
        finished = watch::until_it_ends(&cluster, job.id, &mut progress, start) => {
            let job = finished?;
            watch::finish(&cluster, job, output.as_ref(), start, arguments.json).await
        }
        () = interrupted.cancelled() => {
            print_line(&format!("interrupted; the job goes on in the cluster: pagemill watch {}", job.id));
            Ok(Exit::Interrupted)
        }
    }
}

async fn open(
    cluster: &Cluster,
    arguments: &SubmitArguments,
    recipe: &pagemill_domain::recipe::Recipe,
) -> Result<Job, Failure> {
    let request = OpenRequest {
        key: arguments.key.clone().unwrap_or_else(new_key),
        recipe_json: serde_json::to_string(recipe).map_err(anyhow::Error::from)?,
        priority: arguments.priority,
        deadline_unix_seconds: arguments.deadline.unwrap_or_default(),
    };
    cluster.ask(request, |line, request| async move { jobs(line).open(request).await }).await
}

/// A key that nobody else has: the time, and 64 random bits.
fn new_key() -> String {
    use std::hash::{BuildHasher, Hasher, RandomState};

    let random = RandomState::new().build_hasher().finish();
    format!("{:x}-{random:016x}", moments::now_unix_seconds())
}

/// A draft that is being filled.
struct Submission<'a> {
    cluster: &'a Cluster,
    job: i64,
    progress: &'a Progress,
}

impl Submission<'_> {
    /// Adds everything, and seals the job.
    async fn fill(
        &self,
        objects: Vec<NewSource>,
        listed: &[ListedSource],
        by_reference: bool,
    ) -> Result<(), Failure> {
        self.add_objects(objects).await?;
        self.add_listed(listed, by_reference).await?;
        let seal = SealRequest { job: self.job };
        self.cluster.ask(seal, |line, seal| async move { jobs(line).seal(seal).await }).await?;
        Ok(())
    }

    /// Adds objects by reference.
    async fn add_objects(&self, objects: Vec<NewSource>) -> Result<(), Failure> {
        for chunk in objects.chunks(SOURCES_PER_CHUNK) {
            self.add(chunk.to_vec()).await?;
        }
        Ok(())
    }

    /// Adds files, uploading what the cluster does not hold, or by reference.
    async fn add_listed(&self, sources: &[ListedSource], by_reference: bool) -> Result<(), Failure> {
        let mut rest = sources;
        while !rest.is_empty() {
            let (chunk, after) = rest.split_at(chunk_length(rest));
            rest = after;
            let locations: Vec<Location> = if by_reference {
                chunk.iter().map(|source| Location::File(written(&source.path))).collect()
            } else {
                let hashes = upload::upload(self.cluster, chunk, &|_| {}).await?;
                hashes.into_iter().map(|hash| Location::Blob(hash.to_string())).collect()
            };
            self.add(chunk.iter().zip(locations).map(new_source).collect()).await?;
            if sources.len() > SOURCES_PER_CHUNK {
                let done = sources.len() - rest.len();
                self.progress.note(&format!("submitted {done} of {} sources", sources.len()));
            }
        }
        Ok(())
    }

    async fn add(&self, sources: Vec<NewSource>) -> Result<(), Failure> {
        let request = AddSourcesRequest { job: self.job, sources };
        let added =
            self.cluster.ask(request, |line, request| async move { jobs(line).add_sources(request).await });
        added.await.map(|_| ())
    }
}

/// How many of the first sources go into one chunk.
fn chunk_length(sources: &[ListedSource]) -> usize {
    let mut bytes = 0;
    let fits = |source: &&ListedSource| {
        // The path as it is, and as text where each byte is written out, and the folder.
        bytes += 4 * source.path.as_os_str().len() + source.name.len() + source.folder.len();
        bytes <= CHUNK_BYTES_MAX
    };
    sources.iter().take(SOURCES_PER_CHUNK).take_while(fits).count().max(1)
}

fn new_source((source, location): (&ListedSource, Location)) -> NewSource {
    NewSource {
        path: source.name.clone(),
        folder: source.folder.clone(),
        bytes: source.stamp.bytes,
        location: Some(location),
    }
}

fn written(path: &Path) -> String {
    escape(path.as_os_str().as_bytes())
}

fn say_submitted(job: &Job, arguments: &SubmitArguments) {
    if arguments.json {
        print_json(&json!({"event": "submitted", "job": job.id, "key": job.key}));
    } else {
        print_line(&format!("job {} is submitted (key {})", job.id, super::table::shown(&job.key)));
        if !arguments.wait {
            print_line(&format!("  pagemill watch {0} · pagemill fetch {0} -o DIR", job.id));
        }
    }
}

#[cfg(test)]
mod tests {
    use pagemill_domain::shard::FileStamp;

    use super::*;

    fn source(name_bytes: usize) -> ListedSource {
        let name = "x".repeat(name_bytes);
        ListedSource {
            path: format!("/{name}").into(),
            name,
            folder: String::new(),
            stamp: FileStamp { bytes: 1, modified_ns: 0, inode: 0 },
        }
    }

    #[test]
    fn a_chunk_is_bounded_by_sources_and_by_bytes() {
        assert_eq!(chunk_length(&vec![source(10); 2_500]), SOURCES_PER_CHUNK);
        let long = chunk_length(&vec![source(4_000); 2_500]);
        assert!((50..200).contains(&long), "{long}");
        assert_eq!(chunk_length(&[source(3 << 20)]), 1);
    }

    #[test]
    fn two_keys_differ() {
        assert_ne!(new_key(), new_key());
    }
}
