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

/// Why an XML document does not validate against one of our schemas; empty if it does.
pub(crate) fn schema_errors(schema: &str, document: &[u8]) -> String {
    let workplace = Workplace::new();
    workplace.put("document.xml", document);
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/schemas").join(schema);
    let arguments = ["--noout", "--nonet", "--schema", schema.to_str().unwrap(), "document.xml"];
    let output = workplace.run("xmllint", &arguments);
    if output.status.success() { String::new() } else { String::from_utf8_lossy(&output.stderr).into_owned() }
}

/// An image as tools print it.
pub(crate) struct Picture {
    pub(crate) width: usize,
    pub(crate) height: usize,
    samples: Vec<u8>,
}

impl Picture {
    /// From a PPM file of 8 bits a sample.
    pub(crate) fn from_ppm(bytes: &[u8]) -> Self {
        let mut fields = bytes.splitn(5, u8::is_ascii_whitespace);
        assert_eq!(fields.next(), Some(&b"P6"[..]));
        let mut number = || String::from_utf8_lossy(fields.next().unwrap()).parse().unwrap();
        let (width, height, depth): (usize, usize, usize) = (number(), number(), number());
        assert_eq!(depth, 255);
        Self { width, height, samples: fields.next().unwrap().to_vec() }
    }

    /// The colours in the middle of its four quarters: top left, top right, bottom left, bottom right.
    pub(crate) fn quarters(&self) -> [[u8; 3]; 4] {
        [(1, 1), (3, 1), (1, 3), (3, 3)].map(|(x, y)| {
            let place = (self.height * y / 4 * self.width + self.width * x / 4) * 3;
            [self.samples[place], self.samples[place + 1], self.samples[place + 2]]
        })
    }

    /// Whether nothing is drawn on it.
    pub(crate) fn is_white(&self) -> bool {
        self.samples.iter().all(|&sample| sample == 255)
    }

    /// Whether its quarters have these colours, as far as JPEG keeps them.
    pub(crate) fn shows(&self, quarters: &[[u8; 3]; 4]) -> bool {
        self.quarters()
            .iter()
            .flatten()
            .zip(quarters.iter().flatten())
            .all(|(is, should)| is.abs_diff(*should) <= 6)
    }
}
