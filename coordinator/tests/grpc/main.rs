//! A coordinator as its callers see it: every service over a real connection, with a worker that reads nothing but
//! answers.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod blobs;
mod cluster;
mod http;
mod jobs;
mod leadership;
mod refusals;
mod sessions;
