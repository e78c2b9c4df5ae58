//! What a JPEG's header says: of its colour, which a TIFF must say too, and whether it tells its orientation.

use crate::document::{SourcedImage, WriteError};

/// The header of a JPEG.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct JpegHeader {
    /// Channels.
    pub(crate) components: u8,
    /// Pixels across and down that share a chroma sample.
    pub(crate) subsampling: [u16; 2],
    /// Adobe's mark: 0 says that three channels are red, green and blue.
    adobe_transform: Option<u8>,
    /// The channels' numbers are the letters R, G and B, which says the same without Adobe's mark.
    has_rgb_names: bool,
    /// It has EXIF data, and so an orientation of its own.
    pub(crate) has_exif: bool,
}

/// Segments before the scan; a JPEG has about ten, one with a large colour profile some dozens.
const SEGMENTS_MAX: u32 = 1_000;

impl JpegHeader {
    /// Reads the segments before the scan, a few bytes of each.
    pub(crate) fn read(page: u32, image: SourcedImage<'_>) -> Result<Self, WriteError> {
        let problem = |problem| WriteError::Image { page, problem };
        let (mut adobe_transform, mut has_exif) = (None, false);
        let mut place = 2;
        for _ in 0..SEGMENTS_MAX {
            let mut head = [0; 20];
            let count = image.read_at(page, place, &mut head)?;
            if count < 4 || head[0] != 0xFF {
                break;
            }
            let length = u64::from(u16::from_be_bytes([head[2], head[3]]));
            match head[1] {
                // Fill bytes may stand before a marker.
                0xFF => {
                    place += 1;
                    continue;
                }
                0xE1 if head[4..10] == *b"Exif\0\0" => has_exif = true,
                0xEE if head[4..9] == *b"Adobe" => adobe_transform = Some(head[15]),
                // All kinds of frame but DHT, JPG and DAC, which share the range.
                0xC0..=0xCF if !matches!(head[1], 0xC4 | 0xC8 | 0xCC) => {
                    let frame = Self::of_frame(&head, adobe_transform, has_exif);
                    return frame.ok_or(problem("a JPEG of neither one nor three channels of 8 bits"));
                }
                // The scan, or the end, without a frame.
                0xDA | 0xD9 => break,
                _ => {}
            }
            place += 2 + length;
        }
        Err(problem("a JPEG without a frame"))
    }

    /// `head` is the frame's segment from its marker on: length, precision, height, width, components, and three bytes
    /// a component.
    fn of_frame(head: &[u8; 20], adobe_transform: Option<u8>, has_exif: bool) -> Option<Self> {
        let components = head[9];
        let [first, second, third] =
            [11, 14, 17].map(|place| (u16::from(head[place] >> 4), u16::from(head[place] & 15)));
        if head[4] != 8 || first.0 == 0 || first.1 == 0 {
            return None;
        }
        let subsampling = match components {
            1 => [1, 1],
            3 if (1..=first.0).contains(&second.0)
                && (1..=first.1).contains(&second.1)
                && second == third =>
            {
                [first.0 / second.0, first.1 / second.1]
            }
            _ => return None,
        };
        let has_rgb_names = [head[10], head[13], head[16]] == *b"RGB";
        Some(Self { components, subsampling, adobe_transform, has_rgb_names, has_exif })
    }

    /// Whether three channels are a luma and two chromas; the rules are those of libjpeg.
    pub(crate) const fn is_ycbcr(self) -> bool {
        match (self.components, self.adobe_transform) {
            (3, None) => !self.has_rgb_names,
            (3, Some(transform)) => transform != 0,
            _ => false,
        }
    }
}
