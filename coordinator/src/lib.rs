//! pagemill-coordinator
