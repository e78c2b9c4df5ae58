//! Page texts and page images out as artifacts: text, TSV, hOCR, ALTO, JSON, searchable PDF/A, image PDF/A, JPEG, TIFF.
//!
//! One door: [`writer`] gives the [`DocumentWriter`] of a format. Pages go in one by one, bytes come out at once, so
//! memory does not grow with pages (the few bytes a page that a format's own index costs are named where they are
//! kept). `docs/formats.md` describes every artifact.
//!
//! Architecture invariant: no sample of an image is decoded here, no clock, host, random number or map order reaches a
//! byte, and a page is never dropped: what can't be shown leaves a place.

pub mod artifact;
pub mod document;

mod alto;
mod characters;
mod hocr;
mod jpeg;
mod json;
mod language;
mod output;
mod pdf;
mod text;
mod tiff;
mod tsv;
mod writer;
mod xml;

pub use document::{DocumentInfo, DocumentPage, DocumentWriter, SourceBytes, SourcedImage, WriteError};
pub use writer::writer;

#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod tools;
