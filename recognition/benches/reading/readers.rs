//! The readers that are compared: the engine that was asked for, Tesseract's behind the same clean-up and layout, and
//! `tesseract` itself.

use std::error::Error;
use std::path::Path;

use pagemill_domain::recipe::{EngineChoice, Recipe};
use pagemill_recognition::reader::{ModelDir, Reader};

use crate::corpus::{self, Page};
use crate::options::{self, Options};
use crate::report::Report;

/// All that read a page.
pub(crate) struct Readers {
    language: String,
    pagemill: Reader,
    /// With Tesseract's engine, unless one engine was asked for by name or nothing is compared.
    with_tesseract: Option<Reader>,
}

impl Readers {
    /// Loads the readers of a language, with steps left out.
    pub(crate) fn load(
        language: &str,
        without: &[String],
        options: &Options,
    ) -> Result<Self, Box<dyn Error>> {
        let reader = |engine| reader(language, without, engine);
        let compares = options.engine == EngineChoice::Auto && !options.alone && !options.ablation;
        Ok(Self {
            language: language.to_owned(),
            pagemill: reader(options.engine)?,
            with_tesseract: if compares { Some(reader(EngineChoice::Tesseract)?) } else { None },
        })
    }

    /// Reads a page in all ways and adds what came out to all `sums`.
    pub(crate) fn compare(
        &mut self,
        page: &Page,
        options: &Options,
        sums: &mut [&mut Report],
    ) -> Result<(), Box<dyn Error>> {
        if !options.alone && !options.ablation {
            let theirs = corpus::tesseract(page, &self.language)?;
            for report in sums.iter_mut() {
                report.tesseract.add(page, &theirs);
            }
        }
        if let Some(reader) = &mut self.with_tesseract {
            let ours = corpus::pagemill(page, reader, None)?;
            for report in sums.iter_mut() {
                report.with_tesseract.add(page, &ours);
            }
        }
        let ours = corpus::pagemill(page, &mut self.pagemill, options.pictures.as_deref())?;
        for report in sums.iter_mut() {
            report.pagemill.add(page, &ours);
        }
        eprint!(".");
        Ok(())
    }
}

fn reader(language: &str, without: &[String], engine: EngineChoice) -> Result<Reader, Box<dyn Error>> {
    let recipe = Recipe {
        languages: vec![language.to_owned()],
        engine,
        clean_up: options::clean_up(without)?,
        ..Recipe::default()
    };
    let models = ModelDir::find(std::env::var_os("TESSDATA_PREFIX").as_deref().map(Path::new));
    let mut reader = Reader::load(&recipe, &models)?;
    reader.warm_up();
    Ok(reader)
}
