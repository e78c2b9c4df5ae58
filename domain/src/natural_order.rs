//! The order in which people expect numbered files: `trang 2` before `trang 10`.

use unicode_normalization::UnicodeNormalization;

/// Stands between the components of a path: below every character, so that a folder's files follow it at once.
const SEPARATOR: u8 = 0x01;
/// Stands before the spelling that breaks ties: below the separator, so that a shorter path comes first.
const TIE: u8 = 0x00;
/// Stands before a number, in the place that digits have among the characters.
const NUMBER: u8 = b'0';

/// A key whose bytes compare as `path` sorts: component by component, numbers by value, letters without regard to
/// case or to how their accents are composed. Paths that differ in nothing else follow their bytes, so the order is
/// total and the same everywhere. Components are separated by `/`.
#[must_use]
pub fn natural_key(path: &str) -> Vec<u8> {
    let mut key = Vec::with_capacity(2 * path.len() + 8);
    let mut digits = Vec::new();
    for character in path.nfc().flat_map(char::to_lowercase) {
        match character {
            '0'..='9' => digits.push(character as u8),
            '/' => {
                push_number(&mut key, &mut digits);
                key.push(SEPARATOR);
            }
            other => {
                push_number(&mut key, &mut digits);
                key.extend_from_slice(other.encode_utf8(&mut [0; 4]).as_bytes());
            }
        }
    }
    push_number(&mut key, &mut digits);
    key.push(TIE);
    key.extend_from_slice(path.as_bytes());
    key
}

/// Longer numbers are larger once leading zeros are gone; numbers of one length compare digit by digit.
fn push_number(key: &mut Vec<u8>, digits: &mut Vec<u8>) {
    if digits.is_empty() {
        return;
    }
    let significant = digits.iter().position(|&digit| digit != b'0').unwrap_or(digits.len());
    let value = &digits[significant..];
    key.push(NUMBER);
    key.extend_from_slice(&(value.len() as u32).to_be_bytes());
    key.extend_from_slice(value);
    digits.clear();
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sorted<const N: usize>(mut paths: [&str; N]) -> [&str; N] {
        paths.sort_by_key(|path| natural_key(path));
        paths
    }

    #[test]
    fn numbers_sort_by_value() {
        assert_eq!(sorted(["10", "9", "2", "1"]), ["1", "2", "9", "10"]);
        assert_eq!(
            sorted(["trang 10.jpg", "trang 2.jpg", "Trang 1.jpg"]),
            ["Trang 1.jpg", "trang 2.jpg", "trang 10.jpg"]
        );
        assert_eq!(sorted(["2019-10", "2019-9", "999-1"]), ["999-1", "2019-9", "2019-10"]);
        assert_eq!(sorted(["p007", "p7", "p07", "p8"]), ["p007", "p07", "p7", "p8"]);
        let long = "9".repeat(300);
        assert_eq!(sorted([&long, "1"]), ["1", &long]);
    }

    #[test]
    fn folders_sort_as_wholes() {
        assert_eq!(sorted(["a b/1", "a/2", "a/10", "a.jpg"]), ["a/2", "a/10", "a b/1", "a.jpg"]);
        assert_eq!(sorted(["b10/1", "b9/2"]), ["b9/2", "b10/1"]);
    }

    #[test]
    fn accents_sort_alike_however_they_are_composed() {
        let composed: String = "Quyết định 2".nfc().collect();
        let decomposed: String = "Quyết định 10".nfd().collect();
        assert_eq!(sorted([&decomposed, &composed]), [composed.as_str(), decomposed.as_str()]);
    }

    proptest! {
        #[test]
        fn only_equal_paths_share_a_key(a in any::<String>(), b in any::<String>()) {
            prop_assert_eq!(a == b, natural_key(&a) == natural_key(&b));
        }

        #[test]
        fn any_two_numbers_compare_by_value(a: u64, b: u64, zeros in 0..4_usize) {
            let padded = format!("x{}{a}", "0".repeat(zeros));
            let plain = format!("x{b}");
            prop_assume!(a != b);
            prop_assert_eq!(a.cmp(&b), natural_key(&padded).cmp(&natural_key(&plain)));
        }
    }
}
