//! The end of what a child wrote to standard error: evidence of a crash.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Bytes kept: the message of an abort and what led to it.
const BYTES_MAX: usize = 2048;

/// Reads of one [`Tail::drain`], so that a child that never stops writing can't keep its worker from the clock.
const READS_MAX: usize = 16;

/// The reading end of a child's standard error and the last that came out of it.
#[derive(Debug)]
pub(super) struct Tail {
    pipe: Option<OwnedFd>,
    bytes: VecDeque<u8>,
}

impl Tail {
    pub(super) fn new(pipe: Option<OwnedFd>) -> io::Result<Self> {
        if let Some(pipe) = &pipe {
            rustix::io::ioctl_fionbio(pipe, true)?;
        }
        Ok(Self { pipe, bytes: VecDeque::with_capacity(BYTES_MAX) })
    }

    /// The pipe, as long as the child holds its other end.
    pub(super) fn pipe(&self) -> Option<BorrowedFd<'_>> {
        self.pipe.as_ref().map(AsFd::as_fd)
    }

    /// Forgets what was said so far: it is no evidence for the page that comes now.
    pub(super) fn begin(&mut self) {
        self.drain();
        self.bytes.clear();
    }

    /// Takes what is there, without waiting.
    pub(super) fn drain(&mut self) {
        let mut chunk = [0; BYTES_MAX];
        for _ in 0..READS_MAX {
            let Some(pipe) = &self.pipe else { return };
            match rustix::io::retry_on_intr(|| rustix::io::read(pipe, &mut chunk)) {
                Ok(0) => self.pipe = None,
                Ok(count) => self.push(&chunk[..count]),
                Err(rustix::io::Errno::AGAIN) => return,
                Err(_) => self.pipe = None,
            }
        }
    }

    fn push(&mut self, said: &[u8]) {
        self.bytes.extend(said);
        self.bytes.drain(..self.bytes.len().saturating_sub(BYTES_MAX));
    }

    /// The end of it on one line; what is not text is replaced.
    pub(super) fn text(&self) -> String {
        let bytes: Vec<u8> = self.bytes.iter().copied().collect();
        let text = String::from_utf8_lossy(&bytes).replace(|c: char| c.is_control(), " ");
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn the_end_is_kept_on_one_line() {
        let (reader, mut writer) = io::pipe().unwrap();
        let mut tail = Tail::new(Some(reader.into())).unwrap();
        writer.write_all(&[b'x'; 3 * BYTES_MAX]).unwrap();
        writer.write_all(b"\nthe\x1b[31m end\n\xff").unwrap();
        tail.drain();
        assert!(tail.text().len() <= BYTES_MAX + "\u{fffd}".len());
        assert!(tail.text().ends_with("xx the [31m end \u{fffd}"), "{}", tail.text());
        assert!(tail.pipe().is_some());
        tail.begin();
        assert_eq!(tail.text(), "");
        drop(writer);
        tail.drain();
        assert!(tail.pipe().is_none(), "a closed pipe would wake the poll for ever");
    }
}
