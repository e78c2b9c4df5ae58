//! The child's side of the box.
//!
//! Architecture invariant: between its start and its lock a child reads its own models and nothing else; after it, it
//! has no way to open anything.
#![allow(unsafe_code, reason = "closes descriptors by number")]

mod mapped;
mod serve;

use std::os::fd::{BorrowedFd, OwnedFd};

use pagemill_domain::outcome::Fingerprint;
use rustix::process::Signal;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::frame::{self, FrameError};
use super::protocol::{PROTOCOL_VERSION, ReaderSetup, Ready, Setup};
use super::{message_bytes_max, sandbox};
use crate::reader::{ModelDir, Reader};
use serve::Served;

/// The bound on the first message, which brings the others.
const SETUP_BYTES_MAX: usize = 1 << 20;

/// Why a child ends other than by the end of its socket.
#[derive(Debug, thiserror::Error)]
pub enum ChildError {
    /// The worker can't be understood or reached.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// The child can't do what it shall; the worker was told.
    #[error("{0}")]
    Setup(String),
    /// The operating system refused something.
    #[error("{what}: {source}")]
    System {
        /// What was refused.
        what: &'static str,
        /// Why.
        source: std::io::Error,
    },
}

/// Serves a worker over standard input, a Unix stream socket, until the worker closes it.
///
/// To be called at the start of `main`, before any thread: the process is set up, locked for good, and only then given
/// the first byte of a user.
pub fn run() -> Result<(), ChildError> {
    die_with_worker()?;
    close_inherited();
    offer_to_oom_killer();
    let socket = rustix::stdio::stdin();
    let Some((setup, _)) = receive::<Setup>(socket, SETUP_BYTES_MAX)? else { return Ok(()) };
    let bytes_max = message_bytes_max(&setup.limits);
    let (reader, fingerprint) = match load(&setup) {
        Ok(loaded) => loaded,
        Err(what) => {
            send(socket, &Err::<Ready, _>(&what), bytes_max)?;
            return Err(ChildError::Setup(what));
        }
    };
    let sandbox = sandbox::lock(&setup.limits);
    send(socket, &Ok::<_, String>(Ready { version: PROTOCOL_VERSION, fingerprint, sandbox }), bytes_max)?;
    Served { socket, reader, limits: setup.limits, bytes_max, source: None }.serve()
}

/// Asks the kernel for a signal at the end of the thread that started this process.
fn die_with_worker() -> Result<(), ChildError> {
    // A worker that ended before this line has closed the socket, which ends the child at its first read.
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))
        .map_err(|error| ChildError::System { what: "tie the child to its worker", source: error.into() })
}

/// Closes everything but standard streams, whatever the worker forgot to mark close-on-exec.
fn close_inherited() {
    // SAFETY: this process has just started and opened nothing itself, so no owner of a descriptor above 2 exists.
    unsafe { libc::syscall(libc::SYS_close_range, 3_u32, u32::MAX, 0_u32) };
}

/// Makes the kernel's out-of-memory killer take this process before its worker.
fn offer_to_oom_killer() {
    // Half of the scale (-1000 to 1000, proc(5)): before any process of usual weight, after one that eats everything.
    // Without /proc the child is as likely a victim as its worker.
    let _ = std::fs::write("/proc/self/oom_score_adj", "500");
}

fn load(setup: &Setup) -> Result<(Option<Reader>, Option<Fingerprint>), String> {
    if setup.version != PROTOCOL_VERSION {
        return Err(format!("the worker speaks version {}, not {PROTOCOL_VERSION}", setup.version));
    }
    let Some(ReaderSetup { recipe, models }) = &setup.reader else { return Ok((None, None)) };
    let models = ModelDir::new(models);
    let fingerprint = crate::reader::fingerprint(recipe, &models).map_err(|error| error.to_string())?;
    let mut reader = Reader::load(recipe, &models).map_err(|error| error.to_string())?;
    reader.warm_up();
    Ok((Some(reader), Some(Fingerprint(fingerprint))))
}

fn receive<T: DeserializeOwned>(
    socket: BorrowedFd<'_>,
    bytes_max: usize,
) -> Result<Option<(T, Option<OwnedFd>)>, FrameError> {
    let Some(received) = frame::receive(socket, bytes_max)? else { return Ok(None) };
    Ok(Some((frame::decode(&received.body)?, received.descriptor)))
}

fn send<T: Serialize>(socket: BorrowedFd<'_>, message: &T, bytes_max: usize) -> Result<(), FrameError> {
    frame::send(socket, &frame::encode(message, bytes_max)?, None)
}
