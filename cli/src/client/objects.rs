//! Objects as INPUT: `s3://bucket/key`, by reference.

use std::collections::HashSet;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use pagemill_domain::naming::escape;
use pagemill_proto::v1::NewSource;
use pagemill_proto::v1::new_source::Location;

use crate::failure::Failure;

/// How the address of an object begins.
const SCHEME: &str = "s3://";

/// Whether an INPUT names an object.
pub(crate) fn is_address(input: &Path) -> bool {
    input.as_os_str().as_bytes().starts_with(SCHEME.as_bytes())
}

/// The sources of objects. Each is called by the last part of its key; one whose name is taken, by bucket and key.
pub(crate) fn sources(inputs: &[&PathBuf]) -> Result<Vec<NewSource>, Failure> {
    let (mut names, mut addresses) = (HashSet::new(), HashSet::new());
    let mut sources = Vec::with_capacity(inputs.len());
    for input in inputs {
        let refuse = || Failure::RequestInvalid(format!("{}: an object is s3://bucket/key", input.display()));
        let address = input.to_str().ok_or_else(refuse)?;
        let rest = address.strip_prefix(SCHEME).unwrap_or(address);
        let (bucket, key) = rest.split_once('/').ok_or_else(refuse)?;
        let last = key.rsplit('/').next().unwrap_or_default();
        if bucket.is_empty() || last.is_empty() {
            return Err(refuse());
        }
        if !addresses.insert(address) {
            continue;
        }
        let name = escape(last.as_bytes());
        let name = if names.insert(name.clone()) { name } else { escape(rest.as_bytes()) };
        let folder = match name.rsplit_once('/') {
            Some((folder, _)) => folder.to_owned(),
            None => format!("/{}", escape(parent(bucket, key).as_bytes())),
        };
        let location = Some(Location::Object(address.to_owned()));
        sources.push(NewSource { path: name, folder, bytes: 0, location });
    }
    Ok(sources)
}

/// The name of the folder that an object seems to lie in.
fn parent<'a>(bucket: &'a str, key: &'a str) -> &'a str {
    key.rsplit('/').nth(1).filter(|folder| !folder.is_empty()).unwrap_or(bucket)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(inputs: &[&str]) -> Result<Vec<(String, String)>, String> {
        let inputs: Vec<PathBuf> = inputs.iter().map(PathBuf::from).collect();
        let found = sources(&inputs.iter().collect::<Vec<_>>()).map_err(|failure| failure.to_string())?;
        Ok(found.into_iter().map(|source| (source.path, source.folder)).collect())
    }

    #[test]
    fn an_object_is_called_by_the_last_part_of_its_key() {
        let name = |path: &str, folder: &str| (path.to_owned(), folder.to_owned());
        assert_eq!(
            named(&["s3://b/2024/a.pdf", "s3://b/2025/a.pdf", "s3://b/2024/a.pdf", "s3://b/c.tif"]).unwrap(),
            [name("a.pdf", "/2024"), name("b/2025/a.pdf", "b/2025"), name("c.tif", "/b")]
        );
    }

    #[test]
    fn a_prefix_is_no_object() {
        for input in ["s3://bucket", "s3://bucket/", "s3://bucket/folder/", "s3:///key"] {
            assert!(named(&[input]).unwrap_err().contains("s3://bucket/key"), "{input}");
        }
        assert!(is_address(Path::new("s3://b/k")) && !is_address(Path::new("/s3://b/k")));
    }
}
