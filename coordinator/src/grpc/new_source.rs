//! Sources as a client names them, checked without opening anything.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::{Component, PathBuf};

use pagemill_backends::store::NewSource;
use pagemill_domain::limits::Limits;
use pagemill_domain::naming::unescape;
use pagemill_domain::shard::{FileStamp, SourceLocation};
use pagemill_proto::v1;
use tonic::Status;

use super::status::invalid;

/// The source that a message names, for a tenant.
pub(crate) fn new_source(source: v1::NewSource, tenant: &str, limits: &Limits) -> Result<NewSource, Status> {
    check_path("path", &source.path, limits)?;
    // The top folder of an input is written with a slash and its name: documents of whole folders are named after it.
    let folder = source.folder.strip_prefix('/').unwrap_or(&source.folder);
    if !source.folder.is_empty() {
        check_path("folder", folder, limits)?;
    }
    let Ok(bytes) = i64::try_from(source.bytes) else {
        return Err(invalid(format!("bytes of {:?}: no file is that large", source.path)));
    };
    let location = location(source.location, &source.path, tenant, limits)?;
    // What lies elsewhere has no time and no inode here; its content is fixed by its hash at inspect.
    let stamp = FileStamp { bytes: bytes.cast_unsigned(), modified_ns: 0, inode: 0 };
    Ok(NewSource { path: source.path, folder: source.folder, location, stamp })
}

fn check_path(field: &str, path: &str, limits: &Limits) -> Result<(), Status> {
    let why = if path.is_empty() {
        "must not be empty".into()
    } else if path.len() > limits.name_bytes_max as usize {
        format!("must have at most {} bytes (name_bytes_max)", limits.name_bytes_max)
    } else if path.contains('\0') {
        "must not contain NUL".into()
    } else if path.split('/').any(|part| part.is_empty() || part == "." || part == "..") {
        "must be relative, without empty parts, . or ..".into()
    } else {
        return Ok(());
    };
    let shown: String = path.chars().take(100).collect();
    Err(invalid(format!("{field} {shown:?} {why}")))
}

fn location(
    location: Option<v1::new_source::Location>,
    path: &str,
    tenant: &str,
    limits: &Limits,
) -> Result<SourceLocation, Status> {
    use v1::new_source::Location;

    let refuse = |why: &str| invalid(format!("location of {path:?}: {why}"));
    match location {
        Some(Location::Blob(hash)) => {
            let hash = hash.parse().map_err(|_| refuse("blob must be a SHA-256 in hexadecimal"))?;
            Ok(SourceLocation::Blob { tenant: tenant.into(), hash })
        }
        Some(Location::Object(address)) => {
            let object = address.strip_prefix("s3://").and_then(|rest| rest.split_once('/'));
            let is_whole = object.is_some_and(|(bucket, key)| !bucket.is_empty() && !key.is_empty());
            let is_sane = address.len() <= limits.name_bytes_max as usize && !address.contains('\0');
            let is_fixed = !address.split('/').any(|part| part == "." || part == "..");
            if !(is_whole && is_sane && is_fixed) {
                return Err(refuse("object must be s3://bucket/key"));
            }
            Ok(SourceLocation::Object(address))
        }
        Some(Location::File(escaped)) => {
            let file = PathBuf::from(OsString::from_vec(unescape(&escaped)));
            let is_sane = escaped.len() <= limits.name_bytes_max as usize
                && !file.as_os_str().as_encoded_bytes().contains(&0);
            let is_fixed = file.is_absolute()
                && file.components().all(|part| matches!(part, Component::RootDir | Component::Normal(_)));
            if !(is_sane && is_fixed) {
                return Err(refuse("file must be an absolute path below a source root, without .."));
            }
            Ok(SourceLocation::File(file))
        }
        None => Err(refuse("one of blob, object and file is needed")),
    }
}

#[cfg(test)]
mod tests {
    use v1::new_source::Location;

    use super::*;

    fn checked(path: &str, folder: &str, location: Option<Location>) -> Result<NewSource, String> {
        let source = v1::NewSource { path: path.into(), folder: folder.into(), location, bytes: 1 };
        new_source(source, "acme", &Limits::default()).map_err(|status| status.message().to_owned())
    }

    fn hash() -> String {
        "ab".repeat(32)
    }

    #[test]
    fn a_blob_belongs_to_the_caller() {
        let source = checked("a/b.tif", "a", Some(Location::Blob(hash()))).unwrap();
        assert_eq!(
            source.location,
            SourceLocation::Blob { tenant: "acme".into(), hash: hash().parse().unwrap() }
        );
    }

    #[test]
    fn a_file_keeps_the_bytes_of_its_name() {
        let source = checked("b.tif", "", Some(Location::File("/scans/b%ff.tif".into()))).unwrap();
        let SourceLocation::File(file) = source.location else { panic!("{source:?}") };
        assert_eq!(file.as_os_str().as_encoded_bytes(), b"/scans/b\xff.tif");
    }

    #[test]
    fn no_name_leads_out() {
        let blob = || Some(Location::Blob(hash()));
        let long = "x".repeat(5_000);
        for path in ["", "/a", "a//b", "../a", "a/../b", "a/.", "a\0b", long.as_str()] {
            assert!(checked(path, "", blob()).is_err(), "{path:.20}");
        }
        for folder in ["../b", "/", "//b", "/../b"] {
            assert!(checked("a", folder, blob()).is_err(), "{folder}");
        }
        assert!(checked("a", "/scans", blob()).is_ok(), "the top folder of an input");
        for location in [
            None,
            Some(Location::Blob("abc".into())),
            Some(Location::Object("http://bucket/key".into())),
            Some(Location::Object("s3://bucket".into())),
            Some(Location::Object("s3:///key".into())),
            Some(Location::Object("s3://bucket/../key".into())),
            Some(Location::File("scans/a.tif".into())),
            Some(Location::File("/scans/../etc/passwd".into())),
            Some(Location::File("/scans/%2e%2e/passwd".into())),
            Some(Location::File("/scans/a%00b".into())),
        ] {
            assert!(checked("a", "", location.clone()).is_err(), "{location:?}");
        }
    }
}
