//! The wire: gRPC services and queue messages, and the connections that carry them. The only crate that knows protobuf; `docs/wire.md` describes the
//! messages for people.

pub mod incoming;
pub mod version;

/// Messages and services of `pagemill.v1`.
#[allow(
    missing_docs,
    clippy::pedantic,
    clippy::allow_attributes_without_reason,
    unused_qualifications,
    reason = "generated; the comments stand in the definitions"
)]
pub mod v1 {
    tonic::include_proto!("pagemill.v1");

    /// The compiled definitions, for reflection.
    pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/pagemill.v1.bin"));
}

/// What KEDA calls.
#[allow(
    missing_docs,
    clippy::pedantic,
    clippy::allow_attributes_without_reason,
    unused_qualifications,
    reason = "generated; the comments stand in the definition"
)]
pub mod externalscaler {
    tonic::include_proto!("externalscaler");
}

/// What an OpenTelemetry collector takes.
#[allow(
    missing_docs,
    clippy::pedantic,
    clippy::allow_attributes_without_reason,
    unused_qualifications,
    reason = "generated; the comments stand in the definition"
)]
pub mod otlp {
    tonic::include_proto!("opentelemetry.proto.collector.trace.v1");
}

/// Largest gRPC message, in bytes; both sides refuse more.
pub const MESSAGE_BYTES_MAX: usize = 8 << 20;

/// Bytes of a piece of a blob on its way.
pub const PIECE_BYTES: usize = 256 << 10;
