//! The font of the invisible text: one glyph for each character that the document uses, in order of first use.

use std::collections::HashMap;
use std::io::Write;

use pdf_writer::types::{CidFontType, FontFlags, SystemInfo, UnicodeCmap};
use pdf_writer::writers::{CidFont, FontDescriptor, Type0Font};
use pdf_writer::{Name, Rect, Ref, Str};

use super::file::PdfFile;
use super::truetype::{self, ADVANCE, ASCENT, DESCENT, UNITS_PER_EM};
use crate::document::WriteError;

/// Not a subset of another font, so it has no subset's tag.
const NAME: Name<'static> = Name(b"PagemillGlyphless");

const SYSTEM: SystemInfo<'static> =
    SystemInfo { registry: Str(b"Adobe"), ordering: Str(b"Identity"), supplement: 0 };

/// Code of the space. Code 0 is `.notdef`, which text may not use (ISO 19005-2 § 6.2.11.8).
pub(super) const SPACE: u16 = 1;

/// Code of U+FFFD, which stands for what finds no place among the codes.
const REPLACEMENT: u16 = 2;

/// The font and the characters that were used so far: 4 bytes and a map entry each.
pub(super) struct Font {
    id: Ref,
    codes: HashMap<char, u16>,
    /// The character of each code from 1 on.
    characters: Vec<char>,
}

impl Font {
    pub(super) fn new(id: Ref) -> Self {
        let characters = vec![' ', char::REPLACEMENT_CHARACTER];
        Self {
            id,
            codes: HashMap::from([(' ', SPACE), (char::REPLACEMENT_CHARACTER, REPLACEMENT)]),
            characters,
        }
    }

    /// The font's number, for the pages' resources.
    pub(super) const fn id(&self) -> Ref {
        self.id
    }

    /// The code of a character.
    pub(super) fn code(&mut self, letter: char) -> u16 {
        if let Some(&code) = self.codes.get(&letter) {
            return code;
        }
        let code = self.characters.len() as u16 + 1;
        if code == u16::MAX {
            return REPLACEMENT;
        }
        self.characters.push(letter);
        self.codes.insert(letter, code);
        code
    }

    /// Writes the font; no page may use another character after that.
    pub(super) fn write<W: Write>(&self, file: &mut PdfFile<W>) -> Result<(), WriteError> {
        let glyphs = self.characters.len() as u16 + 1;
        let program = truetype::font(glyphs);
        let program_id = file.write_stream(&program, |dict| {
            dict.pair(Name(b"Length1"), program.len() as i32);
        })?;
        let descriptor_id = file.allocate();
        file.write_object(descriptor_id, |object| {
            let mut descriptor: FontDescriptor<'_> = object.start();
            descriptor.name(NAME).flags(FontFlags::FIXED_PITCH | FontFlags::SYMBOLIC);
            descriptor.bbox(Rect::new(0.0, f32::from(DESCENT), f32::from(ADVANCE), f32::from(ASCENT)));
            descriptor.italic_angle(0.0).ascent(f32::from(ASCENT)).descent(f32::from(DESCENT));
            descriptor.cap_height(f32::from(ASCENT)).stem_v(80.0).font_file2(program_id);
        })?;
        let cid_font_id = file.allocate();
        file.write_object(cid_font_id, |object| {
            let mut font: CidFont<'_> = object.start();
            font.subtype(CidFontType::Type2).base_font(NAME).system_info(SYSTEM);
            font.font_descriptor(descriptor_id);
            font.default_width(f32::from(ADVANCE) * 1000.0 / f32::from(UNITS_PER_EM));
            font.cid_to_gid_map_predefined(Name(b"Identity"));
        })?;
        let cmap_id = file.write_stream(&self.to_unicode(), |_| {})?;
        file.write_object(self.id, |object| {
            let mut font: Type0Font<'_> = object.start();
            font.base_font(NAME).encoding_predefined(Name(b"Identity-H"));
            font.descendant_font(cid_font_id).to_unicode(cmap_id);
        })
    }

    /// What each code means.
    fn to_unicode(&self) -> Vec<u8> {
        let mut cmap = UnicodeCmap::<u16>::new(Name(b"Custom"), SYSTEM);
        for (&letter, code) in self.characters.iter().zip(1..) {
            cmap.pair(code, letter);
        }
        cmap.finish().into_vec()
    }
}
