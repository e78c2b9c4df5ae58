//! The box: every byte of a user's file is parsed in a child that is locked first and killed at need.
//!
//! | file | holds |
//! | --- | --- |
//! | [`client`] | the worker's side: a slot that hands requests to its child and types every failure |
//! | [`child`] | the child's side: load, warm up, lock, serve |
//! | [`sandbox`] | the lock: resource limits, landlock, seccomp |
//! | [`protocol`], [`frame`] | what they say to each other, and how it travels |
//! | [`check`] | what an answer must be before anybody relies on it |
//!
//! What can go wrong, who notices, and what it costs:
//!
//! | the child … | noticed by | the page gets |
//! | --- | --- | --- |
//! | crashes, aborts, exits | the end of its socket | `Fault::Crashed` with signal and last words |
//! | fails to allocate within `child_memory_mib_max` | its abort and last words | `Fault::OutOfMemory` |
//! | computes beyond `page_cpu_seconds_max` | the worker, on the child's CPU clock | `Fault::CpuBudget` |
//! | answers with rubbish, half a frame, too long a frame | the worker | `Fault::Rubbish` |
//! | does nothing for `page_wall_seconds_max` | the worker | `Loss::WallDeadline` |
//! | is killed by somebody else | the end of its socket, the signal | `Loss::Killed` |
//! | can't be started | the worker | `Loss::NotStarted` |
//!
//! In each case the child is dead and the next request starts another.
//!
//! What it costs, measured on one core of an AMD EPYC (Zen 5), Linux 6.18, `vie` with orientation detection:
//!
//! | | |
//! | --- | --- |
//! | start of a child that reads, until it is warm and locked | 0.1 s CPU at most (on a Xeon: a run of one page takes 0.27, a further page 0.16), 33 MB |
//! | start of a child that inspects and delivers | 0.01 s CPU, 15 MB |
//! | a request and its answer | 30 µs on the clock, 22 µs CPU of the worker |
//! | opening another source, its headers, closing it | 80 µs on the clock |
//! | an answer that carries bytes | 1.7 ms CPU of the worker for a MB |
//! | seccomp, while Tesseract's OpenMP makes 190,000 calls of `futex` a page | 18 ms CPU of 1,050 |
//!
//! Peak over A4 pages of 300 dpi, on a Xeon, Tesseract 5.3: 58 MB for 32 JPEGs, half of them in colour, of which 21 are the
//! program and its libraries; 107 MB for PNG and 112 MB for TIFF in colour, whose samples are decoded whole; 34 more for
//! orientation's tables from the first page on that asks for them.

pub mod check;
pub mod child;
pub mod client;
pub mod frame;
pub mod protocol;
pub mod sandbox;

use pagemill_domain::limits::Limits;

fn message_bytes_max(limits: &Limits) -> usize {
    usize::try_from(limits.child_message_mib_max.saturating_mul(1 << 20)).unwrap_or(usize::MAX)
}
