//! The file around the objects: header, cross-reference table, trailer.

use std::io::{self, Write};

use flate2::Compression;
use flate2::write::ZlibEncoder;
use pagemill_domain::hash::ContentHasher;
use pdf_writer::{Chunk, Dict, Finish, Name, Obj, Ref, Settings};

use crate::document::{SourcedImage, WriteError};
use crate::output::Output;

/// Objects of one file (ISO 19005-1 § 6.1.12 by PDF Reference 1.4, table C.1).
const OBJECTS_MAX: usize = 8_388_607;

/// Objects that one page and the file's end may need; beyond [`OBJECTS_MAX`] less this, no page is begun.
const OBJECTS_RESERVE: usize = 64;

/// The cross-reference table has ten digits for an offset (PDF Reference 1.4, § 3.4.3).
const BYTES_MAX: u64 = 9_999_999_999;

/// What ends an object; a stream goes before it.
const OBJECT_END: &[u8] = b"endobj\n";

const COMPACT: Settings = Settings { pretty: false };

/// A PDF file that is being written.
pub(super) struct PdfFile<W> {
    out: Output<Hashed<W>>,
    /// Where each object begins, by its number less one; 0 for those that are still to come.
    offsets: Vec<u64>,
}

impl<W: Write> PdfFile<W> {
    /// Starts a file. The comment of four bytes above 127 marks it as binary (ISO 19005-1 § 6.1.2).
    pub(super) fn new(out: W, version: &str) -> Result<Self, WriteError> {
        let mut out = Output::new(Hashed { inner: out, hasher: ContentHasher::default() });
        out.write_all(format!("%PDF-{version}\n").as_bytes())?;
        out.write_all(b"%\xe2\xe3\xcf\xd3\n")?;
        Ok(Self { out, offsets: Vec::new() })
    }

    /// Whether the format's limits leave room for one more page.
    pub(super) fn expect_room(&self, page: u32) -> Result<(), WriteError> {
        if self.offsets.len() + OBJECTS_RESERVE > OBJECTS_MAX {
            return Err(WriteError::FormatLimit { page, limit: "8,388,607 objects" });
        }
        if self.out.position() > BYTES_MAX {
            return Err(WriteError::FormatLimit { page, limit: "10 GB" });
        }
        Ok(())
    }

    /// A number for an object that is to be written later, exactly once.
    pub(super) fn allocate(&mut self) -> Ref {
        self.offsets.push(0);
        Ref::new(self.offsets.len() as i32)
    }

    /// Writes an object that is no stream.
    pub(super) fn write_object(&mut self, id: Ref, write: impl FnOnce(Obj<'_>)) -> Result<(), WriteError> {
        let mut chunk = Chunk::with_settings(COMPACT);
        write(chunk.indirect(id));
        self.write_chunk(id, &chunk)
    }

    /// Writes a stream, compressed; `entries` adds to its dictionary.
    pub(super) fn write_stream(
        &mut self,
        bytes: &[u8],
        entries: impl FnOnce(&mut Dict<'_>),
    ) -> Result<Ref, WriteError> {
        let id = self.allocate();
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes)?;
        self.write_plain_stream(id, &encoder.finish()?, |dict| {
            dict.pair(Name(b"Filter"), Name(b"FlateDecode"));
            entries(dict);
        })?;
        Ok(id)
    }

    /// Writes a stream as it is; `entries` adds to its dictionary.
    pub(super) fn write_plain_stream(
        &mut self,
        id: Ref,
        bytes: &[u8],
        entries: impl FnOnce(&mut Dict<'_>),
    ) -> Result<(), WriteError> {
        let mut chunk = Chunk::with_settings(COMPACT);
        let mut stream = chunk.stream(id, bytes);
        entries(&mut stream);
        stream.finish();
        self.write_chunk(id, &chunk)
    }

    /// Writes a stream whose bytes pass from an image without being held.
    pub(super) fn write_image_stream(
        &mut self,
        page: u32,
        image: SourcedImage<'_>,
        entries: impl FnOnce(&mut Dict<'_>),
    ) -> Result<Ref, WriteError> {
        let length = i32::try_from(image.length())
            .map_err(|_| WriteError::FormatLimit { page, limit: "2,147,483,647 bytes in a stream" })?;
        let id = self.allocate();
        let mut chunk = Chunk::with_settings(COMPACT);
        let mut dict = chunk.indirect(id).dict();
        entries(&mut dict);
        dict.pair(Name(b"Length"), length);
        dict.finish();
        let object = chunk.as_bytes();
        self.begin(id);
        self.out.write_all(object.strip_suffix(OBJECT_END).unwrap_or(object))?;
        self.out.write_all(b"stream\n")?;
        image.copy_from(page, 0, &mut self.out)?;
        self.out.write_all(b"\nendstream\n")?;
        self.out.write_all(OBJECT_END)?;
        Ok(id)
    }

    fn write_chunk(&mut self, id: Ref, chunk: &Chunk) -> Result<(), WriteError> {
        self.begin(id);
        Ok(self.out.write_all(chunk.as_bytes())?)
    }

    fn begin(&mut self, id: Ref) {
        self.offsets[id.get() as usize - 1] = self.out.position();
    }

    /// Writes the cross-reference table and the trailer. The file's identifier is the hash of everything before.
    pub(super) fn finish(mut self, catalog: Ref, info: Ref) -> Result<(), WriteError> {
        let hash = std::mem::take(&mut self.out.inner_mut().hasher).finish();
        let start = self.out.position();
        let size = self.offsets.len() + 1;
        writeln!(self.out, "xref\n0 {size}\n0000000000 65535 f ")?;
        for offset in &self.offsets {
            // An entry takes 20 bytes, its line end included.
            self.out.write_all(format!("{offset:010} 00000 n \n").as_bytes())?;
        }
        // 128 of its bits, as hexadecimal digits: as long as identifiers usually are.
        let mut identifier = hash.to_string();
        identifier.truncate(32);
        let (root, info) = (catalog.get(), info.get());
        writeln!(
            self.out,
            "trailer\n<</Size {size}/Root {root} 0 R/Info {info} 0 R/ID[<{identifier}><{identifier}>]>>"
        )?;
        writeln!(self.out, "startxref\n{start}\n%%EOF")?;
        Ok(self.out.flush()?)
    }
}

/// A destination that hashes what passes.
struct Hashed<W> {
    inner: W,
    hasher: ContentHasher,
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.inner.write(bytes)?;
        self.hasher.update(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
