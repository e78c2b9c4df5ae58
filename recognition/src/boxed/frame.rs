//! Frames on the socket between a worker and its child: a length (`u32`, little-endian), then that many bytes of
//! postcard. Either side may meet a hostile other: a length is checked before a byte of its body is awaited, and
//! memory grows with the bytes that came, not with those that were announced.

use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Bytes of the length in front of a frame.
const LENGTH_BYTES: usize = 4;

/// Bytes received at a time: what the kernel buffers of a stream socket, several times over.
const CHUNK_BYTES_MAX: usize = 1 << 20;

/// A frame that can't be sent or is not one.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// More bytes than `child_message_mib_max`.
    #[error("a message of {bytes} bytes is longer than {bytes_max} (child_message_mib_max)")]
    TooLong {
        /// Announced or encoded length.
        bytes: usize,
        /// The bound.
        bytes_max: usize,
    },
    /// The bytes are no message of the expected type.
    #[error("an undecodable message of {bytes} bytes: {source}")]
    Undecodable {
        /// Length of the body.
        bytes: usize,
        /// What the decoder says.
        source: postcard::Error,
    },
    /// The other side closed the socket within a frame.
    #[error("half a message: {received} bytes")]
    Half {
        /// Bytes of the frame that came, its length included.
        received: usize,
    },
    /// The message can't be encoded.
    #[error("encode message: {0}")]
    Unencodable(postcard::Error),
    /// The socket failed.
    #[error("talk over the socket: {0}")]
    Socket(#[from] Errno),
}

/// Encodes a message as a frame of at most `bytes_max` bytes of body.
pub fn encode<T: Serialize>(message: &T, bytes_max: usize) -> Result<Vec<u8>, FrameError> {
    let mut frame = postcard::to_extend(message, vec![0; LENGTH_BYTES]).map_err(FrameError::Unencodable)?;
    let bytes = frame.len() - LENGTH_BYTES;
    match u32::try_from(bytes) {
        Ok(length) if bytes <= bytes_max => frame[..LENGTH_BYTES].copy_from_slice(&length.to_le_bytes()),
        _ => return Err(FrameError::TooLong { bytes, bytes_max }),
    }
    Ok(frame)
}

/// Decodes the body of a frame; bytes left over are an error, too.
pub fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<T, FrameError> {
    let undecodable = |source| FrameError::Undecodable { bytes: body.len(), source };
    match postcard::take_from_bytes(body) {
        Ok((message, [])) => Ok(message),
        Ok(_) => Err(undecodable(postcard::Error::DeserializeBadEncoding)),
        Err(source) => Err(undecodable(source)),
    }
}

/// A frame on its way in.
#[derive(Debug)]
pub struct Incoming {
    bytes_max: usize,
    length: [u8; LENGTH_BYTES],
    body: Vec<u8>,
    received: usize,
}

impl Incoming {
    /// Awaits a frame of at most `bytes_max` bytes of body.
    #[must_use]
    pub fn new(bytes_max: usize) -> Self {
        Self { bytes_max, length: [0; LENGTH_BYTES], body: Vec::new(), received: 0 }
    }

    /// Where the next bytes belong; never empty.
    pub fn room(&mut self) -> &mut [u8] {
        let Some(body_received) = self.received.checked_sub(LENGTH_BYTES) else {
            return &mut self.length[self.received..];
        };
        let missing = self.body_bytes() - body_received;
        self.body.resize(body_received + missing.min(CHUNK_BYTES_MAX), 0);
        &mut self.body[body_received..]
    }

    /// Takes note of the bytes that came into [`Incoming::room`]; gives the body once it is whole. No bytes mean that
    /// the other side closed the socket: an error within a frame, `Closed` between frames.
    pub fn take(&mut self, received: usize) -> Result<Progress, FrameError> {
        if received == 0 {
            return if self.received == 0 {
                Ok(Progress::Closed)
            } else {
                Err(FrameError::Half { received: self.received })
            };
        }
        self.received += received;
        if self.received < LENGTH_BYTES {
            return Ok(Progress::More);
        }
        let (bytes, bytes_max) = (self.body_bytes(), self.bytes_max);
        if bytes > bytes_max {
            return Err(FrameError::TooLong { bytes, bytes_max });
        }
        if self.received < LENGTH_BYTES + bytes {
            return Ok(Progress::More);
        }
        let body = std::mem::take(&mut self.body);
        *self = Self::new(bytes_max);
        Ok(Progress::Whole(body))
    }

    fn body_bytes(&self) -> usize {
        u32::from_le_bytes(self.length) as usize
    }
}

/// How far a frame has come.
#[derive(Debug, PartialEq, Eq)]
pub enum Progress {
    /// Bytes are missing.
    More,
    /// The body of a whole frame.
    Whole(Vec<u8>),
    /// The other side closed the socket between frames.
    Closed,
}

/// A frame that came from a blocking socket.
#[derive(Debug)]
pub struct Received {
    /// Its body.
    pub body: Vec<u8>,
    /// The descriptor that came with it.
    pub descriptor: Option<OwnedFd>,
}

/// Receives a frame from a blocking socket; `None` when the other side closed the socket.
pub fn receive(socket: BorrowedFd<'_>, bytes_max: usize) -> Result<Option<Received>, FrameError> {
    let mut incoming = Incoming::new(bytes_max);
    let mut descriptor = None;
    loop {
        let received = receive_once(socket, incoming.room(), &mut descriptor)?;
        match incoming.take(received)? {
            Progress::More => {}
            Progress::Whole(body) => return Ok(Some(Received { body, descriptor })),
            Progress::Closed => return Ok(None),
        }
    }
}

fn receive_once(
    socket: BorrowedFd<'_>,
    room: &mut [u8],
    passed: &mut Option<OwnedFd>,
) -> Result<usize, FrameError> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let message = rustix::io::retry_on_intr(|| {
        let mut slices = [IoSliceMut::new(room)];
        rustix::net::recvmsg(socket, &mut slices, &mut ancillary, RecvFlags::CMSG_CLOEXEC)
    })?;
    if message.flags.contains(ReturnFlags::CTRUNC) {
        return Err(Errno::MFILE.into());
    }
    for part in ancillary.drain() {
        if let RecvAncillaryMessage::ScmRights(mut descriptors) = part {
            *passed = descriptors.next();
        }
    }
    Ok(message.bytes)
}

/// Sends a whole frame, with a descriptor on its first byte. On a non-blocking socket, a full buffer is an error.
pub fn send(
    socket: BorrowedFd<'_>,
    frame: &[u8],
    descriptor: Option<BorrowedFd<'_>>,
) -> Result<(), FrameError> {
    let mut sent = 0;
    while sent < frame.len() {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        let passed = descriptor.filter(|_| sent == 0);
        if let Some(fd) = &passed {
            ancillary.push(SendAncillaryMessage::ScmRights(std::slice::from_ref(fd)));
        }
        sent += rustix::io::retry_on_intr(|| {
            let slices = [IoSlice::new(&frame[sent..])];
            // Without the flag a closed socket would raise SIGPIPE.
            rustix::net::sendmsg(socket.as_fd(), &slices, &mut ancillary, SendFlags::NOSIGNAL)
        })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Seek, Write};
    use std::os::unix::net::UnixStream;

    use super::*;

    const BYTES_MAX: usize = 4 << 20;

    #[test]
    fn a_long_message_and_a_descriptor_arrive() {
        let (near, far) = UnixStream::pair().unwrap();
        let message: Vec<u32> = (0..500_000).collect();
        let frame = encode(&message, BYTES_MAX).unwrap();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"scan").unwrap();
        file.rewind().unwrap();
        let sender = std::thread::spawn(move || send(near.as_fd(), &frame, Some(file.as_fd())).unwrap());
        let received = receive(far.as_fd(), BYTES_MAX).unwrap().unwrap();
        sender.join().unwrap();
        assert_eq!(decode::<Vec<u32>>(&received.body).unwrap(), message);
        let mut text = String::new();
        std::fs::File::from(received.descriptor.unwrap()).read_to_string(&mut text).unwrap();
        assert_eq!(text, "scan");
        assert!(receive(far.as_fd(), BYTES_MAX).unwrap().is_none(), "the sender closed its end");
    }

    #[test]
    fn a_message_beyond_the_bound_is_not_sent() {
        assert!(matches!(encode(&vec![7_u8; 100], 100), Err(FrameError::TooLong { bytes: 101, .. })));
    }

    #[test]
    fn an_announced_length_beyond_the_bound_is_refused_at_once() {
        let (mut near, far) = UnixStream::pair().unwrap();
        near.write_all(&u32::MAX.to_le_bytes()).unwrap();
        assert!(matches!(receive(far.as_fd(), BYTES_MAX), Err(FrameError::TooLong { .. })));
    }

    #[test]
    fn half_a_message_is_told_from_none() {
        let (mut near, far) = UnixStream::pair().unwrap();
        near.write_all(&[9, 0, 0, 0, 1, 2]).unwrap();
        drop(near);
        assert!(matches!(receive(far.as_fd(), BYTES_MAX), Err(FrameError::Half { received: 6 })));
    }

    #[test]
    fn left_over_bytes_are_rubbish() {
        assert!(matches!(decode::<u8>(&[1, 2]), Err(FrameError::Undecodable { bytes: 2, .. })));
        assert_eq!(decode::<u8>(&[1]).unwrap(), 1);
    }

    #[test]
    fn an_empty_body_is_a_frame() {
        let frame = encode(&(), BYTES_MAX).unwrap();
        let mut incoming = Incoming::new(BYTES_MAX);
        incoming.room().copy_from_slice(&frame);
        assert_eq!(incoming.take(frame.len()).unwrap(), Progress::Whole(Vec::new()));
    }
}
