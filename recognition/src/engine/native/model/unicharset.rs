//! The characters that a model knows.

use super::ModelError;

/// Most characters of a model; the largest scripts have some 20,000.
const CHARACTERS_MAX: usize = 1 << 17;

/// The space is always the first character.
pub(in super::super) const SPACE_ID: u32 = 0;

/// The bit of the properties that marks digits.
const DIGIT: u32 = 8;

/// The characters of a model by their id.
#[derive(Debug)]
pub(in super::super) struct Unicharset {
    characters: Vec<Character>,
    spaced: bool,
}

#[derive(Debug)]
struct Character {
    text: String,
    digit: bool,
    spaced: bool,
}

impl Unicharset {
    /// Reads the component: a count line, then a line for each character: its text, its properties in hexadecimal,
    /// its metrics (with commas; absent in old files), its script, and more that is not needed here.
    pub(super) fn read(component: &[u8]) -> Result<Self, ModelError> {
        let text = String::from_utf8_lossy(component);
        let mut lines = text.lines();
        let count: usize = lines
            .next()
            .and_then(|line| line.trim().parse().ok())
            .ok_or(ModelError::Malformed("number of characters"))?;
        if count > CHARACTERS_MAX {
            return Err(ModelError::TooMany { what: "characters", found: count, max: CHARACTERS_MAX });
        }
        let characters: Vec<Character> = lines.take(count).map(Character::parse).collect();
        if characters.len() < count || count == 0 {
            return Err(ModelError::Truncated("character set"));
        }
        // Tesseract's rule: a language that has one of these scripts puts no spaces between words.
        let spaced = !text.lines().any(|line| matches!(script(line), "Han" | "Katakana" | "Thai"));
        Ok(Self { characters, spaced })
    }

    /// How many characters there are.
    pub(in super::super) fn len(&self) -> usize {
        self.characters.len()
    }

    /// The text of a character; empty for an unknown id.
    pub(in super::super) fn text(&self, id: u32) -> &str {
        self.characters.get(id as usize).map_or("", |character| &character.text)
    }

    /// Whether the character is a decimal digit.
    pub(in super::super) fn is_digit(&self, id: u32) -> bool {
        self.characters.get(id as usize).is_some_and(|character| character.digit)
    }

    /// Whether words of this character have spaces between them.
    pub(in super::super) fn is_spaced(&self, id: u32) -> bool {
        self.characters.get(id as usize).is_none_or(|character| character.spaced)
    }

    /// Whether the whole language puts spaces between words.
    pub(in super::super) fn is_spaced_language(&self) -> bool {
        self.spaced
    }

    /// The characters of a text, each as long as possible; `None` where one is not known.
    pub(in super::super) fn encode(&self, text: &str) -> Option<Vec<u32>> {
        let mut rest = text;
        let mut ids = Vec::new();
        while !rest.is_empty() {
            let (id, character) = (self.characters.iter().enumerate())
                .filter(|(_, character)| !character.text.is_empty() && rest.starts_with(&character.text))
                .max_by_key(|(_, character)| character.text.len())?;
            ids.push(id as u32);
            rest = &rest[character.text.len()..];
        }
        Some(ids)
    }
}

impl Character {
    fn parse(line: &str) -> Self {
        let mut fields = line.split(' ');
        let text = match fields.next().unwrap_or_default() {
            "NULL" => " ",
            text => text,
        };
        let properties = fields.next().and_then(|field| u32::from_str_radix(field, 16).ok()).unwrap_or(0);
        let spaced = !matches!(script(line), "Han" | "Thai" | "Hangul" | "Hiragana" | "Katakana");
        Self { text: text.to_owned(), digit: properties & DIGIT != 0, spaced }
    }
}

/// The script in a character's line: the third field, or the fourth where the third holds metrics.
fn script(line: &str) -> &str {
    let mut fields = line.split(' ').skip(2);
    match fields.next() {
        Some(metrics) if metrics.contains(',') => fields.next().unwrap_or_default(),
        field => field.unwrap_or_default(),
    }
}
