//! Connecting to the blobs of a cluster, as `PAGEMILL_BLOBS_URL` names them.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::local::LocalFileSystem;
use object_store::prefix::PrefixStore;
use object_store::{BackoffConfig, ClientConfigKey, ObjectStore, RetryConfig};

use super::bucket::Bucket;
use super::cache::SourceCache;
use super::objects::ObjectBlobs;
use super::roots::{ObjectAddress, SourceRoots};
use super::scratch::Scratch;
use super::{BlobError, Blobs, io_error};
use crate::crypto::install_crypto;

/// How long the first question to the store may take; one that is silent at start may be there later.
const PROBE_TIMEOUT: Duration = Duration::from_secs(5);

/// The first wait before a request is repeated; each further one is twice as long, up to [`BACKOFF_MAX`].
const BACKOFF_MIN: Duration = Duration::from_millis(100);

/// The longest wait before a request is repeated.
const BACKOFF_MAX: Duration = Duration::from_secs(2);

/// A request is not repeated when its first try is longer ago: its signature would not be accepted any more.
const RETRY_WINDOW: Duration = Duration::from_mins(4);

/// How blobs are reached.
#[derive(Debug, Clone)]
pub struct BlobOptions {
    /// A folder on a local disk, for sources that were fetched, and for what is on its way to the store.
    pub cache_folder: PathBuf,
    /// Bytes of fetched sources that are kept. Of larger ones, the last is kept beside them.
    pub source_cache_bytes_max: u64,
    /// Below what sources are read by reference.
    pub source_roots: SourceRoots,
    /// How long reaching the store may take.
    pub connect_timeout: Duration,
    /// How long the store may be silent in the middle of a request.
    pub idle_timeout: Duration,
    /// How long one request may take in all, its bytes included.
    pub transfer_timeout: Duration,
    /// How often a request is repeated before the store counts as unavailable.
    pub retries_max: usize,
    /// Credentials and endpoint of S3.
    pub s3: S3Settings,
}

/// What S3 clients read from the environment: names of variables (`AWS_…`) and their values.
#[derive(Clone, Default)]
pub struct S3Settings(pub Vec<(String, String)>);

impl S3Settings {
    /// Those of this process's environment.
    #[must_use]
    pub fn from_env() -> Self {
        let text =
            |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value.into_string().ok()?));
        Self(std::env::vars_os().filter_map(text).filter(|(name, _)| name.starts_with("AWS_")).collect())
    }
}

impl std::fmt::Debug for S3Settings {
    /// Names only: one of the values is a secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

impl BlobOptions {
    /// The defaults, with a folder for what is cached and the environment's settings of S3.
    #[must_use]
    pub fn new(cache_folder: PathBuf) -> Self {
        Self {
            cache_folder,
            source_cache_bytes_max: 10 << 30,
            source_roots: SourceRoots::default(),
            connect_timeout: Duration::from_secs(5),
            idle_timeout: Duration::from_secs(20),
            transfer_timeout: Duration::from_hours(1),
            retries_max: 3,
            s3: S3Settings::from_env(),
        }
    }
}

/// Connects to the blobs at `url`: `file:DIR`, a folder that all machines share, or `s3://bucket/prefix`, with
/// credentials and endpoint from the usual `AWS_…` variables. Refused credentials and a bucket that isn't there are
/// errors; a store that doesn't answer may do so later.
pub async fn connect(url: &str, options: BlobOptions) -> Result<Arc<dyn Blobs>, BlobError> {
    let (store, folder, own) = match url.strip_prefix("file:") {
        Some(folder) => {
            let folder = existing_folder(Path::new(folder))?;
            (shared_folder(&folder)?, Some(folder), None)
        }
        None if url.starts_with("s3://") => {
            let address: ObjectAddress = url.parse()?;
            (s3(&address, &options)?, None, Some(address))
        }
        None => return Err(BlobError::Misconfigured("blobs are at file:DIR or s3://bucket/prefix".into())),
    };
    let whole_bucket =
        |root: &ObjectAddress| ObjectAddress { bucket: root.bucket.clone(), key: String::new() };
    let root_buckets = options.source_roots.objects.iter();
    let root_buckets: Result<_, BlobError> =
        root_buckets.map(|root| Ok(Bucket(s3(&whole_bucket(root), &options)?))).collect();
    let blobs = ObjectBlobs {
        bucket: Bucket(store),
        folder,
        own,
        root_buckets: root_buckets?,
        scratch: Arc::new(Scratch::open(&options.cache_folder)?),
        cache: SourceCache::new(options.source_cache_bytes_max),
        roots: options.source_roots,
        fetched: AtomicU64::new(0),
    };
    probe(&blobs.bucket, url).await?;
    Ok(Arc::new(blobs))
}

/// A folder must be there: one that is made where a file system should have been mounted would take blobs to a place
/// that nobody else sees.
fn existing_folder(folder: &Path) -> Result<PathBuf, BlobError> {
    folder.canonicalize().map_err(io_error("open the blobs' folder", folder))
}

fn shared_folder(folder: &Path) -> Result<Arc<dyn ObjectStore>, BlobError> {
    let store = LocalFileSystem::new_with_prefix(folder)
        .map_err(|error| BlobError::Misconfigured(format!("{}: {error}", folder.display())))?;
    Ok(Arc::new(store.with_fsync(true)))
}

pub(super) fn s3(address: &ObjectAddress, options: &BlobOptions) -> Result<Arc<dyn ObjectStore>, BlobError> {
    install_crypto();
    let text = |duration: Duration| format!("{} ms", duration.as_millis());
    let client = |key| AmazonS3ConfigKey::Client(key);
    let retry = RetryConfig {
        backoff: BackoffConfig { init_backoff: BACKOFF_MIN, max_backoff: BACKOFF_MAX, base: 2.0 },
        max_retries: options.retries_max,
        retry_timeout: RETRY_WINDOW,
    };
    let store = builder(&options.s3)
        .with_bucket_name(&address.bucket)
        .with_config(client(ClientConfigKey::ConnectTimeout), text(options.connect_timeout))
        .with_config(client(ClientConfigKey::ReadTimeout), text(options.idle_timeout))
        .with_config(client(ClientConfigKey::Timeout), text(options.transfer_timeout))
        .with_retry(retry)
        .build()
        .map_err(|error| BlobError::Misconfigured(format!("blobs in bucket {}: {error}", address.bucket)))?;
    Ok(if address.key.is_empty() {
        Arc::new(store)
    } else {
        Arc::new(PrefixStore::new(store, address.key.as_str()))
    })
}

/// Names that S3 clients know; others are none of our business.
fn builder(settings: &S3Settings) -> AmazonS3Builder {
    settings.0.iter().fold(AmazonS3Builder::new(), |builder, (name, value)| {
        match name.to_ascii_lowercase().parse::<AmazonS3ConfigKey>() {
            Ok(key) => builder.with_config(key, value),
            Err(_) => builder,
        }
    })
}

/// Finds wrong credentials and a wrong bucket at start, where somebody looks.
async fn probe(bucket: &Bucket, url: &str) -> Result<(), BlobError> {
    match tokio::time::timeout(PROBE_TIMEOUT, bucket.probe(url)).await {
        Ok(Err(BlobError::Unavailable { why, .. })) => tracing::warn!(why, "the blobs do not answer"),
        Ok(answer) => answer?,
        Err(_) => tracing::warn!("the blobs do not answer"),
    }
    Ok(())
}
