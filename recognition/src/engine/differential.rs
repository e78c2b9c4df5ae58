//! The native engine beside Tesseract's on the same pictures of lines: two samples in every test run, or all pages of the
//! folder that `PAGEMILL_CORPUS` names.

use std::path::{Path, PathBuf};

use pagemill_domain::recipe::CleanUp;
use pagemill_domain::scan::Dpi;

use super::LineImage;
use super::native::{GreyLine, NativeEngine, ReadWord};
use super::tesseract::{Recogniser, Segmentation, Tesseract, TesseractWord};
use crate::pix::Pix;
use crate::prepare;
use crate::reader::ModelDir;

/// Lines that must read letter for letter the same, in percents. With Tesseract 5.3 all do; others have other noise.
const SAME_PERCENT_MIN: usize = 97;
/// Samples with flowing text, and with a table.
const SAMPLES: [&str; 2] = ["d05-1.jpg", "d00-2.jpg"];

fn pages() -> Vec<PathBuf> {
    let Some(corpus) = std::env::var_os("PAGEMILL_CORPUS") else {
        let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../samples");
        return SAMPLES.map(|name| samples.join(name)).to_vec();
    };
    let folder = std::fs::read_dir(Path::new(&corpus).join("pages")).unwrap();
    folder.map(|entry| entry.unwrap().path()).collect()
}

fn line_pictures(page: &Path) -> Vec<LineImage> {
    let decoded = image::ImageReader::open(page).unwrap().decode().unwrap().into_rgb8();
    let mut pix = Pix::new(decoded.width(), decoded.height(), 32).unwrap();
    for (word, pixel) in pix.words_mut().iter_mut().zip(decoded.pixels()) {
        *word = u32::from_be_bytes([pixel[0], pixel[1], pixel[2], 0]);
    }
    let clean_up = CleanUp::default();
    let page =
        prepare::reduce(prepare::channel::brightest(&pix), Dpi::square(300), &clean_up).finished(&clean_up);
    let layout = crate::layout::analyse(&page.grey, page.dpi, prepare::GROUND, clean_up.tables);
    layout.crops.into_iter().map(|crop| crop.image).collect()
}

#[test]
fn lines_read_as_tesseract_reads_them() {
    let models = ModelDir::find(None);
    let mut tesseract = Tesseract::load(models.folder(), "vie", Recogniser::Lstm).unwrap();
    let native = NativeEngine::new(&std::fs::read(models.file("vie")).unwrap(), &[]).unwrap();
    let (mut lines, mut same, mut unsure) = (0, 0, 0);
    for page in pages() {
        let pictures = line_pictures(&page);
        let crops: Vec<GreyLine<'_>> = pictures
            .iter()
            .map(|LineImage { grey, .. }| {
                GreyLine::new(&grey.samples, grey.width, grey.height, grey.width).unwrap()
            })
            .collect();
        let readings = native.read(&crops).unwrap();
        for (picture, reading) in pictures.iter().zip(&readings) {
            let pix = picture.grey.to_pix().unwrap();
            let theirs = tesseract.read(&pix, Segmentation::RawLine, picture.dpi).unwrap();
            let text = |words: Vec<&str>| words.join(" ");
            let ours: Vec<String> = reading.words.iter().map(ReadWord::text).collect();
            lines += 1;
            if text(ours.iter().map(String::as_str).collect())
                != text(theirs.iter().map(|word| word.text.as_str()).collect())
            {
                println!(
                    "{}: {ours:?} is {:?}",
                    page.display(),
                    theirs.iter().map(|word| &word.text).collect::<Vec<_>>()
                );
                continue;
            }
            same += 1;
            let differs = |(ours, theirs): (&ReadWord, &TesseractWord)| {
                (f32::from(ours.confidence.percent()) - theirs.confidence).abs() > 0.51
            };
            unsure += usize::from(reading.words.iter().zip(&theirs).any(differs));
        }
    }
    println!("{same} of {lines} lines are the same, {unsure} of them with other confidences");
    assert!(lines > 0 && same * 100 >= lines * SAME_PERCENT_MIN, "{same} of {lines}");
    assert!(unsure * 100 <= lines * (100 - SAME_PERCENT_MIN), "confidences of {unsure} of {lines}");
}
