//! Tesseract's words of a whole page as blocks in page space.

use pagemill_domain::geometry::Rect;
use pagemill_domain::page_text::{Baseline, Block, BlockKind, Confidence, Content, Line, Paragraph, Word};
use unicode_normalization::UnicodeNormalization;

use crate::engine::tesseract::TesseractWord;
use crate::prepare::Prepared;

/// The words as blocks, paragraphs and lines, in Tesseract's order.
pub(super) fn blocks(words: &[TesseractWord], prepared: &Prepared, width: u32, height: u32) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    for line in words.chunk_by(|_, next| !next.starts_line) {
        let first = &line[0];
        let line = page_line(line, prepared, width, height);
        let bounds = line.bounds;
        let paragraph = Paragraph { lines: vec![line] };
        match blocks.last_mut() {
            Some(Block { content: Content::Paragraphs(paragraphs), bounds: of_block, .. })
                if !first.starts_block =>
            {
                *of_block = of_block.union(bounds);
                match paragraphs.last_mut() {
                    Some(last) if !first.starts_paragraph => last.lines.extend(paragraph.lines),
                    _ => paragraphs.push(paragraph),
                }
            }
            _ => blocks.push(Block {
                kind: BlockKind::Text,
                bounds,
                content: Content::Paragraphs(vec![paragraph]),
            }),
        }
    }
    blocks
}

fn page_line(words: &[TesseractWord], prepared: &Prepared, width: u32, height: u32) -> Line {
    let (first, last) = (&words[0], &words[words.len() - 1]);
    let point = |(x, y): (i32, i32)| prepared.to_page.point(f64::from(x), f64::from(y));
    let words: Vec<Word> = words.iter().map(|word| page_word(word, prepared, width, height)).collect();
    Line {
        bounds: words.iter().fold(Rect::default(), |bounds, word| bounds.union(word.bounds)),
        baseline: Baseline { start: point(first.baseline[0]), end: point(last.baseline[1]) },
        turn: prepared.turn,
        words,
    }
}

fn page_word(word: &TesseractWord, prepared: &Prepared, width: u32, height: u32) -> Word {
    let [left, top, right, bottom] =
        [word.bounds.left, word.bounds.top, word.bounds.right, word.bounds.bottom].map(f64::from);
    Word {
        text: word.text.nfc().filter(|letter| !letter.is_whitespace()).collect(),
        bounds: prepared.to_page.rect(left, top, right, bottom, width, height),
        confidence: Confidence::from_percent(f64::from(word.confidence)),
        suspect: false,
    }
}
