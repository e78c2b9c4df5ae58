//! A page that is drawn in code: warming up must not open a file.

use pagemill_domain::scan::Dpi;

use crate::prepare::grey::Grey;
use crate::scan::Scan;

/// Size in pixels, at 300 dpi: a calling card. Every child reads it before its first page, so it is as small as it can
/// be: with fewer letters orientation detection gives up before it has touched all of its tables.
const WIDTH: usize = 620;
const HEIGHT: usize = 340;

/// Letters as rows of five bits: H, E, L, O, T, A, N, I.
const LETTERS: [[u8; 7]; 8] = [
    [17, 17, 17, 31, 17, 17, 17],
    [31, 16, 16, 30, 16, 16, 31],
    [16, 16, 16, 16, 16, 16, 31],
    [14, 17, 17, 17, 17, 17, 14],
    [31, 4, 4, 4, 4, 4, 4],
    [14, 17, 17, 31, 17, 17, 17],
    [17, 25, 21, 19, 17, 17, 17],
    [14, 4, 4, 4, 4, 4, 14],
];

/// Size of a letter's dot in pixels: capitals 28 pixels high, those of 10 point.
const DOT: usize = 4;

/// Three lines of words; `None` without memory for the image.
pub(super) fn scan() -> Option<Scan> {
    let mut page = Grey::filled(WIDTH, HEIGHT, 235);
    for line in 0..3 {
        let mut left = 120;
        for letter in 0..12_usize {
            if letter % 6 != 5 {
                draw(&mut page, LETTERS[(letter * 3 + line) % LETTERS.len()], left, 100 + line * 70);
            }
            left += 7 * DOT;
        }
    }
    Some(Scan { pix: page.to_pix()?, dpi: Dpi::square(300) })
}

fn draw(page: &mut Grey, letter: [u8; 7], left: usize, top: usize) {
    for (row, bits) in letter.iter().enumerate() {
        for column in (0..5).filter(|column| bits & (16 >> column) != 0) {
            for y in 0..DOT {
                let start = left + column * DOT;
                page.row_mut(top + row * DOT + y)[start..start + DOT].fill(30);
            }
        }
    }
}
