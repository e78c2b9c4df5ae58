//! Which files a run takes, in which order, and what it passed over.
//!
//! Only names and metadata are looked at; what a file is, inspect finds out in the box.

use std::collections::{BTreeMap, HashSet};
use std::fs::{self, FileType, Metadata};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use pagemill_domain::naming::{STATE_FOLDER, escape};
use pagemill_domain::natural_order::natural_key;
use pagemill_domain::shard::FileStamp;
use rayon::prelude::*;

use crate::failure::Failure;

use roots::{Root, roots};

mod roots;

/// Endings, in lower case, by which a file of a folder is taken for a scan. The first line can be read; the others are
/// images too, and are taken so that the report lists them as rejected instead of nobody missing them.
const SCAN_EXTENSIONS: [&str; 21] = [
    "jpg", "jpeg", "jpe", "jfif", "png", "tif", "tiff", "pdf", //
    "bmp", "gif", "webp", "jp2", "j2k", "jpx", "jpf", "jb2", "jbig2", "heic", "heif", "avif", "djvu",
];

/// What a run takes and what it passes over.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Listing {
    /// The sources: INPUT by INPUT as they were named, each in natural order.
    pub(crate) sources: Vec<ListedSource>,
    /// What was passed over.
    pub(crate) skipped: Skipped,
}

/// A file that is a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ListedSource {
    /// Where it is: an absolute path.
    pub(crate) path: PathBuf,
    /// Its path relative to its INPUT, after the INPUT's prefix, as text that loses nothing; no other source has it.
    pub(crate) name: String,
    /// Its folder in the same notation; an INPUT without prefix stands here with a `/` before its name.
    pub(crate) folder: String,
    /// By what it is known unchanged.
    pub(crate) stamp: FileStamp,
}

/// How many entries of folders were passed over, and why.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Skipped {
    /// Files not named like a scan, by their ending.
    pub(crate) foreign: BTreeMap<String, u64>,
    /// Files and folders whose name starts with a dot.
    pub(crate) hidden: u64,
    /// Symbolic links: they could lead anywhere, in circles too.
    pub(crate) links: u64,
    /// Pipes, sockets, devices.
    pub(crate) special: u64,
    /// Output folders, of this run or of others.
    pub(crate) outputs: u64,
    /// Files that were named twice.
    pub(crate) repeated: u64,
}

/// Lists what `inputs` hold. `output` is the run's output folder, which exists; a job of a cluster may have none.
pub(crate) fn list(inputs: &[PathBuf], output: Option<&Path>) -> Result<Listing, Failure> {
    let output = match output {
        Some(output) => Some(identity(&fs::metadata(output).map_err(anyhow::Error::from)?)),
        None => None,
    };
    let mut listing = Listing::default();
    let roots = roots(inputs, output)?;
    listing.skipped.repeated = (inputs.len() - roots.len()) as u64;
    for root in &roots {
        if root.is_folder {
            let (entries, skipped) = walk(&root.path, output);
            listing.sources.extend(in_natural_order(entries, root));
            listing.skipped.add(skipped);
        } else {
            let stamp = stamp(&fs::metadata(&root.path).map_err(anyhow::Error::from)?);
            listing.sources.push(root.source(root.path.clone(), stamp));
        }
    }
    if roots.len() > 1 {
        listing.drop_repeated();
    }
    Ok(listing)
}

impl Listing {
    /// Keeps the first of sources that several INPUTs hold.
    fn drop_repeated(&mut self) {
        let mut seen = HashSet::new();
        let before = self.sources.len();
        self.sources.retain(|source| seen.insert(source.path.clone()));
        self.skipped.repeated += (before - self.sources.len()) as u64;
    }
}

/// Device and inode: what a file is, whatever its path.
type Identity = (u64, u64);

fn identity(metadata: &Metadata) -> Identity {
    (metadata.dev(), metadata.ino())
}

fn stamp(metadata: &Metadata) -> FileStamp {
    FileStamp {
        bytes: metadata.len(),
        modified_ns: metadata.mtime().saturating_mul(1_000_000_000).saturating_add(metadata.mtime_nsec()),
        inode: metadata.ino(),
    }
}

/// A source below an INPUT.
type Entry = (PathBuf, FileStamp);

/// All sources below `root`, level by level: no stack grows with the depth, and the folders of a level are read in
/// parallel, which pays on network file systems.
fn walk(root: &Path, output: Option<Identity>) -> (Vec<Entry>, Skipped) {
    let (mut entries, mut skipped) = (Vec::new(), Skipped::default());
    let mut level = vec![root.to_owned()];
    while !level.is_empty() {
        let folders: Vec<Folder> = level.par_iter().map(|folder| Folder::read(folder, output)).collect();
        level.clear();
        for folder in folders {
            entries.extend(folder.entries);
            level.extend(folder.folders);
            skipped.add(folder.skipped);
        }
    }
    (entries, skipped)
}

/// What one folder holds.
#[derive(Default)]
struct Folder {
    entries: Vec<Entry>,
    folders: Vec<PathBuf>,
    skipped: Skipped,
}

impl Folder {
    /// Reads a folder. One that can't be read counts as a source: it is then rejected, and stands in the report.
    fn read(path: &Path, output: Option<Identity>) -> Self {
        let mut folder = Self::default();
        let listed = fs::metadata(path).and_then(|metadata| {
            if Some(identity(&metadata)) == output || path.join(STATE_FOLDER).is_dir() {
                folder.skipped.outputs += 1;
                return Ok(Vec::new());
            }
            fs::read_dir(path)?
                .map(|entry| entry.and_then(|entry| Ok((entry.file_type()?, entry.path()))))
                .collect()
        });
        let Ok(listed) = listed else {
            tracing::warn!(folder = %escape(path.as_os_str().as_bytes()), "folder can't be read");
            folder.entries.push((path.to_owned(), FileStamp { bytes: 0, modified_ns: 0, inode: 0 }));
            return folder;
        };
        let files: Vec<PathBuf> =
            listed.into_iter().filter_map(|(kind, path)| folder.sort_in(kind, path)).collect();
        let stamped = files.into_par_iter().with_min_len(STATS_PER_THREAD_MIN).map(|path| {
            // A file that vanished meanwhile is rejected when it is inspected.
            let stamp = fs::symlink_metadata(&path).map(|metadata| stamp(&metadata));
            (path, stamp.unwrap_or(FileStamp { bytes: 0, modified_ns: 0, inode: 0 }))
        });
        folder.entries.par_extend(stamped);
        folder
    }

    /// Decides by kind and name what becomes of an entry; gives it back if it is a source.
    fn sort_in(&mut self, kind: FileType, path: PathBuf) -> Option<PathBuf> {
        let name = path.file_name().unwrap_or_default();
        if name.as_bytes().starts_with(b".") {
            self.skipped.hidden += 1;
        } else if kind.is_symlink() {
            self.skipped.links += 1;
        } else if kind.is_dir() {
            self.folders.push(path);
        } else if !kind.is_file() {
            self.skipped.special += 1;
        } else {
            let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
            if SCAN_EXTENSIONS.contains(&extension.as_str()) {
                return Some(path);
            }
            *self.skipped.foreign.entry(known_ending(&extension)).or_default() += 1;
        }
        None
    }
}

/// Fewer files than this are not worth a second thread: a stat takes about a microsecond on a local disk.
const STATS_PER_THREAD_MIN: usize = 256;

/// Endings longer than this are no endings but names with a dot: counted together, so that a million of them stay
/// one line.
const ENDING_BYTES_MAX: usize = 8;

fn known_ending(extension: &str) -> String {
    if extension.len() <= ENDING_BYTES_MAX { escape(extension.as_bytes()) } else { String::new() }
}

fn in_natural_order(mut entries: Vec<Entry>, root: &Root) -> Vec<ListedSource> {
    entries.par_sort_by_cached_key(|(path, _)| natural_key(&root.relative(path)));
    entries.into_par_iter().map(|(path, stamp)| root.source(path, stamp)).collect()
}

impl Skipped {
    fn add(&mut self, other: Self) {
        for (ending, count) in other.foreign {
            *self.foreign.entry(ending).or_default() += count;
        }
        self.hidden += other.hidden;
        self.links += other.links;
        self.special += other.special;
        self.outputs += other.outputs;
        self.repeated += other.repeated;
    }

    /// One line for people, or nothing if nothing was passed over.
    pub(crate) fn summary(&self) -> Option<String> {
        let foreign: u64 = self.foreign.values().sum();
        let endings = self.foreign.iter().map(|(ending, count)| match ending.as_str() {
            "" => format!("{count} other"),
            ending => format!("{count} .{ending}"),
        });
        let endings = endings.take(ENDINGS_SHOWN_MAX).collect::<Vec<_>>().join(", ");
        let parts = [
            (foreign, format!("files not named like a scan ({endings})")),
            (self.hidden, "hidden".into()),
            (self.links, "symbolic links".into()),
            (self.special, "pipes, sockets or devices".into()),
            (self.outputs, "output folders".into()),
            (self.repeated, "named twice".into()),
        ];
        let parts: Vec<String> = parts
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{count} {what}"))
            .collect();
        (!parts.is_empty()).then(|| parts.join(", "))
    }
}

/// Endings shown in the summary.
const ENDINGS_SHOWN_MAX: usize = 6;

#[cfg(test)]
mod tests;
