//! pagemill-backends
