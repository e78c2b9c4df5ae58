//! The pages with their truth, and the two ways to read one.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use pagemill_domain::limits::Limits;
use pagemill_domain::page_text::{Content, Line, PageText};
use pagemill_domain::scan::Dpi;
use pagemill_recognition::boxed::client::ENVIRONMENT;
use pagemill_recognition::reader::{Reader, StageCpu, debug_picture};
use pagemill_recognition::scan::{Scan, Sheet};
use pagemill_recognition::source::Source;

/// A scan and what is true of it.
pub(crate) struct Page {
    pub(crate) image: PathBuf,
    /// What its file says, in pixels per inch.
    pub(crate) dpi: u32,
    pub(crate) text: String,
    /// The texts of its table cells.
    pub(crate) cells: Vec<String>,
    /// Whether it has a table.
    pub(crate) table: bool,
    /// Whether it has neither table nor signature.
    pub(crate) plain: bool,
}

/// What one page gave.
pub(crate) struct Outcome {
    pub(crate) text: String,
    pub(crate) cpu_seconds: f64,
    pub(crate) memory_mib: f64,
    pub(crate) stages: StageCpu,
    /// Each word with its confidence.
    pub(crate) words: Vec<(String, u8)>,
}

/// The corpus that `PAGEMILL_CORPUS` names, else the samples.
pub(crate) fn pages() -> Result<Vec<Page>, Box<dyn Error>> {
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../samples");
    let corpus = std::env::var_os("PAGEMILL_CORPUS").map(PathBuf::from);
    let folders = corpus.map(|corpus| (corpus.join("pages"), corpus.join("gt")));
    let (images, truth) = folders.unwrap_or((samples.clone(), samples));
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(&images)?.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "jpg" || extension == "png"));
    files.sort();
    files.into_iter().map(|image| page(image, &truth)).collect()
}

fn page(image: PathBuf, truth: &Path) -> Result<Page, Box<dyn Error>> {
    let name = truth.join(image.file_stem().unwrap_or_default());
    let text = std::fs::read_to_string(name.with_extension("txt"))?;
    let layout: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(name.with_extension("json"))?)?;
    let blocks = layout["blocks"].as_array().cloned().unwrap_or_default();
    let has = |kind: &str| blocks.iter().any(|block| block["type"] == kind);
    let rows = blocks.iter().filter_map(|block| block["rows"].as_array()).flatten();
    let cells =
        rows.filter_map(|row| row.as_array()).flatten().filter_map(|cell| Some(cell.as_str()?.to_owned()));
    Ok(Page {
        text,
        cells: cells.collect(),
        table: has("table"),
        plain: !has("table") && !has("signature"),
        image,
        dpi: 300,
    })
}

/// One run of Tesseract's own program, in the environment that its users have, with one thread.
pub(crate) fn tesseract(page: &Page, language: &str) -> Result<Outcome, Box<dyn Error>> {
    let measured = std::env::temp_dir().join(format!("pagemill-bench-{}", std::process::id()));
    let mut command = Command::new("/usr/bin/time");
    for (name, _) in ENVIRONMENT {
        command.env_remove(name);
    }
    let output = command
        .args(["-f", "%U %S %M", "-o"])
        .arg(&measured)
        .args(["tesseract"])
        .arg(&page.image)
        .args(["stdout", "-l", language, "--dpi"])
        .arg(page.dpi.to_string())
        .env("OMP_THREAD_LIMIT", "1")
        .output()?;
    let figures = std::fs::read_to_string(&measured)?;
    std::fs::remove_file(&measured)?;
    let figures: Vec<f64> = figures.split_whitespace().filter_map(|figure| figure.parse().ok()).collect();
    let [user, system, memory_kib] = figures[..] else { return Err("time gave no figures".into()) };
    Ok(Outcome {
        text: String::from_utf8_lossy(&output.stdout).into_owned(),
        cpu_seconds: user + system,
        memory_mib: memory_kib / 1024.0,
        stages: StageCpu::default(),
        words: Vec::new(),
    })
}

/// One page through the long-lived reader; decoding included. What was seen and read goes to `pictures`.
pub(crate) fn pagemill(
    page: &Page,
    reader: &mut Reader,
    pictures: Option<&Path>,
) -> Result<Outcome, Box<dyn Error>> {
    let start = cpu_seconds();
    let reading = reader.read(Sheet { dpi: Dpi::square(page.dpi), ..open(page)?.sheet(0)? })?;
    let cpu_seconds = cpu_seconds() - start;
    let words = reading.text.words().map(|word| (word.text.clone(), word.confidence.percent())).collect();
    let text = plain_text(&reading.text);
    if let Some(folder) = pictures {
        let name = page.image.file_stem().unwrap_or_default();
        let picture = debug_picture(&decode(page)?, &reading.text).ok_or("no debug picture")?;
        std::fs::write(folder.join(name).with_extension("png"), picture)?;
        std::fs::write(folder.join(name).with_extension("txt"), &text)?;
        std::fs::write(folder.join(name).with_extension("truth"), &page.text)?;
    }
    Ok(Outcome { text, cpu_seconds, memory_mib: peak_memory_mib(), stages: reading.stages, words })
}

/// A page's picture. Made pages may claim another resolution than their files.
pub(crate) fn decode(page: &Page) -> Result<Scan, Box<dyn Error>> {
    Ok(Scan { dpi: Dpi::square(page.dpi), ..open(page)?.decode(0)? })
}

fn open(page: &Page) -> Result<Source, Box<dyn Error>> {
    Ok(Source::open(Arc::new(std::fs::read(&page.image)?), &Limits::default())?)
}

/// The text in reading order, cells row by row.
fn plain_text(text: &PageText) -> String {
    let mut lines: Vec<String> = Vec::new();
    for block in &text.blocks {
        match &block.content {
            Content::Paragraphs(_) => lines.extend(block.lines().map(Line::text)),
            Content::Table(table) => {
                let cell = |lines: &[Line]| lines.iter().map(Line::text).collect::<Vec<_>>().join(" ");
                lines.extend(table.cells.iter().map(|one| cell(&one.lines)));
            }
        }
    }
    lines.join("\n")
}

/// CPU time of this thread so far.
pub(crate) fn cpu_seconds() -> f64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    now.tv_sec as f64 + now.tv_nsec as f64 / 1e9
}

/// Peak of this process, as the kernel keeps it; 0 where it does not say.
fn peak_memory_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok()).unwrap_or(0.0) / 1024.0
}
