use super::super::fixture::Random;
use super::*;

fn stripes(width: usize, height: usize) -> Vec<u8> {
    (0..width * height).map(|index| if (index % width) % 7 < 3 { 20 } else { 230 }).collect()
}

#[test]
fn impossible_crops_are_refused() {
    assert!(GreyLine::new(&[0; 12], 4, 3, 4).is_ok());
    assert!(GreyLine::new(&[0; 11], 4, 3, 4).is_err());
    assert!(GreyLine::new(&[0; 12], 4, 3, 3).is_err());
    assert!(GreyLine::new(&[], 0, 0, 0).is_err());
    assert!(GreyLine::new(&[0; 9], 1, 2, usize::MAX).is_err());
    let long = vec![0; 60_000];
    let error = ScaledLine::new(&GreyLine::new(&long, 60_000, 1, 60_000).unwrap(), 36).unwrap_err();
    assert_eq!(error, LineError::TooLong { width: 60_000, height: 1 });
}

#[test]
fn a_crop_is_scaled_to_the_height_whatever_its_size() {
    for height in (1..150).chain([288, 1000]) {
        for width in [1, 2, 3, 10, 333] {
            let pixels = stripes(width, height);
            let line = GreyLine::new(&pixels, width, height, width).unwrap();
            let scaled = ScaledLine::new(&line, 36).unwrap();
            assert_eq!((scaled.height, scaled.pixels.len()), (36, 36 * scaled.width), "{width} × {height}");
            let expected = width as f32 * 36.0 / height as f32;
            assert!((scaled.width as f32 - expected).abs() <= 1.0, "{width} × {height}: {}", scaled.width);
        }
    }
}

#[test]
fn a_flat_picture_stays_flat() {
    for height in [20, 30, 36, 50, 60, 72, 144, 200] {
        let pixels = vec![137; 300 * height];
        let scaled = ScaledLine::new(&GreyLine::new(&pixels, 300, height, 300).unwrap(), 36).unwrap();
        assert!(scaled.pixels.iter().all(|&pixel| pixel.abs_diff(137) <= 1), "{height}");
    }
}

#[test]
fn ink_and_paper_become_minus_one_and_one() {
    let line = ScaledLine { pixels: stripes(140, 36), width: 140, height: 36 };
    let values = normalise_contrast(&line);
    assert!(
        (values[20] + 1.0).abs() < 0.02 && (values[230] - 1.0).abs() < 0.02,
        "{} {}",
        values[20],
        values[230]
    );
    let flat = ScaledLine { pixels: vec![255; 36 * 5], width: 5, height: 36 };
    assert!(normalise_contrast(&flat).iter().all(|value| value.is_finite()));
}

/// Height, width of the result, and a digest of what Leptonica 1.82's `pixScale` makes of a picture of noise.
const SCALED: [(usize, usize, u64); 14] = [
    (9, 600, 0xe760_c306_c385_03bf),
    (18, 300, 0x6eac_c174_688e_4d06),
    (20, 270, 0x47bc_5d26_60c3_0bd5),
    (30, 180, 0x76ec_3eae_9246_b782),
    (45, 120, 0xb5b8_8b7c_0c8f_6b26),
    (50, 108, 0x29aa_b47b_b4d2_bd55),
    (52, 104, 0x8c99_faba_6008_e895),
    (60, 90, 0xce0b_1832_046e_3653),
    (72, 75, 0x390e_62b0_8b87_2c87),
    (100, 54, 0x4d0d_ad7f_f393_5c3b),
    (144, 37, 0x6e31_474d_f6d1_7022),
    (180, 30, 0x1ea4_b0cc_9136_d94b),
    (288, 18, 0x2faa_66ca_1dcf_d43d),
    (576, 9, 0x75e2_a803_589c_93ad),
];

#[test]
fn lines_are_scaled_to_the_bit_as_leptonica_does() {
    for (height, scaled_width, digest) in SCALED {
        let mut random = Random(height as u64);
        let pixels: Vec<u8> = (0..150 * height).map(|_| random.byte()).collect();
        let scaled = ScaledLine::new(&GreyLine::new(&pixels, 150, height, 150).unwrap(), 36).unwrap();
        assert_eq!((scaled.width, scaled.height), (scaled_width, 36), "{height}");
        let found = scaled.pixels.iter().fold(0xcbf2_9ce4_8422_2325_u64, |digest, &pixel| {
            (digest ^ u64::from(pixel)).wrapping_mul(0x0100_0000_01b3)
        });
        assert_eq!(found, digest, "{height}");
    }
}
