//! How much memory the worker takes, its recognition processes included.

use std::fs;
use std::process;

/// Processes that are looked at.
const PROCESSES_MAX: usize = 100_000;

/// Resident bytes of this process and of its children; what several of them share counts for each.
pub(crate) fn resident_bytes() -> u64 {
    let own = process::id();
    let Ok(entries) = fs::read_dir("/proc") else { return 0 };
    let ids = entries.take(PROCESSES_MAX).filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    ids.filter_map(status).filter(|status| status.id == own || status.parent == own).map(|s| s.bytes).sum()
}

struct Status {
    id: u32,
    parent: u32,
    bytes: u64,
}

/// What the kernel tells of a process; `None` where it is gone.
fn status(id: u32) -> Option<Status> {
    let text = fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let number = |key: &str| -> Option<u64> {
        let line = text.lines().find_map(|line| line.strip_prefix(key))?;
        line.split_whitespace().next()?.parse().ok()
    };
    // A kernel thread has no memory of its own.
    Some(Status { id, parent: number("PPid:")? as u32, bytes: number("VmRSS:").unwrap_or(0) * 1_024 })
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn children_count() {
        let own = status(process::id()).unwrap();
        assert!(own.bytes > 1 << 20, "{}", own.bytes);
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let told = status(child.id()).unwrap();
        assert_eq!(told.parent, process::id());
        assert!(resident_bytes() > own.bytes / 2);
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
