//! Versions of what workers and coordinators say to each other; `docs/wire.md` tells what each has.

use std::ops::RangeInclusive;

use crate::v1::Hello;

/// What this release speaks. It grows by one when a release says what the one before can't read, or would miss.
pub const PROTOCOL_VERSION: u32 = 2;

/// What a coordinator understands: the oldest goes when a worker of it could do harm.
pub const PROTOCOL_VERSIONS: RangeInclusive<u32> = 1..=PROTOCOL_VERSION;

impl Hello {
    /// That of a worker of this release, with so many slots; `fingerprint` is everything that can change a byte of what
    /// it reads.
    #[must_use]
    pub fn new(worker: &str, fingerprint: &str, slots: u32) -> Self {
        Self {
            worker: worker.into(),
            protocol_version: PROTOCOL_VERSION,
            version: env!("CARGO_PKG_VERSION").into(),
            fingerprint: fingerprint.into(),
            slots,
        }
    }
}
