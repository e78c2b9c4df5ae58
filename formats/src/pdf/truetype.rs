//! A TrueType font whose glyphs are all empty and equally wide: what invisible text needs of a font.
//!
//! PDF/A asks that a font is embedded even where it paints nothing. The tables are those that PDF asks of an embedded
//! CID font (PDF Reference 1.4, § 5.8).

/// Units of an em.
pub(super) const UNITS_PER_EM: u16 = 1000;
/// Width of each glyph.
pub(super) const ADVANCE: u16 = 500;
/// Height of a glyph's cell above the baseline. With [`DESCENT`] it makes one em, so that a font of a line's height
/// covers the line.
pub(super) const ASCENT: i16 = 800;
/// Depth of a glyph's cell below the baseline, negative.
pub(super) const DESCENT: i16 = -200;

/// The bytes of a font of so many glyphs, the first of which is `.notdef`.
pub(super) fn font(glyphs: u16) -> Vec<u8> {
    let mut tables: [(&[u8; 4], Vec<u8>); 7] = [
        (b"glyf", vec![0; 4]),
        (b"head", head()),
        (b"hhea", hhea()),
        (b"hmtx", hmtx(glyphs)),
        (b"loca", vec![0; (usize::from(glyphs) + 1) * 2]),
        (b"maxp", maxp(glyphs)),
        (b"post", post()),
    ];
    let plain = assemble(&tables);
    // `checkSumAdjustment`: the whole file must sum up to this constant of the specification.
    let adjustment = 0xB1B0_AFBA_u32.wrapping_sub(checksum(&plain));
    tables[1].1[8..12].copy_from_slice(&adjustment.to_be_bytes());
    assemble(&tables)
}

/// The file: a header, a directory sorted by tag, the tables. The directory's checksum of `head` is taken as if its
/// adjustment were 0.
fn assemble(tables: &[(&[u8; 4], Vec<u8>)]) -> Vec<u8> {
    let count = tables.len() as u16;
    let log = count.ilog2() as u16;
    let range = 16 << log;
    let mut file = shorts(&[1, 0, count, range, log, count * 16 - range]);
    let mut offset = 12 + 16 * tables.len();
    for (tag, table) in tables {
        let mut summed = table.clone();
        if *tag == b"head" {
            summed[8..12].fill(0);
        }
        file.extend(*tag);
        file.extend(checksum(&summed).to_be_bytes());
        file.extend((offset as u32).to_be_bytes());
        file.extend((table.len() as u32).to_be_bytes());
        offset += table.len().next_multiple_of(4);
    }
    for (_, table) in tables {
        file.extend(table);
        file.resize(file.len().next_multiple_of(4), 0);
    }
    file
}

fn checksum(bytes: &[u8]) -> u32 {
    bytes.chunks(4).fold(0_u32, |sum, chunk| {
        let mut word = [0; 4];
        word[..chunk.len()].copy_from_slice(chunk);
        sum.wrapping_add(u32::from_be_bytes(word))
    })
}

fn shorts(values: &[u16]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_be_bytes()).collect()
}

/// Version 1.0, revision 1.0, checksum adjustment (later), magic number, flags, em, no dates, bounding box, no style,
/// smallest size 8, mixed direction, short `loca`.
fn head() -> Vec<u8> {
    let (ascent, descent) = (ASCENT as u16, DESCENT as u16);
    shorts(&[
        1,
        0,
        1,
        0,
        0,
        0,
        0x5F0F,
        0x3CF5,
        0,
        UNITS_PER_EM,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        descent,
        ADVANCE,
        ascent,
        0,
        8,
        2,
        0,
        0,
    ])
}

/// Version 1.0, ascent, descent, no gap, widest advance, …, upright caret, …, one horizontal metric.
fn hhea() -> Vec<u8> {
    let (ascent, descent) = (ASCENT as u16, DESCENT as u16);
    shorts(&[1, 0, ascent, descent, 0, ADVANCE, 0, 0, ADVANCE, 1, 0, 0, 0, 0, 0, 0, 0, 1])
}

/// One metric for all, and a left bearing of 0 for each glyph after the first.
fn hmtx(glyphs: u16) -> Vec<u8> {
    let mut table = shorts(&[ADVANCE, 0]);
    table.resize(4 + 2 * usize::from(glyphs.saturating_sub(1)), 0);
    table
}

/// Version 1.0; no points, contours or instructions, two zones as the specification asks.
fn maxp(glyphs: u16) -> Vec<u8> {
    shorts(&[1, 0, glyphs, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0])
}

/// Version 3.0: glyphs have no names; fixed pitch.
fn post() -> Vec<u8> {
    shorts(&[3, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_sums_up_as_the_specification_asks() {
        for glyphs in [1, 2, 3, 200, u16::MAX] {
            let font = font(glyphs);
            assert_eq!(checksum(&font), 0xB1B0_AFBA, "{glyphs} glyphs");
            assert_eq!(font.len() % 4, 0);
        }
    }
}
