//! Pagemill's reading beside `tesseract` itself: the same pages, page by page in turns, in the same run.
//!
//! `cargo bench -p pagemill-recognition --bench reading -- [--without STEP]… [--pages N] [--write FILE]`
//!
//! Reads `pages/*.jpg` and `gt/` of the folder that `PAGEMILL_CORPUS` names, else `samples/`. CPU is user and system time:
//! of this thread for Pagemill, of the whole process (`time`) for Tesseract, start-up included, as its users pay it.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a bench talks to the terminal")]

mod corpus;
mod report;
mod score;

use std::collections::BTreeSet;
use std::error::Error;
use std::process::Command;

use pagemill_domain::recipe::{CleanUp, Recipe};
use pagemill_recognition::reader::{ModelDir, Reader};

use report::Report;

/// What the command line asks for.
struct Options {
    without: BTreeSet<String>,
    pages_max: usize,
    write: Option<String>,
}

fn main() -> Result<(), Box<dyn Error>> {
    if std::env::var("OMP_THREAD_LIMIT").as_deref() != Ok("1") {
        return alone_in_its_thread();
    }
    let options = options()?;
    let recipe = Recipe { clean_up: clean_up(&options.without)?, ..Recipe::default() };
    let models = ModelDir::find(std::env::var_os("TESSDATA_PREFIX").as_deref().map(std::path::Path::new));
    let mut reader = Reader::load(&recipe, &models)?;
    reader.warm_up();
    let mut report = Report::new(options.without.iter().cloned().collect());
    let pages = corpus::pages()?;
    for page in pages.iter().take(options.pages_max) {
        report.tesseract.add(page, &corpus::tesseract(page)?);
        report.pagemill.add(page, &corpus::pagemill(page, &mut reader)?);
        eprint!(".");
    }
    eprintln!();
    let table = report.table();
    println!("{table}");
    if let Some(file) = options.write {
        std::fs::write(file, table)?;
    }
    Ok(())
}

/// Runs this program again with OpenMP held to one thread, which must be known before libtesseract loads: otherwise
/// Tesseract's threads wait for each other most of the time.
fn alone_in_its_thread() -> Result<(), Box<dyn Error>> {
    let mut again = Command::new(std::env::current_exe()?);
    let status = again.args(std::env::args_os().skip(1)).env("OMP_THREAD_LIMIT", "1").status()?;
    if status.success() { Ok(()) } else { Err(format!("the run ended with {status}").into()) }
}

fn options() -> Result<Options, Box<dyn Error>> {
    let mut options = Options { without: BTreeSet::new(), pages_max: usize::MAX, write: None };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
        match argument.as_str() {
            "--without" => {
                options.without.insert(value()?);
            }
            "--pages" => options.pages_max = value()?.parse()?,
            "--write" => options.write = Some(value()?),
            // Cargo's own.
            "--bench" => {}
            other => return Err(format!("{other}: not an option").into()),
        }
    }
    Ok(options)
}

/// All steps but those named.
fn clean_up(without: &BTreeSet<String>) -> Result<CleanUp, Box<dyn Error>> {
    let mut steps = serde_json::to_value(CleanUp::default())?;
    for step in without {
        let switch = steps.get_mut(step).ok_or(format!("{step} is no step of the recipe's clean_up"))?;
        *switch = false.into();
    }
    Ok(serde_json::from_value(steps)?)
}
