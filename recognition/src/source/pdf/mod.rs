//! PDF files (ISO 32000), read by hayro: pages of scans above all.
//!
//! A page that one image fills is that image: its own bytes are delivered, turned as the page's `/Rotate` and the image's
//! matrix ask. Any other page is rendered (see [`plan`]). Streams are held against their limit before hayro inflates
//! them (see [`bounds`]).

mod bounds;
mod colour_space;
mod embedded;
mod image_space;
mod jbig2;
mod jpx;
mod payload;
mod plan;
mod render;
mod rows;
mod signature;
mod stored;
mod survey;
mod text;
mod text_lines;
mod tree;

use std::cell::RefCell;
use std::sync::Arc;

use hayro_interpret::hayro_syntax::page::Page;
use hayro_interpret::hayro_syntax::{DecryptionError, LoadPdfError, Pdf};
use pagemill_domain::limits::Limits;
use pagemill_domain::page_image::{Deliverable, PageImage};
use pagemill_domain::page_text::PageText;
use pagemill_domain::scan::{PageDefect, PageFacts, Rejection};

use self::bounds::Bounds;
use self::embedded::Embedded;
use self::plan::{PagePlan, Way};
use super::deliver::Decoded;
use super::header::defective;
use super::{Header, SourceBytes};
use crate::planes::Planes;

/// An opened PDF.
pub(crate) struct PdfFile {
    pdf: Pdf,
    /// For each page that the file declares: where hayro has it, if the file holds it.
    pages: Vec<Option<usize>>,
    bounds: RefCell<Bounds>,
    limits: Limits,
}

/// Whether `bytes` are a PDF: its header stands within the first 1,024 bytes (ISO 32000-1 annex H, note 13).
pub(crate) fn is_pdf(bytes: &[u8]) -> bool {
    const HEADER: &[u8] = b"%PDF-";
    bytes[..bytes.len().min(1_024)].windows(HEADER.len()).any(|window| window == HEADER)
}

/// What hayro wants to share: a sized owner of the bytes.
struct Shared(SourceBytes);

impl AsRef<[u8]> for Shared {
    fn as_ref(&self) -> &[u8] {
        (*self.0).as_ref()
    }
}

impl PdfFile {
    /// Reads the cross-reference table and the page tree. A file that opens with an empty user password opens.
    pub(crate) fn open(bytes: SourceBytes, limits: &Limits) -> Result<Self, Rejection> {
        let pdf = Pdf::new(Arc::new(Shared(bytes))).map_err(|error| match error {
            LoadPdfError::Decryption(DecryptionError::PasswordProtected) => Rejection::Encrypted,
            LoadPdfError::Decryption(other) => Rejection::Damaged(format!("PDF encryption: {other:?}")),
            LoadPdfError::Invalid => Rejection::Damaged("PDF: no pages can be found".into()),
        })?;
        // Hayro repairs a broken table when it first meets a broken entry, and then sees other objects than before. Once
        // all have been met, a page does not depend on which were read before it.
        pdf.objects().into_iter().for_each(drop);
        let pages = tree::pages(&pdf, limits)?;
        Ok(Self { pdf, pages, bounds: RefCell::new(Bounds::new(limits)), limits: limits.clone() })
    }

    /// Number of pages that the file declares.
    pub(crate) fn len(&self) -> usize {
        self.pages.len()
    }

    /// Whether the file is signed: a rewritten copy would break the signature.
    pub(crate) fn is_signed(&self) -> bool {
        signature::is_signed(&self.pdf)
    }

    /// The facts of a page.
    pub(crate) fn facts(&self, page: usize) -> PageFacts {
        match self.plan(page) {
            Ok((_, plan)) => {
                PageFacts { existing_text: plan.existing_text, ..plan.image.facts(&self.limits, plan.defect) }
            }
            Err(defect) => defective(defect),
        }
    }

    /// The headers of what stands for the page.
    pub(crate) fn header(&self, page: usize) -> Result<Header, PageDefect> {
        Ok(self.plan(page)?.1.image)
    }

    /// Decodes the page's image or renders the page; the size was checked before.
    pub(crate) fn decode(&self, page: usize) -> Result<Decoded, PageDefect> {
        let (hayro_page, plan) = self.plan(page)?;
        match plan.way {
            Way::Embedded(image) => {
                let embedded = Embedded::open(&self.pdf, image, &self.limits)?;
                if !embedded.is_bounded() {
                    self.bounds.borrow_mut().check_images(hayro_page)?;
                }
                embedded.decode()
            }
            Way::Rendered(paint) => {
                plan.defect.map_or(Ok(()), Err)?;
                self.bounds.borrow_mut().check_images(hayro_page)?;
                render::by_paint(render::page(hayro_page, &plan.image)?, paint)
            }
        }
    }

    /// The planes of the JPEG that fills the page, if one does.
    pub(crate) fn planes(&self, page: usize) -> Result<Option<Planes>, PageDefect> {
        match self.plan(page)?.1.way {
            Way::Embedded(image) => Embedded::open(&self.pdf, image, &self.limits)?.planes(),
            Way::Rendered(_) => Ok(None),
        }
    }

    /// The page's own coded bytes, where the deliverable may hold them.
    pub(crate) fn pass_through(
        &self,
        page: usize,
        deliverable: Deliverable,
    ) -> Result<Option<PageImage>, PageDefect> {
        let (_, plan) = self.plan(page)?;
        match plan.way {
            Way::Embedded(image) => {
                Embedded::open(&self.pdf, image, &self.limits)?.pass_through(&plan.image, deliverable)
            }
            Way::Rendered(_) => Ok(None),
        }
    }

    /// The text that the page has already, in page space.
    pub(crate) fn existing_text(&self, page: usize) -> Result<Option<PageText>, PageDefect> {
        let (hayro_page, plan) = self.plan(page)?;
        Ok(text::read(hayro_page, &plan.image))
    }

    fn plan(&self, page: usize) -> Result<(&Page<'_>, PagePlan), PageDefect> {
        let index = self.pages.get(page).copied().flatten().ok_or(PageDefect::Missing)?;
        let hayro_page = self.pdf.pages().get(index).ok_or(PageDefect::Missing)?;
        self.bounds.borrow_mut().check_painting(hayro_page)?;
        let plan = plan::of_page(&self.pdf, hayro_page, &self.bounds.borrow(), &self.limits)?;
        Ok((hayro_page, plan))
    }
}
