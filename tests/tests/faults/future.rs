//! A worker's session as a release of the future holds it: with fields, values and messages that nobody knows yet.

use pagemill_tests::sessions::{FIRST_PART, SessionRelay, append};

/// Field 1,000 with the value 7.
pub(crate) const UNKNOWN_FIELD: [u8; 3] = [0xc0, 0x3e, 0x07];

/// A message of a kind that is not known: field 1,000, which holds two bytes.
const UNKNOWN_MESSAGE: [u8; 5] = [0xc2, 0x3e, 0x02, 0x08, 0x01];

/// Passes sessions on to a coordinator, both ways, as the future would hold them.
pub(crate) fn future_sessions(coordinator: &str) -> SessionRelay {
    SessionRelay::start(coordinator, said, heard)
}

/// What a worker says: a release, fields and messages of the future.
fn said(mut message: Vec<u8>) -> Vec<Vec<u8>> {
    let mut more = UNKNOWN_FIELD.to_vec();
    if message[0] == FIRST_PART {
        more.extend(b"\x1a\x0699.0.0");
    }
    append(&mut message, &more);
    message.extend(UNKNOWN_FIELD);
    vec![message, UNKNOWN_MESSAGE.to_vec()]
}

/// What a coordinator says: it directs in a way that nobody knows.
fn heard(mut message: Vec<u8>) -> Vec<Vec<u8>> {
    let mut more = UNKNOWN_FIELD.to_vec();
    if message[0] != FIRST_PART {
        more.extend([0x10, 99]);
    }
    append(&mut message, &more);
    message.extend(UNKNOWN_FIELD);
    vec![message, UNKNOWN_MESSAGE.to_vec()]
}
