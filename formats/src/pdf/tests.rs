//! What other people's programs make of our PDFs.

use pagemill_domain::recipe::{Format, PdfPart, Recipe};

use crate::fixtures::{self, Page, written, written_by};
use crate::tools::Workplace;

fn by_part(pdf_part: PdfPart) -> Recipe {
    Recipe { pdf_part, ..Recipe::default() }
}

fn mixed_pages() -> Vec<Page> {
    let (jpeg, _) = fixtures::jpeg_page();
    [vec![jpeg], fixtures::pages()].concat()
}

#[test]
fn qpdf_finds_no_fault() {
    let workplace = Workplace::new();
    for (name, pages) in [("none.pdf", vec![]), ("mixed.pdf", mixed_pages())] {
        workplace.put(name, &written(Format::Pdf, &pages));
        let printed = workplace.printed("qpdf", &["--check", name]);
        assert!(printed.contains("No syntax or stream encoding errors found"), "{printed}");
    }
}

/// One Java machine for all files: it takes longer to start than to check them.
#[test]
fn preflight_finds_pdf_a_1b() {
    let workplace = Workplace::new();
    let recipe = by_part(PdfPart::A1b);
    let files = [
        workplace.put("mixed.pdf", &written_by(Format::Pdf, &recipe, &mixed_pages())),
        workplace.put("images.pdf", &written_by(Format::ImagePdf, &recipe, &mixed_pages())),
    ];
    let list: Vec<_> = files.iter().map(|path| path.display().to_string()).collect();
    workplace.put("list", list.join("\n").as_bytes());
    let jars = [
        "preflight",
        "pdfbox2",
        "fontbox2",
        "xmpbox",
        "commons-logging",
        "commons-io",
        "javax.activation",
        "jaxb-api",
    ];
    let class_path: Vec<_> = jars.iter().map(|jar| format!("/usr/share/java/{jar}.jar")).collect();
    let preflight = "org.apache.pdfbox.preflight.Validator_A1b";
    workplace.printed("java", &["-cp", &class_path.join(":"), preflight, "xml", "group", "list"]);
    let report = std::fs::read_to_string(workplace.path().join("list.preflight.xml")).unwrap();
    assert_eq!(report.matches("<isValid type=\"PDF/A1-b\">true</isValid>").count(), files.len(), "{report}");
}
