//! The one door: a format in, its writer out.

use std::io::Write;

use pagemill_domain::recipe::{Format, Recipe};

use crate::document::{DocumentInfo, DocumentPage, DocumentWriter, WriteError};
use crate::{alto, hocr, jpeg, json, pdf, text, tiff, tsv};

/// The writer of one artifact onto `out`; what stands before the first page is written at once. `out` is written in
/// small pieces: give it a buffer.
///
/// Pages must come in order, exactly as many as `info` promises. Where [`crate::artifact::one_file_per_page`] holds,
/// the writer takes one page, whatever its number.
pub fn writer<'w>(
    format: Format,
    info: &DocumentInfo,
    recipe: &Recipe,
    out: impl Write + Send + 'w,
) -> Result<Box<dyn DocumentWriter + Send + 'w>, WriteError> {
    let language = recipe.language();
    let inner: Box<dyn DocumentWriter + Send + 'w> = match format {
        Format::Txt => Box::new(text::TextWriter::new(out)),
        Format::Tsv => Box::new(tsv::TsvWriter::new(out)?),
        Format::Json => Box::new(json::JsonWriter::new(info, recipe, out)?),
        Format::Hocr => Box::new(hocr::HocrWriter::new(info, &language, out)?),
        Format::Alto => Box::new(alto::AltoWriter::new(info, &language, out)?),
        Format::Pdf => Box::new(pdf::PdfWriter::new(info, recipe, pdf::TextLayer::Invisible, out)?),
        Format::ImagePdf => Box::new(pdf::PdfWriter::new(info, recipe, pdf::TextLayer::None, out)?),
        Format::Tiff => Box::new(tiff::TiffWriter::new(info, out)?),
        Format::Jpeg => return Ok(Box::new(jpeg::JpegWriter::new(out))),
    };
    Ok(Box::new(InOrder { inner, pages: info.pages, before: 0 }))
}

/// Holds pages to their order and number: an artifact with a page too few is never finished.
struct InOrder<'w> {
    inner: Box<dyn DocumentWriter + Send + 'w>,
    pages: u32,
    before: u32,
}

impl DocumentWriter for InOrder<'_> {
    fn page(&mut self, page: &DocumentPage<'_>) -> Result<(), WriteError> {
        let (before, pages) = (self.before, self.pages);
        if page.number != before + 1 || page.number > pages {
            return Err(WriteError::PageOrder { page: page.number, pages, before });
        }
        self.inner.page(page)?;
        self.before = page.number;
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<(), WriteError> {
        let (before, pages) = (self.before, self.pages);
        if before != pages {
            return Err(WriteError::PageOrder { page: pages + 1, pages, before });
        }
        self.inner.finish()
    }
}
