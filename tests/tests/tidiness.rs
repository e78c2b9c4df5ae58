//! The rules of `ARCHITECTURE.md` and `CONTRIBUTING.md` that a machine can check.

#![allow(clippy::unwrap_used, reason = "a test that meets the unexpected fails")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use regex::Regex;

/// Which of our crates each may use. Coordinator and worker never see each other.
const ARROWS: [(&str, &[&str]); 10] = [
    ("pagemill-proto", &[]),
    ("pagemill-domain", &[]),
    ("pagemill-recognition", &["pagemill-domain"]),
    ("pagemill-formats", &["pagemill-domain"]),
    ("pagemill-backends", &["pagemill-domain", "pagemill-proto"]),
    ("pagemill-coordinator", &["pagemill-backends", "pagemill-domain", "pagemill-proto"]),
    (
        "pagemill-worker",
        &[
            "pagemill-backends",
            "pagemill-domain",
            "pagemill-formats",
            "pagemill-proto",
            "pagemill-recognition",
        ],
    ),
    (
        "pagemill",
        &[
            "pagemill-backends",
            "pagemill-coordinator",
            "pagemill-domain",
            "pagemill-formats",
            "pagemill-proto",
            "pagemill-recognition",
            "pagemill-worker",
        ],
    ),
    (
        "pagemill-tests",
        &[
            "pagemill-backends",
            "pagemill-coordinator",
            "pagemill-domain",
            "pagemill-formats",
            "pagemill-proto",
            "pagemill-recognition",
            "pagemill-test-services",
            "pagemill-worker",
        ],
    ),
    ("pagemill-test-services", &[]),
];

/// Libraries that only some of our crates may use.
const KNOWN_BY: [(&str, &[&str]); 7] = [
    ("lapin", &["pagemill-backends"]),
    ("object_store", &["pagemill-backends"]),
    ("prost", &["pagemill-proto", "pagemill-backends"]),
    ("leptess", &["pagemill-recognition"]),
    ("sqlx", &["pagemill-backends"]),
    ("clap", &["pagemill"]),
    ("pdf-writer", &["pagemill-formats"]),
];

/// Longest source file, in lines: what a reader can hold.
const LINES_MAX: usize = 500;

/// Names that say nothing about what a file holds.
const EMPTY_NAMES: [&str; 8] = ["util", "utils", "helper", "helpers", "common", "misc", "manager", "shared"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

/// Every file of the repository whose name ends in one of `endings`, relative to its root.
fn files(endings: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                if ![".git", "target", ".venv", "out"].contains(&name.as_str()) {
                    folders.push(path);
                }
            } else if endings.iter().any(|ending| name.ends_with(ending)) {
                found.push(path.strip_prefix(root()).unwrap().to_owned());
            }
        }
    }
    found.sort();
    assert!(!found.is_empty(), "no file ends in {endings:?}");
    found
}

fn read(path: &Path) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Fails with every complaint at once: one run shows all there is to tidy.
fn assert_none(complaints: &[String]) {
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
}

/// Each crate of the workspace with the names of its dependencies, those for tests only left out.
fn crates() -> Vec<(String, Vec<String>)> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(root())
        .output()
        .unwrap();
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let packages = metadata["packages"].as_array().unwrap().iter();
    let with_dependencies = packages.map(|package| {
        let dependencies = package["dependencies"].as_array().unwrap().iter();
        let shipped = dependencies.filter(|dependency| dependency["kind"] != "dev");
        (text(&package["name"]), shipped.map(|dependency| text(&dependency["name"])).collect())
    });
    with_dependencies.collect()
}

#[test]
fn crates_use_only_what_the_arrows_allow() {
    let mut complaints = Vec::new();
    for (name, dependencies) in crates() {
        let Some((_, allowed)) = ARROWS.iter().find(|(crate_name, _)| *crate_name == name) else {
            complaints.push(format!("{name} has no place among the arrows"));
            continue;
        };
        let ours = dependencies.iter().filter(|dependency| dependency.starts_with("pagemill"));
        let wrong = ours.filter(|dependency| !allowed.contains(&dependency.as_str()));
        complaints.extend(wrong.map(|dependency| format!("{name} must not use {dependency}")));
    }
    assert_none(&complaints);
}

#[test]
fn libraries_stay_behind_the_crate_that_wraps_them() {
    let mut complaints = Vec::new();
    for (name, dependencies) in crates() {
        for (library, users) in KNOWN_BY {
            if dependencies.iter().any(|dependency| dependency == library) && !users.contains(&name.as_str())
            {
                complaints.push(format!("{name} must not use {library}: only {users:?} may"));
            }
        }
    }
    assert_none(&complaints);
}

#[test]
fn source_files_stay_short_and_say_what_they_hold() {
    let mut complaints = Vec::new();
    for path in files(&[".rs", ".sh", ".py", ".sql"]) {
        let lines = read(&path).lines().count();
        if lines >= LINES_MAX {
            complaints.push(format!("{} has {lines} lines: {LINES_MAX} are too many", path.display()));
        }
        if EMPTY_NAMES.contains(&path.file_stem().unwrap().to_str().unwrap()) {
            complaints.push(format!("{}: the name says nothing", path.display()));
        }
    }
    assert_none(&complaints);
}

#[test]
fn nothing_is_left_for_later_or_tied_to_a_machine() {
    // Pieced together, so that this file doesn't find itself.
    let left = ["TO", "DO|FIX", "ME|#\\[ig", "nore|to", "do!\\("].concat();
    let machine = ["/wo", "rk/|/ro", "ot/|/ho", "me/[a-z]|/tm", "p/"].concat();
    let unwanted = Regex::new(&format!("{left}|{machine}")).unwrap();
    let mut complaints = Vec::new();
    for path in files(&[".rs", ".sh", ".py", ".sql", ".md", ".toml", "Makefile", ".yml", ".yaml", "run"]) {
        for (number, line) in read(&path).lines().enumerate() {
            if let Some(found) = unwanted.find(line) {
                complaints.push(format!("{}:{}: {}", path.display(), number + 1, found.as_str()));
            }
        }
    }
    assert_none(&complaints);
}

#[test]
fn every_link_in_the_documents_leads_somewhere() {
    let link = Regex::new(r"\]\(([^)\s]+)\)").unwrap();
    let mut complaints = Vec::new();
    for path in files(&[".md"]) {
        let text = read(&path);
        for target in link.captures_iter(&text).map(|capture| capture.get(1).unwrap().as_str()) {
            if target.contains("://") {
                continue;
            }
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            let file = if file.is_empty() { path.clone() } else { path.parent().unwrap().join(file) };
            let resolves =
                root().join(&file).exists() && (anchor.is_empty() || anchors(&read(&file)).contains(anchor));
            if !resolves {
                complaints.push(format!("{}: {target} leads nowhere", path.display()));
            }
        }
    }
    assert_none(&complaints);
}

/// The anchors that GitHub and its like give to the headings of a page.
fn anchors(markdown: &str) -> BTreeSet<String> {
    let headings = markdown.lines().filter(|line| line.starts_with('#'));
    let anchor = |heading: &str| {
        let text = heading.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
        text.chars().filter(|c| c.is_alphanumeric() || "-_".contains(*c)).collect()
    };
    headings.map(anchor).collect()
}

#[test]
fn every_error_code_is_explained_and_every_explanation_has_a_code() {
    let explained: BTreeSet<String> = Regex::new(r"(?m)^\| `([a-z0-9_]+)` \|")
        .unwrap()
        .captures_iter(&read(Path::new("docs/errors.md")))
        .map(|capture| capture[1].to_owned())
        .collect();
    let mut used = BTreeSet::new();
    for path in files(&[".rs"]).iter().filter(|path| !path.starts_with("tests")) {
        used.extend(codes(&read(path)));
    }
    let complaints: Vec<String> =
        (used.difference(&explained).map(|code| format!("{code} is not explained")))
            .chain(explained.difference(&used).map(|code| format!("{code} is explained and never used")))
            .collect();
    assert_none(&complaints);
}

/// The string literals in the functions named `code`: the stable codes of errors. Such a function ends at the brace of
/// its own indentation.
fn codes(source: &str) -> Vec<String> {
    let literal = Regex::new(r#""([a-z][a-z0-9_]+)""#).unwrap();
    let mut found = Vec::new();
    let mut indentation = None;
    for line in source.lines() {
        let depth = line.len() - line.trim_start().len();
        if line.contains("fn code(&self)") || line.contains("fn code(self)") {
            indentation = Some(depth);
        } else if line.trim() == "}" && indentation == Some(depth) {
            indentation = None;
        }
        if indentation.is_some() {
            found.extend(literal.captures_iter(line).map(|capture| capture[1].to_owned()));
        }
    }
    found
}
