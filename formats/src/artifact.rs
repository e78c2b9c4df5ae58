//! What it takes to write an artifact of a format. Names are those of `pagemill_domain::naming`.

use pagemill_domain::page_image::Deliverable;
use pagemill_domain::recipe::{Format, PdfPart};

/// Whether each page is a file of its own; then each has a [`crate::writer`] of its own too.
#[must_use]
pub const fn one_file_per_page(format: Format) -> bool {
    matches!(format, Format::Jpeg)
}

/// For which deliverable a page's image must be extracted; `None` where the format shows none.
#[must_use]
pub const fn image_for(format: Format, part: PdfPart) -> Option<Deliverable> {
    match (format, part) {
        (Format::Pdf | Format::ImagePdf, PdfPart::A1b) => Some(Deliverable::Pdf14),
        (Format::Pdf | Format::ImagePdf, _) => Some(Deliverable::Pdf17),
        (Format::Jpeg, _) => Some(Deliverable::Jpeg),
        (Format::Tiff, _) => Some(Deliverable::Tiff),
        (Format::Txt | Format::Alto | Format::Hocr | Format::Tsv | Format::Json, _) => None,
    }
}

/// Whether the format carries the pages' text.
#[must_use]
pub const fn needs_text(format: Format) -> bool {
    !matches!(format, Format::ImagePdf | Format::Jpeg | Format::Tiff)
}
