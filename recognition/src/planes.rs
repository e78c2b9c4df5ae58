//! A picture as JPEG stores it: luminance, and colour at a lower resolution. Reading needs no more, and it is less than half
//! of what 32 bits a pixel take.

use crate::prepare::grey::Grey;

/// So much of colour in a pixel is JPEG's own doing, around black print most of all. CER of 32 scans, half of them in
/// colour, by this: 0 0.48 %, 6 0.46, 12 0.43, 24 0.55, where pens and stamps begin to stay.
const FAINT: i16 = 12;

/// A picture's luminance and colour (JFIF, ITU-R BT.601 at full range).
#[derive(Debug)]
pub struct Planes {
    width: usize,
    height: usize,
    /// May be wider and taller than the picture, as JPEG pads.
    luminance: Grey,
    /// None in a grey picture.
    chrominance: Option<Chrominance>,
}

/// The colour's two differences, 128 for grey; of one size.
#[derive(Debug)]
pub(crate) struct Chrominance {
    pub(crate) blue: Grey,
    pub(crate) red: Grey,
    /// Pixels of the picture to a sample of these, across and down.
    pub(crate) pixels: (usize, usize),
}

impl Planes {
    /// Planes of a picture of that size; `None` where they do not cover it.
    pub(crate) fn new(
        (width, height): (usize, usize),
        luminance: Grey,
        chrominance: Option<Chrominance>,
    ) -> Option<Self> {
        let covers = |plane: &Grey, (across, down): (usize, usize)| {
            across > 0 && down > 0 && plane.width * across >= width && plane.height * down >= height
        };
        let covered = covers(&luminance, (1, 1))
            && chrominance.as_ref().is_none_or(|colour| {
                covers(&colour.blue, colour.pixels) && covers(&colour.red, colour.pixels)
            });
        covered.then_some(Self { width, height, luminance, chrominance })
    }

    /// Width in pixels.
    #[must_use]
    pub const fn width(&self) -> usize {
        self.width
    }

    /// Height in pixels.
    #[must_use]
    pub const fn height(&self) -> usize {
        self.height
    }

    /// Each pixel by its brightest channel, but for faint colour, which is no ink's.
    #[must_use]
    pub fn brightest(&self) -> Grey {
        self.grey_by(|[red, green, blue]| (red.max(green).max(blue) - FAINT).max(0))
    }

    /// Each pixel by its darkest channel.
    #[must_use]
    pub fn darkest(&self) -> Grey {
        self.grey_by(|[red, green, blue]| red.min(green).min(blue))
    }

    /// Each pixel by the channel that is chosen by how far red, green and blue are from the luminance. A channel is the
    /// luminance and a difference that depends on the colour alone: the choice is made once a sample of the colour.
    fn grey_by(&self, choose: impl Fn([i16; 3]) -> i16) -> Grey {
        let mut grey = Grey::filled(self.width, self.height, 0);
        let mut differences = vec![0; self.width];
        for y in 0..self.height {
            if let Some(colour) = &self.chrominance
                && y % colour.pixels.1 == 0
            {
                colour.differences(y / colour.pixels.1, &choose, &mut differences);
            }
            let shades = grey.row_mut(y).iter_mut().zip(self.luminance.row(y));
            for ((shade, &luminance), &difference) in shades.zip(&differences) {
                *shade = (i16::from(luminance) + difference).clamp(0, 255) as u8;
            }
        }
        grey
    }
}

impl Chrominance {
    /// The differences of a row, one for each pixel.
    fn differences(&self, row: usize, choose: &impl Fn([i16; 3]) -> i16, differences: &mut [i16]) {
        let samples = self.blue.row(row).iter().zip(self.red.row(row));
        let chosen = samples.map(|(&blue, &red)| choose(from_luminance(blue, red)));
        match self.pixels.0 {
            1 => differences.iter_mut().zip(chosen).for_each(|(difference, chosen)| *difference = chosen),
            2 => {
                let (pairs, last) = differences.as_chunks_mut::<2>();
                let mut chosen = chosen;
                pairs.iter_mut().zip(&mut chosen).for_each(|(pair, chosen)| *pair = [chosen; 2]);
                last.iter_mut().zip(chosen).for_each(|(difference, chosen)| *difference = chosen);
            }
            across => {
                differences.chunks_mut(across).zip(chosen).for_each(|(pixels, chosen)| pixels.fill(chosen));
            }
        }
    }
}

/// How far red, green and blue are from the luminance, rounded: 1.402 red, -0.34414 blue - 0.71414 red, and 1.772 blue
/// (JFIF 1.02). What is beyond whole numbers is taken in parts of 2^16, as 16-bit vector instructions multiply.
fn from_luminance(blue: u8, red: u8) -> [i16; 3] {
    let (blue, red) = (i16::from(blue) - 128, i16::from(red) - 128);
    let part = |value: i16, of_65536: i16| {
        let halves = ((i32::from(2 * value) * i32::from(of_65536)) >> 16) as i16;
        (halves + 1) >> 1
    };
    let green = part(red, 18_734) - red - part(blue, 22_554);
    [red + part(red, 26_345), green, 2 * blue - part(blue, 14_942)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plane(width: usize, samples: &[u8]) -> Grey {
        Grey { width, height: samples.len() / width, samples: samples.to_vec() }
    }

    #[test]
    fn a_colour_gives_its_brightest_and_darkest_channel() {
        // Pure red, and beside it black, under one sample of colour each; a padded column.
        let colour = Chrominance { blue: plane(2, &[85, 128]), red: plane(2, &[255, 128]), pixels: (2, 2) };
        let planes = Planes::new((3, 2), plane(4, &[76, 76, 0, 9, 76, 76, 0, 9]), Some(colour)).unwrap();
        let red = 254 - FAINT as u8;
        assert_eq!(planes.brightest().samples, [red, red, 0, red, red, 0]);
        assert_eq!(planes.darkest().samples, [0, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn differences_are_those_of_the_standard() {
        for (blue, red) in (0..=255).flat_map(|blue| (0..=255).map(move |red| (blue, red))) {
            let (from_blue, from_red) = (f64::from(blue) - 128.0, f64::from(red) - 128.0);
            let exact = [1.402 * from_red, -0.34414 * from_blue - 0.71414 * from_red, 1.772 * from_blue];
            for (found, exact) in from_luminance(blue, red).into_iter().zip(exact) {
                assert!((f64::from(found) - exact).abs() <= 1.01, "{blue} {red}: {found}, not {exact}");
            }
        }
    }

    #[test]
    fn grey_is_grey() {
        let planes = Planes::new((2, 1), plane(2, &[3, 250]), None).unwrap();
        assert_eq!((planes.brightest().samples, planes.darkest().samples), (vec![3, 250], vec![3, 250]));
    }

    #[test]
    fn planes_that_do_not_cover_the_picture_are_refused() {
        assert!(Planes::new((3, 1), plane(2, &[3, 250]), None).is_none());
        let colour = || Chrominance { blue: plane(1, &[1]), red: plane(1, &[1]), pixels: (2, 1) };
        assert!(Planes::new((2, 1), plane(2, &[3, 250]), Some(colour())).is_some());
        assert!(Planes::new((3, 1), plane(3, &[3, 250, 1]), Some(colour())).is_none());
    }
}
