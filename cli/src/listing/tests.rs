use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::symlink;

use super::*;

/// A folder with empty files at `paths`, and an output folder beside them.
fn tree(paths: &[&str]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    for path in paths {
        let path = folder.path().join("scans").join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, b"").unwrap();
    }
    fs::create_dir_all(folder.path().join("out/.pagemill")).unwrap();
    let scans = folder.path().join("scans");
    (folder, scans)
}

fn names(listing: &Listing) -> Vec<&str> {
    listing.sources.iter().map(|source| source.name.as_str()).collect()
}

#[test]
fn folders_are_listed_in_natural_order() {
    let (folder, scans) = tree(&["10.jpg", "2.jpg", "b/1.TIF", "a/11.pdf", "a/9.pdf", "a/c/d/1.png"]);
    let listing = list(&[scans], Some(&folder.path().join("out"))).unwrap();
    assert_eq!(names(&listing), ["2.jpg", "10.jpg", "a/9.pdf", "a/11.pdf", "a/c/d/1.png", "b/1.TIF"]);
    assert_eq!(listing.skipped, Skipped::default());
}

#[test]
fn what_is_no_scan_is_counted() {
    let (folder, scans) = tree(&[
        "1.jpg",
        "Thumbs.db",
        "notes.txt",
        "more.txt",
        ".DS_Store",
        ".cache/1.jpg",
        "README",
        "x.webp",
    ]);
    symlink("/etc/passwd", scans.join("link.jpg")).unwrap();
    symlink("..", scans.join("circle")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(scans.join("socket.jpg")).unwrap();
    let listing = list(&[scans], Some(&folder.path().join("out"))).unwrap();
    assert_eq!(names(&listing), ["1.jpg", "x.webp"]);
    assert_eq!(
        listing.skipped.summary().unwrap(),
        "4 files not named like a scan (1 other, 1 .db, 2 .txt), 2 hidden, 2 symbolic links, 1 pipes, sockets or \
         devices"
    );
}

#[test]
fn output_folders_inside_an_input_are_passed_over() {
    let (_folder, scans) = tree(&["1.jpg", "out/1.pdf", "old/.pagemill/lock", "old/1.pdf"]);
    let listing = list(std::slice::from_ref(&scans), Some(&scans.join("out"))).unwrap();
    assert_eq!(names(&listing), ["1.jpg"]);
    assert_eq!(listing.skipped.outputs, 2);
    assert!(matches!(list(std::slice::from_ref(&scans), Some(&scans)), Err(Failure::OutputIsInput(_))));
}

#[test]
fn several_inputs_get_a_prefix_each_and_files_their_name() {
    let (folder, scans) = tree(&["a/x/1.jpg", "b/x/1.jpg", "named.bin", "1.jpg"]);
    let inputs = [scans.join("b/x"), scans.join("named.bin"), scans.join("a/x"), scans.join("1.jpg")];
    let listing = list(&inputs, Some(&folder.path().join("out"))).unwrap();
    assert_eq!(names(&listing), ["x/1.jpg", "named.bin", "x-2/1.jpg", "1.jpg"]);
}

#[test]
fn files_of_one_name_are_told_apart_by_their_folder() {
    let (folder, scans) = tree(&["a/1.jpg", "b/1.jpg", "c/b/1.jpg", "b/2.jpg"]);
    let inputs = ["a/1.jpg", "b/1.jpg", "c/b/1.jpg", "b/2.jpg", "a/1.jpg"].map(|path| scans.join(path));
    let listing = list(&inputs, Some(&folder.path().join("out"))).unwrap();
    assert_eq!(names(&listing), ["1.jpg", "b/1.jpg", "b-2/1.jpg", "2.jpg"]);
    assert_eq!(listing.skipped.repeated, 1);
}

#[test]
fn a_source_knows_its_folder() {
    let (folder, scans) = tree(&["1.jpg", "scans/1.jpg", "b/c/1.jpg"]);
    let listing = list(std::slice::from_ref(&scans), Some(&folder.path().join("out"))).unwrap();
    let folders: Vec<&str> = listing.sources.iter().map(|source| source.folder.as_str()).collect();
    assert_eq!(folders, ["/scans", "b/c", "scans"]);
    let listing = list(&[scans.join("b"), scans.join("1.jpg")], Some(&folder.path().join("out"))).unwrap();
    let folders: Vec<&str> = listing.sources.iter().map(|source| source.folder.as_str()).collect();
    assert_eq!(folders, ["b/c", "/scans"]);
}

#[test]
fn a_file_that_two_inputs_hold_is_taken_once() {
    let (folder, scans) = tree(&["a/1.jpg", "a/2.jpg"]);
    let listing = list(&[scans.join("a/2.jpg"), scans.clone()], Some(&folder.path().join("out"))).unwrap();
    assert_eq!(names(&listing), ["2.jpg", "scans/a/1.jpg"]);
    assert_eq!(listing.skipped.repeated, 1);
}

#[test]
fn a_link_that_is_named_is_followed() {
    let (folder, scans) = tree(&["1.jpg"]);
    symlink(&scans, folder.path().join("link")).unwrap();
    let listing = list(&[folder.path().join("link")], Some(&folder.path().join("out"))).unwrap();
    assert_eq!(names(&listing), ["1.jpg"]);
    assert!(listing.sources[0].path.ends_with("scans/1.jpg"));
}

#[test]
fn names_that_are_not_text_keep_their_bytes() {
    let (folder, scans) = tree(&["1.jpg"]);
    let name = std::ffi::OsString::from_vec(b"caf\xe9\n.jpg".to_vec());
    fs::write(scans.join(&name), b"x").unwrap();
    let listing = list(&[scans], Some(&folder.path().join("out"))).unwrap();
    assert_eq!(names(&listing), ["1.jpg", "caf%E9%0A.jpg"]);
    assert_eq!(listing.sources[1].path.file_name().unwrap(), name);
    assert_eq!(listing.sources[1].stamp.bytes, 1);
}

#[test]
fn a_missing_input_is_named() {
    let (folder, scans) = tree(&["1.jpg"]);
    let failure = list(&[scans, "no-such".into()], Some(&folder.path().join("out"))).unwrap_err();
    assert_eq!(failure.to_string(), "no such file or folder: no-such");
}

#[test]
fn deep_folders_are_no_danger() {
    let folder = tempfile::tempdir().unwrap();
    let deep = folder.path().join(vec!["d"; 1_500].join("/"));
    fs::create_dir_all(&deep).unwrap();
    fs::write(deep.join("1.jpg"), b"").unwrap();
    let out = tempfile::tempdir().unwrap();
    assert_eq!(list(&[folder.path().to_owned()], Some(out.path())).unwrap().sources.len(), 1);
}
