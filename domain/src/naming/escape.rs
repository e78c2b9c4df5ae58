//! Names of files as text that loses nothing: a file name is any bytes but NUL and `/`, and some text deceives.

/// The bytes of a path or file name as text. What is not UTF-8, controls, directs the eye (bidirectional overrides)
/// or can't be seen is written as `%` and two hexadecimal digits a byte, as is `%` itself; [`unescape`] turns it back.
#[must_use]
pub fn escape(name: &[u8]) -> String {
    let mut text = String::with_capacity(name.len());
    for chunk in name.utf8_chunks() {
        for character in chunk.valid().chars() {
            if character == '%' || deceives(character) {
                push_escaped(&mut text, character);
            } else {
                text.push(character);
            }
        }
        chunk.invalid().iter().for_each(|&byte| push_byte(&mut text, byte));
    }
    text
}

/// The bytes that [`escape`] made `text` of.
#[must_use]
pub fn unescape(text: &str) -> Vec<u8> {
    let mut name = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let escaped = (byte == b'%').then(|| after.first_chunk::<2>().copied().and_then(hex_byte)).flatten();
        name.push(escaped.unwrap_or(byte));
        rest = if escaped.is_some() { &after[2..] } else { after };
    }
    name
}

/// Whether a character controls the terminal or the eye instead of showing itself (Unicode 16, categories Cc, Cf in
/// use for layout, Zl, Zp).
pub(super) fn deceives(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Appends `character`, each of its bytes escaped.
pub(super) fn push_escaped(text: &mut String, character: char) {
    character.encode_utf8(&mut [0; 4]).bytes().for_each(|byte| push_byte(text, byte));
}

fn push_byte(text: &mut String, byte: u8) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    text.push('%');
    text.push(char::from(DIGITS[usize::from(byte >> 4)]));
    text.push(char::from(DIGITS[usize::from(byte & 0xf)]));
}

fn hex_byte(digits: [u8; 2]) -> Option<u8> {
    let value = |digit: u8| char::from(digit).to_digit(16);
    Some((value(digits[0])? * 16 + value(digits[1])?) as u8)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn plain_names_stay_as_they_are() {
        for name in ["Quyết định số 12.jpg", "a/b c/d-1.tif", "báo cáo.pdf"] {
            assert_eq!(escape(name.as_bytes()), name);
        }
    }

    #[test]
    fn what_deceives_is_written_out() {
        assert_eq!(escape(b"caf\xe9.jpg"), "caf%E9.jpg");
        assert_eq!(escape("a\u{202e}gpj.exe".as_bytes()), "a%E2%80%AEgpj.exe");
        assert_eq!(escape(b"100%\n\x1b[2J"), "100%25%0A%1B[2J");
    }

    #[test]
    fn text_that_was_never_escaped_reads_as_itself() {
        assert_eq!(unescape("100% %zz %4"), b"100% %zz %4");
    }

    proptest! {
        #[test]
        fn nothing_is_lost(name: Vec<u8>) {
            prop_assert_eq!(unescape(&escape(&name)), name);
        }

        #[test]
        fn escaped_text_can_be_shown(name: Vec<u8>) {
            prop_assert!(!escape(&name).chars().any(deceives));
        }
    }
}
