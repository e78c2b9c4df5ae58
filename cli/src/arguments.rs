//! The command line. Names of commands and flags are a contract; every flag overrides its setting.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use pagemill_domain::recipe::{EngineChoice, ExistingTextRule, Format, Grouping};
use serde::de::DeserializeOwned;
use serde::de::value::{Error, StrDeserializer};

use crate::child;
use crate::plan::seconds_of;
use crate::settings::Flags;

mod cluster;

pub(crate) use cluster::*;

/// Turns scans into searchable, checked archives.
#[derive(Debug, Parser)]
#[command(name = "pagemill", version, max_term_width = 110)]
pub(crate) struct Arguments {
    /// What is to be done.
    #[command(subcommand)]
    pub(crate) command: Command,

    /// Where the coordinators are, separated by commas [default: `http://127.0.0.1:7070`]
    #[arg(long, global = true, value_name = "URL", hide_short_help = true)]
    pub(crate) coordinator: Option<String>,

    /// Settings file (TOML); the environment and flags override it
    #[arg(long, global = true, value_name = "FILE", env = "PAGEMILL_CONFIG")]
    pub(crate) config: Option<PathBuf>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Recognise files and folders of scans; the same command resumes an interrupted run
    ///
    /// Of a folder, everything below it is taken that is named like a scan (JPEG, PNG, TIFF, PDF, or an image of another kind, so that it
    /// stands in the report); hidden files, symbolic links and output folders are passed over. A file that is named as
    /// INPUT is taken whatever its name.
    Ocr(OcrArguments),
    /// Check that this machine has what Pagemill needs
    Doctor(DoctorArguments),
    /// Check an output folder, a job of a cluster or all that a cluster holds: hashes, ledger, report
    Verify(VerifyArguments),
    /// Run a coordinator of a cluster
    Coordinator,
    /// Run a worker of a cluster
    Worker(WorkerArguments),
    /// Submit files, folders and objects to a cluster
    ///
    /// Files are uploaded unless the cluster holds them already; `s3://bucket/key`, and with --by-reference files below
    /// the cluster's source roots, are read where they are. The same command with the same --key goes on.
    Submit(SubmitArguments),
    /// List the jobs
    Jobs(JobsArguments),
    /// Show how a job stands
    Job(JobArguments),
    /// Follow a job until it ends
    Watch(JobArguments),
    /// List a job's pages
    Pages(PagesArguments),
    /// Fetch what a job delivered, and its report
    Fetch(FetchArguments),
    /// Give up what is not done of a job
    Cancel(JobArguments),
    /// List dead pages and rejected sources
    Dead(DeadArguments),
    /// Have dead pages and rejected sources worked on again
    Redrive(RedriveArguments),
    /// List the workers
    Workers(ClientArguments),
    /// Have a worker take no new work
    Cordon(CordonArguments),
    /// Have a worker finish what it holds, and end
    Drain(DrainArguments),
    /// Show what waits and what is on its way
    Queue(ClientArguments),
    /// Plan a job: workers, core-hours, storage and finish time of so many pages by a deadline
    Plan(PlanArguments),
    /// Become a recognition process; only Pagemill itself calls this
    #[command(name = child::COMMAND, hide = true)]
    RecognitionChild,
}

impl Command {
    /// The settings that its flags override.
    pub(crate) fn settings(&self) -> Flags {
        let (slots, name) = match self {
            Self::Ocr(ocr) => (ocr.workers, None),
            Self::Worker(worker) => (worker.slots, worker.name.clone()),
            _ => (None, None),
        };
        let slots = slots.map(|slots| ("worker_slots", slots.to_string()));
        slots.into_iter().chain(name.map(|name| ("worker_name", name))).collect()
    }

    /// What it logs unless it is told: a service tells more than a command that somebody looks at. What libraries say of
    /// a service that is away, our own lines say better.
    pub(crate) const fn log(&self) -> &'static str {
        match self {
            Self::Coordinator | Self::Worker(_) => "info,sqlx=warn,object_store=warn,lapin=off",
            _ => "warn",
        }
    }

    /// Who it is among those that send spans.
    pub(crate) const fn service(&self) -> &'static str {
        match self {
            Self::Coordinator => "pagemill-coordinator",
            Self::Worker(_) => "pagemill-worker",
            _ => "pagemill",
        }
    }

    /// Whether it serves, so that all it has to say is its log.
    pub(crate) const fn serves(&self) -> bool {
        matches!(self, Self::Coordinator | Self::Worker(_))
    }

    /// Whether a machine reads what the command says.
    pub(crate) const fn wants_json(&self) -> bool {
        match self {
            Self::Ocr(ocr) => ocr.json,
            Self::Doctor(doctor) => doctor.json,
            Self::Verify(verify) => verify.json,
            Self::Plan(plan) => plan.json,
            Self::Submit(submit) => submit.json,
            Self::Jobs(jobs) => jobs.json,
            Self::Job(job) | Self::Watch(job) | Self::Cancel(job) => job.json,
            Self::Pages(pages) => pages.json,
            Self::Fetch(fetch) => fetch.json,
            Self::Dead(dead) => dead.json,
            Self::Redrive(redrive) => redrive.json,
            Self::Workers(client) | Self::Queue(client) => client.json,
            Self::Cordon(cordon) => cordon.json,
            Self::Drain(drain) => drain.json,
            Self::RecognitionChild | Self::Coordinator | Self::Worker(_) => false,
        }
    }
}

/// What `pagemill ocr` takes.
#[derive(Debug, Args)]
pub(crate) struct OcrArguments {
    /// Files and folders of scans
    #[arg(required = true, value_name = "INPUT")]
    pub(crate) inputs: Vec<PathBuf>,
    /// Folder for the results; state is kept in its .pagemill/
    #[arg(short, long, value_name = "DIR")]
    pub(crate) output: PathBuf,
    /// How the pages are treated.
    #[command(flatten)]
    pub(crate) recipe: RecipeFlags,
    /// Pages that are read at the same time [default: one per core]
    #[arg(long, value_name = "N")]
    pub(crate) workers: Option<u32>,
    /// Write a picture of what was seen on each page (lines, cells, order, confidence) to this folder; takes twice the time
    #[arg(long, value_name = "DIR")]
    pub(crate) debug: Option<PathBuf>,
    /// Write progress and result as JSON lines to standard output
    #[arg(long)]
    pub(crate) json: bool,
}

/// Flags that override the recipe file.
#[derive(Debug, Default, Args)]
pub(crate) struct RecipeFlags {
    /// Recipe file (TOML)
    #[arg(long, value_name = "FILE")]
    pub(crate) recipe: Option<PathBuf>,
    /// Languages, the main one first [default: vie]
    #[arg(short, long, value_name = "vie+eng", value_delimiter = '+')]
    pub(crate) languages: Vec<String>,
    /// Which engine reads [default: auto]
    #[arg(long, value_name = "auto|native|tesseract", value_parser = named::<EngineChoice>)]
    pub(crate) engine: Option<EngineChoice>,
    /// What is delivered, separated by commas: pdf, txt, alto, hocr, tsv, json, image-pdf, jpeg, tiff [default: pdf]
    #[arg(long, value_name = "FORMAT,…", value_delimiter = ',', value_parser = named::<Format>)]
    pub(crate) formats: Vec<Format>,
    /// What makes a document: each source, or the single-page images of a folder [default: source]
    #[arg(long, value_name = "source|folder", value_parser = named::<Grouping>)]
    pub(crate) group: Option<Grouping>,
    /// What becomes of PDF pages that have text: kept; invisible text read anew; all read anew [default: skip]
    #[arg(long, value_name = "skip|redo|force", value_parser = named::<ExistingTextRule>)]
    pub(crate) existing_text: Option<ExistingTextRule>,
}

/// What `pagemill doctor` takes.
#[derive(Debug, Args)]
pub(crate) struct DoctorArguments {
    /// Folder that results are to go to: its disk and file system are checked
    #[arg(short, long, value_name = "DIR", default_value = ".")]
    pub(crate) output: PathBuf,
    /// Languages that are to be read
    #[arg(short, long, value_name = "vie+eng", value_delimiter = '+', default_value = "vie")]
    pub(crate) languages: Vec<String>,
    /// Write the findings as JSON lines to standard output
    #[arg(long)]
    pub(crate) json: bool,
}

/// What `pagemill verify` takes.
#[derive(Debug, Args)]
pub(crate) struct VerifyArguments {
    /// Output folder of an earlier run, or the number of a cluster's job
    #[arg(value_name = "DIR|ID", required_unless_present = "all")]
    pub(crate) target: Option<PathBuf>,
    /// Check all jobs and blobs of a cluster, without its coordinators: of a backup, after a restore (`PAGEMILL_STORE_URL`, `PAGEMILL_BLOBS_URL`)
    #[arg(long, conflicts_with = "target")]
    pub(crate) all: bool,
    /// Write the findings as JSON lines to standard output
    #[arg(long)]
    pub(crate) json: bool,
}

/// What `pagemill plan` takes.
#[derive(Debug, Args)]
pub(crate) struct PlanArguments {
    /// Pages to be read
    #[arg(long, value_name = "N")]
    pub(crate) pages: u64,
    /// From now until all is to be done: 90m, 8h, 2d, 1d12h
    #[arg(long, value_name = "D", value_parser = seconds_of)]
    pub(crate) deadline: u64,
    /// Pages that one slot reads in a second, as measured on pages like these [default: docs/benchmarks.md]
    #[arg(long, value_name = "R")]
    pub(crate) rate: Option<f64>,
    /// Slots of one worker; a slot keeps a core busy
    #[arg(long, value_name = "N", default_value_t = 4)]
    pub(crate) slots: u32,
    /// Write the plan as a JSON line to standard output
    #[arg(long)]
    pub(crate) json: bool,
}

/// The value of that name, as recipes name it.
fn named<T: DeserializeOwned>(name: &str) -> Result<T, Error> {
    T::deserialize(StrDeserializer::new(name))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn ocr(flags: &[&str]) -> Result<OcrArguments, clap::Error> {
        let arguments = Arguments::try_parse_from([&["pagemill", "ocr"], flags].concat())?;
        match arguments.command {
            Command::Ocr(ocr) => Ok(ocr),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn every_name_of_the_contract_is_taken() {
        let formats = "pdf,txt,alto,hocr,tsv,json,image-pdf,jpeg,tiff";
        let flags = ["a", "b", "-o", "out", "-l", "vie+eng", "--formats", formats, "--existing-text", "redo"];
        let taken = ocr(&flags).unwrap();
        assert_eq!(taken.recipe.languages, ["vie", "eng"]);
        assert_eq!(taken.recipe.formats.len(), 9);
        assert_eq!(taken.recipe.existing_text, Some(ExistingTextRule::Redo));
        for (flag, names) in [
            ("--engine", "auto|native|tesseract"),
            ("--group", "source|folder"),
            ("--existing-text", "skip|redo|force"),
        ] {
            for name in names.split('|') {
                assert!(ocr(&["a", "-o", "out", flag, name]).is_ok(), "{flag} {name}");
            }
        }
    }

    #[test]
    fn a_wrong_name_is_answered_with_the_right_ones() {
        let refusal = ocr(&["a", "-o", "out", "--formats", "pdf,docx"]).unwrap_err();
        assert!(refusal.to_string().contains("expected one of `pdf`, `txt`"), "{refusal}");
        assert_eq!(refusal.exit_code(), 2);
    }
}
