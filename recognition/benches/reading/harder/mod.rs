//! Pages that are harder than the corpus: set anew from the samples' texts, worn by simulation, the same every time.

mod chance;
mod compose;
mod kinds;
mod texts;
mod typeset;
mod wear;

use std::error::Error;
use std::fs::File;
use std::path::{Path, PathBuf};

use pagemill_recognition::prepare::grey::Grey;

use crate::corpus::Page;
use texts::Texts;
use typeset::Face;

/// Kinds that don't lie upright: Tesseract's own program does not look for that unless asked, and is told from the rest.
pub(crate) const TURNED: [&str; 2] = ["upside down", "sideways"];

/// Pages of each kind, each in another face.
const PAGES_PER_KIND: usize = 2;

/// A page as the generator makes it.
struct Made {
    grey: Grey,
    /// What its file says.
    dpi: u32,
    truth: Vec<String>,
    cells: Vec<String>,
}

/// The pages of all kinds, or of one, made of the `texts` in a folder beside this crate, written to `folder`; each with the name of its kind.
pub(crate) fn pages(
    folder: &Path,
    texts: &str,
    only: Option<&str>,
) -> Result<Vec<(&'static str, Page)>, Box<dyn Error>> {
    let texts = Texts::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join(texts))?;
    let faces = [
        Face::load("LiberationSerif-", "Regular", "Bold")?,
        Face::load("DejaVuSerif", "", "-Bold")?,
        Face::load("LiberationSans-", "Regular", "Bold")?,
    ];
    let typewriter = Face::load("FreeMono", "", "Bold")?;
    std::fs::create_dir_all(folder)?;
    let mut pages = Vec::new();
    for (at, (kind, make)) in kinds::ALL.iter().enumerate() {
        if only.is_some_and(|only| !kind.contains(only)) {
            continue;
        }
        for number in 0..PAGES_PER_KIND {
            let seed = (at * 1000 + number) as u64;
            let face =
                if kinds::of_typewriters(kind) { &typewriter } else { &faces[(at + number) % faces.len()] };
            let made = make(face, &texts, seed);
            let image = folder.join(format!("{}-{number}.png", kind.replace(' ', "-")));
            write_png(&image, &made)?;
            pages.push((*kind, page(image, made)));
        }
    }
    Ok(pages)
}

fn page(image: PathBuf, made: Made) -> Page {
    Page {
        image,
        dpi: made.dpi,
        text: made.truth.join("\n"),
        table: !made.cells.is_empty(),
        plain: made.cells.is_empty(),
        cells: made.cells,
    }
}

fn write_png(file: &Path, made: &Made) -> Result<(), Box<dyn Error>> {
    let mut encoder = png::Encoder::new(File::create(file)?, made.grey.width as u32, made.grey.height as u32);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::Fast);
    let per_metre = (f64::from(made.dpi) / 0.0254).round() as u32;
    encoder.set_pixel_dims(Some(png::PixelDimensions {
        xppu: per_metre,
        yppu: per_metre,
        unit: png::Unit::Meter,
    }));
    encoder.write_header()?.write_image_data(&made.grey.samples)?;
    Ok(())
}
