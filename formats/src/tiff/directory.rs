//! An image file directory: its entries, and the values that do not fit into them.

use std::collections::BTreeMap;

/// Sizes of offsets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    /// TIFF 6.0: offsets of 4 bytes.
    Classic,
    /// BigTIFF: offsets of 8 bytes.
    Big,
}

/// A tag's values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    Short(Vec<u16>),
    Long(Vec<u32>),
    Rational(Vec<(u32, u32)>),
    /// A place in the file or a length, of the layout's size.
    Offset(u64),
}

/// A directory's entries, in the order of their tags as readers demand.
#[derive(Debug, Default)]
pub(super) struct Directory(BTreeMap<u16, Value>);

const STRIP_OFFSETS: u16 = 273;
const STRIP_BYTE_COUNTS: u16 = 279;

impl Layout {
    /// The file's header; the first directory follows at once, if there is any.
    pub(super) fn header(self, has_pages: bool) -> Vec<u8> {
        match self {
            Self::Classic => [b"II\x2a\0".as_slice(), &(u32::from(has_pages) * 8).to_le_bytes()].concat(),
            Self::Big => {
                [b"II\x2b\0\x08\0\0\0".as_slice(), &(u64::from(has_pages) * 16).to_le_bytes()].concat()
            }
        }
    }

    /// Bytes of an offset; a value of up to so many bytes stands in its entry.
    const fn offset_bytes(self) -> usize {
        match self {
            Self::Classic => 4,
            Self::Big => 8,
        }
    }

    /// `value` as an offset; `None` if it is too large for one.
    fn offset(self, value: u64) -> Option<Vec<u8>> {
        match self {
            Self::Classic => u32::try_from(value).ok().map(|value| value.to_le_bytes().to_vec()),
            Self::Big => Some(value.to_le_bytes().to_vec()),
        }
    }

    /// `value` as a count of entries.
    fn entry_count(self, value: usize) -> Vec<u8> {
        match self {
            Self::Classic => (value as u16).to_le_bytes().to_vec(),
            Self::Big => (value as u64).to_le_bytes().to_vec(),
        }
    }
}

impl Directory {
    /// Sets a tag.
    pub(super) fn set(&mut self, tag: u16, value: Value) {
        self.0.insert(tag, value);
    }

    /// The directory's bytes, to be written at `position` and followed by the strip. `None` where an offset is too
    /// large for the layout.
    pub(super) fn encode(
        mut self,
        layout: Layout,
        position: u64,
        strip_length: u64,
        is_last: bool,
    ) -> Option<Vec<u8>> {
        // The strip's place follows from the size of the directory, which does not depend on it.
        self.set(STRIP_OFFSETS, Value::Offset(0));
        self.set(STRIP_BYTE_COUNTS, Value::Offset(strip_length));
        let size = self.table_bytes(layout) + self.outside_bytes(layout);
        let strip = position + size as u64;
        self.set(STRIP_OFFSETS, Value::Offset(strip));
        let next = if is_last { 0 } else { (strip + strip_length).next_multiple_of(2) };

        let mut table = layout.entry_count(self.0.len());
        let mut outside: Vec<u8> = Vec::new();
        let outside_start = position + self.table_bytes(layout) as u64;
        for (tag, value) in &self.0 {
            let (kind, count, mut bytes) = value.encoded(layout)?;
            table.extend(tag.to_le_bytes());
            table.extend(kind.to_le_bytes());
            table.extend(layout.offset(count as u64)?);
            if bytes.len() <= layout.offset_bytes() {
                bytes.resize(layout.offset_bytes(), 0);
                table.extend(bytes);
            } else {
                table.extend(layout.offset(outside_start + outside.len() as u64)?);
                outside.extend(bytes);
                outside.resize(outside.len().next_multiple_of(8), 0);
            }
        }
        table.extend(layout.offset(next)?);
        table.extend(outside);
        Some(table)
    }

    fn table_bytes(&self, layout: Layout) -> usize {
        let entry_bytes = 4 + 2 * layout.offset_bytes();
        layout.entry_count(0).len() + self.0.len() * entry_bytes + layout.offset_bytes()
    }

    fn outside_bytes(&self, layout: Layout) -> usize {
        let outside = self.0.values().map(Value::bytes).filter(|&bytes| bytes > layout.offset_bytes());
        outside.map(|bytes| bytes.next_multiple_of(8)).sum()
    }
}

impl Value {
    /// Bytes of a value that may stand outside its entry; an offset never does.
    fn bytes(&self) -> usize {
        match self {
            Self::Short(values) => values.len() * 2,
            Self::Long(values) => values.len() * 4,
            Self::Rational(values) => values.len() * 8,
            Self::Offset(_) => 0,
        }
    }

    /// The number of its type, how many values there are, and their bytes.
    fn encoded(&self, layout: Layout) -> Option<(u16, usize, Vec<u8>)> {
        Some(match self {
            Self::Short(values) => {
                (3, values.len(), values.iter().flat_map(|value| value.to_le_bytes()).collect())
            }
            Self::Long(values) => {
                (4, values.len(), values.iter().flat_map(|value| value.to_le_bytes()).collect())
            }
            Self::Rational(values) => {
                let bytes =
                    values.iter().flat_map(|(above, below)| [above.to_le_bytes(), below.to_le_bytes()]);
                (5, values.len(), bytes.flatten().collect())
            }
            Self::Offset(value) => (if layout == Layout::Big { 16 } else { 4 }, 1, layout.offset(*value)?),
        })
    }
}
