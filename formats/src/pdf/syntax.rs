//! Numbers and strings of a content stream, short and within what PDF/A-1 allows.

/// `value` as the roundest number that errs by no more than `error_max`; a whole number where a real may not be so
/// large.
pub(super) fn rounded(value: f64, error_max: f64) -> f64 {
    let error_max = if value.abs() < REAL_MAX { error_max } else { error_max.max(0.5) };
    let steps =
        [1000.0, 500.0, 200.0, 100.0, 50.0, 20.0, 10.0, 5.0, 2.0, 1.0, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01];
    let round = |step: f64| (value / step).round() * step;
    steps.into_iter().map(round).find(|round| (round - value).abs() <= error_max).unwrap_or(round(0.001))
}

/// Reals of PDF/A-1 end here (ISO 19005-1 § 6.1.12); whole numbers have 32 bits.
pub(super) const REAL_MAX: f64 = 32_767.0;

/// Appends numbers with a space between them: at most [`DECIMALS`], no zero that says nothing.
pub(super) fn numbers(content: &mut Vec<u8>, values: &[f64]) {
    for (index, value) in values.iter().enumerate() {
        if index > 0 {
            content.push(b' ');
        }
        let text = format!("{value:.DECIMALS$}");
        let text = text.trim_end_matches('0').trim_end_matches('.');
        content.extend(if text == "-0" { b"0" } else { text.as_bytes() });
    }
}

/// A unit of the page's content is a pixel at the most; a millionth of it is exact on any page.
const DECIMALS: usize = 6;

/// Appends a string of two-byte codes. Parentheses and backslashes are escaped, and so is a carriage return, which
/// readers would take for a line feed.
pub(super) fn string(content: &mut Vec<u8>, codes: &[u16]) {
    content.push(b'(');
    for byte in codes.iter().flat_map(|code| code.to_be_bytes()) {
        match byte {
            b'(' | b')' | b'\\' => content.extend([b'\\', byte]),
            b'\r' => content.extend(b"\\r"),
            _ => content.push(byte),
        }
    }
    content.push(b')');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_as_short_as_they_can_be() {
        let mut content = Vec::new();
        numbers(&mut content, &[1.0, 0.5, -0.000_000_1, 12.34, 100.0]);
        assert_eq!(String::from_utf8(content).unwrap(), "1 0.5 0 12.34 100");
    }

    #[test]
    fn rounding_keeps_its_promise() {
        for (value, error_max, expected) in
            [(1234.4, 0.5, 1234.0), (1234.4, 5.0, 1230.0), (0.523, 0.005, 0.52), (-0.4, 1.0, 0.0)]
        {
            assert!((rounded(value, error_max) - expected).abs() < 1e-9, "{value} {error_max}");
        }
    }

    #[test]
    fn codes_that_look_like_syntax_are_escaped() {
        let mut content = Vec::new();
        string(&mut content, &[0x0028, 0x0d5c, 0x2900]);
        assert_eq!(content, b"(\0\\(\\r\\\\\\)\0)");
    }
}
