//! A running child as its worker sees it: how it is started, asked within a budget, and ended.
#![allow(unsafe_code, reason = "the CPU clock of another process is only in libc")]

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType};
use rustix::process::{Pid, PidfdFlags};

use super::tail::Tail;
use crate::boxed::frame::{self, FrameError, Incoming, Progress};

/// The program that a child runs.
#[derive(Debug, Clone)]
pub struct Program {
    /// Its file. `/proc/self/exe` is this very program, even after its file was replaced on disk.
    pub path: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
}

/// What one request may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Budget {
    /// CPU time: more is the page's fault.
    pub(super) cpu: Duration,
    /// Time on the clock: more is a loss.
    pub(super) wall: Duration,
}

/// Why a child gave no answer.
#[derive(Debug)]
pub(super) enum End {
    /// It took more CPU time than its budget.
    CpuBudget,
    /// It did not answer in time.
    WallDeadline,
    /// It ended by itself, or was killed by somebody else.
    Exited(ExitStatus),
    /// It broke the protocol.
    Rubbish(String),
}

/// How long a child that closed its socket may take to be seen as ended.
const END_GRACE: Duration = Duration::from_secs(1);

/// Shortest pause between two looks at the CPU clock: what a budget may be overrun by.
const CPU_LOOK_INTERVAL_MIN: Duration = Duration::from_millis(10);

/// Variables that a child takes over from its worker; all others are dropped.
const ENVIRONMENT_KEPT: [&str; 2] = ["TESSDATA_PREFIX", "PAGEMILL_KERNEL"];

/// What a child's libraries must know before its `main`.
pub const ENVIRONMENT: [(&str, &str); 4] = [
    // Libtesseract links OpenMP: one core a child.
    ("OMP_THREAD_LIMIT", "1"),
    ("LANG", "C.UTF-8"),
    // A page's pictures, up to 26 MB each, come from memory that is kept for the next page: taken from the system anew each time
    // they cost a tenth of the whole page in page faults.
    ("MALLOC_MMAP_THRESHOLD_", "33554432"),
    ("MALLOC_TRIM_THRESHOLD_", "67108864"),
];

/// A running child; killed and reaped when dropped.
#[derive(Debug)]
pub(super) struct LiveChild {
    process: Child,
    pid: Pid,
    handle: Arc<OwnedFd>,
    socket: OwnedFd,
    said: Tail,
    /// The last reading of the CPU clock: a child that was reaped has none any more.
    cpu_seen: Duration,
    message_bytes_max: usize,
}

impl LiveChild {
    pub(super) fn spawn(program: &Program, message_bytes_max: usize) -> io::Result<Self> {
        let flags = SocketFlags::CLOEXEC;
        let (near, far) = rustix::net::socketpair(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
        rustix::io::ioctl_fionbio(&near, true)?;
        let mut command = Command::new(&program.path);
        command
            .args(&program.arguments)
            .env_clear()
            .envs(ENVIRONMENT)
            .envs(ENVIRONMENT_KEPT.iter().filter_map(|name| Some((name, std::env::var_os(name)?))))
            .stdin(far)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            // Ctrl-C goes to the terminal's whole process group; it must stop the worker, not cost pages a fault.
            .process_group(0);
        let mut process = command.spawn()?;
        let said = Tail::new(process.stderr.take().map(OwnedFd::from))?;
        let pid = Pid::from_child(&process);
        // The child can't have been reaped yet, so the number is still its own. Should the call fail (before Linux
        // 5.3), the child ends by itself, as its socket closes here.
        let handle = Arc::new(rustix::process::pidfd_open(pid, PidfdFlags::empty())?);
        Ok(Self { process, pid, handle, socket: near, said, cpu_seen: Duration::ZERO, message_bytes_max })
    }

    pub(super) fn pid(&self) -> Pid {
        self.pid
    }

    /// A handle with which another thread may kill the child, however long after its end.
    pub(super) fn handle(&self) -> Arc<OwnedFd> {
        Arc::clone(&self.handle)
    }

    /// Whether the child still runs.
    pub(super) fn is_alive(&mut self) -> bool {
        matches!(self.process.try_wait(), Ok(None))
    }

    /// The last that the child wrote to standard error.
    pub(super) fn last_words(&mut self) -> String {
        self.said.drain();
        self.said.text()
    }

    /// CPU time that the child has taken so far; of one that has ended, all that it took.
    pub(super) fn cpu(&mut self) -> Duration {
        if let Ok(now) = cpu_time(self.pid) {
            self.cpu_seen = now;
        }
        self.cpu_seen
    }

    /// The most memory that was resident so far, in KiB; 0 where it can't be told.
    pub(super) fn peak_memory_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid.as_raw_nonzero()));
        let status = status.unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok()).unwrap_or_default()
    }

    /// Sends a frame and waits for the body of the answering one. After an error the child can't be used any more.
    pub(super) fn exchange(
        &mut self,
        request: &[u8],
        descriptor: Option<BorrowedFd<'_>>,
        budget: Budget,
    ) -> Result<Vec<u8>, End> {
        self.said.begin();
        frame::send(self.socket.as_fd(), request, descriptor).map_err(|error| self.broken(&error))?;
        let (start, cpu_start) = (Instant::now(), self.cpu());
        let mut incoming = Incoming::new(self.message_bytes_max);
        loop {
            self.said.drain();
            match self.receive(&mut incoming) {
                Ok(Some(Progress::Whole(body))) => return Ok(body),
                Ok(Some(Progress::More)) => continue,
                Ok(Some(Progress::Closed)) => return Err(self.closed("it closed its socket")),
                Ok(None) => {}
                Err(error) => return Err(self.broken(&error)),
            }
            let cpu_left = budget.cpu.checked_sub(self.cpu().saturating_sub(cpu_start));
            let cpu_left = cpu_left.filter(|left| !left.is_zero()).ok_or(End::CpuBudget)?;
            let wall_left = budget.wall.checked_sub(start.elapsed()).ok_or(End::WallDeadline)?;
            // A child has one thread, so its CPU clock can't outrun the wall's: there is no need to look earlier.
            self.sleep(cpu_left.max(CPU_LOOK_INTERVAL_MIN).min(wall_left))?;
        }
    }

    /// Receives what is there; `None` when nothing is.
    fn receive(&self, incoming: &mut Incoming) -> Result<Option<Progress>, FrameError> {
        let received = rustix::io::retry_on_intr(|| {
            rustix::net::recv(&self.socket, incoming.room(), RecvFlags::empty())
        });
        match received {
            Ok((_, received)) => incoming.take(received).map(Some),
            Err(Errno::AGAIN) => Ok(None),
            // A child that ends with unread requests resets the connection.
            Err(Errno::CONNRESET) => incoming.take(0).map(Some),
            Err(error) => Err(error.into()),
        }
    }

    /// Sleeps until the child says something on its socket or standard error, or the time is over.
    fn sleep(&self, longest: Duration) -> Result<(), End> {
        let timeout = Timespec::try_from(longest).ok();
        let mut polled = vec![PollFd::new(&self.socket, PollFlags::IN)];
        polled.extend(self.said.pipe().map(|pipe| PollFd::from_borrowed_fd(pipe, PollFlags::IN)));
        match rustix::event::poll(&mut polled, timeout.as_ref()) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(error) => Err(End::Rubbish(format!("wait for the child: {error}"))),
        }
    }

    /// Why the protocol broke: a child that crashed took its socket with it.
    fn broken(&mut self, error: &FrameError) -> End {
        match error {
            FrameError::Half { .. } | FrameError::Socket(_) => self.closed(&error.to_string()),
            _ => End::Rubbish(error.to_string()),
        }
    }

    fn closed(&mut self, what: &str) -> End {
        let timeout = Timespec::try_from(END_GRACE).ok();
        let mut polled = [PollFd::new(&*self.handle, PollFlags::IN)];
        // An interrupted wait only makes the answer less exact.
        let _ = rustix::event::poll(&mut polled, timeout.as_ref());
        self.cpu();
        match self.process.try_wait() {
            Ok(Some(status)) => End::Exited(status),
            _ => End::Rubbish(what.to_owned()),
        }
    }
}

impl Drop for LiveChild {
    fn drop(&mut self) {
        // Both fail only for a child that has ended.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// CPU time of a process, also of one that has ended but was not reaped.
fn cpu_time(pid: Pid) -> io::Result<Duration> {
    let mut clock = 0;
    // SAFETY: the function writes the clock's id to the given place and keeps nothing.
    let code = unsafe { libc::clock_getcpuclockid(pid.as_raw_nonzero().get(), &raw mut clock) };
    if code != 0 {
        return Err(io::Error::from_raw_os_error(code));
    }
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the function writes the time to the given place and keeps nothing.
    if unsafe { libc::clock_gettime(clock, &raw mut time) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(Duration::new(time.tv_sec as u64, time.tv_nsec as u32))
}
