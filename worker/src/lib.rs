//! pagemill-worker
