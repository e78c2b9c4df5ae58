//! A picture in colour as reading needs it: each pixel's brightest and darkest channel. Both are made row by row while a file
//! without loss is decoded, so that its three bytes a pixel are never all in memory.

use crate::prepare::grey::Grey;

/// Pixels that are taken at a time.
const STRIDE: usize = 16;

/// Each pixel's brightest and darkest channel.
#[derive(Debug)]
pub struct Channels {
    pub(crate) brightest: Grey,
    pub(crate) darkest: Grey,
}

impl Channels {
    /// A picture of that width without rows; there is memory for `height` of them.
    pub(crate) fn of_width(width: usize, height: usize) -> Self {
        let empty = || Grey { width, height: 0, samples: Vec::with_capacity(width * height) };
        Self { brightest: empty(), darkest: empty() }
    }

    /// Adds whole rows of red, green and blue; what is no whole row is passed over.
    pub(crate) fn add_rows(&mut self, rows: &[u8]) {
        let pixels = rows.as_chunks::<3>().0;
        let count = pixels.len() / self.brightest.width.max(1);
        let (strides, last) = pixels[..count * self.brightest.width].as_chunks::<STRIDE>();
        for pixels in strides {
            self.brightest.samples.extend_from_slice(&pixels.map(brightest));
            self.darkest.samples.extend_from_slice(&pixels.map(darkest));
        }
        self.brightest.samples.extend(last.iter().map(|&pixel| brightest(pixel)));
        self.darkest.samples.extend(last.iter().map(|&pixel| darkest(pixel)));
        self.brightest.height += count;
        self.darkest.height += count;
    }
}

fn brightest([red, green, blue]: [u8; 3]) -> u8 {
    red.max(green).max(blue)
}

fn darkest([red, green, blue]: [u8; 3]) -> u8 {
    red.min(green).min(blue)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_pixel_gives_its_brightest_and_darkest_channel_however_rows_come() {
        let samples = (0..3 * 7 * 5).map(|at| (at * 37 % 251) as u8).collect::<Vec<u8>>();
        let by = |choose: fn([u8; 3]) -> u8| {
            let samples = samples.as_chunks().0.iter().map(|&pixel| choose(pixel)).collect();
            Grey { width: 7, height: 5, samples }
        };
        for rows_at_once in 1..=5 {
            let mut channels = Channels::of_width(7, 5);
            samples.chunks(3 * 7 * rows_at_once).for_each(|rows| channels.add_rows(rows));
            assert_eq!(channels.brightest, by(brightest));
            assert_eq!(channels.darkest, by(darkest));
        }
    }
}
