//! A page's image as an object: the compressed samples as they came, and a dictionary that says what they are.

use std::io::Write;

use pagemill_domain::hash::ContentHash;
use pagemill_domain::page_image::{Coding, PageImage, PixelFormat};
use pdf_writer::{Dict, Finish, Name, Ref, Str};

use super::file::PdfFile;
use crate::document::{SourcedImage, WriteError};

/// Writes the images of a file. The pages of one JBIG2 source share their global segments; so they do here.
#[derive(Default)]
pub(super) struct Images {
    last_globals: Option<(ContentHash, Ref)>,
}

impl Images {
    /// Writes the image of a page.
    pub(super) fn write<W: Write>(
        &mut self,
        file: &mut PdfFile<W>,
        page: u32,
        sourced: SourcedImage<'_>,
    ) -> Result<Ref, WriteError> {
        let image = sourced.image;
        check(page, image)?;
        let globals = match &image.coding {
            Coding::Jbig2 { globals: Some(bytes) } => Some(self.globals(file, bytes)?),
            _ => None,
        };
        file.write_image_stream(page, sourced, |dict| {
            dict.pair(Name(b"Type"), Name(b"XObject"));
            dict.pair(Name(b"Subtype"), Name(b"Image"));
            dict.pair(Name(b"Width"), image.width as i32);
            dict.pair(Name(b"Height"), image.height as i32);
            dict.pair(Name(b"BitsPerComponent"), i32::from(image.pixels.bits()));
            color_space(dict, &image.pixels);
            if is_inverted(image) {
                dict.insert(Name(b"Decode")).array().items([1, 0]);
            }
            filter(dict, image, globals);
        })
    }

    fn globals<W: Write>(&mut self, file: &mut PdfFile<W>, bytes: &[u8]) -> Result<Ref, WriteError> {
        let hash = ContentHash::of(bytes);
        if let Some((_, id)) = self.last_globals.filter(|(last, _)| *last == hash) {
            return Ok(id);
        }
        let id = file.allocate();
        file.write_plain_stream(id, bytes, |_| {})?;
        self.last_globals = Some((hash, id));
        Ok(id)
    }
}

/// What a dictionary can't say truly is refused: it would be a page that shows nonsense.
fn check(page: u32, image: &PageImage) -> Result<(), WriteError> {
    let problem = match (&image.coding, &image.pixels) {
        _ if image.width == 0 || image.height == 0 => "an image without pixels",
        _ if image.width > i32::MAX as u32 || image.height > i32::MAX as u32 => {
            "an image too wide or high for PDF"
        }
        (Coding::G4 | Coding::Jbig2 { .. }, PixelFormat::Bitonal { .. })
        | (Coding::FlatePng, _)
        | (Coding::Jpeg | Coding::Jpx, PixelFormat::Grey { bits: 8 } | PixelFormat::Rgb)
        | (Coding::Jpx, PixelFormat::Palette { .. }) => return Ok(()),
        (Coding::G4 | Coding::Jbig2 { .. }, _) => "a bitonal coding of samples that are not bitonal",
        (Coding::FlateTiff { .. }, _) => "rows as only a TIFF stores them",
        (Coding::Jpeg | Coding::Jpx, _) => "a JPEG of samples that are neither 8 bit grey nor colour",
    };
    Err(WriteError::Image { page, problem })
}

/// Device colour spaces: the output intent says that they mean sRGB.
fn color_space(dict: &mut Dict<'_>, pixels: &PixelFormat) {
    let mut space = |name: &[u8]| {
        dict.pair(Name(b"ColorSpace"), Name(name));
    };
    match pixels {
        PixelFormat::Bitonal { .. } | PixelFormat::Grey { .. } => space(b"DeviceGray"),
        PixelFormat::Rgb => space(b"DeviceRGB"),
        PixelFormat::Palette { entries, .. } => {
            let highest = (entries.len() / 3).saturating_sub(1).min(255);
            let mut space = dict.insert(Name(b"ColorSpace")).array();
            space.item(Name(b"Indexed")).item(Name(b"DeviceRGB")).item(highest as i32);
            space.item(Str(&entries[..entries.len().min((highest + 1) * 3)]));
        }
    }
}

/// In a PDF a bit of 0 is black. The fax and JBIG2 decoders give 0 for what their coding calls black (PDF Reference
/// 1.4, §§ 3.3.5 and 3.3.6), so there the plain case is that black is what the coding calls black.
fn is_inverted(image: &PageImage) -> bool {
    match (&image.pixels, &image.coding) {
        (PixelFormat::Bitonal { black_is_one }, Coding::G4 | Coding::Jbig2 { .. }) => !black_is_one,
        (PixelFormat::Bitonal { black_is_one }, _) => *black_is_one,
        _ => false,
    }
}

fn filter(dict: &mut Dict<'_>, image: &PageImage, globals: Option<Ref>) {
    let filter = match &image.coding {
        Coding::Jpeg => Name(b"DCTDecode"),
        Coding::G4 => Name(b"CCITTFaxDecode"),
        Coding::Jbig2 { .. } => Name(b"JBIG2Decode"),
        Coding::Jpx => Name(b"JPXDecode"),
        Coding::FlatePng | Coding::FlateTiff { .. } => Name(b"FlateDecode"),
    };
    dict.pair(Name(b"Filter"), filter);
    match &image.coding {
        Coding::G4 => {
            let mut parameters = dict.insert(Name(b"DecodeParms")).dict();
            parameters.pair(Name(b"K"), -1);
            parameters.pair(Name(b"Columns"), image.width as i32);
            parameters.pair(Name(b"Rows"), image.height as i32);
        }
        Coding::FlatePng => {
            let mut parameters = dict.insert(Name(b"DecodeParms")).dict();
            parameters.pair(Name(b"Predictor"), 15);
            parameters.pair(Name(b"Colors"), i32::from(image.pixels.samples()));
            parameters.pair(Name(b"BitsPerComponent"), i32::from(image.pixels.bits()));
            parameters.pair(Name(b"Columns"), image.width as i32);
        }
        Coding::Jbig2 { .. } => {
            if let Some(globals) = globals {
                dict.insert(Name(b"DecodeParms")).dict().pair(Name(b"JBIG2Globals"), globals).finish();
            }
        }
        Coding::Jpeg | Coding::Jpx | Coding::FlateTiff { .. } => {}
    }
}
