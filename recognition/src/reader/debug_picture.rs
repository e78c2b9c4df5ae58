//! A picture of what was seen, for a person to look at: lines by confidence, cells, blocks, reading order.

use image::{ExtendedColorType, ImageEncoder, codecs::png::PngEncoder};
use pagemill_domain::geometry::Rect;
use pagemill_domain::page_text::{BlockKind, Content, Line, PageText};

use crate::prepare::{channel, scale};
use crate::scan::Scan;

/// Longer side of the picture in pixels: small print can still be made out.
const LONG_SIDE: usize = 1_800;

const BLUE: [u8; 3] = [40, 90, 230];
const VIOLET: [u8; 3] = [170, 60, 200];
const TURQUOISE: [u8; 3] = [0, 160, 170];

/// Draws what was read over the page, as a PNG; `None` where it can't be encoded.
///
/// Lines are framed from green (sure) to red (doubtful), table cells turquoise, blocks blue, stamps and signatures
/// violet; a violet thread runs from line to line in reading order.
#[must_use]
pub fn debug_picture(scan: &Scan, text: &PageText) -> Option<Vec<u8>> {
    let mut canvas = Canvas::of(scan);
    let mut last: Option<(i64, i64)> = None;
    for block in &text.blocks {
        let colour = match block.kind {
            BlockKind::Stamp | BlockKind::Signature => VIOLET,
            _ => BLUE,
        };
        canvas.frame(block.bounds, colour, 4);
        if let Content::Table(table) = &block.content {
            table.cells.iter().for_each(|cell| canvas.frame(cell.bounds, TURQUOISE, 0));
        }
        for line in block.lines() {
            canvas.frame(line.bounds, shade(line), 1);
            let start = canvas.place(line.baseline.start.x, line.baseline.start.y);
            if let Some(last) = last {
                canvas.thread(last, start);
            }
            last = Some(start);
        }
    }
    canvas.png()
}

/// Green at full confidence, red at half and below.
fn shade(line: &Line) -> [u8; 3] {
    let count = line.words.len().max(1) as u32;
    let mean = line.words.iter().map(|word| u32::from(word.confidence.percent())).sum::<u32>() / count;
    let sure = (mean.clamp(50, 100) - 50) * 255 / 50;
    [(255 - sure) as u8, (sure * 3 / 4) as u8, 30]
}

struct Canvas {
    width: i64,
    height: i64,
    samples: Vec<u8>,
    factor: f64,
}

impl Canvas {
    /// The page in pale grey.
    fn of(scan: &Scan) -> Self {
        let full = channel::brightest(&scan.pix);
        let factor = (LONG_SIDE as f64 / full.width.max(full.height).max(1) as f64).min(1.0);
        let size = |length: usize| ((length as f64 * factor) as usize).max(1);
        let grey = scale::to_size(&full, size(full.width), size(full.height));
        let samples = grey.samples.iter().flat_map(|&sample| [128 + sample / 2; 3]).collect();
        Self { width: grey.width as i64, height: grey.height as i64, samples, factor }
    }

    fn place(&self, x: i32, y: i32) -> (i64, i64) {
        ((f64::from(x) * self.factor) as i64, (f64::from(y) * self.factor) as i64)
    }

    fn dot(&mut self, x: i64, y: i64, colour: [u8; 3]) {
        if (0..self.width).contains(&x) && (0..self.height).contains(&y) {
            let at = ((y * self.width + x) * 3) as usize;
            self.samples[at..at + 3].copy_from_slice(&colour);
        }
    }

    fn frame(&mut self, bounds: Rect, colour: [u8; 3], margin: i64) {
        let (left, top) = self.place(bounds.left as i32, bounds.top as i32);
        let (right, bottom) = self.place(bounds.right as i32, bounds.bottom as i32);
        let (left, top, right, bottom) = (left - margin, top - margin, right + margin, bottom + margin);
        for x in left..=right {
            self.dot(x, top, colour);
            self.dot(x, bottom, colour);
        }
        for y in top..=bottom {
            self.dot(left, y, colour);
            self.dot(right, y, colour);
        }
    }

    fn thread(&mut self, from: (i64, i64), to: (i64, i64)) {
        let steps = (to.0 - from.0).abs().max((to.1 - from.1).abs()).max(1);
        for step in 0..=steps {
            self.dot(
                from.0 + (to.0 - from.0) * step / steps,
                from.1 + (to.1 - from.1) * step / steps,
                VIOLET,
            );
        }
    }

    fn png(self) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        PngEncoder::new(&mut bytes)
            .write_image(&self.samples, self.width as u32, self.height as u32, ExtendedColorType::Rgb8)
            .ok()?;
        Some(bytes)
    }
}

#[cfg(test)]
mod tests {
    use pagemill_domain::page_text::Block;
    use pagemill_domain::scan::Dpi;

    use super::*;
    use crate::prepare::grey::Grey;

    #[test]
    fn it_frames_what_was_read_and_survives_places_off_the_page() {
        let page = Grey::filled(200, 100, 255);
        let scan = Scan { pix: page.to_pix().unwrap(), dpi: Dpi::square(300) };
        let block =
            |bounds| Block { kind: BlockKind::Text, bounds, content: Content::Paragraphs(Vec::new()) };
        let blocks = vec![block(Rect::new(50, 30, 120, 60)), block(Rect::new(190, 90, 900, 900))];
        let text = PageText { width: 200, height: 100, blocks, ..PageText::default() };
        let picture = image::load_from_memory(&debug_picture(&scan, &text).unwrap()).unwrap().into_rgb8();
        assert_eq!(picture.dimensions(), (200, 100));
        assert_eq!(picture.get_pixel(46, 40).0, BLUE);
        assert_eq!(picture.get_pixel(20, 10).0, [255; 3]);
    }
}
