//! The worker's side of the box: hands a page to a child and gets an answer or a typed failure, whatever the page does.
//!
//! **One thread.** A [`BoxClient`] blocks, and belongs to the thread that made it (it is not `Send`): the kernel kills a
//! child when the *thread* that started it ends (`PR_SET_PDEATHSIG`, prctl(2)). So give each slot one thread that lives
//! as long as the slot, and `kill -9` of the worker leaves no child behind.

mod cancel;
mod live;
mod running;
mod source;
mod tail;

use std::marker::PhantomData;
use std::time::Duration;

use pagemill_domain::limits::Limits;
use pagemill_domain::outcome::{Fault, Loss};
use pagemill_domain::page_image::{Deliverable, PageImage};
use pagemill_domain::page_text::PageText;
use pagemill_domain::scan::{PageDefect, Rejection, SourceFacts};
use pagemill_domain::source_map::ByteRange;

use super::check::{self, Rubbish};
use super::protocol::{Answer, ReaderSetup, Ready, Request};
use crate::reader::Reading;
pub use cancel::Canceller;
pub use live::{ENVIRONMENT, Program};
use running::Running;
pub use running::StartError;
use running::Unanswered;
pub use source::SourceFile;

/// What a slot's children are like.
#[derive(Debug, Clone)]
pub struct BoxOptions {
    /// The program, with the arguments that make it call [`child::run`](super::child::run).
    pub program: Program,
    /// The bounds to keep.
    pub limits: Limits,
    /// What to load for reading; without it the children only inspect and deliver.
    pub reader: Option<ReaderSetup>,
    /// Use no child of which a layer of the lock is missing.
    pub require_sandbox: bool,
}

/// A slot: at most one child at a time, started when it is needed, replaced after a failure and after
/// `child_pages_max` requests for a page.
#[derive(Debug)]
pub struct BoxClient {
    options: BoxOptions,
    child: Option<Running>,
    canceller: Canceller,
    /// Keeps the client in its thread.
    thread: PhantomData<*const ()>,
}

/// What a request gave, and what it took.
#[derive(Debug)]
pub struct Answered<T> {
    /// The checked answer, or why there is none.
    pub result: Result<T, BoxError>,
    /// What it took, successful or not.
    pub cost: Cost,
}

/// What a request took, as measured from outside the child.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cost {
    /// CPU time of the child, its start not included.
    pub cpu: Duration,
    /// The most memory that was resident in the child since its start, in KiB.
    pub peak_memory_kib: u64,
}

/// Why a request has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BoxError {
    /// The source is refused: final.
    #[error(transparent)]
    Rejected(Rejection),
    /// The page can't be decoded: final.
    #[error(transparent)]
    Defect(PageDefect),
    /// The page's own fault: counted.
    #[error(transparent)]
    Fault(Fault),
    /// Not the page's fault.
    #[error(transparent)]
    Loss(Loss),
}

impl BoxClient {
    /// A slot without a child yet.
    #[must_use]
    pub fn new(options: BoxOptions) -> Self {
        Self { options, child: None, canceller: Canceller::default(), thread: PhantomData }
    }

    /// Starts a child unless one runs, and tells what it is: a slot calls this before its first page, so that a
    /// missing model is one clear error and not a loss of every page.
    pub fn start(&mut self) -> Result<Ready, StartError> {
        let running = self.take_running()?;
        let ready = running.ready().clone();
        self.child = Some(running);
        Ok(ready)
    }

    /// The process id of the running child, for logs.
    #[must_use]
    pub fn child_id(&self) -> Option<u32> {
        self.child.as_ref().map(Running::id)
    }

    /// A handle that cancels this client's requests, from now until the next call of this function.
    pub fn canceller(&mut self) -> Canceller {
        self.canceller.retire();
        self.canceller = Canceller::default();
        if let Some(running) = &self.child {
            self.canceller.watch(running.handle());
        }
        self.canceller.clone()
    }

    /// What the headers of a source say.
    pub fn inspect(&mut self, source: &SourceFile) -> Answered<SourceFacts> {
        let limits = self.options.limits.clone();
        self.ask(source, &Request::Inspect, |answer| match answer {
            Answer::Inspected(facts) => check::source_facts(&facts, &limits).map(|()| facts),
            other => Err(unexpected(&other)),
        })
    }

    /// Which bytes each page of a source needs; `None` where it can't be told.
    pub fn map(&mut self, source: &SourceFile) -> Answered<Option<Vec<Vec<ByteRange>>>> {
        self.ask(source, &Request::Map, |answer| match answer {
            Answer::Mapped(ranges) => check::page_ranges(ranges.as_deref(), source.bytes()).map(|()| ranges),
            other => Err(unexpected(&other)),
        })
    }

    /// Reads page `page` (from 1) of a source; `degraded` as the last try before the page is given up.
    pub fn read(&mut self, source: &SourceFile, page: u32, degraded: bool) -> Answered<Reading> {
        self.ask(source, &Request::Read { page, degraded }, |answer| match answer {
            Answer::Read { text, blank, stages } => {
                check::page_text(&text).map(|()| Reading { text, blank, stages })
            }
            other => Err(unexpected(&other)),
        })
    }

    /// Reads page `page` (from 1) of a source once more and draws what was seen, as a PNG. The child may be anything by
    /// then: look at the picture with a program that can bear a hostile one.
    pub fn draw(&mut self, source: &SourceFile, page: u32, degraded: bool) -> Answered<Vec<u8>> {
        self.ask(source, &Request::Draw { page, degraded }, |answer| match answer {
            Answer::Drawn(picture) => Ok(picture),
            other => Err(unexpected(&other)),
        })
    }

    /// Makes the image of page `page` (from 1) of a source ready to be delivered.
    pub fn deliver(
        &mut self,
        source: &SourceFile,
        page: u32,
        deliverable: Deliverable,
    ) -> Answered<PageImage> {
        self.ask(source, &Request::Deliver { page, deliverable }, |answer| match answer {
            Answer::Delivered(image) => check::page_image(&image, source.bytes()).map(|()| image),
            other => Err(unexpected(&other)),
        })
    }

    /// The text that page `page` (from 1) of a source has already; `None` where it has none.
    pub fn existing_text(&mut self, source: &SourceFile, page: u32) -> Answered<Option<PageText>> {
        self.ask(source, &Request::ExistingText { page }, |answer| match answer {
            Answer::ExistingText(text) => text.iter().try_for_each(check::page_text).map(|()| text),
            other => Err(unexpected(&other)),
        })
    }

    /// Lets go of the open source, if any, so that its file is not held longer than needed.
    pub fn close(&mut self) {
        // A child that can't even close is replaced at the next request.
        self.child = self.child.take().and_then(|mut running| running.close().is_ok().then_some(running));
    }

    fn ask<T>(
        &mut self,
        source: &SourceFile,
        request: &Request,
        accept: impl FnOnce(Answer) -> Result<T, Rubbish>,
    ) -> Answered<T> {
        let mut running = match self.take_running() {
            Ok(running) => running,
            Err(error) => return Answered { result: Err(error.into()), cost: Cost::default() },
        };
        let before = running.cpu();
        let answer = running.ask(source, request).and_then(|answer| Ok(accept(answer)?));
        let cost = running.cost_since(before);
        let result = match answer {
            Ok(answer) => {
                self.child = Some(running);
                Ok(answer)
            }
            Err(Unanswered::Failure(failure)) => {
                self.child = Some(running);
                Err(failure.into())
            }
            Err(Unanswered::End(_)) if self.canceller.is_cancelled() => {
                Err(BoxError::Loss(Loss::Interrupted))
            }
            Err(Unanswered::End(end)) => Err(running.explain(end)),
        };
        Answered { result, cost }
    }

    /// The child for the next request, out of its place: it is put back only if it is fit for another.
    fn take_running(&mut self) -> Result<Running, StartError> {
        if self.canceller.is_cancelled() {
            return Err(StartError::Cancelled);
        }
        match self.child.take().and_then(Running::fit) {
            Some(running) => Ok(running),
            None => Running::start(&self.options, &self.canceller),
        }
    }
}

fn unexpected(answer: &Answer) -> Rubbish {
    let question = match answer {
        Answer::Opened => "Open",
        Answer::Closed => "Close",
        Answer::Inspected(_) => "Inspect",
        Answer::Mapped(_) => "Map",
        Answer::Read { .. } => "Read",
        Answer::Drawn(_) => "Drawn",
        Answer::Delivered(_) => "Deliver",
        Answer::ExistingText(_) => "ExistingText",
    };
    Rubbish(format!("an answer to another question: {question}"))
}
