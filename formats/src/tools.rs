//! Other people's programs that check our artifacts. A missing one fails the test: `make test` installs them all.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A folder of artifacts for a tool to look at.
pub(crate) struct Workplace(tempfile::TempDir);

impl Workplace {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// Puts a file there.
    pub(crate) fn put(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    /// Runs a tool there.
    pub(crate) fn run(&self, tool: &str, arguments: &[&str]) -> Output {
        Command::new(tool)
            .args(arguments)
            .current_dir(self.0.path())
            .output()
            .unwrap_or_else(|error| panic!("{tool} can't be run ({error}): `make test` installs it"))
    }

    /// What a tool prints; the test fails if the tool does.
    pub(crate) fn printed(&self, tool: &str, arguments: &[&str]) -> String {
        let output = self.run(tool, arguments);
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            output.status.success(),
            "{tool} {arguments:?}: {}\n{printed}{}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
        printed
    }
}
