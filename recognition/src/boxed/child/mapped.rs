//! The bytes of a source in a child: a mapping of its file, in which holes can't be read.
#![allow(
    unsafe_code,
    reason = "maps a file that others may change, and takes rights from parts of the mapping"
)]

use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;

use memmap2::{Mmap, MmapOptions};
use pagemill_domain::limits::Limits;
use pagemill_domain::scan::Rejection;
use pagemill_domain::source_map::ByteRange;

use crate::source::SourceBytes;

/// Maps a whole file; its descriptor is not needed afterwards. Where the file has `holes`, the mapping has no bytes: what
/// is not there is never taken for zeros. Reading it ends this child with SIGSEGV, and the worker fetches the whole.
pub(super) fn map(
    file: &OwnedFd,
    bytes: u64,
    holes: &[ByteRange],
    limits: &Limits,
) -> Result<SourceBytes, Rejection> {
    if bytes == 0 {
        return Err(Rejection::Empty);
    }
    if bytes > limits.bytes_per_source_max {
        return Err(Rejection::TooManyBytes { bytes });
    }
    let length = usize::try_from(bytes).map_err(|_| Rejection::TooManyBytes { bytes })?;
    // SAFETY: the mapping is read-only and shares nothing with this process. Somebody else may change the file while it
    // is mapped: bytes that change are one more form of hostile input, and a file that shrinks ends this child with
    // SIGBUS, which costs one page. The box is there for both.
    let mapped = unsafe { MmapOptions::new().len(length).map(file.as_raw_fd()) };
    let mapped = mapped.and_then(|mapped| close_holes(&mapped, holes).map(|()| mapped));
    mapped
        .map(|mapped| Arc::new(mapped) as SourceBytes)
        .map_err(|error| Rejection::Unreadable(error.to_string()))
}

/// Takes the right to read away from holes. One that does not begin and end with a page of memory is refused (the kernel's
/// pages may be larger than those of the worker that mapped the source): its edges could be read.
fn close_holes(mapped: &Mmap, holes: &[ByteRange]) -> std::io::Result<()> {
    // SAFETY: the call has no preconditions, and a locked child may make it: the answer comes from the program's start.
    let page = usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) })
        .map_err(|_| std::io::Error::last_os_error())?;
    for hole in holes {
        let (start, end) = (hole.offset as usize, hole.end() as usize);
        if start >= end || end > mapped.len() || !start.is_multiple_of(page) || !end.is_multiple_of(page) {
            return Err(std::io::Error::other("a hole that can't be closed"));
        }
        // SAFETY: the range lies inside the mapping and begins and ends with a page. Nothing refers into it yet: the
        // mapping was made a moment ago.
        let answer = unsafe {
            libc::mprotect(mapped.as_ptr().add(start).cast_mut().cast(), end - start, libc::PROT_NONE)
        };
        if answer != 0 {
            return Err(std::io::Error::last_os_error());
        }
    }
    Ok(())
}
