//! A signed PDF in a whole run: delivered as it was, to the byte.
#![allow(clippy::unwrap_used, reason = "a test that meets the unexpected fails")]

use std::fmt::Write;
use std::fs;

use pagemill_tests::scans::strips;
use pagemill_tests::{Workplace, assert_balanced};

/// A PDF of one scan with a filled signature field. The signature's value is no real one: whether it is valid is not
/// Pagemill's to judge, only that it would be broken by a rewritten file.
fn signed_pdf(jpeg: &[u8], width: u32, height: u32) -> Vec<u8> {
    let content = "q 480 0 0 60 0 0 cm /I Do Q";
    let objects: [Vec<u8>; 7] = [
        b"<< /Type /Catalog /Pages 2 0 R /AcroForm << /SigFlags 3 /Fields [ 6 0 R ] >> >>".to_vec(),
        b"<< /Type /Pages /Kids [ 3 0 R ] /Count 1 >>".to_vec(),
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 480 60] /Contents 4 0 R /Annots [ 6 0 R ]
          /Resources << /XObject << /I 5 0 R >> >> >>"
            .to_vec(),
        format!("<< /Length {} >>\nstream\n{content}\nendstream", content.len()).into_bytes(),
        [
            format!(
                "<< /Type /XObject /Subtype /Image /Width {width} /Height {height} /ColorSpace /DeviceGray
                 /BitsPerComponent 8 /Filter /DCTDecode /Length {} >>\nstream\n",
                jpeg.len()
            )
            .into_bytes(),
            jpeg.to_vec(),
            b"\nendstream".to_vec(),
        ]
        .concat(),
        b"<< /Type /Annot /Subtype /Widget /Rect [0 0 0 0] /FT /Sig /T (s) /V 7 0 R >>".to_vec(),
        b"<< /Type /Sig /Filter /Adobe.PPKLite /SubFilter /adbe.pkcs7.detached /Contents <00> >>".to_vec(),
    ];
    let mut file = b"%PDF-1.7\n".to_vec();
    let mut table = String::from("0000000000 65535 f \n");
    for (number, object) in (1..).zip(&objects) {
        writeln!(table, "{:010} 00000 n ", file.len()).unwrap();
        file.extend(format!("{number} 0 obj\n").bytes());
        file.extend(object);
        file.extend(b"\nendobj\n");
    }
    let start = file.len();
    let entries = objects.len() + 1;
    file.extend(format!("xref\n0 {entries}\n{table}trailer\n<< /Size {entries} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n").bytes());
    file
}

#[test]
fn a_signed_pdf_is_delivered_as_it_was() {
    let (_, jpeg) = strips(1).remove(0);
    let image = image::load_from_memory(&jpeg).unwrap();
    let pdf = signed_pdf(&jpeg, image.width(), image.height());
    let workplace = Workplace::with([("signed.pdf", pdf.clone())]);
    for rule in ["skip", "redo", "force"] {
        workplace.ocr(&["--existing-text", rule]).expect_exit(0);
        let report = workplace.report();
        let pages = assert_balanced(&report);
        assert_eq!((&pages["declared"], &pages["kept"]), (&1.into(), &1.into()), "{rule}");
        assert_eq!(fs::read(workplace.out().join("signed.pdf")).unwrap(), pdf, "{rule}");
        let exceptions = report["ledger"]["exceptions"].to_string();
        assert!(exceptions.contains("signed: delivered as it was"), "{rule}: {exceptions}");
    }
}
