//! Which characters an artifact may carry.

use std::borrow::Cow;

use pagemill_domain::page_text::{Line, Word};

/// The words of a line that have something to show, each with its text as artifacts carry it.
pub(crate) fn shown_words(line: &Line) -> impl Iterator<Item = (Cow<'_, str>, &Word)> {
    line.words.iter().map(|word| (shown(&word.text), word)).filter(|(text, _)| !text.is_empty())
}

/// The text of a line as artifacts carry it: its words with a space between them.
pub(crate) fn shown_line(line: &Line) -> String {
    let words: Vec<_> = shown_words(line).map(|(text, _)| text).collect();
    words.join(" ")
}

/// `text` without what no artifact may carry. White space of any kind becomes a space: a tab or a line end inside a
/// word would break TSV and text.
pub(crate) fn shown(text: &str) -> Cow<'_, str> {
    if text.chars().all(|letter| is_shown(letter) && (letter == ' ' || !letter.is_whitespace())) {
        return Cow::Borrowed(text);
    }
    let letters = text.chars().map(|letter| if letter.is_whitespace() { ' ' } else { letter });
    Cow::Owned(letters.filter(|&letter| is_shown(letter)).collect())
}

/// Controls (XML 1.0 § 2.2 forbids most), the byte order mark and noncharacters (ISO 19005-2 § 6.2.11.7.2 forbids
/// U+FEFF and U+FFFE as the meaning of a glyph) carry no text.
fn is_shown(letter: char) -> bool {
    let nonchar = (letter as u32) & 0xFFFE == 0xFFFE || ('\u{FDD0}'..='\u{FDEF}').contains(&letter);
    !letter.is_control() && letter != '\u{FEFF}' && !nonchar
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn controls_go_and_white_space_becomes_a_space() {
        assert_eq!(shown("quyết"), "quyết");
        assert_eq!(shown("a\tb\r\nc\u{0}\u{1b}[31m\u{feff}\u{fffe}"), "a b  c[31m");
        assert_eq!(shown("\u{7}"), "");
    }

    proptest! {
        #[test]
        fn whatever_comes_in_is_clean_and_stays_so(text in any::<String>()) {
            let once = shown(&text).into_owned();
            let is_clean = !once.chars().any(|letter| letter.is_control() || letter == '\u{FFFF}');
            prop_assert!(is_clean);
            prop_assert_eq!(shown(&once), once.as_str());
        }
    }
}
