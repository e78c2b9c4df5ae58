//! What the file says of itself.

use pagemill_domain::recipe::PdfPart;
use xmp_writer::{LangId, XmpWriter};

/// The program, in the XMP and, word for word the same (ISO 19005-1 § 6.7.3), in the information dictionary.
pub(super) const PRODUCER: &str = concat!("Pagemill ", env!("CARGO_PKG_VERSION"));

/// The XMP packet. It has no date: the same source must give the same bytes.
pub(super) fn xmp(title: &str, part: PdfPart) -> String {
    let mut xmp = XmpWriter::new();
    let (number, level) = match part {
        PdfPart::A1b => (1, "B"),
        PdfPart::A2b => (2, "B"),
        PdfPart::A2u => (2, "U"),
        PdfPart::A3b => (3, "B"),
    };
    xmp.pdfa_part(number);
    xmp.pdfa_conformance(level);
    xmp.format("application/pdf");
    if !title.is_empty() {
        xmp.title([(None::<LangId<'_>>, title)]);
    }
    xmp.producer(PRODUCER);
    xmp.finish(None)
}
