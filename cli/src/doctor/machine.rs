//! Cores, memory, open files.

use std::fs;
use std::thread::available_parallelism;

use rustix::process::{Resource, getrlimit};

use super::{Finding, gib};
use crate::settings::Settings;

/// Memory that one recognition process takes for an A4 page of 300 dpi, in MiB; measured with Tesseract 5.3 and the
/// `vie` model.
const CHILD_MEMORY_USUAL_MIB: u64 = 200;

/// Open files that a run needs at most, whatever the number of pages: some for the store, a few per worker.
const OPEN_FILES_MIN: u64 = 256;

pub(super) fn findings(settings: &Settings) -> Vec<Finding> {
    let meminfo = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let cores = available_parallelism().map_or(1, |cores| cores.get() as u32);
    vec![
        cores_finding(settings.worker_slots, cores),
        memory_finding(settings.worker_slots, available_bytes(&meminfo)),
        open_files_finding(getrlimit(Resource::Nofile).current),
    ]
}

fn cores_finding(workers: u32, cores: u32) -> Finding {
    let found = format!("{cores} cores, {workers} workers");
    if workers > cores {
        return Finding::warn(
            "cores",
            found,
            "more workers than cores only slow each other down: lower worker_slots",
        );
    }
    Finding::ok("cores", found)
}

fn memory_finding(workers: u32, available: Option<u64>) -> Finding {
    let Some(available) = available else {
        return Finding::warn("memory", "unknown", "mount /proc to have it checked");
    };
    let found = format!("{} available", gib(available));
    let needed = u64::from(workers) * (CHILD_MEMORY_USUAL_MIB << 20);
    if available < needed {
        return Finding::warn(
            "memory",
            found,
            format!("{workers} workers usually need {}: lower worker_slots", gib(needed)),
        );
    }
    Finding::ok("memory", found)
}

/// The line `MemAvailable: … kB` of `/proc/meminfo`, in bytes.
fn available_bytes(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

fn open_files_finding(limit: Option<u64>) -> Finding {
    match limit {
        Some(limit) if limit < OPEN_FILES_MIN => {
            Finding::warn("open files", format!("limited to {limit}"), format!("ulimit -n {OPEN_FILES_MIN}"))
        }
        Some(limit) => Finding::ok("open files", format!("up to {limit}")),
        None => Finding::ok("open files", "unlimited"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::*;

    #[test]
    fn too_many_workers_are_told() {
        assert_eq!(cores_finding(2, 2).verdict, Verdict::Ok);
        assert_eq!(cores_finding(3, 2).verdict, Verdict::Warn);
        assert_eq!(memory_finding(100, Some(1 << 30)).verdict, Verdict::Warn);
        assert_eq!(memory_finding(1, Some(1 << 30)).verdict, Verdict::Ok);
        assert_eq!(open_files_finding(Some(64)).verdict, Verdict::Warn);
    }

    #[test]
    fn available_memory_is_read_from_its_line() {
        assert_eq!(available_bytes("MemTotal: 9 kB\nMemAvailable:   2048 kB\n"), Some(2 << 20));
        assert_eq!(available_bytes("MemTotal: 9 kB\n"), None);
    }
}
