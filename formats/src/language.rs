//! Languages in the notation of documents.

/// Tesseract's names whose BCP 47 tag (RFC 5646) is not the name itself: it asks for the two-letter code where
/// ISO 639-1 has one. Others (`hmn`) are their own tag.
const TAGS: &[(&str, &str)] = &[
    ("ara", "ar"),
    ("ces", "cs"),
    ("chi_sim", "zh-Hans"),
    ("chi_tra", "zh-Hant"),
    ("dan", "da"),
    ("deu", "de"),
    ("ell", "el"),
    ("eng", "en"),
    ("fin", "fi"),
    ("fra", "fr"),
    ("hin", "hi"),
    ("hun", "hu"),
    ("ind", "id"),
    ("ita", "it"),
    ("jpn", "ja"),
    ("khm", "km"),
    ("kor", "ko"),
    ("lao", "lo"),
    ("lat", "la"),
    ("msa", "ms"),
    ("mya", "my"),
    ("nld", "nl"),
    ("nor", "no"),
    ("pol", "pl"),
    ("por", "pt"),
    ("ron", "ro"),
    ("rus", "ru"),
    ("slk", "sk"),
    ("spa", "es"),
    ("swe", "sv"),
    ("tha", "th"),
    ("tur", "tr"),
    ("ukr", "uk"),
    ("vie", "vi"),
];

/// The BCP 47 tag of the first language in Tesseract's notation (`vie+eng` → `vi`); `und` for what is no language
/// name (a model that somebody trained).
pub(crate) fn tag(languages: &str) -> &str {
    let first = languages.split('+').next().unwrap_or_default();
    let is_code = first.len() == 3 && first.bytes().all(|byte| byte.is_ascii_lowercase());
    match TAGS.iter().find(|(name, _)| *name == first) {
        Some((_, tag)) => tag,
        None if is_code => first,
        None => "und",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_language_gives_the_tag() {
        assert_eq!(tag("vie+eng"), "vi");
        assert_eq!(tag("chi_tra"), "zh-Hant");
        assert_eq!(tag("hmn"), "hmn");
        assert_eq!(tag("My Model\""), "und");
        assert_eq!(tag(""), "und");
    }
}
