//! What ends a command early, with the exit code and the remedy.

use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::json;

use crate::progress::{print_json, print_line};

/// The exit codes; a contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// Nothing was rejected, no page is dead.
    Complete = 0,
    /// Pagemill or its surroundings failed.
    Internal = 1,
    /// The command line, a setting or a recipe is wrong.
    Usage = 2,
    /// No source could be read.
    NoSource = 3,
    /// Finished, with rejected sources or dead pages.
    Gaps = 4,
    /// Stopped by the user; the state is kept.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command ends early.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// A setting is wrong; the text names the key and where it comes from.
    #[error("{0}")]
    Setting(String),
    /// A recipe can't be used; the text names the key.
    #[error("recipe {}: {why}", file.display())]
    Recipe {
        /// The recipe file, or the flag.
        file: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A model that the recipe needs is missing.
    #[error("{0}")]
    Models(String),
    /// An INPUT is not there.
    #[error("no such file or folder: {}", .0.display())]
    InputMissing(PathBuf),
    /// There is nothing to do.
    #[error("no scan found in {inputs}")]
    NoScan {
        /// Where it was looked for.
        inputs: String,
    },
    /// The output folder is an INPUT.
    #[error("the output folder is the input folder {}", .0.display())]
    OutputIsInput(PathBuf),
    /// A file that is not ours stands where a result would go.
    #[error("{} is there already, and no run of Pagemill wrote it", .0.display())]
    OutputTaken(PathBuf),
    /// The output folder can't be used.
    #[error("use {} as output folder: {why}", folder.display())]
    Output {
        /// The output folder.
        folder: PathBuf,
        /// What the operating system says.
        why: String,
    },
    /// Another run holds the output folder.
    #[error("{} is in use by another run{}", folder.display(), process.as_deref().map(|id| format!(" (process {id})")).unwrap_or_default())]
    OutputLocked {
        /// The output folder.
        folder: PathBuf,
        /// The process that holds it.
        process: Option<String>,
    },
    /// The folder holds no run.
    #[error("{} is not the output folder of a run", .0.display())]
    NotAnOutput(PathBuf),
    /// Nothing can be planned so.
    #[error("{0}")]
    Plan(String),
    /// Anything else.
    #[error("{0:#}")]
    Internal(#[from] anyhow::Error),
}

impl Failure {
    /// The stable code that `docs/errors.md` explains.
    pub(crate) const fn code(&self) -> &'static str {
        match self {
            Self::Setting(_) => "setting_invalid",
            Self::Recipe { .. } => "recipe_invalid",
            Self::Models(_) => "model_missing",
            Self::InputMissing(_) => "input_missing",
            Self::NoScan { .. } => "no_scan",
            Self::OutputIsInput(_) => "output_is_input",
            Self::OutputTaken(_) => "output_taken",
            Self::Output { .. } => "output_unusable",
            Self::OutputLocked { .. } => "output_locked",
            Self::NotAnOutput(_) => "not_an_output",
            Self::Plan(_) => "plan_impossible",
            Self::Internal(_) => "internal",
        }
    }

    /// The exit code of a command that ends so.
    pub(crate) const fn exit(&self) -> Exit {
        match self {
            Self::Setting(_)
            | Self::Recipe { .. }
            | Self::Models(_)
            | Self::OutputIsInput(_)
            | Self::OutputTaken(_)
            | Self::NotAnOutput(_)
            | Self::Plan(_) => Exit::Usage,
            Self::InputMissing(_) | Self::NoScan { .. } => Exit::NoSource,
            Self::Output { .. } | Self::OutputLocked { .. } | Self::Internal(_) => Exit::Internal,
        }
    }

    /// What the user can do.
    const fn remedy(&self) -> &'static str {
        match self {
            Self::Setting(_) => {
                "correct the setting; flags override the environment, which overrides the file"
            }
            Self::Recipe { .. } => "correct the recipe",
            Self::Models(_) => "install the model, or set TESSDATA_PREFIX to the folder that holds it",
            Self::InputMissing(_) => "correct the path; nothing was started",
            Self::NoScan { .. } => "name the files themselves if their names don't end like those of scans",
            Self::OutputIsInput(_) | Self::OutputTaken(_) => "choose another folder for the results",
            Self::Output { .. } => "choose a folder that you may write to",
            Self::OutputLocked { .. } => "wait for that run or stop it; its state is kept",
            Self::NotAnOutput(_) => "name the folder that was given to `pagemill ocr` with -o",
            Self::Plan(_) => "give a later deadline, fewer pages or more slots a worker",
            Self::Internal(_) => "the same command resumes; `pagemill doctor` checks this machine",
        }
    }

    /// Says what happened, on standard error for people or on standard output for machines.
    pub(crate) fn show(&self, json: bool) {
        let (code, message, remedy) = (self.code(), self.to_string(), self.remedy());
        if json {
            print_json(&json!({"event": "error", "code": code, "message": message, "remedy": remedy}));
        }
        print_line(&format!("pagemill: {message}\n  what to do: {remedy}\n  code: {code} (docs/errors.md)"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_names_its_holder() {
        let failure = Failure::OutputLocked { folder: "out".into(), process: Some("42".into()) };
        assert_eq!(failure.to_string(), "out is in use by another run (process 42)");
        assert_eq!((failure.code(), failure.exit()), ("output_locked", Exit::Internal));
    }

    #[test]
    fn an_internal_error_shows_its_causes() {
        let failure = Failure::from(anyhow::anyhow!("disk full").context("write page text"));
        assert_eq!(failure.to_string(), "write page text: disk full");
    }
}
