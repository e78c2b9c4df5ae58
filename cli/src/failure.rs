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
    /// A service could not be reached.
    Unreachable = 5,
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
    /// A file that is to be submitted can't be read.
    #[error("read {}: {why}", path.display())]
    InputUnreadable {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        why: String,
    },
    /// A service does not answer.
    #[error("reach {address}: {why}")]
    ServiceUnreachable {
        /// Where it was looked for.
        address: String,
        /// What was said.
        why: String,
    },
    /// A service answers, and does not want us.
    #[error("{0}")]
    ServiceRefused(String),
    /// The coordinator does not want this worker.
    #[error("{0}")]
    WorkerRefused(String),
    /// The cluster has no such job, worker or page, or it is another tenant's.
    #[error("{0}")]
    NotFound(String),
    /// The coordinator can't make sense of the request.
    #[error("{0}")]
    RequestInvalid(String),
    /// The request does not fit the state that something is in.
    #[error("{0}")]
    RequestRefused(String),
    /// The caller is not known, or may not do that.
    #[error("{0}")]
    NotPermitted(String),
    /// A bound of the cluster is reached.
    #[error("{0}")]
    LimitReached(String),
    /// The coordinator failed.
    #[error("the coordinator failed: {0}")]
    CoordinatorFailed(String),
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
            Self::InputUnreadable { .. } => "input_unreadable",
            Self::ServiceUnreachable { .. } => "service_unreachable",
            Self::ServiceRefused(_) => "service_refused",
            Self::WorkerRefused(_) => "worker_refused",
            Self::NotFound(_) => "not_found",
            Self::RequestInvalid(_) => "request_invalid",
            Self::RequestRefused(_) => "request_refused",
            Self::NotPermitted(_) => "not_permitted",
            Self::LimitReached(_) => "limit_reached",
            Self::CoordinatorFailed(_) => "coordinator_failed",
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
            | Self::Plan(_)
            | Self::NotFound(_)
            | Self::RequestInvalid(_)
            | Self::RequestRefused(_)
            | Self::NotPermitted(_) => Exit::Usage,
            Self::InputMissing(_) | Self::NoScan { .. } | Self::InputUnreadable { .. } => Exit::NoSource,
            Self::ServiceUnreachable { .. } => Exit::Unreachable,
            Self::Output { .. }
            | Self::OutputLocked { .. }
            | Self::LimitReached(_)
            | Self::CoordinatorFailed(_)
            | Self::ServiceRefused(_)
            | Self::WorkerRefused(_)
            | Self::Internal(_) => Exit::Internal,
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
            Self::InputUnreadable { .. } => {
                "give yourself the right to read it, or leave it out; the same command goes on"
            }
            Self::ServiceUnreachable { .. } => {
                "see that it runs, that its address is right (PAGEMILL_COORDINATOR_URL, …), and that network and certificates let you reach it"
            }
            Self::ServiceRefused(_) => {
                "correct user, password and rights in the service, or the address that the message names"
            }
            Self::WorkerRefused(_) => {
                "run a worker of the coordinator's version, with a token of role worker"
            }
            Self::NotFound(_) => "`pagemill jobs` and `pagemill workers` list what there is for you",
            Self::RequestInvalid(_) => "correct the arguments; the message names what is wrong",
            Self::RequestRefused(_) => "see how it stands: `pagemill job ID`, `pagemill workers`",
            Self::NotPermitted(_) => {
                "set PAGEMILL_TOKEN_FILE to a token whose role may do that; an admin gives tokens"
            }
            Self::LimitReached(_) => {
                "send less at once, wait, or have an admin raise the limit that the message names"
            }
            Self::CoordinatorFailed(_) => "see the coordinator's log; the same command may be repeated",
            Self::Internal(_) => "the same command resumes; `pagemill doctor` checks this machine",
        }
    }

    /// Says what happened in the log.
    pub(crate) fn log(&self) {
        tracing::error!(code = self.code(), remedy = self.remedy(), "{self}");
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
