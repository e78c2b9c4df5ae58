//! A reader of little-endian bytes that cannot run over.

use super::ModelError;

/// Longest name or specification that is read, in bytes.
const TEXT_BYTES_MAX: usize = 4096;

/// The unread rest of one part of a model file.
pub(super) struct Bytes<'a> {
    rest: &'a [u8],
    /// Names the part in errors.
    part: &'static str,
}

impl<'a> Bytes<'a> {
    pub(super) fn new(bytes: &'a [u8], part: &'static str) -> Self {
        Self { rest: bytes, part }
    }

    /// The next `length` bytes.
    pub(super) fn take(&mut self, length: usize) -> Result<&'a [u8], ModelError> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(ModelError::Truncated(self.part))?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], ModelError> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(ModelError::Truncated(self.part))?;
        self.rest = rest;
        Ok(*taken)
    }

    pub(super) fn u8(&mut self) -> Result<u8, ModelError> {
        Ok(u8::from_le_bytes(self.array()?))
    }

    pub(super) fn i16(&mut self) -> Result<i16, ModelError> {
        Ok(i16::from_le_bytes(self.array()?))
    }

    pub(super) fn u32(&mut self) -> Result<u32, ModelError> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    pub(super) fn i32(&mut self) -> Result<i32, ModelError> {
        Ok(i32::from_le_bytes(self.array()?))
    }

    pub(super) fn i64(&mut self) -> Result<i64, ModelError> {
        Ok(i64::from_le_bytes(self.array()?))
    }

    pub(super) fn f64(&mut self) -> Result<f64, ModelError> {
        Ok(f64::from_le_bytes(self.array()?))
    }

    /// `count` values of `N` bytes each.
    pub(super) fn chunks<const N: usize>(&mut self, count: usize) -> Result<&'a [[u8; N]], ModelError> {
        let length = count.checked_mul(N).ok_or(ModelError::Truncated(self.part))?;
        Ok(self.take(length)?.as_chunks().0)
    }

    /// A count that must not exceed `max`.
    pub(super) fn count(&mut self, what: &'static str, max: usize) -> Result<usize, ModelError> {
        let found = self.u32()? as usize;
        if found > max { Err(ModelError::TooMany { what, found, max }) } else { Ok(found) }
    }

    /// A text with its length in front.
    pub(super) fn text(&mut self) -> Result<String, ModelError> {
        let length = self.count("bytes of a name", TEXT_BYTES_MAX)?;
        Ok(String::from_utf8_lossy(self.take(length)?).into_owned())
    }
}
