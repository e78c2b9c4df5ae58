//! An image in, a page text out: reading headers, decoding, clean-up, layout, engines, and the box in which all of
//! it runs.
//!
//! Architecture invariant: this crate knows Leptonica and Tesseract, and nothing of jobs, shards, queues or stores.
//! It is the only crate in which `unsafe` is allowed, and there only in modules that say so.

pub mod boxed;
pub mod channels;
pub mod engine;
pub mod layout;
pub mod pix;
pub mod planes;
pub mod prepare;
pub mod reader;
pub mod scan;
pub mod source;
