//! Traces: the numbers that follow a job and its pages through logs, headers and OpenTelemetry.
//!
//! They are derived from the numbers of job and dispatch: client, coordinator and worker agree on them without telling
//! each other, a new leader goes on with the same trace, and what is done again stands in it too.

use std::fmt;

use crate::hash::ContentHash;
use crate::ids::{JobId, ShardAttempt};

/// A W3C trace id: all that is done for one job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceId(pub u128);

/// A W3C span id: one step of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SpanId(pub u64);

impl JobId {
    /// The trace of all that is done for this job.
    #[must_use]
    pub fn trace(self) -> TraceId {
        TraceId(derived(&format!("job {self}")))
    }
}

impl TraceId {
    /// The step that holds all others: the job itself.
    #[must_use]
    pub const fn root(self) -> SpanId {
        SpanId((self.0 >> 64) as u64)
    }
}

impl ShardAttempt {
    /// The step in which this dispatch was sent; the worker's own step stands below it.
    #[must_use]
    pub fn span(self) -> SpanId {
        SpanId(derived(&format!("dispatch {}.{}", self.shard, self.attempt.0)) as u64)
    }
}

/// Spread evenly, so that a share of the traces is a share of the jobs.
fn derived(from: &str) -> u128 {
    // Digits of a hash are always a number.
    u128::from_str_radix(&ContentHash::of(from.as_bytes()).to_string()[..32], 16).unwrap_or_default()
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// The header `traceparent` of W3C Trace Context: in which trace, and below which step, a request or message stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Traceparent {
    /// Which trace.
    pub trace: TraceId,
    /// Below which step.
    pub parent: SpanId,
    /// Whether the sender may have recorded it.
    pub sampled: bool,
}

impl Traceparent {
    /// Bytes of version 00.
    const BYTES: usize = 55;

    /// Reads the header; `None` where it isn't one. What later versions add at its end is passed over.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        let mut parts = text.split('-');
        let mut part =
            |digits: usize| parts.next().filter(|part| part.len() == digits && part.bytes().all(is_digit));
        let (version, trace, parent, flags) = (part(2)?, part(32)?, part(16)?, part(2)?);
        if version == "ff" || (version == "00" && text.len() != Self::BYTES) {
            return None;
        }
        let trace = u128::from_str_radix(trace, 16).ok().filter(|&trace| trace != 0)?;
        let parent = u64::from_str_radix(parent, 16).ok().filter(|&parent| parent != 0)?;
        let flags = u8::from_str_radix(flags, 16).ok()?;
        Some(Self { trace: TraceId(trace), parent: SpanId(parent), sampled: flags & 1 == 1 })
    }
}

impl fmt::Display for Traceparent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{}-{}-{:02x}", self.trace, self.parent, u8::from(self.sampled))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{Attempt, ShardId};

    #[test]
    fn every_job_and_every_dispatch_has_its_own_number_and_always_the_same() {
        assert_eq!(JobId(7).trace(), JobId(7).trace());
        assert_ne!(JobId(7).trace(), JobId(8).trace());
        let dispatch = |shard, attempt| ShardAttempt { shard: ShardId(shard), attempt: Attempt(attempt) };
        assert_ne!(dispatch(1, 1).span(), dispatch(1, 2).span());
        assert_ne!(dispatch(1, 11).span(), dispatch(11, 1).span());
        assert_ne!(JobId(7).trace().root().0, 0);
    }

    #[test]
    fn a_header_is_read_as_it_was_written() {
        let trace = JobId(7).trace();
        let header = Traceparent { trace, parent: trace.root(), sampled: true };
        assert_eq!(Traceparent::parse(&header.to_string()), Some(header));
        let of_w3c = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";
        assert_eq!(Traceparent::parse(of_w3c).unwrap().to_string(), of_w3c);
        let of_the_future = "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more";
        assert!(Traceparent::parse(of_the_future).unwrap().sampled);
    }

    #[test]
    fn what_is_no_header_is_none() {
        for text in [
            "",
            "00",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473é-00f067aa0ba902b7-01",
        ] {
            assert_eq!(Traceparent::parse(text), None, "{text}");
        }
    }
}
