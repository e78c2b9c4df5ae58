//! JPEG: the original stream, a file a page.
//!
//! A stream that is to be turned and has no EXIF data (one from a PDF that turns its page) gets an EXIF segment with the
//! orientation; all other bytes are the original ones.

pub(crate) mod header;
mod placeholder;

use std::io::Write;

use pagemill_domain::geometry::Orientation;
use pagemill_domain::page_image::Coding;

use crate::document::{DocumentPage, DocumentWriter, SourcedImage, WriteError};
use header::JpegHeader;

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
        match page.image {
            Some(sourced) if sourced.image.coding == Coding::Jpeg => self.original(page.number, sourced)?,
            Some(_) => {
                return Err(WriteError::Image { page: page.number, problem: "an image that is no JPEG" });
            }
            None => placeholder::write(&mut self.out, page.width, page.height, page.dpi)?,
        }
        self.before = page.number;
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<(), WriteError> {
        if self.before == 0 {
            return Err(WriteError::PageOrder { page: 1, pages: 1, before: 0 });
        }
        Ok(self.out.flush()?)
    }
}

impl<W: Write> JpegWriter<W> {
    fn original(&mut self, page: u32, sourced: SourcedImage<'_>) -> Result<(), WriteError> {
        let orientation = sourced.image.orientation;
        let tells_itself = || JpegHeader::read(page, sourced).is_ok_and(|header| header.has_exif);
        if orientation == Orientation::default() || tells_itself() {
            return sourced.copy_from(page, 0, &mut self.out);
        }
        self.out.write_all(START_OF_IMAGE)?;
        self.out.write_all(&exif(orientation))?;
        sourced.copy_from(page, START_OF_IMAGE.len() as u64, &mut self.out)
    }
}

const START_OF_IMAGE: &[u8] = b"\xff\xd8";

/// An EXIF segment: a TIFF of one directory with one entry, the orientation (EXIF 2.3, § 4.5.2).
fn exif(orientation: Orientation) -> Vec<u8> {
    let mut segment = b"\xff\xe1\x00\x22Exif\0\0II\x2a\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".to_vec();
    segment.extend(orientation.tag().to_le_bytes());
    segment.extend([0; 6]);
    segment
}

#[cfg(test)]
mod tests {
    use pagemill_domain::geometry::Orientation;
    use pagemill_domain::page_image::ImageBytes;
    use pagemill_domain::recipe::{Format, Recipe};

    use crate::fixtures::{self, written};

    #[test]
    fn the_original_stream_passes_untouched() {
        let (page, original) = fixtures::jpeg_page();
        assert_eq!(written(Format::Jpeg, &[page]), original);
    }

    #[test]
    fn a_stream_that_is_to_be_turned_says_so() {
        let (mut page, original) = fixtures::jpeg_page();
        if let Some(image) = &mut page.image {
            image.orientation = Orientation::from_tag(6);
        }
        let turned = written(Format::Jpeg, &[page.clone()]);
        assert_eq!(turned.len(), original.len() + 36);
        assert!(turned.ends_with(&original[2..]));
        let mut decoder = image::codecs::jpeg::JpegDecoder::new(std::io::Cursor::new(&turned)).unwrap();
        let orientation = image::ImageDecoder::orientation(&mut decoder).unwrap();
        assert_eq!(orientation, image::metadata::Orientation::Rotate90);
        // A stream that tells its orientation is left alone.
        page.source = [b"before".as_slice(), &turned].concat();
        if let Some(image) = &mut page.image {
            image.bytes = ImageBytes::Source { offset: 6, length: turned.len() as u64 };
        }
        assert_eq!(written(Format::Jpeg, &[page]), turned);
    }

    #[test]
    fn another_coding_is_refused_and_a_placeholder_may_stand_in() {
        let (mut page, _) = fixtures::jpeg_page();
        if let Some(image) = &mut page.image {
            image.coding = pagemill_domain::page_image::Coding::FlatePng;
        }
        let mut writer =
            crate::writer(Format::Jpeg, &fixtures::info(1), &Recipe::default(), Vec::new()).unwrap();
        assert!(writer.page(&page.as_document_page(1)).is_err());
        page.image = None;
        writer.page(&page.as_document_page(1)).unwrap();
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
