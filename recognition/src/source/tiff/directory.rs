//! Image file directories (TIFF 6.0 section 2, and `BigTIFF`'s wider ones).

use pagemill_domain::geometry::Orientation;
use pagemill_domain::scan::Dpi;

/// Tags that are read.
pub(crate) mod tag {
    pub(crate) const NEW_SUBFILE_TYPE: u16 = 254;
    pub(crate) const IMAGE_WIDTH: u16 = 256;
    pub(crate) const IMAGE_LENGTH: u16 = 257;
    pub(crate) const BITS_PER_SAMPLE: u16 = 258;
    pub(crate) const COMPRESSION: u16 = 259;
    pub(crate) const PHOTOMETRIC: u16 = 262;
    pub(crate) const FILL_ORDER: u16 = 266;
    pub(crate) const STRIP_OFFSETS: u16 = 273;
    pub(crate) const ORIENTATION: u16 = 274;
    pub(crate) const SAMPLES_PER_PIXEL: u16 = 277;
    pub(crate) const ROWS_PER_STRIP: u16 = 278;
    pub(crate) const STRIP_BYTE_COUNTS: u16 = 279;
    pub(crate) const X_RESOLUTION: u16 = 282;
    pub(crate) const Y_RESOLUTION: u16 = 283;
    pub(crate) const PLANAR_CONFIGURATION: u16 = 284;
    pub(crate) const T4_OPTIONS: u16 = 292;
    pub(crate) const RESOLUTION_UNIT: u16 = 296;
    pub(crate) const PREDICTOR: u16 = 317;
    pub(crate) const COLOR_MAP: u16 = 320;
    pub(crate) const TILE_WIDTH: u16 = 322;
    pub(crate) const TILE_LENGTH: u16 = 323;
    pub(crate) const TILE_OFFSETS: u16 = 324;
    pub(crate) const TILE_BYTE_COUNTS: u16 = 325;
    pub(crate) const EXTRA_SAMPLES: u16 = 338;
    pub(crate) const SAMPLE_FORMAT: u16 = 339;
    pub(crate) const JPEG_TABLES: u16 = 347;
}

/// Entries of one directory; more is damage (the whole of TIFF, EXIF and `GeoTIFF` has fewer tags).
const ENTRIES_MAX: u64 = 4_096;

/// A TIFF file's bytes and how its numbers are stored.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tiff<'a> {
    bytes: &'a [u8],
    big_endian: bool,
    wide: bool,
}

/// One directory.
#[derive(Debug, Clone, Default)]
pub(crate) struct Directory {
    entries: Vec<Entry>,
    /// Where the next directory stands; 0 after the last.
    pub(crate) next: u64,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    tag: u16,
    kind: u16,
    count: u64,
    /// Where the values stand, be it in the entry itself.
    values_at: u64,
}

impl<'a> Tiff<'a> {
    /// The file and where its first directory stands.
    pub(crate) fn open(bytes: &'a [u8]) -> Option<(Self, u64)> {
        let big_endian = match bytes.get(..2)? {
            b"II" => false,
            b"MM" => true,
            _ => return None,
        };
        let mut tiff = Self { bytes, big_endian, wide: false };
        match tiff.unsigned(2, 2)? {
            42 => Some((tiff, tiff.unsigned(4, 4)?)),
            43 => {
                tiff.wide = true;
                Some((tiff, tiff.unsigned(8, 8)?))
            }
            _ => None,
        }
    }

    /// Reads the directory at `offset`; `None` where it is not wholly inside the file.
    pub(crate) fn directory(&self, offset: u64) -> Option<Directory> {
        let (count_bytes, entry_bytes, value_bytes) = if self.wide { (8, 20, 8) } else { (2, 12, 4) };
        let count = self.unsigned(offset, count_bytes)?;
        if count == 0 || count > ENTRIES_MAX {
            return None;
        }
        let mut entries = Vec::with_capacity(count as usize);
        let mut at = offset.checked_add(count_bytes)?;
        for _ in 0..count {
            let (tag, kind) = (self.unsigned(at, 2)? as u16, self.unsigned(at + 2, 2)? as u16);
            let count = self.unsigned(at + 4, value_bytes)?;
            let inline = at + 4 + value_bytes;
            let fits = count.checked_mul(bytes_of(kind)).is_some_and(|size| size <= value_bytes);
            let values_at = if fits { inline } else { self.unsigned(inline, value_bytes)? };
            entries.push(Entry { tag, kind, count, values_at });
            at += entry_bytes;
        }
        // A file that ends here has no further directory.
        let next = self.unsigned(at, value_bytes).unwrap_or(0);
        Some(Directory { entries, next })
    }

    /// The bytes from `offset` on, `length` of them.
    pub(crate) fn range(&self, offset: u64, length: u64) -> Option<&'a [u8]> {
        let end = offset.checked_add(length)?;
        self.bytes.get(usize::try_from(offset).ok()?..usize::try_from(end).ok()?)
    }

    /// Size of the file.
    pub(crate) fn len(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// Whether samples of 16 bits are stored most significant byte first.
    pub(crate) fn is_big_endian(&self) -> bool {
        self.big_endian
    }

    fn unsigned(&self, offset: u64, length: u64) -> Option<u64> {
        let bytes = self.range(offset, length)?;
        let add = |value: u64, byte: &u8| value << 8 | u64::from(*byte);
        Some(if self.big_endian { bytes.iter().fold(0, add) } else { bytes.iter().rev().fold(0, add) })
    }
}

impl Directory {
    /// All values of a tag of an integer type; `None` where it is absent or its values lie outside of the file.
    pub(crate) fn integers(&self, tiff: &Tiff, tag: u16) -> Option<Vec<u64>> {
        let entry = self.entry(tag)?;
        let size = bytes_of(entry.kind);
        if !matches!(entry.kind, 1 | 3 | 4 | 7 | 13 | 16 | 18) {
            return None;
        }
        tiff.range(entry.values_at, entry.count.checked_mul(size)?)?;
        (0..entry.count).map(|index| tiff.unsigned(entry.values_at + index * size, size)).collect()
    }

    /// The first value of a tag of an integer type.
    pub(crate) fn integer(&self, tiff: &Tiff, tag: u16) -> Option<u64> {
        let entry = self.entry(tag)?;
        let size = bytes_of(entry.kind);
        (entry.count > 0 && matches!(entry.kind, 1 | 3 | 4 | 13 | 16 | 18))
            .then(|| tiff.unsigned(entry.values_at, size))?
    }

    /// The bytes of a tag.
    pub(crate) fn bytes<'a>(&self, tiff: &Tiff<'a>, tag: u16) -> Option<&'a [u8]> {
        let entry = self.entry(tag)?;
        tiff.range(entry.values_at, entry.count.checked_mul(bytes_of(entry.kind))?)
    }

    /// How the samples are to be displayed.
    pub(crate) fn orientation(&self, tiff: &Tiff) -> Orientation {
        Orientation::from_tag(self.integer(tiff, tag::ORIENTATION).unwrap_or(1) as u16)
    }

    /// The resolution, if the directory declares one in inches or centimetres.
    pub(crate) fn resolution(&self, tiff: &Tiff) -> Option<Dpi> {
        const INCH: u64 = 2;
        const CENTIMETRE: u64 = 3;
        let per_inch = match self.integer(tiff, tag::RESOLUTION_UNIT).unwrap_or(INCH) {
            INCH => 1.0,
            CENTIMETRE => 2.54,
            _ => return None,
        };
        let x = self.rational(tiff, tag::X_RESOLUTION)?;
        let y = self.rational(tiff, tag::Y_RESOLUTION).unwrap_or(x);
        Some(Dpi::from_f64(x * per_inch, y * per_inch))
    }

    fn rational(&self, tiff: &Tiff, tag: u16) -> Option<f64> {
        const RATIONAL: u16 = 5;
        let entry = self.entry(tag)?;
        if entry.kind != RATIONAL {
            return self.integer(tiff, tag).map(|value| value as f64);
        }
        let numerator = tiff.unsigned(entry.values_at, 4)? as f64;
        let denominator = tiff.unsigned(entry.values_at.checked_add(4)?, 4)? as f64;
        (denominator > 0.0).then_some(numerator / denominator)
    }

    fn entry(&self, tag: u16) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.tag == tag)
    }
}

/// Bytes of one value of a field type (TIFF 6.0 section 2; 13, 16 to 18 are later additions). Unknown types count as
/// bytes.
fn bytes_of(kind: u16) -> u64 {
    match kind {
        3 | 8 => 2,
        4 | 9 | 11 | 13 => 4,
        5 | 10 | 12 | 16..=18 => 8,
        _ => 1,
    }
}
