//! What the pages say: paragraphs, heads and cells of the samples' truth.

use std::error::Error;
use std::path::Path;

use super::chance::Chance;

/// Texts to choose from.
pub(super) struct Texts {
    paragraphs: Vec<String>,
    cells: Vec<String>,
    heads: Vec<Vec<String>>,
}

/// A paragraph has at least so many letters; shorter ones are headings and entries.
const PARAGRAPH_LETTERS_MIN: usize = 110;

/// Lines of a document's head: three pairs, the kind of document and its subject.
const HEAD_LINES: usize = 8;

impl Texts {
    pub(super) fn load(samples: &Path) -> Result<Self, Box<dyn Error>> {
        let mut files: Vec<_> =
            std::fs::read_dir(samples)?.filter_map(|entry| Some(entry.ok()?.path())).collect();
        files.retain(|file| file.extension().is_some_and(|extension| extension == "json"));
        files.sort();
        let mut texts = Self { paragraphs: Vec::new(), cells: Vec::new(), heads: Vec::new() };
        for file in files {
            let truth: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(file)?)?;
            texts.add(truth["blocks"].as_array().ok_or("no blocks")?);
        }
        Ok(texts)
    }

    fn add(&mut self, blocks: &[serde_json::Value]) {
        let of_kind = |kind: &'static str| blocks.iter().filter(move |block| block["type"] == kind);
        let texts = |kind| of_kind(kind).filter_map(|block| Some(block["text"].as_str()?.to_owned()));
        self.paragraphs
            .extend(texts("paragraph").filter(|text| text.chars().count() >= PARAGRAPH_LETTERS_MIN));
        let head: Vec<String> = texts("heading").collect();
        if head.len() == HEAD_LINES {
            self.heads.push(head);
        }
        let rows = of_kind("table").filter_map(|block| block["rows"].as_array()).flatten();
        let cells = rows.filter_map(|row| row.as_array()).flatten().filter_map(|cell| cell.as_str());
        let is_words = |cell: &&str| cell.chars().filter(|letter| letter.is_alphabetic()).count() >= 6;
        self.cells.extend(cells.filter(is_words).map(str::to_owned));
    }

    pub(super) fn paragraph(&self, chance: &mut Chance) -> String {
        chance.pick(&self.paragraphs).clone()
    }

    pub(super) fn head(&self, chance: &mut Chance) -> Vec<String> {
        chance.pick(&self.heads).clone()
    }

    /// Words for a table's cell, at most `words_max`.
    pub(super) fn cell(&self, chance: &mut Chance, words_max: usize) -> String {
        let text = chance.pick(&self.cells);
        text.split(' ').take(words_max).collect::<Vec<_>>().join(" ")
    }

    /// An amount of money: `12.345`.
    pub(super) fn amount(chance: &mut Chance) -> String {
        format!("{}.{:03}", chance.below(98) + 1, chance.below(1000))
    }
}
