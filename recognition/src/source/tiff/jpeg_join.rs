//! Joining JPEG strips to one stream without decoding them: each strip becomes a restart interval (ITU-T T.81 § E.1.4).

use crate::source::jpeg_markers::{END_OF_IMAGE, START_OF_IMAGE, Segment, Segments};

/// Strips, each a stream of its own with all its tables, as one stream of `height` rows; `None` where they do not go
/// together: other coding than sequential Huffman, restart intervals of their own, tables or sampling that change, or
/// strips whose height is not a whole number of coded units.
pub(super) fn join(strips: &[Vec<u8>], height: u32) -> Option<Vec<u8>> {
    let parts: Vec<Parts> = strips.iter().map(|strip| Parts::of(strip)).collect::<Option<_>>()?;
    let (first, last) = (parts.first()?, parts.last()?);
    let unit = first.unit()?;
    let rows = first.rows();
    if !parts.iter().all(|part| part.goes_with(first))
        || !rows.is_multiple_of(unit.height)
        || parts[..parts.len() - 1].iter().any(|part| part.rows() != rows)
    {
        return None;
    }
    let rows_before = rows.checked_mul(parts.len() as u32 - 1)?;
    let rows_left = height.checked_sub(rows_before).filter(|left| *left > 0)?;
    if last.rows().div_ceil(unit.height) != rows_left.div_ceil(unit.height) {
        return None;
    }
    let units = first.width().div_ceil(unit.width).checked_mul(rows / unit.height)?;
    let interval = u16::try_from(units).ok()?;
    Some(write(&parts, u16::try_from(height).ok()?, interval))
}

fn write(parts: &[Parts], height: u16, interval: u16) -> Vec<u8> {
    const HEIGHT_AT: usize = 5;
    let first = &parts[0];
    let mut frame = first.frame.whole.to_vec();
    frame[HEIGHT_AT..HEIGHT_AT + 2].copy_from_slice(&height.to_be_bytes());
    let mut stream = START_OF_IMAGE.to_vec();
    first.others.iter().for_each(|segment| stream.extend_from_slice(segment.whole));
    stream.extend_from_slice(&frame);
    stream.extend_from_slice(&[0xff, 0xdd, 0, 4]);
    stream.extend_from_slice(&interval.to_be_bytes());
    stream.extend_from_slice(first.scan_header.whole);
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            stream.extend_from_slice(&[0xff, 0xd0 + ((index - 1) % 8) as u8]);
        }
        stream.extend_from_slice(part.scan);
    }
    stream.extend_from_slice(&END_OF_IMAGE);
    stream
}

/// A strip's stream, taken apart.
struct Parts<'a> {
    frame: Segment<'a>,
    /// Tables and application segments.
    others: Vec<Segment<'a>>,
    scan_header: Segment<'a>,
    /// The coded samples, without the end mark.
    scan: &'a [u8],
}

/// A minimum coded unit, in pixels.
struct Unit {
    width: u32,
    height: u32,
}

impl<'a> Parts<'a> {
    fn of(stream: &'a [u8]) -> Option<Self> {
        const RESTART_INTERVAL: u8 = 0xdd;
        let mut segments = Segments::new(stream);
        let (mut frame, mut others) = (None, Vec::new());
        for segment in segments.by_ref() {
            match segment.marker {
                0xc0 | 0xc1 => frame = Some(segment),
                RESTART_INTERVAL if segment.body == [0, 0] => {}
                0xc2..=0xc3 | 0xc5..=0xcf | RESTART_INTERVAL => return None,
                _ => others.push(segment),
            }
        }
        let (scan_header, rest) = segments.first_scan()?;
        let scan = &rest[..rest.windows(2).rposition(|pair| pair == END_OF_IMAGE)?];
        let frame = frame.filter(|frame| frame.body.len() >= 9)?;
        let is_one_scan = scan.windows(2).all(|pair| pair[0] != 0xff || pair[1] == 0);
        is_one_scan.then_some(Self { frame, others, scan_header, scan })
    }

    fn rows(&self) -> u32 {
        u32::from(u16::from_be_bytes([self.frame.body[1], self.frame.body[2]]))
    }

    fn width(&self) -> u32 {
        u32::from(u16::from_be_bytes([self.frame.body[3], self.frame.body[4]]))
    }

    /// The unit in which the scan is coded; a scan of one component is coded by single blocks (§ A.2.2).
    fn unit(&self) -> Option<Unit> {
        let components = self.frame.body[6..].chunks_exact(3).map(|component| component[1]);
        if self.frame.body[5] == 1 {
            return Some(Unit { width: 8, height: 8 });
        }
        let factors = components.map(|sampling| (u32::from(sampling >> 4), u32::from(sampling & 15)));
        let (across, down) = factors.reduce(|most, one| (most.0.max(one.0), most.1.max(one.1)))?;
        (across > 0 && down > 0).then_some(Unit { width: 8 * across, height: 8 * down })
    }

    /// Whether another strip's samples can be read with this one's tables.
    fn goes_with(&self, first: &Self) -> bool {
        let same = |one: &Segment, other: &Segment| one.whole == other.whole;
        let tables = |part: &Self| -> Vec<Vec<u8>> {
            part.others
                .iter()
                .filter(|segment| matches!(segment.marker, 0xc4 | 0xdb))
                .map(|segment| segment.whole.to_vec())
                .collect()
        };
        same(&self.scan_header, &first.scan_header)
            && self.frame.marker == first.frame.marker
            && self.frame.body[0] == first.frame.body[0]
            && self.frame.body[3..] == first.frame.body[3..]
            && tables(self) == tables(first)
    }
}
