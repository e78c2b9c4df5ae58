//! The text that a page has already, as a page text: for pages that are kept.
//!
//! Words and lines are formed from the places of the glyphs, in the order in which the page paints them; that is reading
//! order in what OCR programs and word processors write. What a font maps to no character is left out.

use hayro_interpret::font::{Glyph, GlyphRun, PositionedGlyph};
use hayro_interpret::hayro_cmap::BfString;
use hayro_interpret::hayro_syntax::page::Page;
use hayro_interpret::kurbo::{Affine, BezPath, Point, Vec2};
use hayro_interpret::{BlendMode, ClipPath, Device, DrawMode, DrawProps, Image, ImageDrawProps, SoftMask};
use pagemill_domain::page_text::PageText;

use super::survey::interpret;
use super::text_lines::lines_to_page;
use crate::source::header::Header;

/// Glyphs of one page that are read; the densest newspaper page has a tenth.
const GLYPHS_MAX: usize = 500_000;

/// Units of a font's em (ISO 32000-1 § 9.2.4).
const UNITS_PER_EM: f64 = 1_000.0;

/// The advance of a glyph that has none, in em.
const ADVANCE_ASSUMED: f64 = 0.5;

/// A character or ligature where it stands, in page space.
#[derive(Debug, Clone)]
pub(super) struct Letter {
    pub(super) text: String,
    /// On the baseline.
    pub(super) start: Point,
    /// Where the next letter would start.
    pub(super) end: Point,
    /// From the baseline one em up.
    pub(super) em: Vec2,
}

/// Whether a glyph is a space, or nothing at all.
pub(super) fn is_white_space(glyph: &PositionedGlyph<'_>) -> bool {
    characters(glyph)
        .is_some_and(|text| text.chars().all(|letter| letter.is_whitespace() || letter.is_control()))
}

/// The page's text; `None` where it has none.
pub(super) fn read(page: &Page<'_>, image: &Header) -> Option<PageText> {
    let (points_wide, points_high) = page.render_dimensions();
    let (width, height) = image.displayed_size();
    let to_pixels = Affine::scale_non_uniform(
        f64::from(width) / f64::from(points_wide),
        f64::from(height) / f64::from(points_high),
    );
    let mut reader = Reader { to_pixels, last_run: None, letters: Vec::new() };
    interpret(page, &mut reader);
    let (dpi, _) = image.displayed_dpi();
    lines_to_page(&reader.letters, PageText { width, height, dpi, ..PageText::default() })
}

fn characters(glyph: &PositionedGlyph<'_>) -> Option<String> {
    glyph.as_unicode().map(|text| match text {
        BfString::Char(letter) => letter.to_string(),
        BfString::String(letters) => letters,
    })
}

struct Reader {
    to_pixels: Affine,
    /// Where the last run stood: text that is filled and stroked comes twice.
    last_run: Option<Affine>,
    letters: Vec<Letter>,
}

impl Reader {
    fn add(&mut self, glyph: &PositionedGlyph<'_>, transform: Affine) {
        let Some(text) = characters(glyph).filter(|_| self.letters.len() < GLYPHS_MAX) else { return };
        let advance = match &**glyph {
            Glyph::Outline(outline) => outline.advance_width(),
            Glyph::Type3(drawn) => drawn.advance_width(),
        };
        let advance = advance.map_or(ADVANCE_ASSUMED * UNITS_PER_EM, f64::from);
        let transform = self.to_pixels * transform * glyph.transform();
        let start = transform * Point::ZERO;
        self.letters.push(Letter {
            text,
            start,
            end: transform * Point::new(advance, 0.0),
            em: transform * Point::new(0.0, UNITS_PER_EM) - start,
        });
    }
}

impl<'a> Device<'a> for Reader {
    fn draw_glyph_run(&mut self, run: &GlyphRun<'_, 'a>, props: DrawProps<'a>, _: &DrawMode) {
        let place = run.glyphs().first().map(|glyph| props.transform * glyph.transform());
        if self.last_run == place {
            return;
        }
        self.last_run = place;
        for glyph in run.glyphs() {
            self.add(glyph, props.transform);
        }
    }

    fn draw_path(&mut self, _: &BezPath, _: DrawProps<'a>, _: &DrawMode) {}
    fn push_clip_path(&mut self, _: &ClipPath) {}
    fn push_transparency_group(&mut self, _: f32, _: Option<SoftMask<'a>>, _: BlendMode) {}
    fn draw_image(&mut self, _: Image<'a, '_>, _: ImageDrawProps<'a>) {}
    fn pop_clip(&mut self) {}
    fn pop_transparency_group(&mut self) {}
}
