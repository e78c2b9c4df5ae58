//! JPEG: the original stream, a file a page.

pub(crate) mod header;
mod placeholder;

use std::io::Write;

use pagemill_domain::page_image::Coding;

use crate::document::{DocumentPage, DocumentWriter, WriteError};

/// Writes the file of one page.
pub(crate) struct JpegWriter<W> {
    out: W,
    before: u32,
}

impl<W: Write> JpegWriter<W> {
    pub(crate) fn new(out: W) -> Self {
        Self { out, before: 0 }
    }
}

impl<W: Write> DocumentWriter for JpegWriter<W> {
    fn page(&mut self, page: &DocumentPage<'_>) -> Result<(), WriteError> {
        if self.before > 0 {
            return Err(WriteError::PageOrder { page: page.number, pages: 1, before: self.before });
        }
        self.before = page.number;
        let Some(sourced) = page.image else {
            return Ok(placeholder::write(&mut self.out, page.width, page.height, page.dpi)?);
        };
        if sourced.image.coding != Coding::Jpeg {
            return Err(WriteError::Image { page: page.number, problem: "an image that is no JPEG" });
        }
        sourced.copy_from(page.number, 0, &mut self.out)
    }

    fn finish(mut self: Box<Self>) -> Result<(), WriteError> {
        if self.before == 0 {
            return Err(WriteError::PageOrder { page: 1, pages: 1, before: 0 });
        }
        Ok(self.out.flush()?)
    }
}

#[cfg(test)]
mod tests {
    use pagemill_domain::recipe::{Format, Recipe};

    use crate::fixtures::{self, written};

    #[test]
    fn the_original_stream_passes_untouched() {
        let (page, original) = fixtures::jpeg_page();
        assert_eq!(written(Format::Jpeg, &[page]), original);
    }

    #[test]
    fn another_coding_is_refused() {
        let (mut page, _) = fixtures::jpeg_page();
        if let Some(image) = &mut page.image {
            image.coding = pagemill_domain::page_image::Coding::FlatePng;
        }
        let mut writer =
            crate::writer(Format::Jpeg, &fixtures::info(1), &Recipe::default(), Vec::new()).unwrap();
        assert!(writer.page(&page.as_document_page(1)).is_err());
    }

    #[test]
    fn a_file_holds_one_page() {
        let (page, _) = fixtures::jpeg_page();
        let mut writer =
            crate::writer(Format::Jpeg, &fixtures::info(2), &Recipe::default(), Vec::new()).unwrap();
        writer.page(&page.as_document_page(2)).unwrap();
        assert!(writer.page(&page.as_document_page(3)).is_err());
        let empty = crate::writer(Format::Jpeg, &fixtures::info(1), &Recipe::default(), Vec::new()).unwrap();
        assert!(empty.finish().is_err());
    }
}
