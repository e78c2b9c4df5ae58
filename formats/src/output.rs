//! The destination of an artifact, with its position known.

use std::io::{self, Write};

/// A destination that counts: formats with offsets need their position, and a plain [`Write`] can't tell it.
#[derive(Debug)]
pub(crate) struct Output<W> {
    inner: W,
    position: u64,
}

impl<W> Output<W> {
    pub(crate) fn new(inner: W) -> Self {
        Self { inner, position: 0 }
    }

    /// Bytes written so far.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// The destination itself; writing to it directly would falsify the position.
    pub(crate) fn inner_mut(&mut self) -> &mut W {
        &mut self.inner
    }
}

impl<W: Write> Write for Output<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.inner.write(bytes)?;
        self.position += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
