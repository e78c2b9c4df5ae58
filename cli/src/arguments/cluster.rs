//! What the commands of a cluster take.

use std::path::PathBuf;

use clap::Args;
use pagemill_domain::job::PRIORITY_MAX;
use pagemill_proto::v1::PageId;

use super::RecipeFlags;
use crate::client::moments;
use crate::client::pages::{StateName, page_id};

/// What `pagemill worker` takes.
#[derive(Debug, Args)]
pub(crate) struct WorkerArguments {
    /// Shards that are worked on at the same time [default: one per core]
    #[arg(long, value_name = "N")]
    pub(crate) slots: Option<u32>,
    /// What the worker is called, unique in the cluster [default: its host and process]
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
}

/// What `pagemill submit` takes.
#[derive(Debug, Args)]
pub(crate) struct SubmitArguments {
    /// Files and folders of scans, and objects (`s3://bucket/key`)
    #[arg(required = true, value_name = "INPUT")]
    pub(crate) inputs: Vec<PathBuf>,
    /// How the pages are treated.
    #[command(flatten)]
    pub(crate) recipe: RecipeFlags,
    /// 0 (last) to 9 (first) [default: 5]
    #[arg(long, value_name = "P", value_parser = clap::value_parser!(u32).range(0..=i64::from(PRIORITY_MAX)))]
    pub(crate) priority: Option<u32>,
    /// When it should be done: 90m, 8h, 2d, or 2026-12-31T18:00:00+07:00
    #[arg(long, value_name = "T", value_parser = moments::deadline)]
    pub(crate) deadline: Option<i64>,
    /// What makes a repeat harmless: the same key is the same job [default: a new one]
    #[arg(long, value_name = "K")]
    pub(crate) key: Option<String>,
    /// Have the cluster read the files where they are: below its source roots
    #[arg(long)]
    pub(crate) by_reference: bool,
    /// Wait until the job ends
    #[arg(long)]
    pub(crate) wait: bool,
    /// Folder for the results, with --wait
    #[arg(short, long, value_name = "DIR", requires = "wait")]
    pub(crate) output: Option<PathBuf>,
    /// Write JSON lines to standard output
    #[arg(long)]
    pub(crate) json: bool,
}

/// What commands without an object take.
#[derive(Debug, Args)]
pub(crate) struct ClientArguments {
    /// Write JSON lines to standard output
    #[arg(long)]
    pub(crate) json: bool,
}

/// What `pagemill jobs` takes.
#[derive(Debug, Args)]
pub(crate) struct JobsArguments {
    /// Only jobs that have not ended
    #[arg(long)]
    pub(crate) open: bool,
    /// Write JSON lines to standard output
    #[arg(long)]
    pub(crate) json: bool,
}

/// What commands about one job take.
#[derive(Debug, Args)]
pub(crate) struct JobArguments {
    /// The job's number
    #[arg(value_name = "ID")]
    pub(crate) job: i64,
    /// Write JSON lines to standard output
    #[arg(long)]
    pub(crate) json: bool,
}

/// What `pagemill pages` takes.
#[derive(Debug, Args)]
pub(crate) struct PagesArguments {
    /// The job's number
    #[arg(value_name = "ID")]
    pub(crate) job: i64,
    /// Only pages in this state
    #[arg(long, value_name = "STATE")]
    pub(crate) state: Option<StateName>,
    /// Write JSON lines to standard output
    #[arg(long)]
    pub(crate) json: bool,
}

/// What `pagemill fetch` takes.
#[derive(Debug, Args)]
pub(crate) struct FetchArguments {
    /// The job's number
    #[arg(value_name = "ID")]
    pub(crate) job: i64,
    /// Folder for the results
    #[arg(short, long, value_name = "DIR")]
    pub(crate) output: PathBuf,
    /// Write JSON lines to standard output
    #[arg(long)]
    pub(crate) json: bool,
}

/// What `pagemill dead` takes.
#[derive(Debug, Args)]
pub(crate) struct DeadArguments {
    /// Only of this job
    #[arg(value_name = "ID")]
    pub(crate) job: Option<i64>,
    /// Write JSON lines to standard output
    #[arg(long)]
    pub(crate) json: bool,
}

/// What `pagemill redrive` takes.
#[derive(Debug, Args)]
pub(crate) struct RedriveArguments {
    /// The job's number
    #[arg(value_name = "ID")]
    pub(crate) job: i64,
    /// Only these pages, as `pagemill dead` lists them; number 0 is the source itself [default: all]
    #[arg(long, value_name = "SRC:N,…", value_delimiter = ',', value_parser = page_id)]
    pub(crate) pages: Vec<PageId>,
    /// Write JSON lines to standard output
    #[arg(long)]
    pub(crate) json: bool,
}

/// What `pagemill cordon` takes.
#[derive(Debug, Args)]
pub(crate) struct CordonArguments {
    /// The worker's name
    #[arg(value_name = "W")]
    pub(crate) worker: String,
    /// Have it take work again
    #[arg(long)]
    pub(crate) undo: bool,
    /// Write JSON lines to standard output
    #[arg(long)]
    pub(crate) json: bool,
}

/// What `pagemill drain` takes.
#[derive(Debug, Args)]
pub(crate) struct DrainArguments {
    /// The worker's name
    #[arg(value_name = "W")]
    pub(crate) worker: String,
    /// Write JSON lines to standard output
    #[arg(long)]
    pub(crate) json: bool,
}
