//! The colour rules: what becomes of samples that a page can't keep.
//!
//! | stored as | becomes |
//! | --- | --- |
//! | 1 bit, either polarity | bitonal |
//! | grey of 2, 4, 8 bits, either polarity | grey, 0 black |
//! | 16 bits a sample | its top 8 bits |
//! | palette | kept; a palette of black and white alone is bitonal |
//! | CMYK | sRGB by `R = (255 − C) × (255 − K) / 255` and so on; Adobe's inverted samples are turned first |
//! | Lab | sRGB (D50 adapted to D65, IEC 61966-2-1) |
//! | alpha | flattened on white |
//! | an embedded ICC profile | not applied: grey and RGB samples are taken for sRGB |

use pagemill_domain::page_image::PixelFormat;
use pagemill_domain::scan::PageDefect;

use super::raster::{Raster, sample};

/// Decoded samples as a file stores them: pixel-interleaved.
#[derive(Debug, Clone)]
pub(crate) struct Samples {
    /// Width in pixels.
    pub(crate) width: u32,
    /// Height in pixels.
    pub(crate) height: u32,
    /// Bits a sample: 1, 2, 4, 8 or 16 (big-endian).
    pub(crate) bits: u8,
    /// What the first channels mean.
    pub(crate) colour: Colour,
    /// What the channel after them means.
    pub(crate) alpha: Option<Alpha>,
    /// Samples a pixel, channels that mean nothing to us included.
    pub(crate) channels: usize,
    /// Packed rows; each starts on a byte.
    pub(crate) rows: Vec<u8>,
}

/// What the colour channels mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Colour {
    /// One channel; 0 is black unless `zero_is_white`.
    Grey { zero_is_white: bool },
    /// Red, green, blue.
    Rgb,
    /// An index into RGB triples.
    Palette(Vec<u8>),
    /// Cyan, magenta, yellow, black; `inverted` where 0 is full ink (Adobe's JPEGs).
    Cmyk { inverted: bool },
    /// CIE L*a*b* (D50); a and b are signed, or biased by half their range as ICC wants them.
    Lab { biased: bool },
}

/// What an alpha channel means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Alpha {
    /// Colour samples are stored as if opaque.
    Straight,
    /// Colour samples are multiplied by alpha already.
    Premultiplied,
}

impl Colour {
    pub(crate) fn channels(&self) -> usize {
        match self {
            Self::Grey { .. } | Self::Palette(_) => 1,
            Self::Rgb | Self::Lab { .. } => 3,
            Self::Cmyk { .. } => 4,
        }
    }
}

impl Samples {
    /// Applies the rules of this module. Samples that can stay as they are are not copied.
    pub(crate) fn into_raster(self) -> Result<Raster, PageDefect> {
        if self.rows.len() < self.row_bytes() * self.height as usize {
            return Err(PageDefect::Damaged("samples are missing".into()));
        }
        let single = self.channels == 1;
        match (&self.colour, self.bits) {
            (Colour::Grey { zero_is_white }, 1) if single => {
                let pixels = PixelFormat::Bitonal { black_is_one: *zero_is_white };
                Ok(self.keep(pixels))
            }
            (Colour::Grey { zero_is_white }, bits @ (2 | 4 | 8)) if single => {
                let inverted = *zero_is_white;
                let mut raster = self.keep(PixelFormat::Grey { bits });
                if inverted {
                    raster.rows.iter_mut().for_each(|byte| *byte = !*byte);
                }
                Ok(raster)
            }
            (Colour::Palette(entries), bits @ (1 | 2 | 4 | 8)) if single => {
                let pixels = palette(bits, entries);
                Ok(self.keep(pixels))
            }
            (Colour::Palette(_), _) => {
                Err(PageDefect::Unsupported("a palette with further channels or 16 bits".into()))
            }
            (Colour::Rgb, 8) if self.channels == 3 => Ok(self.keep(PixelFormat::Rgb)),
            _ => Ok(self.convert()),
        }
    }

    fn row_bytes(&self) -> usize {
        (self.width as usize * self.channels * usize::from(self.bits)).div_ceil(8)
    }

    fn keep(self, pixels: PixelFormat) -> Raster {
        Raster { width: self.width, height: self.height, pixels, rows: self.rows }
    }

    /// Pixel by pixel, to 8-bit grey or RGB.
    fn convert(self) -> Raster {
        let grey = matches!(self.colour, Colour::Grey { .. });
        let pixels = if grey { PixelFormat::Grey { bits: 8 } } else { PixelFormat::Rgb };
        let pixel_bytes = if grey { 1 } else { 3 };
        let mut rows = Vec::with_capacity(self.width as usize * self.height as usize * pixel_bytes);
        let mut pixel = vec![0_u8; self.channels];
        for row in self.rows.chunks_exact(self.row_bytes()).take(self.height as usize) {
            for x in 0..self.width as usize {
                for (channel, value) in pixel.iter_mut().enumerate() {
                    *value = top_byte(row, x * self.channels + channel, self.bits);
                }
                let rgb = self.flatten(&pixel, to_rgb(&self.colour, &pixel));
                rows.extend_from_slice(&rgb[..pixel_bytes]);
            }
        }
        Raster { width: self.width, height: self.height, pixels, rows }
    }

    /// Lays a pixel on white.
    fn flatten(&self, pixel: &[u8], rgb: [u8; 3]) -> [u8; 3] {
        let Some(kind) = self.alpha else { return rgb };
        let Some(&alpha) = pixel.get(self.colour.channels()) else { return rgb };
        let (alpha, paper) = (u32::from(alpha), 255 - u32::from(alpha));
        rgb.map(|value| match kind {
            Alpha::Straight => ((u32::from(value) * alpha + 127) / 255 + paper).min(255) as u8,
            Alpha::Premultiplied => (u32::from(value) + paper).min(255) as u8,
        })
    }
}

/// The palette of an image; two entries of black and white are no palette but a bitonal page.
pub(crate) fn palette(bits: u8, entries: &[u8]) -> PixelFormat {
    match (bits, entries) {
        (1, [0, 0, 0, 255, 255, 255]) => PixelFormat::Bitonal { black_is_one: false },
        (1, [255, 255, 255, 0, 0, 0]) => PixelFormat::Bitonal { black_is_one: true },
        _ => PixelFormat::Palette { bits, entries: entries.to_vec() },
    }
}

/// A sample of 1 to 16 bits as 8 bits: stretched, or its top byte.
fn top_byte(row: &[u8], position: usize, bits: u8) -> u8 {
    match bits {
        8 => row[position],
        16 => row[position * 2],
        _ => (sample(row, position, bits) * 255 / ((1 << bits) - 1)) as u8,
    }
}

fn to_rgb(colour: &Colour, pixel: &[u8]) -> [u8; 3] {
    match (colour, pixel) {
        (Colour::Grey { zero_is_white: true }, [grey, ..]) => [255 - grey; 3],
        (Colour::Cmyk { inverted }, &[cyan, magenta, yellow, black, ..]) => {
            let light = |ink: u8| u32::from(if *inverted { ink } else { 255 - ink });
            let key = light(black);
            [cyan, magenta, yellow].map(|ink| ((light(ink) * key + 127) / 255) as u8)
        }
        (Colour::Lab { biased }, &[lightness, green_red, blue_yellow, ..]) => {
            lab_to_rgb(lightness, green_red, blue_yellow, *biased)
        }
        (_, &[red, green, blue, ..]) => [red, green, blue],
        (_, [grey, ..]) => [*grey; 3],
        (_, []) => [0; 3],
    }
}

/// CIE L*a*b* under D50 to sRGB; the matrix holds the Bradford adaptation from D50 to D65.
fn lab_to_rgb(lightness: u8, green_red: u8, blue_yellow: u8, biased: bool) -> [u8; 3] {
    const WHITE_D50: [f32; 3] = [0.9642, 1.0, 0.8251];
    const XYZ_D50_TO_SRGB: [[f32; 3]; 3] =
        [[3.1339, -1.6169, -0.4906], [-0.9788, 1.9161, 0.0335], [0.0719, -0.2290, 1.4052]];
    let signed = |value: u8| if biased { f32::from(value) - 128.0 } else { f32::from(value.cast_signed()) };
    let middle = (f32::from(lightness) * 100.0 / 255.0 + 16.0) / 116.0;
    let linear = |t: f32| if t > 6.0 / 29.0 { t.powi(3) } else { (t - 4.0 / 29.0) * 108.0 / 841.0 };
    let relative =
        [middle + signed(green_red) / 500.0, middle, middle - signed(blue_yellow) / 200.0].map(linear);
    let xyz: [f32; 3] = std::array::from_fn(|axis| relative[axis] * WHITE_D50[axis]);
    XYZ_D50_TO_SRGB.map(|row| {
        let light = row.iter().zip(xyz).map(|(factor, part)| factor * part).sum::<f32>().clamp(0.0, 1.0);
        let encoded =
            if light <= 0.003_130_8 { light * 12.92 } else { 1.055 * light.powf(1.0 / 2.4) - 0.055 };
        (encoded * 255.0).round() as u8
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one_pixel(bits: u8, colour: Colour, alpha: Option<Alpha>, row: &[u8]) -> Raster {
        let channels = colour.channels() + usize::from(alpha.is_some());
        let samples = Samples { width: 1, height: 1, bits, colour, alpha, channels, rows: row.to_vec() };
        samples.into_raster().unwrap()
    }

    #[test]
    fn inks_become_light() {
        let plain = Colour::Cmyk { inverted: false };
        assert_eq!(one_pixel(8, plain.clone(), None, &[0, 0, 0, 0]).rows, [255, 255, 255]);
        assert_eq!(one_pixel(8, plain.clone(), None, &[255, 0, 0, 0]).rows, [0, 255, 255]);
        assert_eq!(one_pixel(8, plain, None, &[0, 0, 0, 255]).rows, [0, 0, 0]);
        let adobe = Colour::Cmyk { inverted: true };
        assert_eq!(one_pixel(8, adobe, None, &[255, 0, 0, 255]).rows, [255, 0, 0]);
    }

    #[test]
    fn alpha_is_flattened_on_white() {
        let grey = Colour::Grey { zero_is_white: false };
        assert_eq!(one_pixel(8, grey.clone(), Some(Alpha::Straight), &[0, 0]).rows, [255]);
        assert_eq!(one_pixel(8, grey.clone(), Some(Alpha::Straight), &[100, 255]).rows, [100]);
        assert_eq!(one_pixel(8, Colour::Rgb, Some(Alpha::Straight), &[0, 0, 0, 128]).rows, [127; 3]);
        assert_eq!(
            one_pixel(8, Colour::Rgb, Some(Alpha::Premultiplied), &[10, 0, 0, 128]).rows,
            [137, 127, 127]
        );
    }

    #[test]
    fn sixteen_bits_keep_their_top_byte() {
        let grey = Colour::Grey { zero_is_white: false };
        assert_eq!(one_pixel(16, grey, None, &[0x12, 0xff]).rows, [0x12]);
        assert_eq!(one_pixel(16, Colour::Rgb, None, &[1, 9, 2, 9, 3, 9]).rows, [1, 2, 3]);
    }

    #[test]
    fn lab_keeps_its_neutrals_and_its_reds() {
        let lab = |biased| Colour::Lab { biased };
        assert_eq!(one_pixel(8, lab(false), None, &[255, 0, 0]).rows, [255, 255, 255]);
        assert_eq!(one_pixel(8, lab(true), None, &[0, 128, 128]).rows, [0, 0, 0]);
        let red = one_pixel(8, lab(false), None, &[136, 80, 67]).rows;
        assert!(red[0] > 240 && red[1] < 40 && red[2] < 40, "{red:?}");
    }

    #[test]
    fn a_palette_of_black_and_white_is_bitonal() {
        let raster = one_pixel(1, Colour::Palette(vec![255, 255, 255, 0, 0, 0]), None, &[0x80]);
        assert_eq!(raster.pixels, PixelFormat::Bitonal { black_is_one: true });
    }
}
