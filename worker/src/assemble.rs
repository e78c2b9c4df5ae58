//! Assembling: a document's pages, one by one, into all of its artifacts at once.
//!
//! Memory holds one page, however many the document has. A page that could not be read keeps its image; one whose image
//! can't be had leaves a place of its size.

use std::collections::BTreeMap;
use std::io;

use pagemill_backends::blobs::BlobError;
use pagemill_domain::ids::DocumentId;
use pagemill_domain::naming::Stem;
use pagemill_domain::outcome::{DocumentReport, DocumentResult, Gap, Loss};
use pagemill_domain::page::PageState;
use pagemill_domain::page_image::{Deliverable, PageImage};
use pagemill_domain::page_text::PageText;
use pagemill_domain::recipe::{Format, PdfPart, Recipe};
use pagemill_domain::scan::PageDefect;
use pagemill_domain::shard::{DocumentPlan, PlannedPage, PlannedSource};
use pagemill_formats::artifact::{image_for, needs_text, one_file_per_page};
use pagemill_formats::{DocumentInfo, DocumentPage, DocumentWriter, SourcedImage, WriteError, writer};
use pagemill_recognition::boxed::client::BoxError;

use crate::WorkerError;
use crate::back_off::BackOff;
use crate::error::Halt;
use crate::page_source::{OpenSource, Unusable, open, open_pages};
use crate::patience::is_away;
use crate::results;
use crate::slot::Bench;
use crate::staged::StagedArtifact;

/// Tries to get a page's image from the box before a placeholder stands for it.
const IMAGE_TRIES_MAX: u32 = 2;

/// Writes a document's artifacts. They become visible when all of them are complete. While the blob store is away, or
/// the disk of a cluster's worker is full, it begins again; a full disk that stays full is left to another worker.
pub(crate) fn assemble(
    bench: &mut Bench,
    plan: &DocumentPlan,
    recipe: &Recipe,
) -> Result<DocumentReport, Halt> {
    let mut back_off = BackOff::default();
    loop {
        match deliver(bench, plan, recipe) {
            Ok(result) => return Ok(DocumentReport { document: plan.id, result }),
            Err(Stopped::Away(error)) => bench.wait_for_blobs(&mut back_off, &error)?,
            Err(Stopped::DiskFull(error)) if !bench.is_one_of_many() => return Err(error.into()),
            Err(Stopped::DiskFull(error)) if bench.is_out_of_time() || bench.is_stopping() => {
                return Ok(lost(plan, Loss::Unavailable { what: error.to_string() }));
            }
            Err(Stopped::DiskFull(error)) => bench.wait_for_room(&mut back_off, &error)?,
            Err(Stopped::Lost(loss)) => {
                tracing::warn!(document = plan.id.0, %loss, "a document could not be assembled");
                return Ok(lost(plan, loss));
            }
            Err(Stopped::Defect(defect)) => {
                tracing::warn!(document = plan.id.0, %defect, "a document can't be assembled");
                return Ok(DocumentReport { document: plan.id, result: DocumentResult::Defect(defect) });
            }
            Err(Stopped::Halt(halt)) => return Err(halt),
        }
    }
}

/// The report of a document that nothing could be done for.
pub(crate) fn lost(plan: &DocumentPlan, loss: Loss) -> DocumentReport {
    DocumentReport { document: plan.id, result: DocumentResult::Lost(loss) }
}

/// Why assembling stopped: the blob store is away, this machine's disk is full, the document can't be had at all, or not
/// now, or the work on it ends.
enum Stopped {
    Away(BlobError),
    DiskFull(WorkerError),
    Defect(PageDefect),
    Lost(Loss),
    Halt(Halt),
}

impl From<Halt> for Stopped {
    fn from(halt: Halt) -> Self {
        Self::Halt(halt)
    }
}

impl From<WorkerError> for Stopped {
    fn from(error: WorkerError) -> Self {
        Self::Halt(error.into())
    }
}

impl From<BlobError> for Stopped {
    fn from(error: BlobError) -> Self {
        match error {
            error if is_away(&error) => Self::Away(error),
            error if error.is_disk_full() => Self::DiskFull(error.into()),
            error => Self::Halt(error.into()),
        }
    }
}

impl From<WriteError> for Stopped {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Output(ref output) if output.kind() == io::ErrorKind::StorageFull => {
                Self::DiskFull(error.into())
            }
            // Our side of the copy: the disk is gone, and no document can be written.
            WriteError::Output(_) => Self::Halt(error.into()),
            other => Self::Lost(Loss::Unavailable { what: other.to_string() }),
        }
    }
}

impl From<Unusable> for Stopped {
    fn from(unusable: Unusable) -> Self {
        match unusable {
            Unusable::Defect(defect) => Self::Defect(defect),
            Unusable::Lost(loss) => Self::Lost(loss),
        }
    }
}

/// The artifacts of a document while its pages go by.
struct Assembly<'a> {
    recipe: &'a Recipe,
    stem: Stem,
    pages: u32,
    open: Vec<OpenArtifact>,
    complete: Vec<StagedArtifact>,
    gaps: Vec<Gap>,
}

struct OpenArtifact {
    format: Format,
    staged: StagedArtifact,
    writer: Box<dyn DocumentWriter + Send>,
}

fn deliver(bench: &mut Bench, plan: &DocumentPlan, recipe: &Recipe) -> Result<DocumentResult, Stopped> {
    let pages = plan.sources.iter().map(|source| source.pages.len()).sum::<usize>() as u32;
    let stem = Stem::recorded(plan.name.clone());
    let mut assembly =
        Assembly { recipe, stem, pages, open: Vec::new(), complete: Vec::new(), gaps: Vec::new() };
    let original = |format| format == Format::Pdf && plan.deliver_original;
    for &format in recipe.formats.iter().filter(|&&format| !original(format) && !one_file_per_page(format)) {
        assembly.begin(bench, format)?;
    }
    let mut number = 0;
    for planned in &plan.sources {
        bench.gets_on(plan.id, planned.source.stamp.bytes);
        let source = open_planned(bench, planned)??;
        if recipe.formats.contains(&Format::Pdf) && plan.deliver_original {
            bench.gets_on(plan.id, source.boxed.bytes());
            assembly.copy_original(bench, &source)?;
        }
        for page in &planned.pages {
            bench.check_wanted()?;
            if bench.is_stopping() {
                return Err(Halt::HandBack.into());
            }
            bench.gets_on(plan.id, 0);
            number += 1;
            assembly.add_page(bench, planned, &source, page, number)?;
        }
    }
    assembly.finish(bench, plan.id)
}

/// Opens all of a source, of which some pages may be here already. (All pages of a map are all of its source.)
fn open_planned(bench: &Bench, planned: &PlannedSource) -> Result<Result<OpenSource, Unusable>, Halt> {
    let pages: Vec<u32> = planned.pages.iter().map(|page| page.number).collect();
    match open_pages(bench, &planned.source, &pages)? {
        Ok(part) if !part.boxed.is_whole() => open(bench, &planned.source),
        opened => Ok(opened),
    }
}

impl Assembly<'_> {
    fn begin(&mut self, bench: &Bench, format: Format) -> Result<(), Stopped> {
        let (staged, out) = StagedArtifact::new(bench, format, self.stem.artifact(format))?;
        let writer = writer(format, &self.info(), self.recipe, out)?;
        self.open.push(OpenArtifact { format, staged, writer });
        Ok(())
    }

    fn info(&self) -> DocumentInfo {
        let title = self.stem.as_str().rsplit('/').next().unwrap_or_default().to_owned();
        DocumentInfo { title, pages: self.pages }
    }

    /// The source's own bytes are the PDF.
    fn copy_original(&mut self, bench: &Bench, source: &OpenSource) -> Result<(), Stopped> {
        let (staged, mut out) = StagedArtifact::new(bench, Format::Pdf, self.stem.artifact(Format::Pdf))?;
        let mut reader = io::BufReader::new(&source.file);
        io::copy(&mut reader, &mut out)
            .and_then(|_| io::Write::flush(&mut out))
            .map_err(WriteError::Output)?;
        self.complete.push(staged);
        Ok(())
    }

    fn add_page(
        &mut self,
        bench: &mut Bench,
        planned: &PlannedSource,
        source: &OpenSource,
        page: &PlannedPage,
        number: u32,
    ) -> Result<(), Stopped> {
        let text = self.page_text(bench, source, page)?;
        let images = self.page_images(bench, planned, source, page)?;
        let picture = Picture {
            number,
            page,
            text: text.as_ref(),
            images: &images,
            source,
            part: self.recipe.pdf_part,
        };
        for artifact in &mut self.open {
            if let Some(reason) = picture.write(artifact.format, &mut *artifact.writer)? {
                push_gap(&mut self.gaps, planned, page, reason);
            }
        }
        for &format in self.recipe.formats.iter().filter(|&&format| one_file_per_page(format)) {
            let name = self.stem.page_jpeg(number, self.pages);
            let (staged, out) = StagedArtifact::new(bench, format, name)?;
            let mut page_writer = writer(format, &self.info(), self.recipe, out)?;
            if let Some(reason) = picture.write(format, &mut *page_writer)? {
                push_gap(&mut self.gaps, planned, page, reason);
            }
            page_writer.finish()?;
            self.complete.push(staged);
        }
        Ok(())
    }

    fn page_text(
        &self,
        bench: &mut Bench,
        source: &OpenSource,
        page: &PlannedPage,
    ) -> Result<Option<PageText>, Stopped> {
        if !self.recipe.formats.iter().any(|&format| needs_text(format)) {
            return Ok(None);
        }
        if let Some(result) = &page.result {
            let unavailable =
                |error: &dyn std::fmt::Display| Stopped::Lost(Loss::Unavailable { what: error.to_string() });
            let fetched = bench.fetch(|| bench.blobs().get_result(result))?;
            let part = fetched.map_err(|error| unavailable(&error))?;
            return results::decode(&part).map(Some).map_err(|error| unavailable(&error));
        }
        if page.state != PageState::Kept {
            return Ok(None);
        }
        let answered = bench.client()?.existing_text(&source.boxed, page.number);
        bench.spend(answered.cost);
        match answered.result {
            Err(BoxError::Loss(loss)) => Err(Stopped::Lost(loss)),
            // Its own text stays in the page's image or the original file; it is only not repeated.
            other => Ok(other.ok().flatten()),
        }
    }

    /// The page's image for each deliverable that the recipe's formats need.
    fn page_images(
        &mut self,
        bench: &mut Bench,
        planned: &PlannedSource,
        source: &OpenSource,
        page: &PlannedPage,
    ) -> Result<BTreeMap<u8, PageImage>, Stopped> {
        let mut images = BTreeMap::new();
        let formats = self.open.iter().map(|artifact| artifact.format);
        let per_page = self.recipe.formats.iter().copied().filter(|&format| one_file_per_page(format));
        let wanted: Vec<Deliverable> =
            formats.chain(per_page).filter_map(|format| image_for(format, self.recipe.pdf_part)).collect();
        for deliverable in wanted {
            if images.contains_key(&(deliverable as u8)) {
                continue;
            }
            match page_image(bench, source, page.number, deliverable)? {
                Ok(image) => {
                    images.insert(deliverable as u8, image);
                }
                // A dead page is listed as one already.
                Err(_) if page.state == PageState::Dead => {}
                Err(reason) => push_gap(&mut self.gaps, planned, page, reason),
            }
        }
        Ok(images)
    }

    fn finish(mut self, bench: &Bench, document: DocumentId) -> Result<DocumentResult, Stopped> {
        for artifact in self.open {
            bench.gets_on(document, artifact.staged.bytes());
            artifact.writer.finish()?;
            self.complete.push(artifact.staged);
        }
        let mut artifacts = Vec::with_capacity(self.complete.len());
        for staged in self.complete {
            bench.gets_on(document, staged.bytes());
            artifacts.push(staged.commit(bench)?);
        }
        artifacts.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(DocumentResult::Delivered { artifacts, gaps: self.gaps })
    }
}

/// Lists a page for which a placeholder stands, once.
fn push_gap(gaps: &mut Vec<Gap>, planned: &PlannedSource, page: &PlannedPage, reason: String) {
    let gap = Gap { source: planned.source.id, number: page.number, reason };
    if !gaps.contains(&gap) {
        gaps.push(gap);
    }
}

/// A page as it goes into each artifact.
struct Picture<'a> {
    number: u32,
    page: &'a PlannedPage,
    text: Option<&'a PageText>,
    images: &'a BTreeMap<u8, PageImage>,
    source: &'a OpenSource,
    part: PdfPart,
}

impl Picture<'_> {
    /// Writes the page; a format that can't hold its image gets a placeholder, and the reason is returned.
    fn write(&self, format: Format, writer: &mut dyn DocumentWriter) -> Result<Option<String>, WriteError> {
        let image =
            image_for(format, self.part).and_then(|deliverable| self.images.get(&(deliverable as u8)));
        let page = DocumentPage {
            number: self.number,
            width: self.page.width,
            height: self.page.height,
            dpi: self.page.dpi,
            state: self.page.state,
            text: self.text,
            image: image.map(|image| SourcedImage { image, source: &self.source.file }),
        };
        match writer.page(&page) {
            Err(error @ WriteError::Image { .. }) => {
                writer.page(&DocumentPage { image: None, ..page })?;
                Ok(Some(error.to_string()))
            }
            written => written.map(|()| None),
        }
    }
}

/// The page's image, or why there is none.
fn page_image(
    bench: &mut Bench,
    source: &OpenSource,
    number: u32,
    deliverable: Deliverable,
) -> Result<Result<PageImage, String>, Stopped> {
    let mut tries = 0;
    loop {
        tries += 1;
        let answered = bench.client()?.deliver(&source.boxed, number, deliverable);
        bench.spend(answered.cost);
        match answered.result {
            Ok(image) => return Ok(Ok(image)),
            Err(BoxError::Loss(loss)) => return Err(Stopped::Lost(loss)),
            Err(BoxError::Fault(_)) if tries < IMAGE_TRIES_MAX => {}
            Err(error) => return Ok(Err(error.to_string())),
        }
    }
}
