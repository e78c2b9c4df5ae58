//! What a program uses of the machine, as the kernel counts it.

use std::collections::BTreeMap;
use std::fs;

/// The memory that a program has resident, in MiB.
pub fn memory_mib(pid: u32) -> u64 {
    memory(pid, "VmRSS:")
}

/// The most memory that a program has had resident so far, in MiB.
pub fn peak_memory_mib(pid: u32) -> u64 {
    memory(pid, "VmHWM:")
}

fn memory(pid: u32, key: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let figure = status.lines().find_map(|line| line.strip_prefix(key)).unwrap();
    figure.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1_024
}

/// CPU seconds of a program and all its descendants: those that live, and those whose end was waited for.
pub fn cpu_seconds(pid: u32) -> f64 {
    let running: BTreeMap<u32, Stat> = fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter_map(|pid| Some((pid, Stat::of(pid)?)))
        .collect();
    let belongs = |mut candidate: u32| {
        while candidate != pid {
            let Some(stat) = running.get(&candidate) else { return false };
            candidate = stat.parent;
        }
        true
    };
    let ours = running.iter().filter(|(pid, _)| belongs(**pid));
    let ticks: u64 = ours.map(|(_, stat)| stat.own_ticks + stat.waited_ticks).sum();
    ticks as f64 / rustix::param::clock_ticks_per_second() as f64
}

/// CPU seconds of this process's children whose end was waited for, and of theirs.
pub fn waited_cpu_seconds() -> f64 {
    Stat::of(std::process::id()).unwrap().waited_ticks as f64 / rustix::param::clock_ticks_per_second() as f64
}

/// What `/proc/PID/stat` says of a program; ticks are those in its code and in the kernel.
struct Stat {
    parent: u32,
    own_ticks: u64,
    /// Of the children that it waited for.
    waited_ticks: u64,
}

impl Stat {
    /// `None` where it has ended meanwhile.
    fn of(pid: u32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name stands in brackets and may hold anything; the state, the parent and the figures follow it.
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let field = |number: usize| fields.get(number)?.parse::<u64>().ok();
        let (own_ticks, waited_ticks) = (field(11)? + field(12)?, field(13)? + field(14)?);
        Some(Self { parent: field(1)? as u32, own_ticks, waited_ticks })
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::{cpu_seconds, memory_mib, peak_memory_mib, waited_cpu_seconds};

    #[test]
    fn work_of_a_child_counts() {
        let pid = std::process::id();
        let before = cpu_seconds(pid);
        let busy = "i=0; while [ $i -lt 300000 ]; do i=$((i + 1)); done";
        assert!(Command::new("sh").args(["-c", busy]).status().unwrap().success());
        assert!(cpu_seconds(pid) > before + 0.02);
        assert!(waited_cpu_seconds() > 0.02);
        assert!((1..=peak_memory_mib(pid)).contains(&memory_mib(pid)));
    }
}
