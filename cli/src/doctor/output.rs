//! The disk and the file system that results go to.

use std::path::Path;

use pagemill_domain::naming::STATE_FOLDER;
use rustix::fs::{Access, access, statfs};

use super::{Finding, gib};

/// Less free space than this fills up within hours: an archive grows by about the size of its scans.
const FREE_BYTES_MIN: u64 = 1 << 30;

/// File systems on which locks, renames or SQLite's shared memory can't be relied on, or which forget at power loss, by
/// their magic numbers (statfs(2)).
const DOUBTFUL: [(u32, &str); 9] = [
    (0x6969, "NFS"),
    (0x517b, "SMB"),
    (0xff53_4d42, "CIFS"),
    (0xfe53_4d42, "SMB2"),
    (0x6573_5546, "FUSE"),
    (0x0102_1997, "9P"),
    (0x5346_414f, "AFS"),
    (0x00c3_6400, "Ceph"),
    (0x0102_1994, "tmpfs"),
];

pub(super) fn findings(output: &Path) -> Vec<Finding> {
    // The folder may not be there yet: what will hold it is checked.
    let absolute = std::path::absolute(output).unwrap_or_else(|_| output.to_owned());
    let existing = absolute.ancestors().find(|folder| folder.exists()).unwrap_or(Path::new("/"));
    vec![writable(existing), disk(existing), file_system(existing), earlier_run(output)]
}

fn writable(folder: &Path) -> Finding {
    let found = folder.display().to_string();
    match access(folder, Access::WRITE_OK | Access::EXEC_OK) {
        Ok(()) => Finding::ok("output", found),
        Err(error) => {
            Finding::fail("output", format!("{found}: {error}"), "choose a folder that you may write to")
        }
    }
}

fn disk(folder: &Path) -> Finding {
    match statfs(folder) {
        Ok(disk) => free_space(disk.f_bavail.saturating_mul(disk.f_bsize.cast_unsigned())),
        Err(error) => Finding::warn("disk", error.to_string(), "choose another folder"),
    }
}

fn free_space(free: u64) -> Finding {
    let found = format!("{} free", gib(free));
    if free < FREE_BYTES_MIN {
        return Finding::warn("disk", found, "results take about as much space as the scans: make room");
    }
    Finding::ok("disk", found)
}

fn file_system(folder: &Path) -> Finding {
    let kind = statfs(folder).map(|disk| disk.f_type as u32);
    let doubtful = kind.ok().and_then(|kind| DOUBTFUL.iter().find(|(magic, _)| *magic == kind));
    match doubtful {
        Some((_, name)) => Finding::warn(
            "file system",
            *name,
            "state needs reliable locks and renames: put DIR on a local disk and copy the results afterwards",
        ),
        None => Finding::ok("file system", "local"),
    }
}

fn earlier_run(output: &Path) -> Finding {
    let found = if output.join(STATE_FOLDER).is_dir() {
        "holds an earlier run, which goes on"
    } else {
        "no earlier run"
    };
    Finding::ok("state", found)
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::*;

    #[test]
    fn a_folder_that_is_not_there_yet_is_checked_by_what_will_hold_it() {
        let folder = tempfile::tempdir().unwrap();
        let findings = findings(&folder.path().join("a/b/c"));
        assert_eq!(findings[0], Finding::ok("output", folder.path().display().to_string()));
    }

    #[test]
    fn a_full_disk_is_told() {
        assert_eq!(free_space(1 << 20).verdict, Verdict::Warn);
        assert_eq!(free_space(1 << 40).found, "1024.0 GiB free");
    }

    #[test]
    fn a_file_system_without_a_disk_is_told() {
        assert_eq!(file_system(Path::new("/dev/shm")).verdict, Verdict::Warn);
    }
}
