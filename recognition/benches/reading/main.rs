//! Pagemill's reading beside `tesseract` itself: the same pages, page by page in turns, in the same run.
//!
//! `cargo bench -p pagemill-recognition --bench reading -- [--set corpus|harder|english] [--engine auto|native|tesseract]
//! [--kind NAME] [--pages N] [--alone] [--every N] [--without STEP]… [--ablation] [--steps] [--write FILE] [--pictures DIR]`
//!
//! Reads `pages/*.jpg` and `gt/` of the folder that `PAGEMILL_CORPUS` names, else `samples/`, then pages of harder kinds
//! that it makes itself, from the samples' texts and from English ones. CPU is user and system time: of this thread for Pagemill, of the whole process (`time`) for
//! Tesseract, start-up included, as its users pay it. `--alone` leaves Tesseract out; `--pictures` keeps what was seen.
//! `--every N` takes each N-th page of a set. `--steps` reads nothing and takes the time of each step of clean-up, and of layout.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a bench talks to the terminal")]

mod corpus;
mod harder;
mod options;
mod readers;
mod report;
mod score;
mod steps;

use std::error::Error;
use std::process::Command;

use corpus::Page;
use options::Options;
use pagemill_recognition::boxed::client::ENVIRONMENT;
use readers::Readers;
use report::Report;

fn main() -> Result<(), Box<dyn Error>> {
    if ENVIRONMENT.iter().any(|(name, value)| std::env::var(name).as_deref() != Ok(value)) {
        return as_a_child_runs();
    }
    let options = Options::parse()?;
    if let Some(folder) = &options.pictures {
        std::fs::create_dir_all(folder)?;
    }
    let mut tables = String::new();
    if options.wants("corpus") {
        tables.push_str(&corpus_tables(&options)?);
    }
    if options.wants("harder") {
        tables.push_str(&made_table(&options, &SAMPLES)?);
    }
    if options.wants("english") {
        tables.push_str(&made_table(&options, &ENGLISH)?);
    }
    println!("{tables}");
    if let Some(file) = &options.write {
        std::fs::write(file, tables)?;
    }
    Ok(())
}

fn corpus_tables(options: &Options) -> Result<String, Box<dyn Error>> {
    let mut pages = corpus::pages()?;
    pages.truncate(options.pages_max);
    if options.steps {
        return steps::table(&pages);
    }
    let pages: Vec<Page> = pages.into_iter().step_by(options.every).collect();
    if options.ablation {
        return ablation(&pages, SAMPLES.language, options);
    }
    let report = read(&pages, SAMPLES.language, &options.without, options)?;
    Ok(report.corpus(&options.without))
}

/// What each step is worth: the pages are read without it.
fn ablation(pages: &[Page], language: &str, options: &Options) -> Result<String, Box<dyn Error>> {
    let mut rows = vec![("nothing".to_owned(), read(pages, language, &[], options)?)];
    for step in options::steps()? {
        let report = read(pages, language, std::slice::from_ref(&step), options)?;
        rows.push((step, report));
    }
    Ok(format!("{} pages\n\n{}", pages.len(), report::ablation(&rows)))
}

/// A language and the folder, beside this crate's, with the texts that pages are made of.
struct Source {
    language: &'static str,
    texts: &'static str,
}

const SAMPLES: Source = Source { language: "vie", texts: "../samples" };
const ENGLISH: Source = Source { language: "eng", texts: "benches/reading/english" };

fn made_table(options: &Options, source: &Source) -> Result<String, Box<dyn Error>> {
    let folder = std::env::temp_dir().join(format!("pagemill-harder-{}", std::process::id()));
    let pages = harder::pages(&folder, source.texts, options.kind.as_deref())?;
    if options.ablation {
        let pages: Vec<Page> = pages.into_iter().map(|(_, page)| page).step_by(options.every).collect();
        let table = ablation(&pages, source.language, options)?;
        std::fs::remove_dir_all(folder)?;
        return Ok(table);
    }
    let mut readers = Readers::load(source.language, &options.without, options)?;
    let mut kinds: Vec<(&str, Report)> = Vec::new();
    let (mut all, mut upright) = (Report::default(), Report::default());
    for (kind, page) in pages.iter().take(options.pages_max) {
        if kinds.last().is_none_or(|last| last.0 != *kind) {
            kinds.push((kind, Report::default()));
        }
        let last = kinds.len() - 1;
        let turned = harder::TURNED.contains(kind);
        let mut sums = vec![&mut all, &mut kinds[last].1];
        sums.extend((!turned).then_some(&mut upright));
        readers.compare(page, options, &mut sums)?;
    }
    std::fs::remove_dir_all(folder)?;
    let mut reliability = String::new();
    all.reliability(&mut reliability);
    kinds.push(("all", all));
    kinds.push(("all that lie upright", upright));
    Ok(report::by_kind(&kinds) + &reliability)
}

fn read(
    pages: &[Page],
    language: &str,
    without: &[String],
    options: &Options,
) -> Result<Report, Box<dyn Error>> {
    let mut readers = Readers::load(language, without, options)?;
    let mut report = Report::default();
    for page in pages {
        readers.compare(page, options, &mut [&mut report])?;
    }
    Ok(report)
}

/// Runs this program again with the environment of the product's child. OpenMP's one thread must be known before libtesseract loads:
/// otherwise Tesseract's threads wait for each other most of the time.
fn as_a_child_runs() -> Result<(), Box<dyn Error>> {
    let mut again = Command::new(std::env::current_exe()?);
    let status = again.args(std::env::args_os().skip(1)).envs(ENVIRONMENT).status()?;
    if status.success() { Ok(()) } else { Err(format!("the run ended with {status}").into()) }
}
