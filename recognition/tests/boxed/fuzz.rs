//! Small files, damaged at random, through the shipped child: each gives an answer or a typed failure, and the child that
//! comes after it works.

use std::collections::BTreeMap;
use std::io::{Cursor, Write};

use image::{DynamicImage, GrayImage, ImageFormat, Luma};
use libtest_mimic::Trial;
use pagemill_domain::page_image::Deliverable;
use pagemill_domain::scan::SourceFacts;
use pagemill_recognition::boxed::client::{Answered, BoxClient, BoxError};

use crate::shipped::{reading, source_of};
use crate::test;

/// Where the pseudo-random numbers start; another seed tries other damage.
const SEED: u64 = 20_261_123;

/// Damaged files of each kind.
const FILES_PER_KIND: usize = 60;

/// Pages that are looked at in one file: damage can make it declare many.
const PAGES_MAX: usize = 2;

pub(crate) fn tests() -> Vec<Trial> {
    vec![test("damaged_files_give_typed_failures", damaged_files_give_typed_failures)]
}

fn damaged_files_give_typed_failures() {
    eprintln!("seed {SEED}");
    let mut random = Random(SEED);
    let mut options = reading();
    options.limits.page_cpu_seconds_max = 10;
    options.limits.child_memory_mib_max = 1024;
    options.limits.pixels_per_page_max = 20_000_000;
    let mut client = BoxClient::new(options);
    let mut outcomes = BTreeMap::new();
    for (kind, whole) in seeds() {
        assert!(read_all(&mut client, &whole, &mut |_| ()).is_some(), "the undamaged {kind}");
        for number in 0..FILES_PER_KIND {
            let damaged = random.damage(&whole);
            read_all(&mut client, &damaged, &mut |outcome| {
                assert!(
                    outcome != "page_rubbish" && outcome != "loss",
                    "{outcome}: {kind} {number}, seed {SEED}"
                );
                *outcomes.entry((kind, outcome)).or_insert(0) += 1;
            });
        }
        assert!(read_all(&mut client, &whole, &mut |_| ()).is_some(), "the {kind} after the damaged ones");
    }
    eprintln!("{outcomes:?}");
}

/// Asks all there is to ask about a file, and tells what came of each question; `None` where its headers have none.
fn read_all(
    client: &mut BoxClient,
    bytes: &[u8],
    told: &mut impl FnMut(&'static str),
) -> Option<SourceFacts> {
    let source = source_of(bytes);
    let answered = client.inspect(&source);
    told(outcome(&answered));
    let facts = answered.result.ok()?;
    for number in 1..=facts.pages.len().min(PAGES_MAX) as u32 {
        told(outcome(&client.read(&source, number, false)));
        for deliverable in [Deliverable::Pdf14, Deliverable::Jpeg, Deliverable::Tiff] {
            told(outcome(&client.deliver(&source, number, deliverable)));
        }
        told(outcome(&client.existing_text(&source, number)));
    }
    Some(facts)
}

fn outcome<T>(answered: &Answered<T>) -> &'static str {
    match &answered.result {
        Ok(_) => "ok",
        Err(BoxError::Rejected(rejection)) => rejection.code(),
        Err(BoxError::Defect(defect)) => defect.code(),
        Err(BoxError::Fault(fault)) => {
            eprintln!("{fault}");
            fault.code()
        }
        Err(BoxError::Loss(_)) => "loss",
    }
}

/// A page of 96 × 64 pixels with some strokes, as each kind of file.
fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let page = GrayImage::from_fn(96, 64, |x, y| Luma([if x % 12 < 3 && y % 16 < 9 { 20 } else { 235 }]));
    let encoded = |image: DynamicImage, format| {
        let mut bytes = Cursor::new(Vec::new());
        image.write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    };
    let grey = DynamicImage::ImageLuma8(page);
    let colour = DynamicImage::ImageRgb8(grey.to_rgb8());
    let jpeg = encoded(grey.clone(), ImageFormat::Jpeg);
    vec![
        ("pdf", pdf_of(&jpeg)),
        ("jpeg", jpeg),
        ("png", encoded(grey, ImageFormat::Png)),
        ("colour png", encoded(colour.clone(), ImageFormat::Png)),
        ("tiff", encoded(colour, ImageFormat::Tiff)),
    ]
}

/// A PDF of one page that the JPEG fills.
fn pdf_of(jpeg: &[u8]) -> Vec<u8> {
    let content = "q 96 0 0 64 0 0 cm /I Do Q";
    let objects = [
        b"<</Type/Catalog/Pages 2 0 R>>".to_vec(),
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>".to_vec(),
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 96 64]/Resources<</XObject<</I 5 0 R>>>>/Contents 4 0 R>>"
            .to_vec(),
        stream("", content.as_bytes()),
        stream(
            "/Type/XObject/Subtype/Image/Width 96/Height 64/ColorSpace/DeviceGray/BitsPerComponent 8/Filter/DCTDecode",
            jpeg,
        ),
    ];
    let mut pdf = b"%PDF-1.7\n".to_vec();
    let mut offsets = Vec::new();
    for (number, object) in objects.iter().enumerate() {
        offsets.push(pdf.len());
        writeln!(pdf, "{} 0 obj", number + 1).unwrap();
        pdf.extend(object);
        pdf.extend(b"\nendobj\n");
    }
    let start = pdf.len();
    pdf.extend(b"xref\n0 6\n0000000000 65535 f \n");
    for offset in offsets {
        writeln!(pdf, "{offset:010} 00000 n ").unwrap();
    }
    write!(pdf, "trailer<</Size 6/Root 1 0 R>>\nstartxref\n{start}\n%%EOF").unwrap();
    pdf
}

fn stream(entries: &str, bytes: &[u8]) -> Vec<u8> {
    let mut object = format!("<<{entries}/Length {}>>stream\n", bytes.len()).into_bytes();
    object.extend(bytes);
    object.extend(b"\nendstream");
    object
}

/// Marsaglia's xorshift64: repeatable, and random enough to break files.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }

    /// The file with up to four wounds.
    fn damage(&mut self, whole: &[u8]) -> Vec<u8> {
        let mut bytes = whole.to_vec();
        for _ in 0..=self.below(4) {
            let at = self.below(bytes.len());
            match self.below(6) {
                0 => bytes[at] ^= 1 << self.below(8),
                1 => bytes[at] = [0, 1, 0x7f, 0x80, 0xff][self.below(5)],
                2 => self.overwrite(&mut bytes, at),
                3 => bytes.truncate(at + 1),
                4 => {
                    let end = (at + 1 + self.below(64)).min(bytes.len());
                    bytes.drain(at..end);
                    bytes.push(0);
                }
                _ => {
                    let end = (at + 1 + self.below(64)).min(bytes.len());
                    let copy = bytes[at..end].to_vec();
                    let to = self.below(bytes.len());
                    bytes.splice(to..to, copy);
                }
            }
        }
        bytes
    }

    /// Puts a number that tends to break length arithmetic in place of four bytes.
    fn overwrite(&mut self, bytes: &mut [u8], at: usize) {
        let number = [0_u32, 1, 0x7fff_ffff, 0x8000_0000, u32::MAX, 0xffff, 0x0001_0000][self.below(7)];
        let coded = if self.below(2) == 0 { number.to_le_bytes() } else { number.to_be_bytes() };
        for (place, byte) in bytes[at..].iter_mut().zip(coded) {
            *place = byte;
        }
    }
}
