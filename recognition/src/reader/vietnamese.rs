//! Words that Vietnamese cannot have: marked as suspect, never changed.
//!
//! A syllable carries one tone at most, and only on a vowel; one that ends in a stop (c, ch, p, t) carries sắc or nặng
//! alone (the language's phonology; every grammar has the rule).

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Grave (huyền), hook above (hỏi), tilde (ngã).
const NOT_BEFORE_STOPS: [char; 3] = ['\u{300}', '\u{309}', '\u{303}'];

/// All five tones: those and acute (sắc), dot below (nặng).
const TONES: [char; 5] = ['\u{300}', '\u{309}', '\u{303}', '\u{301}', '\u{323}'];

/// Whether a word breaks the rules. Words joined by other signs ("Hà-Nội", "tỉnh/thành") are looked at part by part.
#[must_use]
pub(super) fn is_suspect(word: &str) -> bool {
    word.split(|letter: char| !letter.is_alphabetic() && !is_combining_mark(letter)).any(is_suspect_syllable)
}

fn is_suspect_syllable(syllable: &str) -> bool {
    let letters: Vec<char> = syllable.nfd().flat_map(char::to_lowercase).collect();
    let tones: Vec<usize> = (0..letters.len()).filter(|&at| TONES.contains(&letters[at])).collect();
    let Some(&tone) = tones.first() else { return false };
    let base = letters[..tone].iter().rev().find(|letter| letter.is_alphabetic());
    let on_vowel = base.is_some_and(|letter| "aeiouy".contains(*letter));
    let plain: Vec<char> = letters.iter().copied().filter(|letter| letter.is_alphabetic()).collect();
    let stop = plain.ends_with(&['c', 'h']) || plain.last().is_some_and(|last| "cpt".contains(*last));
    tones.len() > 1 || !on_vowel || (stop && NOT_BEFORE_STOPS.contains(&letters[tone]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn impossible_syllables_are_suspect_and_real_ones_are_not() {
        for word in ["cảc", "thưc̀", "tḧỉ́nh", "bằt", "ñam", "tổt", "Mởc"] {
            assert!(is_suspect(word), "{word}");
        }
        let real = "Cộng hòa xã hội chủ nghĩa Việt Nam Độc lập Tự do Hạnh phúc 3898/TB-STC quyết định, \
                    tỉnh/thành Đắk Lắk Internet UBND khuyếch trương nghiêng ngả (triệu đồng)";
        for word in real.split_whitespace() {
            assert!(!is_suspect(word), "{word}");
        }
    }
}
