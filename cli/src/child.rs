//! The recognition process: this very program, started again with one hidden word.

use std::env;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use pagemill_recognition::boxed::client::Program;
use pagemill_recognition::reader::ModelDir;

use crate::failure::Exit;
use crate::progress::print_line;

/// The hidden command that makes this program a recognition process.
pub(crate) const COMMAND: &str = "recognition-child";

/// How a recognition process is started. The link leads to this program even after its file was replaced, so that an
/// upgrade does not mix versions within a run.
pub(crate) fn program() -> Program {
    Program { path: PathBuf::from("/proc/self/exe"), arguments: vec![COMMAND.into()] }
}

/// Is a recognition process until its worker lets go of it.
pub(crate) fn run() -> ExitCode {
    match pagemill_recognition::boxed::child::run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Standard error leads to the worker, which keeps the last words.
            print_line(&error.to_string());
            Exit::Internal.into()
        }
    }
}

/// Where the models are.
pub(crate) fn models() -> ModelDir {
    ModelDir::find(env::var_os("TESSDATA_PREFIX").as_deref().map(Path::new))
}
