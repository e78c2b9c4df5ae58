//! pagemill-formats
