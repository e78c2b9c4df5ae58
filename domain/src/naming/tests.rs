use std::collections::HashMap;

use proptest::prelude::*;

use super::*;

const FORMATS: [Format; 9] = [
    Format::Pdf,
    Format::Txt,
    Format::Alto,
    Format::Hocr,
    Format::Tsv,
    Format::Json,
    Format::ImagePdf,
    Format::Jpeg,
    Format::Tiff,
];

/// The stems that sources at `paths` get, one after the other, in one output folder.
fn names(paths: &[&str]) -> Vec<String> {
    let mut taken = HashSet::new();
    let stems = paths.iter().map(|path| source_stems(path).find(|stem| taken.insert(stem.key())).unwrap());
    stems.map(|stem| stem.as_str().to_owned()).collect()
}

fn every_artifact(stem: &Stem) -> Vec<String> {
    let pages = (1..=2).map(|number| stem.page_jpeg(number, 2));
    FORMATS.iter().map(|&format| stem.artifact(format)).chain(pages).collect()
}

/// What must hold of any artifact, wherever its name came from.
fn assert_inside(artifact: &str) {
    assert!(artifact.len() <= STEM_BYTES_MAX + 32, "{artifact}");
    for component in artifact.split('/') {
        assert!(!["", ".", ".."].contains(&component), "{artifact}");
        assert!(component.len() <= 255, "{artifact}");
        let refused =
            |c: char| matches!(c, '\0' | '<' | '>' | ':' | '"' | '\\' | '|' | '?' | '*') || c.is_control();
        assert!(!component.contains(refused), "{artifact}");
        let name = component.split('.').next().unwrap().trim_end().to_lowercase();
        assert!(!DEVICES.contains(&name.as_str()), "{artifact}");
    }
    let first = artifact.split('/').next().unwrap().to_lowercase();
    assert!(first != STATE_FOLDER && !first.starts_with("report."), "{artifact}");
    assert!(!artifact.chars().any(escape::deceives), "{artifact:?}");
}

#[test]
fn a_source_gives_its_path_without_extension() {
    assert_eq!(names(&["a/b/Quyết định 12.jpg"]), ["a/b/Quyết định 12"]);
    assert_eq!(names(&["Công văn 12.2019"]), ["Công văn 12.2019"]);
    assert_eq!(names(&[".hidden"]), [".hidden"]);
    let stem = source_stems("a/1.tif").next().unwrap();
    assert_eq!(stem.artifact(Format::Alto), "a/1.alto.xml");
    assert_eq!(stem.page_jpeg(1, 1), "a/1.jpg");
    assert_eq!(stem.page_jpeg(12, 20), "a/1.pages/0012.jpg");
}

#[test]
fn the_later_of_two_keeps_its_extension() {
    assert_eq!(names(&["x.jpg", "x.png", "x.png.tif"]), ["x", "x.png", "x.png.tif"]);
    assert_eq!(names(&["x.png.tif", "x.jpg", "x.png"]), ["x.png", "x", "x.png-2"]);
    assert_eq!(names(&["x.JPG", "X.jpg", "x.jpg"]), ["x", "X.jpg", "x.jpg-2"]);
}

#[test]
fn case_and_composition_do_not_tell_names_apart() {
    let composed: String = "Báo cáo.jpg".nfc().collect();
    let decomposed: String = "Báo cáo.tif".nfd().collect();
    let expected: String = "Báo cáo.tif".nfc().collect();
    assert_eq!(names(&[&composed, &decomposed])[1], expected);
    assert_eq!(names(&["A/x.jpg", "a/x.jpg"]), ["A/x", "a/x.jpg"]);
}

#[test]
fn the_runs_own_names_are_reserved_at_the_top_only() {
    assert_eq!(
        names(&["report.jpg", "Report.pages.jpg", "report.d/1.jpg", "a/report.jpg", "reports.jpg"]),
        ["_report", "_Report.pages", "_report.d/1", "a/report", "reports"]
    );
    assert_eq!(names(&[".pagemill/1.jpg", ".PageMill.jpg"]), ["_.pagemill/1", "_.PageMill"]);
}

#[test]
fn no_folder_has_the_name_of_an_artifact() {
    assert_eq!(names(&["x.jpg", "x.pdf/1.jpg", "x.PAGES/1.jpg"]), ["x", "x.pdf_/1", "x.PAGES_/1"]);
    assert_eq!(names(&["x.jpg", "x.image.tif"]), ["x", "x.image_"]);
}

#[test]
fn names_that_would_lead_out_or_harm_are_written_out() {
    assert_eq!(names(&["../../etc/passwd"]), ["%2E%2E/%2E%2E/etc/passwd"]);
    assert_eq!(names(&["/etc/passwd"]), ["etc/passwd"]);
    assert_eq!(names(&["a/./b.jpg"]), ["a/%2E/b"]);
    assert_eq!(names(&["CON.jpg", "aux/Lpt1.tar.jpg", "con .jpg"]), ["_CON", "_aux/_Lpt1.tar", "_con "]);
    assert_eq!(names(&["C:\\x?.jpg"]), ["C%3A%5Cx%3F"]);
    assert_eq!(names(&["a\0b.jpg"]), ["a%00b"]);
    assert_eq!(names(&["x\u{202e}gpj.pdf"]), ["x%E2%80%AEgpj"]);
    assert_eq!(names(&["end. /1.jpg"]), ["end.%20/1"]);
    assert_eq!(names(&["", "//"]), ["unnamed", "unnamed-2"]);
}

#[test]
fn long_names_are_cut_and_stay_apart() {
    let long = |end: &str| format!("{}{end}.jpg", "Ệ".repeat(120));
    let given = names(&[&long("a"), &long("b")]);
    assert_ne!(given[0], given[1]);
    assert!(given.iter().all(|name| name.len() <= STEM_COMPONENT_BYTES_MAX));
    let deep = format!("{}/x.jpg", vec!["folder"; 400].join("/"));
    let stem = source_stems(&deep).next().unwrap();
    assert!(stem.as_str().starts_with('~') && stem.as_str().ends_with("/x"), "{}", stem.as_str());
}

#[test]
fn a_name_from_elsewhere_may_not_lead_out() {
    for name in ["a.pdf", "báo cáo/1.txt", "a/report.pdf", "x.pages/0001.jpg", "a b/.hidden.txt"] {
        assert!(is_artifact_name(name), "{name:?}");
    }
    let long = format!("{}.pdf", "a".repeat(255));
    let deep = "a/".repeat(700) + "a.pdf";
    let harmful = [
        "",
        "/etc/passwd",
        "../a.pdf",
        "a/../../b.pdf",
        "a//b.pdf",
        "a/./b",
        "a/",
        "..",
        ".pagemill/state.db",
        ".PAGEMILL/lock",
        "report.json",
        "Report.pages.jsonl",
        "a\\b.pdf",
        "c:a.pdf",
        "a\0.pdf",
        "a\u{202e}fdp.txt",
        "a\n.pdf",
        &long,
        &deep,
    ];
    for name in harmful {
        assert!(!is_artifact_name(name), "{name:?}");
    }
}

#[test]
fn a_folder_document_takes_the_folders_name() {
    assert_eq!(folder_stems("box 1/Hồ sơ 12.3a").next().unwrap().as_str(), "box 1/Hồ sơ 12.3a");
    assert_eq!(folder_stems("scans").nth(1).unwrap().as_str(), "scans-2");
}

#[test]
fn folders_of_one_name_get_prefixes_of_their_own() {
    let folders = ["scans", "Scans", "", "scans-2"].map(String::from);
    assert_eq!(input_prefixes(&folders), ["scans", "Scans-2", "input", "scans-2-2"]);
}

/// Names that provoke every rule, beside names of any characters.
fn component() -> impl Strategy<Value = String> {
    const NAMES: [&str; 22] = [
        "..",
        ".",
        "report",
        "REPORT.",
        ".pagemill",
        "con",
        "nul.tar",
        "x",
        "X",
        "x.pdf",
        "x.image",
        "x.pages",
        "0001",
        "x.png",
        "é",
        "e\u{301}",
        "ﬁ",
        "fi",
        "a ",
        "b.",
        "~",
        "-2",
    ];
    const EXTENSIONS: [&str; 9] = ["", ".jpg", ".JPG", ".png", ".pdf", ".image", ".pages", ".alto.xml", ". "];
    let crafted = (prop::sample::select(&NAMES[..]), prop::sample::select(&EXTENSIONS[..]));
    prop_oneof![
        3 => crafted.prop_map(|(name, extension)| format!("{name}{extension}")),
        1 => "\\PC{1,300}",
        1 => any::<String>(),
    ]
}

fn paths() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec(prop::collection::vec(component(), 1..4).prop_map(|parts| parts.join("/")), 1..12)
}

proptest! {
    #[test]
    fn no_name_escapes(paths in paths()) {
        for path in &paths {
            for stem in source_stems(path).take(4).chain(folder_stems(path).take(3)) {
                for artifact in every_artifact(&stem) {
                    assert_inside(&artifact);
                    prop_assert!(is_artifact_name(&artifact), "{}", artifact);
                }
            }
        }
    }

    #[test]
    fn no_artifact_meets_another(paths in paths()) {
        let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
        let mut files = HashMap::new();
        for (owner, name) in names(&paths).into_iter().enumerate() {
            for artifact in every_artifact(&Stem::recorded(name)) {
                prop_assert_eq!(files.insert(fold(&artifact), owner), None, "{}", artifact);
            }
        }
        for file in files.keys() {
            let folders = file.match_indices('/').map(|(at, _)| &file[..at]);
            for folder in folders {
                prop_assert!(!files.contains_key(folder), "{} is a file and a folder", folder);
            }
        }
    }
}
