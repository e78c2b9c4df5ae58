//! Files built in code.

use pagemill_domain::page_image::PixelFormat;

use crate::source::raster::Raster;

/// A colour picture without symmetry: red grows to the right, green grows downwards.
pub(super) fn rgb_at(x: u32, y: u32, width: u32, height: u32) -> [u8; 3] {
    [(x * 255 / width.max(1)) as u8, (y * 255 / height.max(1)) as u8, 64]
}

/// The picture of [`rgb_at`].
pub(super) fn colour_raster(width: u32, height: u32) -> Raster {
    let pixels = (0..height).flat_map(|y| (0..width).map(move |x| rgb_at(x, y, width, height)));
    Raster { width, height, pixels: PixelFormat::Rgb, rows: pixels.flatten().collect() }
}

/// Grey that grows to the right.
pub(super) fn grey_raster(width: u32, height: u32) -> Raster {
    let rows = (0..height).flat_map(|_| (0..width).map(|x| (x * 255 / width.max(1)) as u8)).collect();
    Raster { width, height, pixels: PixelFormat::Grey { bits: 8 }, rows }
}

/// Whether the bitonal picture is black at a place: its top left quarter, and a stripe in its bottom half.
pub(super) fn black_at(x: u32, y: u32, width: u32, height: u32) -> bool {
    (x < width / 2 && y < height / 2) || (y >= height / 2 && x % 16 == 3)
}

/// The picture of [`black_at`] with set bits as black.
pub(super) fn bitonal_raster(width: u32, height: u32) -> Raster {
    let mut rows = vec![0; width.div_ceil(8) as usize * height as usize];
    for y in 0..height {
        for x in (0..width).filter(|&x| black_at(x, y, width, height)) {
            rows[(y * width.div_ceil(8) + x / 8) as usize] |= 0x80 >> (x % 8);
        }
    }
    Raster { width, height, pixels: PixelFormat::Bitonal { black_is_one: true }, rows }
}

/// A JPEG file of `raster`, without EXIF.
pub(super) fn jpeg(raster: &Raster) -> Vec<u8> {
    crate::source::jpeg::encode(&raster.to_pix().unwrap()).unwrap()
}

/// A JPEG file of 16 × 16 pixels of these inks (255 is full), stored inverted and marked as Adobe's programs do.
pub(super) fn inks_jpeg(inks: [u8; 4], colour: jpeg_encoder::ColorType) -> Vec<u8> {
    let mut file = Vec::new();
    let encoder = jpeg_encoder::Encoder::new(&mut file, 95);
    encoder.encode(&inks.repeat(256), 16, 16, colour).unwrap();
    file
}

/// The JPEG without its segments of one marker.
pub(super) fn without_segment(jpeg: &[u8], marker: u8) -> Vec<u8> {
    let at = jpeg.windows(2).position(|pair| pair == [0xff, marker]).unwrap();
    let length = usize::from(u16::from_be_bytes([jpeg[at + 2], jpeg[at + 3]]));
    [&jpeg[..at], &jpeg[at + 2 + length..]].concat()
}

/// Puts a marker segment right behind the start of a JPEG.
pub(super) fn with_segment(jpeg: &[u8], marker: u8, body: &[u8]) -> Vec<u8> {
    let length = (body.len() as u16 + 2).to_be_bytes();
    [&jpeg[..2], &[0xff, marker], &length, body, &jpeg[2..]].concat()
}

/// An EXIF segment's body with an orientation and a resolution in dots per inch.
pub(super) fn exif(orientation: u16, dpi: u32) -> Vec<u8> {
    let mut file = TiffBuilder::new(true);
    file.short(274, &[orientation]).rational(282, dpi).rational(283, dpi).short(296, &[2]);
    [b"Exif\0\0".as_slice(), &file.finish()].concat()
}

/// A PNG file by the `png` crate, with `change` applied to its encoder.
pub(super) fn png(
    (width, height): (u32, u32),
    colour: png::ColorType,
    depth: png::BitDepth,
    rows: &[u8],
    change: impl FnOnce(&mut png::Encoder<&mut Vec<u8>>),
) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, width, height);
    encoder.set_color(colour);
    encoder.set_depth(depth);
    change(&mut encoder);
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(rows).unwrap();
    writer.finish().unwrap();
    file
}

/// A PNG file of 8-bit grey.
pub(super) fn grey_png(width: u32, height: u32) -> Vec<u8> {
    let rows = grey_raster(width, height).rows;
    png((width, height), png::ColorType::Grayscale, png::BitDepth::Eight, &rows, |_| {})
}

/// Writes TIFF files of a chosen byte order: strips first, then a directory for each page.
pub(super) struct TiffBuilder {
    big_endian: bool,
    file: Vec<u8>,
    entries: Vec<(u16, u16, u32, Vec<u8>)>,
    /// Where the offset of the next directory is to be written.
    link_at: usize,
}

impl TiffBuilder {
    pub(super) fn new(big_endian: bool) -> Self {
        let magic: &[u8] = if big_endian { b"MM\0*" } else { b"II*\0" };
        let file = [magic, &[0; 4]].concat();
        Self { big_endian, file, entries: Vec::new(), link_at: 4 }
    }

    /// Appends bytes and says where they stand.
    pub(super) fn append(&mut self, bytes: &[u8]) -> u32 {
        let at = self.file.len() as u32;
        self.file.extend_from_slice(bytes);
        if self.file.len() % 2 == 1 {
            self.file.push(0);
        }
        at
    }

    pub(super) fn short(&mut self, tag: u16, values: &[u16]) -> &mut Self {
        let bytes = values.iter().flat_map(|&value| self.pair(value)).collect();
        self.entry(tag, 3, values.len(), bytes)
    }

    pub(super) fn long(&mut self, tag: u16, values: &[u32]) -> &mut Self {
        let bytes = values.iter().flat_map(|&value| self.quad(value)).collect();
        self.entry(tag, 4, values.len(), bytes)
    }

    pub(super) fn rational(&mut self, tag: u16, value: u32) -> &mut Self {
        let bytes = [self.quad(value), self.quad(1)].concat();
        self.entry(tag, 5, 1, bytes)
    }

    pub(super) fn bytes(&mut self, tag: u16, bytes: &[u8]) -> &mut Self {
        self.entry(tag, 7, bytes.len(), bytes.to_vec())
    }

    /// The tags that every page needs, with the page in one strip.
    pub(super) fn page(
        &mut self,
        (width, height): (u32, u32),
        bits: &[u16],
        photometric: u16,
        compression: u16,
        strip: &[u8],
    ) -> &mut Self {
        let at = self.append(strip);
        self.long(256, &[width]).long(257, &[height]).short(258, bits).short(259, &[compression]);
        self.short(262, &[photometric]).long(273, &[at]).short(277, &[bits.len() as u16]);
        self.long(278, &[height]).long(279, &[strip.len() as u32])
    }

    /// Ends the page's directory; returns where it stands.
    pub(super) fn end_page(&mut self) -> u32 {
        let mut entries = std::mem::take(&mut self.entries);
        entries.sort_by_key(|entry| entry.0);
        let mut directory = self.pair(entries.len() as u16).to_vec();
        for (tag, kind, count, bytes) in entries {
            directory.extend(self.pair(tag));
            directory.extend(self.pair(kind));
            directory.extend(self.quad(count));
            if bytes.len() <= 4 {
                directory.extend(bytes.iter().copied().chain(std::iter::repeat(0)).take(4));
            } else {
                let at = self.append(&bytes);
                directory.extend(self.quad(at));
            }
        }
        let at = self.append(&directory);
        self.link_to(at);
        self.link_at = self.file.len();
        self.file.extend([0; 4]);
        at
    }

    /// Writes the offset of the next directory.
    pub(super) fn link_to(&mut self, offset: u32) {
        let offset = self.quad(offset);
        self.file[self.link_at..self.link_at + 4].copy_from_slice(&offset);
    }

    pub(super) fn finish(mut self) -> Vec<u8> {
        if !self.entries.is_empty() {
            self.end_page();
        }
        self.file
    }

    fn entry(&mut self, tag: u16, kind: u16, count: usize, bytes: Vec<u8>) -> &mut Self {
        self.entries.retain(|entry| entry.0 != tag);
        self.entries.push((tag, kind, count as u32, bytes));
        self
    }

    fn pair(&self, value: u16) -> [u8; 2] {
        if self.big_endian { value.to_be_bytes() } else { value.to_le_bytes() }
    }

    fn quad(&self, value: u32) -> [u8; 4] {
        if self.big_endian { value.to_be_bytes() } else { value.to_le_bytes() }
    }
}
