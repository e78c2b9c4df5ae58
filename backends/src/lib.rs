//! What Pagemill stands on: a store that is the truth, a queue that carries shards and outcomes, blobs that hold
//! results and artifacts. One trait each; the adapters below it keep the same promises, which one conformance suite
//! each holds them to.
//!
//! Architecture invariant: no rule about pages is decided here; adapters apply what `domain` decides.

use std::sync::Arc;

pub mod blobs;
pub mod crypto;
pub mod queue;
pub mod store;

/// The three, as a component receives them.
#[derive(Clone)]
pub struct Backends {
    /// The truth.
    pub store: Arc<dyn store::Store>,
    /// The way to the workers and back.
    pub queue: Arc<dyn queue::Queue>,
    /// Results, sources and artifacts.
    pub blobs: Arc<dyn blobs::Blobs>,
}
