//! The rules of Pagemill, free of any input or output: what a page is, how it is counted, when it is dead, what its
//! text looks like, how its artifacts are named.
//!
//! Architecture invariant: nothing here reads a file, a clock, a socket or an environment variable, and nothing here
//! knows an image library, a database or a broker.

pub mod arrival;
pub mod geometry;
pub mod hash;
pub mod ids;
pub mod job;
pub mod ladder;
pub mod ledger;
pub mod limits;
pub mod naming;
pub mod natural_order;
pub mod outcome;
pub mod page;
pub mod page_image;
pub mod page_text;
pub mod paper;
pub mod plan;
pub mod recipe;
pub mod scaling;
pub mod scan;
pub mod schedule;
pub mod shard;
pub mod sharding;
pub mod source_map;
pub mod trace;
