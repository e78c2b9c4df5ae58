//! A child that was set up: how it is started and asked, and what its end means.

use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

use pagemill_domain::limits::Limits;
use pagemill_domain::outcome::{Fault, Loss};
use serde::de::DeserializeOwned;

use super::live::{Budget, End, LiveChild};
use super::{BoxError, BoxOptions, Canceller, Cost, SourceFile, unexpected};
use crate::boxed::check::{self, Rubbish};
use crate::boxed::frame;
use crate::boxed::protocol::{Answer, Failure, PROTOCOL_VERSION, Ready, Request, Setup};
use crate::boxed::{message_bytes_max, sandbox};

/// A child that is ready for requests.
#[derive(Debug)]
pub(super) struct Running {
    live: LiveChild,
    ready: Ready,
    limits: Limits,
    /// The source that the child has open.
    open: Option<SourceFile>,
    /// Requests for pages so far.
    pages: u32,
}

/// Why a request has no answer.
pub(super) enum Unanswered {
    /// The child said why, and can be asked again.
    Failure(Failure),
    /// The child is of no use any more.
    End(End),
}

impl From<End> for Unanswered {
    fn from(end: End) -> Self {
        Self::End(end)
    }
}

impl From<Rubbish> for Unanswered {
    fn from(rubbish: Rubbish) -> Self {
        Self::End(End::Rubbish(rubbish.0))
    }
}

/// Why no child could be started. No page has anything to do with it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StartError {
    /// The program can't be run.
    #[error("start the recognition process: {0}")]
    Spawn(String),
    /// The child can't do what it shall, as where a model is missing.
    #[error("set up the recognition process: {0}")]
    Setup(String),
    /// `require_sandbox` is set, and the kernel does not offer all of it.
    #[error("require_sandbox is set, but {0}")]
    SandboxMissing(String),
    /// The child ended or broke the protocol before it was ready.
    #[error("the recognition process failed before its first page: {0}")]
    Failed(String),
    /// The child was not ready within the time that a page may take.
    #[error("the recognition process was not ready within {0}")]
    Slow(&'static str),
    /// The client's requests are cancelled.
    #[error("cancelled")]
    Cancelled,
}

impl From<StartError> for BoxError {
    fn from(error: StartError) -> Self {
        Self::Loss(match error {
            StartError::Cancelled => Loss::Interrupted,
            error => Loss::NotStarted { what: error.to_string() },
        })
    }
}

impl From<Failure> for BoxError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Rejected(rejection) => Self::Rejected(rejection),
            Failure::Defect(defect) => Self::Defect(defect),
            Failure::Engine(what) => Self::Fault(Fault::Engine { what }),
            Failure::Misused(what) => Self::Fault(Fault::Rubbish { what }),
        }
    }
}

impl Running {
    /// Starts a child and waits until it is warm and locked. It has the time of a page for that.
    pub(super) fn start(options: &BoxOptions, canceller: &Canceller) -> Result<Self, StartError> {
        let limits = options.limits.clone();
        let setup =
            Setup { version: PROTOCOL_VERSION, limits: limits.clone(), reader: options.reader.clone() };
        let setup = frame::encode(&setup, message_bytes_max(&limits))
            .map_err(|error| StartError::Setup(error.to_string()))?;
        let mut live = LiveChild::spawn(&options.program, message_bytes_max(&limits))
            .map_err(|error| StartError::Spawn(format!("{}: {error}", options.program.path.display())))?;
        canceller.watch(live.handle());
        let ready = live
            .exchange(&setup, None, budget(&limits))
            .and_then(|body| decode::<Result<Ready, String>>(&body))
            .map_err(|end| start_error(&end, &mut live, canceller))?
            .map_err(StartError::Setup)?;
        check_ready(&ready, options.require_sandbox)?;
        Ok(Self { live, ready, limits, open: None, pages: 0 })
    }

    pub(super) fn ready(&self) -> &Ready {
        &self.ready
    }

    pub(super) fn id(&self) -> u32 {
        self.live.pid().as_raw_nonzero().get().cast_unsigned()
    }

    /// A handle with which another thread may kill the child.
    pub(super) fn handle(&self) -> Arc<OwnedFd> {
        self.live.handle()
    }

    pub(super) fn cpu(&mut self) -> Duration {
        self.live.cpu()
    }

    pub(super) fn cost_since(&mut self, cpu_before: Duration) -> Cost {
        Cost { cpu: self.live.cpu().saturating_sub(cpu_before), peak_memory_kib: self.live.peak_memory_kib() }
    }

    /// The child, if it may serve another page: it lives and has not had its `child_pages_max`.
    pub(super) fn fit(mut self) -> Option<Self> {
        (self.pages < self.limits.child_pages_max && self.live.is_alive()).then_some(self)
    }

    /// Asks about a source, which is opened first unless it is open.
    pub(super) fn ask(&mut self, source: &SourceFile, request: &Request) -> Result<Answer, Unanswered> {
        self.open(source)?;
        self.pages += 1;
        self.request(request, None)
    }

    fn open(&mut self, source: &SourceFile) -> Result<(), Unanswered> {
        if self.open.as_ref().is_some_and(|open| open.is(source)) {
            return Ok(());
        }
        self.close()?;
        sandbox::allow_source(self.live.pid(), &self.limits, source.bytes())
            .map_err(|error| End::Rubbish(format!("raise the memory limit: {error}")))?;
        let opening = Request::Open { bytes: source.bytes(), holes: source.holes().to_vec() };
        match self.request(&opening, Some(source.descriptor()))? {
            Answer::Opened => self.open = Some(source.clone()),
            other => return Err(unexpected(&other).into()),
        }
        Ok(())
    }

    /// Lets go of the open source, if any.
    pub(super) fn close(&mut self) -> Result<(), Unanswered> {
        match self.open.take() {
            None => Ok(()),
            Some(_) => match self.request(&Request::Close, None)? {
                Answer::Closed => Ok(()),
                other => Err(unexpected(&other).into()),
            },
        }
    }

    fn request(
        &mut self,
        request: &Request,
        descriptor: Option<BorrowedFd<'_>>,
    ) -> Result<Answer, Unanswered> {
        let request = frame::encode(request, message_bytes_max(&self.limits))
            .map_err(|error| End::Rubbish(error.to_string()))?;
        let body = self.live.exchange(&request, descriptor, budget(&self.limits))?;
        match decode::<Result<Answer, Failure>>(&body)? {
            Ok(answer) => Ok(answer),
            Err(failure) => {
                check::failure(&failure)?;
                Err(Unanswered::Failure(failure))
            }
        }
    }

    /// What the end of this child means for the page that it had.
    pub(super) fn explain(mut self, end: End) -> BoxError {
        match end {
            End::CpuBudget => BoxError::Fault(Fault::CpuBudget { seconds: self.limits.page_cpu_seconds_max }),
            End::WallDeadline => {
                BoxError::Loss(Loss::WallDeadline { seconds: self.limits.page_wall_seconds_max })
            }
            End::Rubbish(what) => BoxError::Fault(Fault::Rubbish { what }),
            End::Exited(status) if is_from_outside(status) => {
                BoxError::Loss(Loss::Killed { how: status.to_string() })
            }
            End::Exited(status) => {
                let last_words = self.live.last_words();
                BoxError::Fault(if is_out_of_memory(status, &last_words) {
                    Fault::OutOfMemory { mib: self.limits.child_memory_mib_max }
                } else {
                    Fault::Crashed { how: how_it_ended(status, &last_words) }
                })
            }
        }
    }
}

fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<T, End> {
    frame::decode(body).map_err(|error| End::Rubbish(error.to_string()))
}

fn budget(limits: &Limits) -> Budget {
    Budget {
        cpu: Duration::from_secs(limits.page_cpu_seconds_max.into()),
        wall: Duration::from_secs(limits.page_wall_seconds_max.into()),
    }
}

fn start_error(end: &End, live: &mut LiveChild, canceller: &Canceller) -> StartError {
    if canceller.is_cancelled() {
        return StartError::Cancelled;
    }
    match end {
        End::CpuBudget => StartError::Slow("page_cpu_seconds_max"),
        End::WallDeadline => StartError::Slow("page_wall_seconds_max"),
        End::Exited(status) => StartError::Failed(how_it_ended(*status, &live.last_words())),
        End::Rubbish(what) => StartError::Failed(what.clone()),
    }
}

fn check_ready(ready: &Ready, require_sandbox: bool) -> Result<(), StartError> {
    if ready.version != PROTOCOL_VERSION {
        let version = ready.version;
        return Err(StartError::Setup(format!("it speaks version {version}, not {PROTOCOL_VERSION}")));
    }
    let missing: Vec<String> = ready
        .sandbox
        .missing
        .iter()
        .map(|missing| format!("{} is not in force ({})", missing.layer.name(), missing.reason))
        .collect();
    if require_sandbox && !missing.is_empty() {
        return Err(StartError::SandboxMissing(missing.join(", ")));
    }
    Ok(())
}

/// Whether somebody else killed the child: an operator, a service manager, the kernel short of memory. It can't have
/// been the page: a locked child has no way to send itself these, and crashes raise others.
fn is_from_outside(status: ExitStatus) -> bool {
    const OUTSIDE: [i32; 5] = [libc::SIGKILL, libc::SIGTERM, libc::SIGINT, libc::SIGQUIT, libc::SIGHUP];
    status.signal().is_some_and(|signal| OUTSIDE.contains(&signal))
}

/// Whether an allocation failed, as far as it can be told: Rust and C++ say so before they abort. Leptonica goes on
/// without the memory and reports the page as damaged.
fn is_out_of_memory(status: ExitStatus, last_words: &str) -> bool {
    let rust = last_words.contains("memory allocation of ") && last_words.contains(" bytes failed");
    let cpp = last_words.contains("std::bad_alloc");
    status.signal() == Some(libc::SIGABRT) && (rust || cpp)
}

fn how_it_ended(status: ExitStatus, last_words: &str) -> String {
    if last_words.is_empty() { status.to_string() } else { format!("{status}: {last_words}") }
}
