//! Resource limits of a child.

use pagemill_domain::limits::Limits;
use rustix::io::Errno;
use rustix::process::{Pid, Resource, Rlimit};

/// Descriptors that a child may have open: the socket, the null device, standard error, a source on its way to being
/// mapped, and as many to spare.
const DESCRIPTORS_MAX: u64 = 8;

/// Lowers this process's limits to what a child needs.
pub(super) fn lower(limits: &Limits) -> Result<(), String> {
    let exactly = |most| Rlimit { current: Some(most), maximum: Some(most) };
    // The worker raises the bound by the size of each source, which is mapped as a whole.
    let memory = Rlimit {
        current: Some(memory_bytes(limits)),
        maximum: Some(memory_bytes(limits).saturating_add(limits.bytes_per_source_max)),
    };
    for (resource, limit) in [
        (Resource::As, memory),
        (Resource::Core, exactly(0)),
        (Resource::Fsize, exactly(0)),
        (Resource::Nofile, exactly(DESCRIPTORS_MAX)),
    ] {
        rustix::process::setrlimit(resource, limit).map_err(|error| format!("{resource:?}: {error}"))?;
    }
    Ok(())
}

/// From the worker's side: lets the child `pid` map a source of so many bytes beside `child_memory_mib_max`.
///
/// Whatever the source's size, what a child may *allocate* stays the same.
pub(in crate::boxed) fn allow_source(pid: Pid, limits: &Limits, source_bytes: u64) -> Result<(), Errno> {
    let memory = memory_bytes(limits);
    let limit = Rlimit {
        current: Some(memory.saturating_add(source_bytes.min(limits.bytes_per_source_max))),
        maximum: Some(memory.saturating_add(limits.bytes_per_source_max)),
    };
    rustix::process::prlimit(Some(pid), Resource::As, limit).map(drop)
}

fn memory_bytes(limits: &Limits) -> u64 {
    limits.child_memory_mib_max.saturating_mul(1 << 20)
}
