//! Every bound that a run keeps. Each has a name, a default, a configuration key of that name under `[limits]`, and an
//! error that names it.

use serde::{Deserialize, Serialize};

/// The bounds of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Bytes of one source.
    pub bytes_per_source_max: u64,
    /// Bytes of a source from which on its pages are fetched one by one, where it can be told which bytes they need; a
    /// smaller one is fetched as a whole.
    pub mapped_source_bytes_min: u64,
    /// Pages of one source.
    pub pages_per_source_max: u32,
    /// Pixels of one page (width × height); checked in the header before anything is decoded. A0 at 300 dpi has
    /// 139 million.
    pub pixels_per_page_max: u64,
    /// Bytes that a child may map, in MiB.
    pub child_memory_mib_max: u64,
    /// Bytes of one message between a worker and its child, in MiB.
    pub child_message_mib_max: u64,
    /// Pages after which a child is replaced: native code leaks.
    pub child_pages_max: u32,
    /// CPU seconds that one page may take; more is the page's fault.
    pub page_cpu_seconds_max: u32,
    /// Wall seconds that one page may take; more means that the machine starved or the child hangs, which is a loss.
    pub page_wall_seconds_max: u32,
    /// Wall seconds that a shard may be in a worker's hands: then it reports what it has, and the rest is sent again.
    /// Far below the 30 minutes that a broker waits for an acknowledgement.
    pub shard_wall_seconds_max: u32,
    /// Wall seconds that an assembly may go on without completing a page; more is a loss. A document of many pages may take
    /// as long as they take, and what it moves as a whole a second more for each MiB.
    pub assemble_page_seconds_max: u32,
    /// Seconds that a worker waits for a source while the blob store is away; more is a loss.
    pub blob_wait_seconds_max: u32,
    /// Faults after which a page is dead.
    pub faults_max: u32,
    /// Losses after which a page is dead: a page that takes its worker down with it, or hangs idle.
    pub losses_max: u32,
    /// Pages of one shard.
    pub pages_per_shard_max: u32,
    /// Sources of one job.
    pub sources_per_job_max: u64,
    /// Bytes of a source's path and of an artifact's name.
    pub name_bytes_max: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            bytes_per_source_max: 8 << 30,
            mapped_source_bytes_min: 8 << 20,
            pages_per_source_max: 100_000,
            pixels_per_page_max: 200_000_000,
            child_memory_mib_max: 3_072,
            child_message_mib_max: 512,
            child_pages_max: 500,
            page_cpu_seconds_max: 60,
            page_wall_seconds_max: 300,
            shard_wall_seconds_max: 600,
            assemble_page_seconds_max: 1_200,
            blob_wait_seconds_max: 300,
            faults_max: 4,
            losses_max: 25,
            pages_per_shard_max: 64,
            sources_per_job_max: 10_000_000,
            name_bytes_max: 4_096,
        }
    }
}
