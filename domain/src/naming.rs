//! Where a document's artifacts go: names inside the output folder that no source name can lead out of it.
//!
//! A document's *stem* is its source's path relative to its INPUT, without extension; an artifact is the stem and the
//! suffix of its format. Stems are made so that two stems with different [`Stem::key`]s never share an artifact, and no artifact
//! is another's folder, whatever formats are asked for later, on file systems that fold case and accents too.

use std::collections::HashSet;

use unicode_normalization::UnicodeNormalization;

use crate::hash::ContentHash;
use crate::recipe::Format;

mod escape;
pub mod path_as_text;

pub use escape::{escape, unescape};

/// Where all artifacts of one document go: `/` between components, relative to the output folder.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Stem(String);

/// Bytes of one component of a stem. File systems allow 255; the rest is for a number that tells repeats apart and the
/// suffix.
pub const STEM_COMPONENT_BYTES_MAX: usize = 200;

/// Bytes of a stem. Linux allows paths of 4,096; the rest is for the output folder.
pub const STEM_BYTES_MAX: usize = 1_000;

/// Longest ending that counts as a file's extension, without its dot.
const EXTENSION_BYTES_MAX: usize = 5;

/// The folder of the run's own state, below the output folder.
pub const STATE_FOLDER: &str = ".pagemill";

/// The name, before the first dot, of files that describe the run.
pub const REPORT_NAME: &str = "report";

/// Names that Windows keeps for devices, with any extension.
const DEVICES: [&str; 22] = [
    "con", "prn", "aux", "nul", "com1", "com2", "com3", "com4", "com5", "com6", "com7", "com8", "com9",
    "lpt1", "lpt2", "lpt3", "lpt4", "lpt5", "lpt6", "lpt7", "lpt8", "lpt9",
];

/// Every ending that an artifact, or the folder of a document's page images, can have.
const SUFFIXES: [&str; 10] =
    [".pdf", ".txt", ".alto.xml", ".hocr.html", ".tsv", ".json", ".image.pdf", ".jpg", ".tif", ".pages"];

/// The names that the document of a source at `path` may take, best first: its path without extension, with
/// extension, then numbered. The first whose [`Stem::key`] is free is its name for good. `path` is relative to the output
/// folder's root (with its INPUT's prefix), escaped by [`escape`], with `/` between components.
pub fn source_stems(path: &str) -> impl Iterator<Item = Stem> + use<> {
    let (folders, name) = split(path);
    stems(folders, vec![without_extension(&name).to_owned(), name])
}

/// The names that the document of a folder at `path` may take, best first.
pub fn folder_stems(path: &str) -> impl Iterator<Item = Stem> + use<> {
    let (folders, name) = split(path);
    stems(folders, vec![name])
}

/// The prefixes of several folders given as INPUT, from the folders' names: the name, numbered where it repeats.
#[must_use]
pub fn input_prefixes(folder_names: &[String]) -> Vec<String> {
    let mut taken = HashSet::new();
    let mut prefix = |name: &String| {
        let name = if name.is_empty() { "input" } else { name };
        let numbered = (2..).map(|number| format!("{name}-{number}"));
        std::iter::once(name.to_owned()).chain(numbered).find(|prefix| taken.insert(fold(prefix)))
    };
    // The chain never ends and the names taken are finite, so each folder finds a prefix.
    folder_names.iter().filter_map(&mut prefix).collect()
}

impl Stem {
    /// A stem that was recorded earlier.
    ///
    /// Only what [`Stem::as_str`] gave may come back: a name from elsewhere is not checked here.
    #[must_use]
    pub fn recorded(stem: String) -> Self {
        Self(stem)
    }

    /// The stem as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Equal for stems that some file system takes for the same. Each document of an output folder has its own.
    #[must_use]
    pub fn key(&self) -> String {
        fold(&self.0)
    }

    /// Path of the document's artifact of `format`, relative to the output folder. [`Format::Jpeg`] has one file a
    /// page: see [`Stem::page_jpeg`]; here it gives the file of a document of one page.
    #[must_use]
    pub fn artifact(&self, format: Format) -> String {
        let suffix = match format {
            Format::Pdf => ".pdf",
            Format::Txt => ".txt",
            Format::Alto => ".alto.xml",
            Format::Hocr => ".hocr.html",
            Format::Tsv => ".tsv",
            Format::Json => ".json",
            Format::ImagePdf => ".image.pdf",
            Format::Jpeg => ".jpg",
            Format::Tiff => ".tif",
        };
        format!("{}{suffix}", self.0)
    }

    /// Path of the image of page `number` (from 1) of a document of `pages`: beside the other artifacts where it is
    /// the only one, else in a folder of their own.
    #[must_use]
    pub fn page_jpeg(&self, number: u32, pages: u32) -> String {
        if pages == 1 {
            return self.artifact(Format::Jpeg);
        }
        format!("{}.pages/{number:04}.jpg", self.0)
    }
}

/// Whether a name that came from elsewhere can be an artifact's: below the output folder, no way up or out, none of the
/// run's own files. All that [`Stem::artifact`] and [`Stem::page_jpeg`] make are.
#[must_use]
pub fn is_artifact_name(name: &str) -> bool {
    const COMPONENT_BYTES_MAX: usize = 255;
    let is_safe = |component: &str| {
        (1..=COMPONENT_BYTES_MAX).contains(&component.len())
            && !component.chars().all(|character| character == '.')
            && !component.chars().any(is_refused)
    };
    let is_ours = name.split('/').next().is_some_and(is_reserved);
    name.len() <= STEM_BYTES_MAX + COMPONENT_BYTES_MAX && name.split('/').all(is_safe) && !is_ours
}

/// The components of `path` with each made safe as far as a folder needs it; the last is left as it came.
fn split(path: &str) -> (Vec<String>, String) {
    let mut components: Vec<&str> = path.split('/').filter(|component| !component.is_empty()).collect();
    let name = components.pop().unwrap_or("unnamed").to_owned();
    (components.into_iter().map(folder_component).collect(), name)
}

/// Safe stems in `folders`, one for each of `names`, then the last of them numbered without end.
fn stems(folders: Vec<String>, names: Vec<String>) -> impl Iterator<Item = Stem> + use<> {
    let last = names.last().cloned().unwrap_or_default();
    let numbered = (2_u32..).map(move |number| format!("{}-{number}", shortened(name_component(&last))));
    let preferred = names.into_iter().map(|name| shortened(name_component(&name)));
    preferred.chain(numbered).map(move |name| placed(&folders, &name))
}

/// The stem of `name` in `folders`.
fn placed(folders: &[String], name: &str) -> Stem {
    let mut path = folders.to_vec();
    path.push(name.to_owned());
    if let Some(first) = path.first_mut().filter(|first| is_reserved(first)) {
        first.insert(0, '_');
    }
    let path_text = path.join("/");
    if path_text.len() <= STEM_BYTES_MAX {
        return Stem(path_text);
    }
    Stem(format!("~{}/{name}", short_hash(&folders.join("/"))))
}

/// Whether a name at the top of the output folder would stand in the way of the run's own files.
fn is_reserved(first: &str) -> bool {
    let folded = fold(first);
    folded == STATE_FOLDER || folded.split('.').next() == Some(REPORT_NAME)
}

/// A folder's name that no artifact can have, and that Windows doesn't cut.
fn folder_component(component: &str) -> String {
    let mut safe = component_escaped(component);
    if let Some(last) = safe.pop() {
        if last == '.' || last == ' ' {
            escape::push_escaped(&mut safe, last);
        } else {
            safe.push(last);
        }
    }
    let folded = fold(&safe);
    if SUFFIXES.iter().any(|suffix| folded.ends_with(suffix)) {
        safe.push('_');
    }
    shortened(safe)
}

/// A document's name. Of the suffixes only `.pdf` ends another, `.image.pdf`: a name that ends between them would let
/// two documents meet.
fn name_component(component: &str) -> String {
    let mut safe = component_escaped(component);
    if fold(&safe).rsplit_once('.').is_some_and(|(_, end)| end == "image") {
        safe.push('_');
    }
    safe
}

/// Whether no name of an artifact has this character.
fn is_refused(character: char) -> bool {
    matches!(character, '<' | '>' | ':' | '"' | '\\' | '|' | '?' | '*' | '/') || escape::deceives(character)
}

/// A name that can stand on Linux, Windows and macOS alike, in NFC, and is no way up or out.
fn component_escaped(component: &str) -> String {
    let mut safe = String::with_capacity(component.len());
    let only_dots = component.chars().all(|character| character == '.');
    for character in component.nfc() {
        if is_refused(character) || (only_dots && character == '.') {
            escape::push_escaped(&mut safe, character);
        } else {
            safe.push(character);
        }
    }
    let folded = fold(&safe);
    if DEVICES.contains(&folded.split('.').next().unwrap_or_default().trim_end()) {
        safe.insert(0, '_');
    }
    safe
}

/// A name cut to [`STEM_COMPONENT_BYTES_MAX`] bytes, the hash of the whole in place of the rest.
fn shortened(component: String) -> String {
    if component.len() <= STEM_COMPONENT_BYTES_MAX {
        return component;
    }
    let hash = short_hash(&component);
    let kept = component.floor_char_boundary(STEM_COMPONENT_BYTES_MAX - hash.len() - 1);
    format!("{}~{hash}", &component[..kept])
}

fn short_hash(text: &str) -> String {
    let mut hash = ContentHash::of(text.as_bytes()).to_string();
    hash.truncate(16);
    hash
}

/// A file's name without its extension: a last dot and a few letters and digits, one of them a letter, so that
/// `Công văn 12.2019` stays whole.
fn without_extension(name: &str) -> &str {
    match name.rsplit_once('.') {
        Some((stem, extension))
            if !stem.is_empty()
                && extension.len() <= EXTENSION_BYTES_MAX
                && extension.bytes().all(|byte| byte.is_ascii_alphanumeric())
                && extension.bytes().any(|byte| byte.is_ascii_alphabetic()) =>
        {
            stem
        }
        _ => name,
    }
}

/// The same for all spellings that a file system which folds case or composition takes for one.
fn fold(name: &str) -> String {
    name.nfkd().flat_map(char::to_uppercase).flat_map(char::to_lowercase).nfkd().collect()
}

#[cfg(test)]
mod tests;
