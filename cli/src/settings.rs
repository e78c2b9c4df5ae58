//! Settings: file < environment < flags, checked once at start.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::thread::available_parallelism;

use config::{Config, Environment, File, FileFormat};
use pagemill_domain::limits::Limits;
use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::logging::LogFormat;

mod cluster;
mod leases;
mod roles;
mod secret;

use leases::Leases;
pub(crate) use roles::{COORDINATOR_HTTP_LISTEN, WORKER_HTTP_LISTEN};
pub(crate) use secret::Secret;

/// The settings of a run. Each key can stand in the settings file and, in capitals after `PAGEMILL_`, in the
/// environment; a limit there as `PAGEMILL_LIMITS__FAULTS_MAX`, a lease as `PAGEMILL_LEASES__TICK_SECONDS`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Settings {
    /// Pages that are read at the same time, each by a process of one thread.
    pub(crate) worker_slots: u32,
    /// What a worker is called among others; by default its host and process.
    pub(crate) worker_name: Option<String>,
    /// Seconds that the pages in hand may take once a worker is told to stop.
    pub(crate) grace_seconds: u32,
    /// CPU seconds that one page may take; its wall deadline is [`WALL_PER_CPU`] times as long. 0: as the limits say.
    pub(crate) page_deadline_seconds: u32,
    /// Refuse to start where the kernel can't lock the recognition processes in.
    pub(crate) require_sandbox: bool,
    /// What is logged to standard error: a level, or directives such as `info,sqlx=warn`.
    pub(crate) log: Option<String>,
    /// What a line of it looks like: `text` or `json`.
    pub(crate) log_format: LogFormat,
    /// The broker: `amqp://…` or `amqps://…`.
    pub(crate) queue_url: Option<Secret>,
    /// The store: `postgres://…`, or `sqlite:FILE` for a single coordinator.
    pub(crate) store_url: Option<Secret>,
    /// The blob store: `s3://bucket/prefix`, or `file:DIR` for a folder that all machines share.
    pub(crate) blobs_url: Option<String>,
    /// Where a coordinator serves gRPC.
    pub(crate) grpc_listen: Option<String>,
    /// Where metrics and probes are served.
    pub(crate) http_listen: Option<String>,
    /// Where clients and workers find the coordinators: one or more addresses, separated by commas.
    pub(crate) coordinator_url: String,
    /// Folders, separated by `:`, whose files may be submitted by reference.
    pub(crate) source_roots: String,
    /// Where a worker keeps sources that it fetched.
    pub(crate) cache_dir: Option<PathBuf>,
    /// By what a client or worker is known.
    pub(crate) token: Option<Secret>,
    /// The file that holds the token.
    pub(crate) token_file: Option<PathBuf>,
    /// A coordinator's table of tokens.
    pub(crate) tokens_file: Option<PathBuf>,
    /// Where a coordinator keeps its audit log.
    pub(crate) audit_file: Option<PathBuf>,
    /// Serve gRPC beyond this machine without TLS, where the network is private.
    pub(crate) allow_plaintext: bool,
    /// The certificate that is shown to the other side (PEM).
    pub(crate) tls_cert_file: Option<PathBuf>,
    /// Its key (PEM).
    pub(crate) tls_key_file: Option<PathBuf>,
    /// Who signs the certificates of those who may call a coordinator (PEM).
    pub(crate) tls_client_ca_file: Option<PathBuf>,
    /// Who signs the certificates of the services that are called (PEM); by default those that the system trusts.
    pub(crate) ca_file: Option<PathBuf>,
    /// The bounds of the run.
    pub(crate) limits: Limits,
    /// How long others may be silent.
    pub(crate) leases: Leases,
}

/// The keys that a variable can stand for, besides the limits and leases. What else begins so belongs to tests or to Kubernetes,
/// which announces services in this way.
const KEYS: [&str; 26] = [
    "worker_slots",
    "worker_name",
    "grace_seconds",
    "page_deadline_seconds",
    "require_sandbox",
    "log",
    "log_format",
    "queue_url",
    "store_url",
    "blobs_url",
    "grpc_listen",
    "http_listen",
    "coordinator_url",
    "source_roots",
    "cache_dir",
    "token",
    "token_file",
    "tokens_file",
    "audit_file",
    "allow_plaintext",
    "tls_cert_file",
    "tls_key_file",
    "tls_client_ca_file",
    "ca_file",
    "limits",
    "leases",
];

/// A page that uses its core gets this many times its CPU budget before the machine is taken for starved.
const WALL_PER_CPU: u32 = 5;

/// More workers than this are a slip of the keyboard.
const WORKER_SLOTS_MAX: u32 = 1_024;

/// Bytes of a worker's name.
const WORKER_NAME_BYTES_MAX: usize = 200;

/// What our variables begin with.
const PREFIX: &str = "PAGEMILL_";

impl Default for Settings {
    fn default() -> Self {
        Self {
            worker_slots: available_parallelism().map_or(1, |cores| cores.get() as u32),
            worker_name: None,
            grace_seconds: 60,
            page_deadline_seconds: 0,
            require_sandbox: false,
            log: None,
            log_format: LogFormat::default(),
            queue_url: None,
            store_url: None,
            blobs_url: None,
            grpc_listen: None,
            http_listen: None,
            coordinator_url: "http://127.0.0.1:7070".into(),
            source_roots: String::new(),
            cache_dir: None,
            token: None,
            token_file: None,
            tokens_file: None,
            audit_file: None,
            allow_plaintext: false,
            tls_cert_file: None,
            tls_key_file: None,
            tls_client_ca_file: None,
            ca_file: None,
            limits: Limits::default(),
            leases: Leases::default(),
        }
    }
}

/// Keys and values from the command line.
pub(crate) type Flags = Vec<(&'static str, String)>;

impl Settings {
    /// Reads the settings: those of `file`, overridden by `environment`, overridden by `flags`.
    pub(crate) fn read(
        file: Option<&Path>,
        environment: impl Iterator<Item = (String, String)>,
        flags: Flags,
    ) -> Result<Self, Failure> {
        let refuse = |error: config::ConfigError| Failure::Setting(error.to_string());
        let mut builder = Config::builder();
        if let Some(file) = file {
            builder = builder.add_source(File::from(file).format(FileFormat::Toml));
        }
        let ours = environment.filter(|(name, _)| is_setting(name)).collect::<HashMap<_, _>>();
        // Values stay text until their key asks for a number: a token of digits is none.
        builder = builder.add_source(
            Environment::with_prefix("PAGEMILL").prefix_separator("_").separator("__").source(Some(ours)),
        );
        for (key, value) in flags {
            builder = builder.set_override(key, value).map_err(refuse)?;
        }
        let settings = builder.build().and_then(Config::try_deserialize::<Self>).map_err(refuse)?;
        settings.checked()
    }

    /// The settings with their deadline applied, or the first key that is out of range.
    fn checked(mut self) -> Result<Self, Failure> {
        if !(1..=WORKER_SLOTS_MAX).contains(&self.worker_slots) {
            let range = format!("1 to {WORKER_SLOTS_MAX}");
            return Err(out_of_range("worker_slots (--workers, --slots)", &range));
        }
        let name_fits = |name: &String| {
            (1..=WORKER_NAME_BYTES_MAX).contains(&name.len()) && !name.contains(char::is_control)
        };
        if !self.worker_name.as_ref().is_none_or(name_fits) {
            return Err(out_of_range(
                "worker_name (--name)",
                &format!("1 to {WORKER_NAME_BYTES_MAX} bytes of text"),
            ));
        }
        if self.page_deadline_seconds > 0 {
            self.limits.page_cpu_seconds_max = self.page_deadline_seconds;
            self.limits.page_wall_seconds_max = self.page_deadline_seconds.saturating_mul(WALL_PER_CPU);
        }
        let limits = serde_json::to_value(&self.limits).map_err(anyhow::Error::from)?;
        for (key, value) in limits.as_object().into_iter().flatten() {
            if value.as_u64() == Some(0) {
                return Err(out_of_range(&format!("limits.{key}"), "1 or more"));
            }
        }
        self.leases.check()?;
        Ok(self)
    }
}

fn out_of_range(key: &str, range: &str) -> Failure {
    Failure::Setting(format!("{key} must be {range}"))
}

/// Whether a variable is one of our settings.
fn is_setting(name: &str) -> bool {
    let Some(key) = name.strip_prefix(PREFIX).map(str::to_lowercase) else {
        return false;
    };
    KEYS.contains(&key.as_str()) || key.starts_with("limits__") || key.starts_with("leases__")
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn read(file: &str, environment: &[(&str, &str)], workers: Option<u32>) -> Result<Settings, String> {
        let flags = workers.map(|workers| ("worker_slots", workers.to_string()));
        let mut written = tempfile::NamedTempFile::new().unwrap();
        written.write_all(file.as_bytes()).unwrap();
        let environment = environment.iter().map(|&(name, value)| (name.to_owned(), value.to_owned()));
        Settings::read(Some(written.path()), environment, flags.into_iter().collect())
            .map_err(|failure| failure.to_string())
    }

    #[test]
    fn flags_override_the_environment_which_overrides_the_file() {
        let file = "worker_slots = 2\n[limits]\nfaults_max = 3\npages_per_shard_max = 7";
        assert_eq!(read(file, &[], None).unwrap().worker_slots, 2);
        let environment = [("PAGEMILL_WORKER_SLOTS", "5"), ("PAGEMILL_LIMITS__FAULTS_MAX", "9")];
        let settings = read(file, &environment, None).unwrap();
        assert_eq!((settings.worker_slots, settings.limits.faults_max), (5, 9));
        assert_eq!(settings.limits.pages_per_shard_max, 7);
        assert_eq!(read(file, &environment, Some(6)).unwrap().worker_slots, 6);
    }

    #[test]
    fn every_refusal_names_its_key() {
        for (file, environment, key) in [
            ("worker_slot = 2", None, "worker_slot"),
            ("worker_slots = 0", None, "worker_slots"),
            ("[limits]\nfaults_max = 0", None, "limits.faults_max"),
            ("[limits]\nfaults = 1", None, "faults"),
            ("[leases]\ntick = 1", None, "tick"),
            ("", Some(("PAGEMILL_LEASES__TICK_SECONDS", "0")), "leases.tick_seconds"),
            ("worker_name = ''", None, "worker_name"),
            ("log_format = 'xml'", None, "log_format"),
            ("queue_url = 7.5\nqueue = 1", None, "queue"),
            ("", Some(("PAGEMILL_WORKER_SLOTS", "many")), "worker_slots"),
            ("", Some(("PAGEMILL_GRACE_SECONDS", "-1")), "grace_seconds"),
            ("", Some(("PAGEMILL_LIMITS__FAULTS_MAX", "-1")), "limits.faults_max"),
            ("", Some(("PAGEMILL_LIMITS__NO_SUCH", "1")), "no_such"),
        ] {
            let environment: Vec<_> = environment.into_iter().collect();
            let refusal = read(file, &environment, None).unwrap_err();
            assert!(refusal.contains(key), "{file} {environment:?}: {refusal}");
        }
    }

    #[test]
    fn a_deadline_bounds_cpu_and_wall_time() {
        let settings = read("", &[("PAGEMILL_PAGE_DEADLINE_SECONDS", "7")], None).unwrap();
        assert_eq!(settings.limits.page_cpu_seconds_max, 7);
        assert_eq!(settings.limits.page_wall_seconds_max, 35);
    }

    #[test]
    fn text_stays_text_even_if_it_looks_like_a_number() {
        let settings = read("", &[("PAGEMILL_TOKEN", "007"), ("PAGEMILL_WORKER_NAME", "1e3")], None).unwrap();
        assert_eq!(settings.token.as_ref().map(Secret::expose), Some("007"));
        assert_eq!(settings.worker_name.as_deref(), Some("1e3"));
    }

    #[test]
    fn every_key_can_stand_in_the_environment() {
        let keys = serde_json::to_value(Settings::default()).unwrap();
        let keys: Vec<&str> = keys.as_object().unwrap().keys().map(String::as_str).collect();
        let mut known = KEYS.to_vec();
        known.sort_unstable();
        let mut keys = keys;
        keys.sort_unstable();
        assert_eq!(keys, known);
    }

    #[test]
    fn variables_of_others_are_left_alone() {
        let others =
            [("PAGEMILL_CORPUS", "/x"), ("PAGEMILL_COORDINATOR_PORT", "tcp://10.0.0.1:80"), ("HOME", "/h")];
        assert_eq!(read("", &others, None).unwrap(), Settings::default());
    }
}
