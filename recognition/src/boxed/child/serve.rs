//! What a locked child does with requests.

use std::os::fd::{BorrowedFd, OwnedFd};

use pagemill_domain::limits::Limits;
use pagemill_domain::scan::PageDefect;

use super::mapped::map;
use super::{ChildError, receive, send};
use crate::boxed::frame::FrameError;
use crate::boxed::protocol::{Answer, Failure, Request};
use crate::reader::{Reader, Reading, debug_picture};
use crate::source::Source;

/// A child that is ready and locked.
pub(super) struct Served<'a> {
    pub(super) socket: BorrowedFd<'a>,
    pub(super) reader: Option<Reader>,
    pub(super) limits: Limits,
    /// The bound on a message.
    pub(super) bytes_max: usize,
    /// The source that is open.
    pub(super) source: Option<Source>,
}

impl Served<'_> {
    /// Answers requests until the worker closes the socket.
    pub(super) fn serve(mut self) -> Result<(), ChildError> {
        while let Some((request, descriptor)) = receive::<Request>(self.socket, self.bytes_max)? {
            let reply = self.answer(request, descriptor);
            match send(self.socket, &reply, self.bytes_max) {
                Err(FrameError::TooLong { bytes, bytes_max }) => {
                    let what =
                        format!("its answer has {bytes} bytes, child_message_mib_max allows {bytes_max}");
                    let failure = Failure::Defect(PageDefect::Unsupported(what));
                    send(self.socket, &Err::<Answer, _>(failure), self.bytes_max)?;
                }
                sent => sent?,
            }
        }
        Ok(())
    }

    fn answer(&mut self, request: Request, descriptor: Option<OwnedFd>) -> Result<Answer, Failure> {
        match request {
            Request::Open { bytes, holes } => {
                let file =
                    descriptor.ok_or_else(|| Failure::Misused("no descriptor came with Open".into()))?;
                self.source = None;
                let mapped = map(&file, bytes, &holes, &self.limits).map_err(Failure::Rejected)?;
                self.source = Some(Source::open(mapped, &self.limits).map_err(Failure::Rejected)?);
                Ok(Answer::Opened)
            }
            Request::Close => {
                self.source = None;
                Ok(Answer::Closed)
            }
            Request::Inspect => Ok(Answer::Inspected(self.source()?.facts().clone())),
            Request::Map => Ok(Answer::Mapped(self.source()?.page_ranges())),
            Request::Read { page, degraded } => {
                let Reading { text, blank, stages } = self.read(page, degraded)?;
                Ok(Answer::Read { text, blank, stages })
            }
            Request::Draw { page, degraded } => {
                let reading = self.read(page, degraded)?;
                let scan = self.source()?.decode(index(page)?).map_err(Failure::Defect)?;
                let picture = debug_picture(&scan, &reading.text);
                picture
                    .map(Answer::Drawn)
                    .ok_or_else(|| Failure::Engine("the picture can't be encoded".into()))
            }
            Request::Deliver { page, deliverable } => {
                let image = self.source()?.deliver(index(page)?, deliverable);
                image.map(Answer::Delivered).map_err(Failure::Defect)
            }
            Request::ExistingText { page } => {
                Ok(Answer::ExistingText(self.source()?.existing_text(index(page)?)))
            }
        }
    }

    fn source(&self) -> Result<&Source, Failure> {
        self.source.as_ref().ok_or_else(|| Failure::Misused("no source is open".into()))
    }

    fn read(&mut self, page: u32, degraded: bool) -> Result<Reading, Failure> {
        let sheet = self.source()?.sheet(index(page)?).map_err(Failure::Defect)?;
        let reader =
            self.reader.as_mut().ok_or_else(|| Failure::Misused("this child has no reader".into()))?;
        let reading = if degraded { reader.read_degraded(sheet) } else { reader.read(sheet) };
        reading.map_err(|error| Failure::Engine(error.to_string()))
    }
}

/// The place of the page of that number.
fn index(page: u32) -> Result<u32, Failure> {
    page.checked_sub(1).ok_or(Failure::Defect(PageDefect::Missing))
}
