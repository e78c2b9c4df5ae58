//! hOCR 1.2 (<https://kba.github.io/hocr-spec/1.2/>) as XHTML.

use std::io::Write;

use pagemill_domain::geometry::{Rect, Turn};
use pagemill_domain::page_text::{Block, BlockKind, Cell, Content, Line, Paragraph, Table};

use crate::characters::{shown, shown_words};
use crate::document::{DocumentInfo, DocumentPage, DocumentWriter, WriteError};
use crate::language::tag;
use crate::xml::Xml;

/// Every class and property group that a file may use (§ 12 of the specification).
const CAPABILITIES: &str = "ocr_page ocr_carea ocr_header ocr_footer ocr_pageno ocr_textfloat ocr_table ocr_par ocr_line \
                            ocrx_word ocrp_wconf ocrp_lang";

/// Writes hOCR.
pub(crate) struct HocrWriter<W> {
    xml: Xml<W>,
}

impl<W: Write> HocrWriter<W> {
    pub(crate) fn new(info: &DocumentInfo, languages: &str, out: W) -> Result<Self, WriteError> {
        let mut xml = Xml::new(out)?;
        let language = tag(languages);
        let system = concat!("pagemill ", env!("CARGO_PKG_VERSION"));
        xml.doctype("html")?;
        xml.open(
            "html",
            &[("xmlns", "http://www.w3.org/1999/xhtml"), ("xml:lang", language), ("lang", language)],
        )?;
        xml.open("head", &[])?;
        xml.empty("meta", &[("charset", "utf-8")])?;
        xml.text("title", &[], &shown(&info.title))?;
        xml.empty("meta", &[("name", "ocr-system"), ("content", system)])?;
        xml.empty("meta", &[("name", "ocr-number-of-pages"), ("content", &info.pages.to_string())])?;
        xml.empty("meta", &[("name", "ocr-langs"), ("content", language)])?;
        xml.empty("meta", &[("name", "ocr-capabilities"), ("content", CAPABILITIES)])?;
        xml.close("head")?;
        xml.open("body", &[])?;
        Ok(Self { xml })
    }
}

impl<W: Write> DocumentWriter for HocrWriter<W> {
    fn page(&mut self, page: &DocumentPage<'_>) -> Result<(), WriteError> {
        let number = page.number;
        let title = format!(
            "{}; ppageno {}; scan_res {} {}",
            bbox(Rect::new(0, 0, page.width, page.height)),
            number - 1,
            page.dpi.x().round(),
            page.dpi.y().round()
        );
        let id = format!("page_{number}");
        self.xml.open("div", &[("class", "ocr_page"), ("id", &id), ("title", &title)])?;
        let mut elements = PageElements { xml: &mut self.xml, page: number, lines: 0, words: 0 };
        for (block, index) in page.text.map_or(&[][..], |text| &text.blocks).iter().zip(1..) {
            elements.block(block, index)?;
        }
        self.xml.close("div")
    }

    fn finish(mut self: Box<Self>) -> Result<(), WriteError> {
        self.xml.close("body")?;
        self.xml.close("html")?;
        self.xml.finish()
    }
}

/// The class of a block. hOCR has none for headings (its logical classes need the whole document's structure), stamps
/// and signatures: a heading is running text, the others are floats.
const fn class(kind: BlockKind) -> &'static str {
    match kind {
        BlockKind::Text | BlockKind::Heading => "ocr_carea",
        BlockKind::Header => "ocr_header",
        BlockKind::Footer => "ocr_footer",
        BlockKind::PageNumber => "ocr_pageno",
        BlockKind::Marginal | BlockKind::Stamp | BlockKind::Signature => "ocr_textfloat",
        BlockKind::Table => "ocr_table",
    }
}

/// Writes the elements of one page, numbering its lines and words.
struct PageElements<'a, W> {
    xml: &'a mut Xml<W>,
    page: u32,
    lines: u32,
    words: u32,
}

impl<W: Write> PageElements<'_, W> {
    fn block(&mut self, block: &Block, index: u32) -> Result<(), WriteError> {
        let id = format!("block_{}_{index}", self.page);
        let title = bbox(block.bounds);
        let attributes = [("class", class(block.kind)), ("id", &id), ("title", &title)];
        match &block.content {
            Content::Paragraphs(paragraphs) => {
                self.xml.open("div", &attributes)?;
                for (paragraph, number) in paragraphs.iter().zip(1..) {
                    self.paragraph(paragraph, &format!("par_{}_{index}_{number}", self.page))?;
                }
                self.xml.close("div")
            }
            Content::Table(table) => {
                self.xml.open("table", &attributes)?;
                self.rows(table)?;
                self.xml.close("table")
            }
        }
    }

    fn paragraph(&mut self, paragraph: &Paragraph, id: &str) -> Result<(), WriteError> {
        let bounds = paragraph.lines.iter().fold(Rect::default(), |all, line| all.union(line.bounds));
        self.xml.open("p", &[("class", "ocr_par"), ("id", id), ("title", &bbox(bounds))])?;
        self.lines(&paragraph.lines)?;
        self.xml.close("p")
    }

    /// Rows and cells have no class in hOCR: they are those of HTML.
    fn rows(&mut self, table: &Table) -> Result<(), WriteError> {
        for row in table.cells.chunk_by(|cell, next| cell.row == next.row) {
            self.xml.open("tr", &[])?;
            for cell in row {
                self.cell(cell)?;
            }
            self.xml.close("tr")?;
        }
        Ok(())
    }

    fn cell(&mut self, cell: &Cell) -> Result<(), WriteError> {
        let name = if cell.header { "th" } else { "td" };
        let (rows, columns) = (cell.row_span.to_string(), cell.column_span.to_string());
        let title = bbox(cell.bounds);
        let spans = [("rowspan", rows.as_str(), cell.row_span), ("colspan", &columns, cell.column_span)];
        let spans = spans.into_iter().filter(|(_, _, span)| *span > 1).map(|(name, value, _)| (name, value));
        let attributes: Vec<_> = spans.chain([("title", title.as_str())]).collect();
        self.xml.open(name, &attributes)?;
        self.lines(&cell.lines)?;
        self.xml.close(name)
    }

    fn lines(&mut self, lines: &[Line]) -> Result<(), WriteError> {
        for line in lines.iter().filter(|line| shown_words(line).next().is_some()) {
            self.lines += 1;
            let id = format!("line_{}_{}", self.page, self.lines);
            let title = line_title(line);
            self.xml.open("span", &[("class", "ocr_line"), ("id", &id), ("title", &title)])?;
            for (text, word) in shown_words(line) {
                self.words += 1;
                let id = format!("word_{}_{}", self.page, self.words);
                let title = format!("{}; x_wconf {}", bbox(word.bounds), word.confidence.percent());
                self.xml.text("span", &[("class", "ocrx_word"), ("id", &id), ("title", &title)], &text)?;
            }
            self.xml.close("span")?;
        }
        Ok(())
    }
}

/// A bounding box, as every `title` begins.
fn bbox(bounds: Rect) -> String {
    format!("bbox {} {} {} {}", bounds.left, bounds.top, bounds.right, bounds.bottom)
}

/// A line's box and where its letters stand: the baseline of an upright line, relative to the lower left corner of its
/// box (§ 6.3), the angle of one that lies otherwise (counter-clockwise, § 6.2).
fn line_title(line: &Line) -> String {
    let bounds = bbox(line.bounds);
    if line.turn != Turn::None {
        return format!("{bounds}; textangle {}", 360 - line.turn.degrees());
    }
    let (start, end) = (line.baseline.start, line.baseline.end);
    let run = f64::from(end.x) - f64::from(start.x);
    let slope = if run > 0.0 { (f64::from(end.y) - f64::from(start.y)) / run } else { 0.0 };
    let at_left = f64::from(start.y) + slope * (f64::from(line.bounds.left) - f64::from(start.x));
    let offset = (at_left - f64::from(line.bounds.bottom)).round() as i64;
    format!("{bounds}; baseline {} {offset}", thousandths(slope))
}

/// Three decimals, and never a negative zero.
fn thousandths(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0 + 0.0
}

#[cfg(test)]
mod tests {
    use pagemill_domain::recipe::Format;
    use proptest::prelude::*;
    use quick_xml::events::Event;

    use crate::fixtures::{self, written};
    use crate::tools::schema_errors;

    const SCHEMA: &str = "hocr-1.2-as-written.xsd";

    #[test]
    fn pages_blocks_and_tables_become_their_classes() {
        insta::assert_snapshot!(String::from_utf8(written(Format::Hocr, &fixtures::pages())).unwrap());
    }

    #[test]
    fn documents_validate() {
        let mut pages = fixtures::pages();
        pages.push(fixtures::page_of_words(&["\u{0}", "\u{fffe}", "a\tb", "]]>", "\u{202e}"]));
        pages.push(fixtures::page_of_words(&["\u{0}"]));
        let document = String::from_utf8(written(Format::Hocr, &pages)).unwrap();
        assert_eq!(schema_errors(SCHEMA, document.as_bytes()), "");
        for (sound, broken) in [
            ("x_wconf 93", "x_wconf 930"),
            ("id=\"word_1_2\"", "id=\"word_1_1\""),
            ("ocr_pageno", "ocr_page_number"),
        ] {
            assert!(document.contains(sound));
            assert_ne!(schema_errors(SCHEMA, document.replace(sound, broken).as_bytes()), "", "{broken}");
        }
    }

    proptest! {
        #[test]
        fn no_text_breaks_the_markup(text in any::<String>()) {
            let hocr = String::from_utf8(written(Format::Hocr, &[fixtures::page_of_words(&[&text])])).unwrap();
            let mut reader = quick_xml::Reader::from_str(&hocr);
            reader.config_mut().check_end_names = true;
            while !matches!(reader.read_event().unwrap(), Event::Eof) {}
        }
    }
}
