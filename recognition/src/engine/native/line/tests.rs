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
