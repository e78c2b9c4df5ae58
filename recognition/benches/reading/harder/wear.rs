//! What copiers, clerks and years do to a page.

use pagemill_recognition::prepare::grey::Grey;
use pagemill_recognition::prepare::turn;

use super::chance::Chance;
use super::compose::millimetres;
use super::typeset::{Face, Sheet, Style};

/// A scanner's view: a slight skew, blur, uneven paper, noise and dust.
pub(super) fn scanned(sheet: &Grey, chance: &mut Chance, noise: f64) -> Grey {
    let skewed = turn::by_angle(sheet, chance.between(-0.7, 0.7_f64).to_radians(), 255);
    let mut grey = blurred(&skewed);
    let (light, slope) = (chance.between(0.88, 0.97), chance.between(-0.05, 0.05));
    for y in 0..grey.height {
        let shade = light + slope * y as f64 / grey.height as f64;
        for sample in grey.row_mut(y) {
            *sample = (f64::from(*sample) * shade + noise * chance.normal()).clamp(0.0, 255.0) as u8;
        }
    }
    for _ in 0..400 {
        let (x, y) = (chance.below(grey.width - 3), chance.below(grey.height - 3));
        let (width, height) = (1 + chance.below(3), 1 + chance.below(3));
        for row in y..y + height {
            grey.row_mut(row)[x..x + width].fill(90);
        }
    }
    grey
}

/// Mean over 3 × 3 with the middle counted four times.
fn blurred(grey: &Grey) -> Grey {
    let mut result = grey.clone();
    for y in 1..grey.height - 1 {
        for x in 1..grey.width - 1 {
            let mut sum = 3 * u32::from(grey.row(y)[x]);
            for row in y - 1..=y + 1 {
                sum += grey.row(row)[x - 1..=x + 1].iter().map(|&sample| u32::from(sample)).sum::<u32>();
            }
            result.row_mut(y)[x] = (sum / 12) as u8;
        }
    }
    result
}

/// The same picture in black and white.
pub(super) fn bitonal(grey: &Grey, black_below: u8) -> Grey {
    let samples = grey.samples.iter().map(|&sample| if sample < black_below { 0 } else { 255 }).collect();
    Grey { samples, ..*grey }
}

/// A round seal of grey ink with words along its rims, and a stroke of the pen; print below stays darker.
pub(super) fn stamp(grey: &mut Grey, chance: &mut Chance, face: &Face, x: f64, y: f64) {
    let radius = millimetres(17.0);
    let mut ink = Grey::filled(grey.width, grey.height, 255);
    let shade = 105 + chance.below(40) as u8;
    let mut dot = |x: f64, y: f64, size: usize| {
        for row in y.max(0.0) as usize..(y.max(0.0) as usize + size).min(ink.height) {
            let left = (x.max(0.0) as usize).min(ink.width - size);
            ink.row_mut(row)[left..left + size].fill(shade);
        }
    };
    for step in 0..3000 {
        let (sin, cos) = (f64::from(step) * std::f64::consts::TAU / 3000.0).sin_cos();
        for (part, size) in [(1.0, 9), (0.9, 3), (0.55, 4)] {
            dot(x + radius * part * cos, y + radius * part * sin, size);
        }
    }
    // A signature: a wave that dies away.
    for step in 0..2400 {
        let along = f64::from(step) / 2400.0;
        let swing = (along * 40.0).sin() * (1.0 - along) * 120.0 + (along * 9.0).cos() * 40.0;
        dot(x - 80.0 + along * 620.0, y + 40.0 + swing, 6);
    }
    let sheet_face = Sheet { grey: ink, face, chance: Chance::seeded(1) };
    let mut sheet = sheet_face;
    let style = Style { points: 11.0, bold: true, ink: shade, uneven: false };
    sheet.centred("TỈNH LAI CHÂU", x, y - radius * 0.62, style);
    sheet.centred("SỞ NỘI VỤ", x, y + radius * 0.05, style);
    multiply(grey, &sheet.grey);
}

/// Lays one picture over another like ink.
fn multiply(grey: &mut Grey, ink: &Grey) {
    for (sample, &over) in grey.samples.iter_mut().zip(&ink.samples) {
        *sample = (u32::from(*sample) * u32::from(over) / 255) as u8;
    }
}

/// The other side's print, mirrored, of the given strength in percents.
pub(super) fn show_through(grey: &mut Grey, back: &Grey, percent: u32) {
    for y in 0..grey.height {
        let behind: Vec<u8> = back.row(y).iter().rev().copied().collect();
        for (sample, &behind) in grey.row_mut(y).iter_mut().zip(&behind) {
            let ink = (255 - u32::from(behind)) * percent / 100;
            *sample = (u32::from(*sample) * (255 - ink) / 255) as u8;
        }
    }
}

/// Two folds: a dark crease with a shadow, beyond which the page is bent.
pub(super) fn folded(grey: &Grey, chance: &mut Chance) -> Grey {
    let mut result = Grey::filled(grey.width, grey.height, 255);
    let folds = [grey.height as f64 * chance.between(0.3, 0.36), grey.height as f64 * 0.66];
    let bend = chance.between(5.0, 9.0);
    for x in 0..grey.width {
        let along = x as f64 / grey.width as f64;
        for y in 0..grey.height {
            // The page rises towards a fold, more in its middle than at its edges.
            let near = folds.iter().map(|fold| (y as f64 - fold).abs()).fold(f64::MAX, f64::min);
            let lift = bend * (-near / 160.0).exp() * (along * std::f64::consts::PI).sin();
            let from = ((y as f64 + lift) as usize).min(grey.height - 1);
            let shadow = 1.0 - 0.28 * (-near / 60.0).exp() - if near < 1.5 { 0.25 } else { 0.0 };
            result.row_mut(y)[x] = (f64::from(grey.row(from)[x]) * shadow) as u8;
        }
    }
    result
}

/// The lid's shadow along two edges, a torn corner and two punch holes.
pub(super) fn bordered(grey: &mut Grey, chance: &mut Chance) {
    let (width, height) = (grey.width, grey.height);
    let side = 30 + chance.below(50);
    let foot = 40 + chance.below(60);
    for y in 0..height {
        let ragged = side + chance.below(12);
        grey.row_mut(y)[width - ragged..].fill(25);
        if y >= height - foot {
            grey.row_mut(y).fill(30);
        }
        if y < 260 {
            grey.row_mut(y)[..260 - y].fill(20);
        }
    }
    for middle in [height / 2 - 472, height / 2 + 472] {
        for y in middle - 35..middle + 35 {
            for x in 95..165_usize {
                if (x as f64 - 130.0).hypot(y as f64 - middle as f64) < 34.0 {
                    grey.row_mut(y)[x] = 22;
                }
            }
        }
    }
}
