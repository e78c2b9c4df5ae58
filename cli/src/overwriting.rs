//! A first run writes into a folder that may hold somebody's files: it replaces none of them.

use std::fs;
use std::path::PathBuf;

use pagemill_domain::naming::{Stem, folder_stems, source_stems};
use pagemill_domain::recipe::{Grouping, Recipe};
use rayon::prelude::*;

use crate::failure::Failure;
use crate::listing::ListedSource;
use crate::output_folder::OutputFolder;
use crate::report::REPORT;

/// Names that a document may get before it is numbered: without and with its extension.
const NAMES_TRIED: usize = 2;

/// Refuses to start where a file stands in the place of an artifact that is not one. Folders in which a run took place
/// hold artifacts, and are meant to.
pub(crate) fn refuse(
    output: &OutputFolder,
    sources: &[ListedSource],
    recipe: &Recipe,
) -> Result<(), Failure> {
    if output.store().exists() || output.path().join(REPORT).exists() || is_empty(output) {
        return Ok(());
    }
    let taken = sources
        .par_iter()
        .flat_map_iter(|source| places(output, source, recipe))
        .find_any(|place| place.exists());
    taken.map_or(Ok(()), |file| Err(Failure::OutputTaken(file)))
}

fn is_empty(output: &OutputFolder) -> bool {
    // The state folder is there already.
    fs::read_dir(output.path()).is_ok_and(|entries| entries.take(2).count() < 2)
}

/// Where the artifacts of a source may go.
fn places(output: &OutputFolder, source: &ListedSource, recipe: &Recipe) -> Vec<PathBuf> {
    let mut stems: Vec<Stem> = source_stems(&source.name).take(NAMES_TRIED).collect();
    if recipe.group == Grouping::Folder {
        stems.extend(folder_stems(&source.folder).take(1));
    }
    let places = stems.iter().flat_map(|stem| recipe.formats.iter().map(|&format| stem.artifact(format)));
    places.map(|artifact| output.path().join(artifact)).collect()
}

#[cfg(test)]
mod tests {
    use pagemill_domain::shard::FileStamp;

    use super::*;

    #[test]
    fn a_strangers_file_is_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let output = OutputFolder::open(folder.path()).unwrap();
        let stamp = FileStamp { bytes: 0, modified_ns: 0, inode: 0 };
        let source =
            ListedSource { path: "/scans/a/1.jpg".into(), name: "a/1.jpg".into(), folder: "a".into(), stamp };
        let check = |recipe: &Recipe| refuse(&output, std::slice::from_ref(&source), recipe);
        fs::create_dir(folder.path().join("a")).unwrap();
        fs::write(folder.path().join("notes.txt"), b"").unwrap();
        assert!(check(&Recipe::default()).is_ok());
        fs::write(folder.path().join("a.pdf"), b"mine").unwrap();
        assert!(check(&Recipe::default()).is_ok());
        let by_folder = Recipe { group: Grouping::Folder, ..Recipe::default() };
        assert!(matches!(check(&by_folder), Err(Failure::OutputTaken(file)) if file.ends_with("a.pdf")));
        fs::write(folder.path().join("a/1.pdf"), b"mine").unwrap();
        assert!(
            matches!(check(&Recipe::default()), Err(Failure::OutputTaken(file)) if file.ends_with("a/1.pdf"))
        );
        // A run's own report says that the files are its artifacts.
        fs::write(folder.path().join(REPORT), b"{}").unwrap();
        assert!(check(&Recipe::default()).is_ok());
    }
}
