//! Settings: file < environment < flags, checked once at start.

use std::collections::HashMap;
use std::path::Path;
use std::thread::available_parallelism;

use config::{Config, Environment, File, FileFormat};
use pagemill_domain::limits::Limits;
use serde::{Deserialize, Serialize};

use crate::failure::Failure;

/// The settings of a run. Each key can stand in the settings file and, in capitals after `PAGEMILL_`, in the
/// environment; a limit there as `PAGEMILL_LIMITS__FAULTS_MAX`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Settings {
    /// Pages that are read at the same time, each by a process of one thread.
    pub(crate) worker_slots: u32,
    /// CPU seconds that one page may take; its wall deadline is [`WALL_PER_CPU`] times as long. 0: as the limits say.
    pub(crate) page_deadline_seconds: u32,
    /// Refuse to start where the kernel can't lock the recognition processes in.
    pub(crate) require_sandbox: bool,
    /// What is logged to standard error: a level, or directives such as `info,sqlx=warn`.
    pub(crate) log: String,
    /// The bounds of the run.
    pub(crate) limits: Limits,
}

/// A page that uses its core gets this many times its CPU budget before the machine is taken for starved.
const WALL_PER_CPU: u32 = 5;

/// More workers than this are a slip of the keyboard.
const WORKER_SLOTS_MAX: u32 = 1_024;

/// What our variables begin with.
const PREFIX: &str = "PAGEMILL_";

impl Default for Settings {
    fn default() -> Self {
        Self {
            worker_slots: available_parallelism().map_or(1, |cores| cores.get() as u32),
            page_deadline_seconds: 0,
            require_sandbox: false,
            log: "warn".into(),
            limits: Limits::default(),
        }
    }
}

impl Settings {
    /// Reads the settings: those of `file`, overridden by `environment`, overridden by the number of workers from the
    /// command line.
    pub(crate) fn read(
        file: Option<&Path>,
        environment: impl Iterator<Item = (String, String)>,
        workers: Option<u32>,
    ) -> Result<Self, Failure> {
        let refuse = |error: config::ConfigError| Failure::Setting(error.to_string());
        let mut builder = Config::builder();
        if let Some(file) = file {
            builder = builder.add_source(File::from(file).format(FileFormat::Toml));
        }
        let ours = environment.filter(|(name, _)| is_setting(name)).collect::<HashMap<_, _>>();
        builder = builder.add_source(
            Environment::with_prefix("PAGEMILL")
                .prefix_separator("_")
                .separator("__")
                .try_parsing(true)
                .source(Some(ours)),
        );
        builder = builder.set_override_option("worker_slots", workers).map_err(refuse)?;
        let settings = builder.build().and_then(Config::try_deserialize::<Self>).map_err(refuse)?;
        settings.checked()
    }

    /// The settings with their deadline applied, or the first key that is out of range.
    fn checked(mut self) -> Result<Self, Failure> {
        if !(1..=WORKER_SLOTS_MAX).contains(&self.worker_slots) {
            return Err(out_of_range("worker_slots (--workers)", &format!("1 to {WORKER_SLOTS_MAX}")));
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
        Ok(self)
    }
}

fn out_of_range(key: &str, range: &str) -> Failure {
    Failure::Setting(format!("{key} must be {range}"))
}

/// Whether a variable is one of our settings. Others with our prefix belong to tests, to the cluster, or to
/// Kubernetes, which announces services in this way.
fn is_setting(name: &str) -> bool {
    let Some(key) = name.strip_prefix(PREFIX).map(str::to_lowercase) else {
        return false;
    };
    ["worker_slots", "page_deadline_seconds", "require_sandbox", "log"].contains(&key.as_str())
        || key.starts_with("limits__")
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn read(file: &str, environment: &[(&str, &str)], workers: Option<u32>) -> Result<Settings, String> {
        let mut written = tempfile::NamedTempFile::new().unwrap();
        written.write_all(file.as_bytes()).unwrap();
        let environment = environment.iter().map(|&(name, value)| (name.to_owned(), value.to_owned()));
        Settings::read(Some(written.path()), environment, workers).map_err(|failure| failure.to_string())
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
            ("", Some(("PAGEMILL_WORKER_SLOTS", "many")), "worker_slots"),
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
    fn variables_of_others_are_left_alone() {
        let others =
            [("PAGEMILL_CORPUS", "/x"), ("PAGEMILL_COORDINATOR_PORT", "tcp://10.0.0.1:80"), ("HOME", "/h")];
        assert_eq!(read("", &others, None).unwrap(), Settings::default());
    }
}
