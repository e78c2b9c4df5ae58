//! Mutated files: whatever comes in, a source opens or is refused, and each page is decoded or has a defect. A crash or
//! a hang would end the test; the bounds on size are checked.

use leptess::capi;

use super::fixtures::{bitonal_raster, colour_raster, exif, grey_png, grey_raster, jpeg, with_segment};
use super::pdf_fixtures::{PdfBuilder, over_page, zlib};
use super::*;

/// Mutants of each seed file; `PAGEMILL_FUZZ_MUTANTS` asks for more.
const MUTANTS: u32 = 150;

/// What hostile headers and dictionaries say.
const TOKENS: [&[u8]; 10] = [
    b"4294967295",
    b"-1",
    b" 0 ",
    b"1e38",
    b"[",
    b"<<",
    b" 3 0 R ",
    b"\xff\xff\xff\xff",
    b"\0\0\0\0",
    b"q Q",
];

/// A small generator (Numerical Recipes' linear congruential one): the seed is all that a failure needs.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit.max(1)
    }
}

fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let colour = colour_raster(40, 24);
    let bitonal = bitonal_raster(64, 40).to_pix().unwrap();
    let tiff = |pix: &Pix, format| g4::tiff_file(pix, format).unwrap();
    let picture = jpeg(&colour);
    vec![
        ("jpeg", with_segment(&picture, 0xe1, &exif(6, 200))),
        ("png", grey_png(40, 24)),
        ("tiff g4", tiff(&bitonal, capi::IFF_TIFF_G4)),
        ("tiff g3", tiff(&bitonal, capi::IFF_TIFF_G3)),
        ("tiff lzw", tiff(&colour.to_pix().unwrap(), capi::IFF_TIFF_LZW)),
        ("tiff zip", tiff(&grey_raster(40, 24).to_pix().unwrap(), capi::IFF_TIFF_ZIP)),
        ("pdf", pdf(&picture)),
    ]
}

/// A PDF with most of what pages of scans have.
fn pdf(picture: &[u8]) -> Vec<u8> {
    let mut file = PdfBuilder::new();
    let image =
        file.image((40, 24), "/ColorSpace /DeviceRGB /BitsPerComponent 8 /Filter /DCTDecode", picture);
    let content = format!("{} BT 3 Tr /F 9 Tf 5 5 Td (text) Tj ET", over_page(72, 72));
    file.page(image, &content, "/MediaBox [0 0 72 72] /Rotate 90");
    let fax = g4::encode(&bitonal_raster(64, 40).to_pix().unwrap()).unwrap();
    let dict =
        "/ImageMask true /BitsPerComponent 1 /Filter /CCITTFaxDecode /DecodeParms << /K -1 /Columns 64 >>";
    let image = file.image((64, 40), dict, &fax);
    file.page(image, "0.2 g 0 0 9 9 re f q 20 5 -5 20 9 9 cm /I Do Q", "/MediaBox [0 0 36 36] /UserUnit 2");
    let rows = zlib(&grey_raster(40, 24).rows);
    let image =
        file.image((40, 24), "/ColorSpace /DeviceGray /BitsPerComponent 8 /Filter /FlateDecode", &rows);
    file.page(image, &over_page(72, 72), "/MediaBox [0 0 72 72] /CropBox [1 1 71 71]");
    file.finish()
}

fn mutate(seed: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for _ in 0..=random.below(4) {
        let at = random.below(bytes.len());
        match random.below(8) {
            0 => bytes[at] ^= 1 << random.below(8),
            1 => bytes[at] = [0, 1, 0x7f, 0x80, 0xff][random.below(5)],
            2 => bytes[at] = b"0123456789"[random.below(10)],
            3 => bytes.truncate(at.max(1)),
            4 => drop(bytes.drain(at..(at + 1 + random.below(8)).min(bytes.len()))),
            5 => drop(bytes.splice(at..at, TOKENS[random.below(TOKENS.len())].iter().copied())),
            6 => {
                let token = TOKENS[random.below(TOKENS.len())];
                let end = (at + token.len()).min(bytes.len());
                bytes[at..end].copy_from_slice(&token[..end - at]);
            }
            _ => {
                let piece = bytes[at..(at + 1 + random.below(32)).min(bytes.len())].to_vec();
                let to = random.below(bytes.len());
                bytes.splice(to..to, piece);
            }
        }
        if bytes.is_empty() {
            break;
        }
    }
    bytes
}

/// Opens, inspects, decodes, reads and delivers whatever can be.
fn exercise(bytes: Vec<u8>) {
    let limits = Limits { pixels_per_page_max: 4_000_000, pages_per_source_max: 50, ..Limits::default() };
    let Ok(source) = Source::open(Arc::new(bytes), &limits) else { return };
    let facts = source.facts().clone();
    assert!(!facts.pages.is_empty() && facts.pages.len() <= 50);
    for (page, facts) in (0..).zip(&facts.pages).take(4) {
        let scan = source.decode(page);
        if let Ok(scan) = &scan {
            assert_eq!((scan.pix.width(), scan.pix.height()), (facts.width, facts.height));
            assert!(u64::from(facts.width) * u64::from(facts.height) <= limits.pixels_per_page_max);
        }
        assert!(facts.defect.is_none() || scan.is_err(), "{:?}", facts.defect);
        let sheet = source.sheet(page);
        if matches!(source.facts().kind, SourceKind::Png | SourceKind::Tiff) {
            let defects = (sheet.as_ref().err(), scan.as_ref().err());
            assert!(matches!(defects, (None, None) | (Some(_), Some(_))), "{defects:?}");
        }
        if let Ok(mut sheet) = sheet {
            let size = (sheet.samples.width() as usize, sheet.samples.height() as usize);
            let (darkest, brightest) = (sheet.samples.darkest(), sheet.samples.take_brightest());
            assert_eq!([(darkest.width, darkest.height), (brightest.width, brightest.height)], [size; 2]);
        }
        let delivered = source.deliver(page, Deliverable::Pdf14);
        assert!(scan.is_err() || delivered.is_ok(), "{delivered:?}");
        if let Some(text) = source.existing_text(page) {
            assert!(
                text.words()
                    .all(|word| word.bounds.right <= facts.width && word.bounds.bottom <= facts.height)
            );
        }
    }
}

#[test]
fn mutants_are_read_or_refused() {
    let mutants = std::env::var("PAGEMILL_FUZZ_MUTANTS").ok().and_then(|count| count.parse().ok());
    for (name, seed) in seeds() {
        exercise(seed.clone());
        for number in 0..mutants.unwrap_or(MUTANTS) {
            let mut random = Random(u64::from(number) << 8 | seed.len() as u64 & 0xff);
            let mutant = mutate(&seed, &mut random);
            println!("{name}, mutant {number}");
            exercise(mutant);
        }
    }
}
