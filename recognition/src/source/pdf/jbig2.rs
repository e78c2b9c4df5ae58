//! JBIG2 images as PDF embeds them (ITU-T T.88 annex D.3).

use hayro_jbig2::{DecodeSettings, Decoder, Globals, Page};
use pagemill_domain::scan::PageDefect;

/// Decodes to packed rows, set bits black.
pub(super) fn decode(
    bytes: &[u8],
    globals: Option<Vec<u8>>,
    (width, height): (u32, u32),
) -> Result<Vec<u8>, PageDefect> {
    let damaged = |error| PageDefect::Damaged(format!("JBIG2: {error}"));
    let settings = DecodeSettings { strict: false };
    let globals = globals.map(|globals| Globals::new(&globals, &settings)).transpose().map_err(damaged)?;
    let page = Page::new_embedded(bytes, globals.as_ref(), &settings).map_err(damaged)?;
    if (page.width(), page.height()) != (width, height) {
        return Err(PageDefect::Damaged("JBIG2: the image's size contradicts its dictionary".into()));
    }
    let mut rows =
        Rows { bits: Vec::with_capacity(width.div_ceil(8) as usize * height as usize), byte: 0, used: 0 };
    page.decode(&mut rows).map_err(damaged)?;
    Ok(rows.bits)
}

/// The pixels that the coded page has; 0 where its header can't be read.
pub(super) fn coded_pixels(bytes: &[u8]) -> u64 {
    Page::new_embedded(bytes, None, &DecodeSettings { strict: false })
        .map_or(0, |page| u64::from(page.width()) * u64::from(page.height()))
}

struct Rows {
    bits: Vec<u8>,
    byte: u8,
    used: u32,
}

impl Decoder for Rows {
    fn push_pixel(&mut self, black: bool) {
        self.byte |= u8::from(black) << (7 - self.used);
        self.used += 1;
        if self.used == 8 {
            self.next_line();
        }
    }

    fn push_pixel_chunk(&mut self, black: bool, chunk_count: u32) {
        self.bits.extend(std::iter::repeat_n(if black { 0xff } else { 0 }, chunk_count as usize));
    }

    fn next_line(&mut self) {
        if self.used > 0 {
            self.bits.push(self.byte);
            (self.byte, self.used) = (0, 0);
        }
    }
}
