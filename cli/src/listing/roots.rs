//! The INPUTs and what their sources are called.

use std::collections::HashSet;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use pagemill_domain::naming::{escape, input_prefixes};
use pagemill_domain::shard::FileStamp;

use super::{Identity, ListedSource, identity};
use crate::failure::Failure;

/// An INPUT.
pub(super) struct Root {
    /// Where it is, without symbolic links: whoever names a link means what it leads to.
    pub(super) path: PathBuf,
    /// Whether it is a folder; else it is a source itself.
    pub(super) is_folder: bool,
    /// Stands before the names of its sources; empty where it needs none.
    prefix: String,
}

/// The INPUTs as they were named, each once. Of several, a folder gets its name as prefix; a file only if an earlier one has
/// its name, and then its folder's name.
pub(super) fn roots(inputs: &[PathBuf], output: Option<Identity>) -> Result<Vec<Root>, Failure> {
    let mut paths = HashSet::new();
    let mut roots = Vec::with_capacity(inputs.len());
    for input in inputs {
        let root = Root::find(input, output)?;
        if paths.insert(root.path.clone()) {
            roots.push(root);
        }
    }
    if roots.len() == 1 {
        return Ok(roots);
    }
    let mut files = HashSet::new();
    let ambiguous: Vec<&mut Root> =
        roots.iter_mut().filter(|root| root.is_folder || !files.insert(name(&root.path))).collect();
    let folder_names: Vec<String> = ambiguous
        .iter()
        .map(|root| name(if root.is_folder { &root.path } else { root.path.parent().unwrap_or(&root.path) }))
        .collect();
    for (root, prefix) in ambiguous.into_iter().zip(input_prefixes(&folder_names)) {
        root.prefix = prefix;
    }
    Ok(roots)
}

impl Root {
    fn find(input: &Path, output: Option<Identity>) -> Result<Self, Failure> {
        let missing = |_| Failure::InputMissing(input.to_owned());
        let path = fs::canonicalize(input).map_err(missing)?;
        let metadata = fs::metadata(&path).map_err(missing)?;
        if Some(identity(&metadata)) == output {
            return Err(Failure::OutputIsInput(input.to_owned()));
        }
        Ok(Self { path, is_folder: metadata.is_dir(), prefix: String::new() })
    }

    /// The source at `path`, which is this INPUT or below it.
    pub(super) fn source(&self, path: PathBuf, stamp: FileStamp) -> ListedSource {
        let relative = self.relative(&path);
        let name = if self.prefix.is_empty() { relative } else { format!("{}/{relative}", self.prefix) };
        let folder = match name.rsplit_once('/') {
            Some((folder, _)) => folder.to_owned(),
            None => format!("/{}", self.top_folder()),
        };
        ListedSource { path, name, folder, stamp }
    }

    /// The path of a source relative to this INPUT, as text.
    pub(super) fn relative(&self, path: &Path) -> String {
        match path.strip_prefix(&self.path) {
            Ok(relative) if !relative.as_os_str().is_empty() => escape(relative.as_os_str().as_bytes()),
            _ => name(path),
        }
    }

    /// The name of the folder whose sources stand at the top.
    fn top_folder(&self) -> String {
        name(if self.is_folder { &self.path } else { self.path.parent().unwrap_or(&self.path) })
    }
}

/// A path's last component as text; empty for the root of the file system.
fn name(path: &Path) -> String {
    path.file_name().map(|name| escape(name.as_bytes())).unwrap_or_default()
}
