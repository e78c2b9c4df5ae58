//! Real services for tests: RabbitMQ, PostgreSQL, an S3 server, Prometheus, each private to a test run.
//!
//! [`shared`] starts one of each for all tests of a process, on first use: each test takes a virtual host, a database
//! or a bucket of its own. A test that kills a service starts a private one. Services die with the process that started
//! them, however it ends, and their folders are swept by the next. What is not installed is an error, never a skip.
#![allow(clippy::unwrap_used, clippy::missing_panics_doc, reason = "a test that meets the unexpected fails")]
#![allow(clippy::must_use_candidate, reason = "called for the check, too")]

mod authority;
mod daemon;
mod http;
mod place;
mod postgres;
mod prometheus;
mod rabbitmq;
mod s3;
mod usage;

pub use authority::Authority;
pub use daemon::{Daemon, wait_until};
pub use http::{Answer, request};
pub use place::{Place, free_port};
pub use postgres::Postgres;
pub use prometheus::Prometheus;
pub use rabbitmq::RabbitMq;
pub use s3::S3;
pub use usage::{cpu_seconds, memory_mib, peak_memory_mib, waited_cpu_seconds};

/// One of each service for all tests of this process.
pub mod shared {
    use std::sync::OnceLock;

    use crate::{Postgres, RabbitMq, S3};

    /// The broker that this process's tests share; take a [`RabbitMq::fresh_url`].
    pub fn rabbitmq() -> &'static RabbitMq {
        static SHARED: OnceLock<RabbitMq> = OnceLock::new();
        SHARED.get_or_init(RabbitMq::start)
    }

    /// The database server that this process's tests share; take a [`Postgres::fresh_url`].
    pub fn postgres() -> &'static Postgres {
        static SHARED: OnceLock<Postgres> = OnceLock::new();
        SHARED.get_or_init(Postgres::start)
    }

    /// The S3 server that this process's tests share; take a [`S3::fresh_bucket_url`].
    pub fn s3() -> &'static S3 {
        static SHARED: OnceLock<S3> = OnceLock::new();
        SHARED.get_or_init(S3::start)
    }
}
