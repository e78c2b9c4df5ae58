//! The ICC profile of sRGB (IEC 61966-2-1) for the output intent.
//!
//! Built here because it must be of version 2 (PDF 1.4 knows no later one, and ISO 19005-1 builds on that) and the same
//! on every machine; libraries write version 4 with the time of day.

/// The name of the colour space.
pub(super) const NAME: &str = "sRGB IEC61966-2.1";

/// X, Y, Z of the profile connection space's white (D50).
const WHITE: [f64; 3] = [0.9642, 1.0, 0.8249];
/// X, Y, Z of sRGB's primaries, adapted to D50 by the Bradford transform.
const RED: [f64; 3] = [0.436_07, 0.222_49, 0.013_92];
const GREEN: [f64; 3] = [0.385_15, 0.716_87, 0.097_08];
const BLUE: [f64; 3] = [0.143_07, 0.060_61, 0.714_10];

/// Samples of the tone curve; linear interpolation between them is exact to a hundred-thousandth.
const CURVE_SAMPLES: u32 = 256;

const HEADER_BYTES: usize = 128;
const TAG_BYTES: usize = 12;

/// The profile's bytes.
pub(super) fn profile() -> Vec<u8> {
    let curve = tone_curve();
    let tags: [(&[u8; 4], Vec<u8>); 9] = [
        (b"desc", description()),
        (b"cprt", text(b"No copyright, use freely\0")),
        (b"wtpt", xyz(WHITE)),
        (b"rXYZ", xyz(RED)),
        (b"gXYZ", xyz(GREEN)),
        (b"bXYZ", xyz(BLUE)),
        (b"rTRC", curve.clone()),
        (b"gTRC", curve.clone()),
        (b"bTRC", curve),
    ];
    let mut table = (tags.len() as u32).to_be_bytes().to_vec();
    let mut bodies: Vec<u8> = Vec::new();
    let first = HEADER_BYTES + 4 + tags.len() * TAG_BYTES;
    let mut before: Option<(usize, &[u8])> = None;
    for (signature, body) in &tags {
        // The three curves are one.
        let start = match before {
            Some((start, same)) if same == body.as_slice() => start,
            _ => {
                let start = first + bodies.len();
                bodies.extend(body);
                bodies.resize(bodies.len().next_multiple_of(4), 0);
                start
            }
        };
        before = Some((start, body));
        table.extend(*signature);
        table.extend((start as u32).to_be_bytes());
        table.extend((body.len() as u32).to_be_bytes());
    }
    let mut profile = header(first + bodies.len());
    profile.extend(table);
    profile.extend(bodies);
    profile
}

/// ICC.1:2001-04 § 6.1: an RGB display profile of version 2.1.
fn header(size: usize) -> Vec<u8> {
    let mut header = Vec::with_capacity(HEADER_BYTES);
    header.extend((size as u32).to_be_bytes());
    header.extend([0, 0, 0, 0, 2, 0x10, 0, 0]);
    header.extend(b"mntrRGB XYZ ");
    for part in [2000_u16, 1, 1, 0, 0, 0] {
        header.extend(part.to_be_bytes());
    }
    header.extend(b"acsp");
    header.resize(68, 0);
    header.extend(WHITE.iter().flat_map(|&value| fixed(value)));
    header.resize(HEADER_BYTES, 0);
    header
}

fn description() -> Vec<u8> {
    let mut body = b"desc\0\0\0\0".to_vec();
    body.extend((NAME.len() as u32 + 1).to_be_bytes());
    body.extend(NAME.as_bytes());
    // The terminating zero, then no Unicode and no Macintosh name: 4 + 4 + 2 + 1 + 67 bytes.
    body.resize(body.len() + 1 + 78, 0);
    body
}

fn text(text: &[u8]) -> Vec<u8> {
    [b"text\0\0\0\0", text].concat()
}

fn xyz(value: [f64; 3]) -> Vec<u8> {
    let mut body = b"XYZ \0\0\0\0".to_vec();
    body.extend(value.iter().flat_map(|&value| fixed(value)));
    body
}

/// sRGB's transfer function, sampled.
fn tone_curve() -> Vec<u8> {
    let mut body = b"curv\0\0\0\0".to_vec();
    body.extend(CURVE_SAMPLES.to_be_bytes());
    for sample in 0..CURVE_SAMPLES {
        let encoded = f64::from(sample) / f64::from(CURVE_SAMPLES - 1);
        let linear =
            if encoded <= 0.040_45 { encoded / 12.92 } else { ((encoded + 0.055) / 1.055).powf(2.4) };
        body.extend(((linear * 65_535.0).round() as u16).to_be_bytes());
    }
    body
}

/// A signed number with 16 bits after the point.
fn fixed(value: f64) -> [u8; 4] {
    ((value * 65_536.0).round() as i32).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use moxcms::{ColorProfile, Layout, TransformOptions};
    use pagemill_domain::hash::ContentHash;

    use super::*;

    #[test]
    fn a_colour_engine_takes_it_for_srgb() {
        let ours = ColorProfile::new_from_slice(&profile()).unwrap();
        let transform = ours
            .create_transform_8bit(
                Layout::Rgb,
                &ColorProfile::new_srgb(),
                Layout::Rgb,
                TransformOptions::default(),
            )
            .unwrap();
        let colours: Vec<u8> =
            (0..=255).flat_map(|value: u8| [value, 255 - value, value.wrapping_mul(7)]).collect();
        let mut converted = vec![0; colours.len()];
        transform.transform(&colours, &mut converted).unwrap();
        assert!(colours.iter().zip(&converted).all(|(&before, &after)| before.abs_diff(after) <= 1));
    }

    #[test]
    fn its_bytes_never_change() {
        let profile = profile();
        assert_eq!(
            profile.len(),
            u32::from_be_bytes([profile[0], profile[1], profile[2], profile[3]]) as usize
        );
        insta::assert_snapshot!(ContentHash::of(&profile).to_string(), @"ee3dc561d099aa300e3d6d071ac06b9855067bd5b26c862e70cdb722ea23f5ed");
    }
}
