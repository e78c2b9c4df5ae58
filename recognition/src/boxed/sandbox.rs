//! The lock of a child: what the kernel refuses to it before it sees the first byte of a user.
//!
//! Whoever takes over the child through a hostile file finds a process that can open no file, reach no network, start
//! no program and no thread, look into no other process and grow beyond no bound; it can compute and answer.

mod limits;
mod syscalls;

pub(super) use limits::allow_source;

use landlock::{
    ABI, Access, AccessFs, AccessNet, LandlockStatus, Ruleset, RulesetAttr, RulesetStatus, Scope,
};
use pagemill_domain::limits::Limits;
use rustix::process::DumpableBehavior;
use serde::{Deserialize, Serialize};

/// One layer of the lock. Each stands by itself: where the kernel lacks one, the others still hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Layer {
    /// Bounds on memory, open files, written files and core dumps.
    ResourceLimits,
    /// No core dumps, and no debugger but root's.
    NonDumpable,
    /// No program that it started could gain privileges.
    NoNewPrivileges,
    /// Landlock (Linux 5.13 and later): no file can be opened, created or run.
    Landlock,
    /// Seccomp: only the system calls that decoding and reading need.
    Seccomp,
}

impl Layer {
    /// Every layer, in the order in which they are put on: landlock still opens a file, and after seccomp no other
    /// could be.
    pub const ALL: [Self; 5] =
        [Self::ResourceLimits, Self::NonDumpable, Self::NoNewPrivileges, Self::Landlock, Self::Seccomp];

    /// Puts this layer on the process for good; the error says why the kernel can't.
    pub fn put_on(self, limits: &Limits) -> Result<(), String> {
        match self {
            Self::ResourceLimits => limits::lower(limits),
            Self::NonDumpable => forbid_dumps(),
            Self::NoNewPrivileges => forbid_privileges(),
            Self::Landlock => forbid_files(),
            Self::Seccomp => syscalls::restrict(),
        }
    }

    /// The name that reports and errors use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ResourceLimits => "resource limits",
            Self::NonDumpable => "non-dumpable",
            Self::NoNewPrivileges => "no_new_privs",
            Self::Landlock => "landlock",
            Self::Seccomp => "seccomp",
        }
    }
}

/// Which layers hold a child; `pagemill doctor` prints it, `require_sandbox` wants it complete.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Sandbox {
    /// The layers that are not in force; all others are.
    pub missing: Vec<MissingLayer>,
}

/// A layer that is not in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MissingLayer {
    /// Which one.
    pub layer: Layer,
    /// Why not.
    pub reason: String,
}

impl Sandbox {
    /// Whether every layer is in force.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.missing.is_empty()
    }

    /// Why a layer is not in force; `None` where it is.
    #[must_use]
    pub fn missing(&self, layer: Layer) -> Option<&str> {
        self.missing.iter().find(|missing| missing.layer == layer).map(|missing| missing.reason.as_str())
    }
}

/// Locks this process for good, as far as the kernel can, and says which layers are in force.
#[must_use]
pub fn lock(limits: &Limits) -> Sandbox {
    let put_on = |layer: Layer| layer.put_on(limits).err().map(|reason| MissingLayer { layer, reason });
    Sandbox { missing: Layer::ALL.into_iter().filter_map(put_on).collect() }
}

fn forbid_dumps() -> Result<(), String> {
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(|error| error.to_string())
}

fn forbid_privileges() -> Result<(), String> {
    rustix::thread::set_no_new_privs(true).map_err(|error| error.to_string())
}

/// Landlock without a single rule: it handles every access that the kernel knows and allows none.
fn forbid_files() -> Result<(), String> {
    // Landlock binds the calling thread alone; another one would go on opening files.
    let threads =
        std::fs::read_dir("/proc/self/task").map_err(|error| format!("count threads: {error}"))?.count();
    if threads != 1 {
        return Err(format!("the child has {threads} threads"));
    }
    // Best effort from the first ABI on, which covers files; the network (4) and signals (6) are seccomp's, too.
    let status = Ruleset::default()
        .handle_access(AccessFs::from_all(ABI::V6))
        .and_then(|ruleset| ruleset.handle_access(AccessNet::from_all(ABI::V6)))
        .and_then(|ruleset| ruleset.scope(Scope::from_all(ABI::V6)))
        .and_then(Ruleset::create)
        .and_then(landlock::RulesetCreated::restrict_self)
        .map_err(|error| error.to_string())?;
    match (status.ruleset, status.landlock) {
        (RulesetStatus::FullyEnforced | RulesetStatus::PartiallyEnforced, _) => Ok(()),
        (RulesetStatus::NotEnforced, LandlockStatus::NotEnabled) => {
            Err("the kernel was started without landlock (lsm=)".into())
        }
        (RulesetStatus::NotEnforced, _) => {
            Err("the kernel is older than 5.13 or built without landlock".into())
        }
    }
}
