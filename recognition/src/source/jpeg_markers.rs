//! The marker segments of a JPEG stream (ITU-T T.81 annex B).

/// The first bytes of a stream.
pub(crate) const START_OF_IMAGE: [u8; 2] = [0xff, 0xd8];

/// The last bytes of a stream.
pub(crate) const END_OF_IMAGE: [u8; 2] = [0xff, 0xd9];

const START_OF_SCAN: u8 = 0xda;

/// One marker segment before the first scan.
#[derive(Clone, Copy)]
pub(crate) struct Segment<'a> {
    /// The marker's second byte.
    pub(crate) marker: u8,
    /// What follows the length.
    pub(crate) body: &'a [u8],
    /// Marker, length and body.
    pub(crate) whole: &'a [u8],
}

/// The marker segments up to the first scan; ends where the stream is cut off.
pub(crate) struct Segments<'a> {
    rest: &'a [u8],
}

impl<'a> Segments<'a> {
    /// The segments of a stream; of anything else, none.
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes.strip_prefix(&START_OF_IMAGE).unwrap_or_default() }
    }

    /// What has not been read yet.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// After the last segment: the scan's header and what follows it.
    pub(crate) fn first_scan(&self) -> Option<(Segment<'a>, &'a [u8])> {
        let [0xff, START_OF_SCAN, ..] = self.rest else { return None };
        segment(self.rest)
    }
}

impl<'a> Iterator for Segments<'a> {
    type Item = Segment<'a>;

    fn next(&mut self) -> Option<Segment<'a>> {
        loop {
            let [0xff, marker, rest @ ..] = self.rest else { return None };
            match *marker {
                0xff => self.rest = &self.rest[1..],
                0x01 | 0xd0..=0xd8 => self.rest = rest,
                0xd9 | START_OF_SCAN => return None,
                _ => {
                    let (found, rest) = segment(self.rest)?;
                    self.rest = rest;
                    return Some(found);
                }
            }
        }
    }
}

/// The segment that `bytes` start with, and what follows it.
fn segment(bytes: &[u8]) -> Option<(Segment<'_>, &[u8])> {
    let [_, marker, high, low, ..] = *bytes else { return None };
    let length = usize::from(u16::from_be_bytes([high, low]));
    let (whole, rest) = bytes.split_at_checked(2 + length)?;
    Some((Segment { marker, body: whole.get(4..)?, whole }, rest))
}
