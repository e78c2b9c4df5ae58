//! The whole system from outside: a workplace with scans and an output folder, and the program run on it.
#![allow(clippy::unwrap_used, clippy::missing_panics_doc, reason = "a test that meets the unexpected fails")]
#![allow(clippy::must_use_candidate, clippy::return_self_not_must_use, reason = "called for the check, too")]

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;

use pagemill_domain::hash::ContentHash;
use serde_json::Value;
use tempfile::TempDir;

pub mod balancer;
pub mod baseline;
pub mod bundles;
pub mod cluster;
pub mod dice;
pub mod frames;
pub mod page;
pub mod scans;
pub mod sessions;
pub mod version_one;

/// The repository's root.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

/// The program, built from the sources as they are: `cargo test` of one package does not build another's.
pub fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let test = std::env::current_exe().unwrap();
        let folder = test.parent().unwrap().parent().unwrap();
        // What a test is built from is built for the whole workspace; for one package, cargo would choose other features of
        // the libraries and build them all again. A release is built by itself.
        let which: &[&str] = if folder.ends_with("release") {
            &["--package=pagemill", "--release"]
        } else {
            &["--workspace", "--bins", "--test=tidiness"]
        };
        let mut build = Command::new(env!("CARGO"));
        build.args(["build", "--quiet"]).args(which).current_dir(root());
        if cfg!(feature = "otel") {
            build.arg("--features=pagemill/otel,pagemill-tests/otel");
        }
        // What cargo tells a test of its package would make build scripts run again, and with them half the libraries.
        for (name, _) in std::env::vars_os() {
            let told = name.to_str().is_some_and(|name| {
                name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") || name == "OUT_DIR"
            });
            if told {
                build.env_remove(name);
            }
        }
        assert!(build.status().unwrap().success());
        folder.join("pagemill")
    })
}

/// A folder of scans and an output folder.
pub struct Workplace {
    folder: TempDir,
}

/// What a run came to.
pub struct Finished {
    /// Its exit code.
    pub exit: i32,
    /// What it wrote to standard output.
    pub stdout: String,
    /// What it wrote to standard error.
    pub stderr: String,
}

impl Workplace {
    /// An empty one.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("scans")).unwrap();
        Self { folder }
    }

    /// One with these scans.
    pub fn with<'a>(scans: impl IntoIterator<Item = (&'a str, Vec<u8>)>) -> Self {
        let workplace = Self::new();
        for (name, bytes) in scans {
            workplace.add(name, &bytes);
        }
        workplace
    }

    /// Puts a scan into the folder.
    pub fn add(&self, name: impl AsRef<OsStr>, bytes: &[u8]) {
        let path = self.scans().join(Path::new(name.as_ref()));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    /// The folder that holds everything.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The folder of scans.
    pub fn scans(&self) -> PathBuf {
        self.path().join("scans")
    }

    /// The output folder.
    pub fn out(&self) -> PathBuf {
        self.path().join("out")
    }

    /// `pagemill ocr scans -o out` with more flags, not yet started.
    pub fn ocr_command(&self, flags: &[&str]) -> Command {
        let mut command = pagemill(&["ocr"]);
        command.arg(self.scans()).arg("-o").arg(self.out()).args(flags);
        command
    }

    /// Runs `pagemill ocr scans -o out` with more flags to its end.
    pub fn ocr(&self, flags: &[&str]) -> Finished {
        finish(&mut self.ocr_command(flags))
    }

    /// Starts `pagemill ocr scans -o out`.
    pub fn start_ocr(&self, flags: &[&str]) -> Child {
        self.ocr_command(flags).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    /// Runs `pagemill verify out`.
    pub fn verify(&self) -> Finished {
        finish(pagemill(&["verify"]).arg(self.out()))
    }

    /// What `report.json` says.
    pub fn report(&self) -> Value {
        serde_json::from_slice(&fs::read(self.out().join("report.json")).unwrap()).unwrap()
    }

    /// The hash of every artifact by its path below the output folder; the files that describe the run left out.
    pub fn artifacts(&self) -> BTreeMap<String, ContentHash> {
        let mut artifacts = BTreeMap::new();
        let mut folders = vec![self.out()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                let name = path.strip_prefix(self.out()).unwrap().to_string_lossy().into_owned();
                if path.is_dir() && name != ".pagemill" {
                    folders.push(path);
                } else if path.is_file() && !name.starts_with("report.") {
                    artifacts.insert(name, ContentHash::of(&fs::read(path).unwrap()));
                }
            }
        }
        artifacts
    }

    /// The names of all artifacts.
    pub fn artifact_names(&self) -> Vec<String> {
        self.artifacts().into_keys().collect()
    }
}

impl Default for Workplace {
    fn default() -> Self {
        Self::new()
    }
}

/// The program with these arguments, two workers at most, and no setting of whoever runs the tests.
pub fn pagemill(arguments: &[&str]) -> Command {
    let mut command = Command::new(program());
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("PAGEMILL_") {
            command.env_remove(name);
        }
    }
    command.env("PAGEMILL_WORKER_SLOTS", "2").args(arguments).stdin(Stdio::null());
    command
}

/// Runs a command to its end.
pub fn finish(command: &mut Command) -> Finished {
    Finished::of(command.output().unwrap())
}

impl Finished {
    /// What a program left that has ended.
    pub fn of(Output { status, stdout, stderr }: Output) -> Self {
        Self {
            exit: status.code().unwrap_or(-1),
            stdout: String::from_utf8(stdout).unwrap(),
            stderr: String::from_utf8(stderr).unwrap(),
        }
    }

    /// Fails, with what the program said, unless it ended with `exit`.
    #[track_caller]
    pub fn expect_exit(self, exit: i32) -> Self {
        assert_eq!(self.exit, exit, "\n{}{}", self.stdout, self.stderr);
        self
    }
}

/// Fails unless both equations of the ledger hold; returns its counts of pages.
#[track_caller]
pub fn assert_balanced(report: &Value) -> Value {
    let ledger = &report["ledger"];
    let count = |what: &str, name: &str| ledger[what][name].as_u64().unwrap();
    let sources = ["inspected", "rejected", "cancelled"].map(|name| count("sources", name));
    let pages = ["recognised", "blank", "kept", "dead", "cancelled"].map(|name| count("pages", name));
    assert_eq!(count("sources", "submitted"), sources.iter().sum::<u64>(), "{ledger}");
    assert_eq!(count("pages", "declared"), pages.iter().sum::<u64>(), "{ledger}");
    assert_eq!(ledger["balanced"], true);
    ledger["pages"].clone()
}
