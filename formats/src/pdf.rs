//! PDF/A: the pages' images with invisible text on top, or the images alone.
//!
//! One syntax serves every part: what ISO 19005-1 level B asks (PDF 1.4: a classic cross-reference table, no object
//! streams, no transparency) is allowed by the later parts too. Only the header and the XMP differ by part. Levels B and
//! U need no tags; each character of the text has its Unicode value, as U asks.
//!
//! Written as the pages come. What stays in memory: 8 bytes an object ([`file`]), about 3 objects a page, 4 bytes for
//! each of at most 512 open pages ([`tree`]), and the characters that were used ([`font`]).

mod file;
mod font;
mod image;
mod metadata;
mod page;
mod srgb;
mod syntax;
mod text_layer;
mod tree;
mod truetype;

use std::io::Write;

use pagemill_domain::recipe::{PdfPart, Recipe};
use pdf_writer::{Content, Finish as _, Name, Rect, Ref, TextStr};

use crate::document::{DocumentInfo, DocumentPage, DocumentWriter, WriteError};
use crate::language::tag;
use file::PdfFile;
use font::Font;
use image::Images;
use page::PageSize;
use tree::PageTree;

/// Whether the pages' text is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TextLayer {
    /// Invisible, on top of the image.
    Invisible,
    /// Not at all.
    None,
}

/// Writes PDF/A.
pub(crate) struct PdfWriter<W> {
    file: PdfFile<W>,
    tree: PageTree,
    images: Images,
    /// The font of the text layer; `None` where no text is written.
    font: Option<Font>,
    part: PdfPart,
    title: String,
    language: String,
}

impl<W: Write> PdfWriter<W> {
    pub(crate) fn new(
        info: &DocumentInfo,
        recipe: &Recipe,
        text_layer: TextLayer,
        out: W,
    ) -> Result<Self, WriteError> {
        let mut file = PdfFile::new(out, version(recipe.pdf_part))?;
        let tree = PageTree::new(&mut file);
        let font = match text_layer {
            TextLayer::Invisible => Some(Font::new(file.allocate())),
            TextLayer::None => None,
        };
        Ok(Self {
            file,
            tree,
            images: Images::default(),
            font,
            part: recipe.pdf_part,
            title: crate::characters::shown(&info.title).into_owned(),
            language: tag(&recipe.language()).to_owned(),
        })
    }

    fn page_content(&mut self, page: &DocumentPage<'_>, size: PageSize) -> Vec<u8> {
        let mut content = match page.image {
            Some(sourced) => page::draw_image(sourced.image.orientation, size),
            None => page::draw_placeholder(size),
        };
        if let (Some(font), Some(text)) = (&mut self.font, page.text) {
            text_layer::write(&mut content, text, size, font);
        }
        content
    }

    fn write_catalog(&mut self, catalog: Ref, metadata: Ref, profile: Ref) -> Result<(), WriteError> {
        let (pages, language) = (self.tree.root(), self.language.clone());
        self.file.write_object(catalog, |object| {
            let mut dict = object.dict();
            dict.pair(Name(b"Type"), Name(b"Catalog"));
            dict.pair(Name(b"Pages"), pages);
            dict.pair(Name(b"Lang"), TextStr(&language));
            dict.pair(Name(b"Metadata"), metadata);
            let mut intents = dict.insert(Name(b"OutputIntents")).array();
            let mut intent = intents.push().dict();
            intent.pair(Name(b"Type"), Name(b"OutputIntent"));
            intent.pair(Name(b"S"), Name(b"GTS_PDFA1"));
            intent.pair(Name(b"OutputConditionIdentifier"), TextStr(srgb::NAME));
            intent.pair(Name(b"Info"), TextStr(srgb::NAME));
            intent.pair(Name(b"DestOutputProfile"), profile);
        })
    }
}

impl<W: Write> DocumentWriter for PdfWriter<W> {
    fn page(&mut self, page: &DocumentPage<'_>) -> Result<(), WriteError> {
        self.file.expect_room(page.number)?;
        let size = PageSize::of(page);
        let image = match page.image {
            Some(sourced) => Some(self.images.write(&mut self.file, page.number, sourced)?),
            None => None,
        };
        let content = self.page_content(page, size);
        let contents = self.file.write_stream(&content, |_| {})?;
        let (id, parent) = self.tree.add(&mut self.file)?;
        let font = self.font.as_ref().filter(|_| page.text.is_some()).map(Font::id);
        self.file.write_object(id, |object| {
            let mut dict = object.dict();
            dict.pair(Name(b"Type"), Name(b"Page"));
            dict.pair(Name(b"Parent"), parent);
            dict.pair(Name(b"MediaBox"), Rect::new(0.0, 0.0, size.width as f32, size.height as f32));
            let mut resources = dict.insert(Name(b"Resources")).dict();
            if let Some(image) = image {
                resources.insert(Name(b"XObject")).dict().pair(page::IMAGE, image);
            }
            if let Some(font) = font {
                resources.insert(Name(b"Font")).dict().pair(text_layer::FONT, font);
            }
            resources.finish();
            dict.pair(Name(b"Contents"), contents);
        })
    }

    fn finish(mut self: Box<Self>) -> Result<(), WriteError> {
        self.tree.close(&mut self.file)?;
        if let Some(font) = &self.font {
            font.write(&mut self.file)?;
        }
        let profile = self.file.write_stream(&srgb::profile(), |dict| {
            dict.pair(Name(b"N"), 3);
        })?;
        let metadata = self.file.allocate();
        let xmp = metadata::xmp(&self.title, self.part);
        // Plain, so that programs that know no PDF find it (ISO 19005-1 § 6.7.2 forbids a filter).
        self.file.write_plain_stream(metadata, xmp.as_bytes(), |dict| {
            dict.pair(Name(b"Type"), Name(b"Metadata"));
            dict.pair(Name(b"Subtype"), Name(b"XML"));
        })?;
        let info = self.file.allocate();
        let title = self.title.clone();
        self.file.write_object(info, |object| {
            let mut dict = object.dict();
            if !title.is_empty() {
                dict.pair(Name(b"Title"), TextStr(&title));
            }
            dict.pair(Name(b"Producer"), TextStr(metadata::PRODUCER));
        })?;
        let catalog = self.file.allocate();
        self.write_catalog(catalog, metadata, profile)?;
        self.file.finish(catalog, info)
    }
}

/// The version in the header: ISO 19005-1 builds on PDF 1.4, the later parts on 1.7.
const fn version(part: PdfPart) -> &'static str {
    match part {
        PdfPart::A1b => "1.4",
        PdfPart::A2b | PdfPart::A2u | PdfPart::A3b => "1.7",
    }
}

/// Compact content: `Content` in its default settings would put a line end after each operator.
fn content() -> Content {
    Content::with_settings(pdf_writer::Settings { pretty: false })
}

#[cfg(test)]
mod tests;
