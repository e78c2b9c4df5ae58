//! ALTO 4.4 (<http://www.loc.gov/standards/alto/ns-v4#>): one file a document, a `Page` for each page.

use std::io::Write;

use pagemill_domain::geometry::{Rect, Turn};
use pagemill_domain::page_text::{Block, BlockKind, Cell, Content, Line, PageText, Table};

use crate::characters::{shown, shown_words};
use crate::document::{DocumentInfo, DocumentPage, DocumentWriter, WriteError};
use crate::language::tag;
use crate::xml::Xml;

/// What blocks, cells and words may be. ALTO names such things by tags that are declared before the first page.
const TAGS: &[(&str, &str, &str)] = &[
    ("LayoutTag", "text", "running text"),
    ("LayoutTag", "heading", "title or heading"),
    ("LayoutTag", "header", "running header"),
    ("LayoutTag", "footer", "running footer"),
    ("LayoutTag", "page_number", "page number"),
    ("LayoutTag", "marginal", "note in the margin"),
    ("LayoutTag", "table", "table"),
    ("LayoutTag", "stamp", "stamp or seal"),
    ("LayoutTag", "signature", "signature with name and position"),
    ("LayoutTag", "cell", "table cell"),
    ("LayoutTag", "header_cell", "table cell that heads its row or column"),
    ("OtherTag", "suspect", "word that breaks a rule of its language"),
];

const fn kind_tag(kind: BlockKind) -> &'static str {
    match kind {
        BlockKind::Text => "text",
        BlockKind::Heading => "heading",
        BlockKind::Header => "header",
        BlockKind::Footer => "footer",
        BlockKind::PageNumber => "page_number",
        BlockKind::Marginal => "marginal",
        BlockKind::Table => "table",
        BlockKind::Stamp => "stamp",
        BlockKind::Signature => "signature",
    }
}

/// Writes ALTO. Reading order is the order of the elements.
pub(crate) struct AltoWriter<W> {
    xml: Xml<W>,
    language: String,
}

impl<W: Write> AltoWriter<W> {
    pub(crate) fn new(info: &DocumentInfo, languages: &str, out: W) -> Result<Self, WriteError> {
        let mut xml = Xml::new(out)?;
        xml.open(
            "alto",
            &[
                ("xmlns", "http://www.loc.gov/standards/alto/ns-v4#"),
                ("xmlns:xsi", "http://www.w3.org/2001/XMLSchema-instance"),
                (
                    "xsi:schemaLocation",
                    "http://www.loc.gov/standards/alto/ns-v4# http://www.loc.gov/standards/alto/v4/alto-4-4.xsd",
                ),
                ("SCHEMAVERSION", "4.4"),
            ],
        )?;
        description(&mut xml, &shown(&info.title))?;
        xml.open("Tags", &[])?;
        for (element, id, label) in TAGS {
            xml.empty(element, &[("ID", id), ("LABEL", label)])?;
        }
        xml.close("Tags")?;
        xml.open("Layout", &[])?;
        Ok(Self { xml, language: tag(languages).to_owned() })
    }
}

fn description<W: Write>(xml: &mut Xml<W>, title: &str) -> Result<(), WriteError> {
    xml.open("Description", &[])?;
    xml.text("MeasurementUnit", &[], "pixel")?;
    xml.open("sourceImageInformation", &[])?;
    xml.text("fileName", &[], title)?;
    xml.close("sourceImageInformation")?;
    xml.open("Processing", &[("ID", "recognition")])?;
    xml.text("processingCategory", &[], "contentGeneration")?;
    xml.open("processingSoftware", &[])?;
    xml.text("softwareName", &[], "pagemill")?;
    xml.text("softwareVersion", &[], env!("CARGO_PKG_VERSION"))?;
    xml.close("processingSoftware")?;
    xml.close("Processing")?;
    xml.close("Description")
}

impl<W: Write> DocumentWriter for AltoWriter<W> {
    fn page(&mut self, page: &DocumentPage<'_>) -> Result<(), WriteError> {
        let (id, number) = (format!("page{}", page.number), page.number.to_string());
        let (width, height) = (page.width.to_string(), page.height.to_string());
        let confidence = page.text.and_then(PageText::mean_confidence).map(|mean| hundredths(mean.percent()));
        let mut attributes = vec![
            ("ID", id.as_str()),
            // Free for the writer's own terms: those of the ledger.
            ("PAGECLASS", page.state.name()),
            ("PHYSICAL_IMG_NR", &number),
            ("WIDTH", &width),
            ("HEIGHT", &height),
            ("LANG", &self.language),
        ];
        attributes.extend(confidence.as_deref().map(|confidence| ("PC", confidence)));
        self.xml.open("Page", &attributes)?;
        if let Some(text) = page.text {
            let bounds = text.blocks.iter().fold(Rect::default(), |all, block| all.union(block.bounds));
            element(&mut self.xml, "PrintSpace", bounds, &[], |xml| {
                (text.blocks.iter().zip(1..))
                    .try_for_each(|(block, index)| write_block(xml, block, &format!("{id}_block{index}")))
            })?;
        }
        self.xml.close("Page")
    }

    fn finish(mut self: Box<Self>) -> Result<(), WriteError> {
        self.xml.close("Layout")?;
        self.xml.close("alto")?;
        self.xml.finish()
    }
}

fn write_block<W: Write>(xml: &mut Xml<W>, block: &Block, id: &str) -> Result<(), WriteError> {
    let tag = kind_tag(block.kind);
    match &block.content {
        Content::Paragraphs(paragraphs) => {
            let lines: Vec<&Line> = paragraphs.iter().flat_map(|paragraph| &paragraph.lines).collect();
            text_block(xml, id, tag, block.bounds, &lines)
        }
        Content::Table(table) => {
            let attributes = [("ID", id), ("TAGREFS", tag), ("TYPE", "table")];
            element(xml, "ComposedBlock", block.bounds, &attributes, |xml| write_rows(xml, table, id))
        }
    }
}

/// ALTO has no tables. By common use a table is a `ComposedBlock` of type `table`; its rows are such blocks of type
/// `row`, its cells text blocks.
fn write_rows<W: Write>(xml: &mut Xml<W>, table: &Table, id: &str) -> Result<(), WriteError> {
    for (row, index) in table.cells.chunk_by(|cell, next| cell.row == next.row).zip(1..) {
        let bounds = row.iter().fold(Rect::default(), |all, cell| all.union(cell.bounds));
        let row_id = format!("{id}_row{index}");
        element(xml, "ComposedBlock", bounds, &[("ID", &row_id), ("TYPE", "row")], |xml| {
            row.iter().try_for_each(|cell| {
                let lines: Vec<&Line> = cell.lines.iter().collect();
                let tag = if cell.header { "header_cell" } else { "cell" };
                text_block(xml, &cell_id(id, cell), tag, cell.bounds, &lines)
            })
        })?;
    }
    Ok(())
}

/// Nor has it spans: a cell's ID names its first row and column (from 0) and the rows and columns that it spans, as
/// `…_r0c2_1x3`.
fn cell_id(table: &str, cell: &Cell) -> String {
    format!("{table}_r{}c{}_{}x{}", cell.row, cell.column, cell.row_span, cell.column_span)
}

fn text_block<W: Write>(
    xml: &mut Xml<W>,
    id: &str,
    tag: &str,
    bounds: Rect,
    lines: &[&Line],
) -> Result<(), WriteError> {
    let turn = lines.first().map_or(Turn::None, |line| line.turn);
    let rotation = (360 - turn.degrees()).to_string();
    let mut attributes = vec![("ID", id), ("TAGREFS", tag)];
    if turn != Turn::None && lines.iter().all(|line| line.turn == turn) {
        // Counter-clockwise degrees.
        attributes.push(("ROTATION", &rotation));
    }
    element(xml, "TextBlock", bounds, &attributes, |xml| {
        let shown = lines.iter().filter(|line| shown_words(line).next().is_some());
        (shown.zip(1..)).try_for_each(|(line, index)| text_line(xml, line, &format!("{id}_line{index}")))
    })
}

fn text_line<W: Write>(xml: &mut Xml<W>, line: &Line, id: &str) -> Result<(), WriteError> {
    let (start, end) = (line.baseline.start, line.baseline.end);
    let baseline = format!("{},{} {},{}", start.x, start.y, end.x, end.y);
    element(xml, "TextLine", line.bounds, &[("ID", id), ("BASELINE", &baseline)], |xml| {
        let mut before: Option<Rect> = None;
        for (text, word) in shown_words(line) {
            if let Some(before) = before.replace(word.bounds) {
                space(xml, before, word.bounds)?;
            }
            let confidence = hundredths(word.confidence.percent());
            let mut attributes = vec![("CONTENT", text.as_ref()), ("WC", confidence.as_str())];
            if word.suspect {
                attributes.push(("TAGREFS", "suspect"));
            }
            with_position(word.bounds, &attributes, |attributes| xml.empty("String", attributes))?;
        }
        Ok(())
    })
}

/// The gap between two words, where it lies in a row.
fn space<W: Write>(xml: &mut Xml<W>, before: Rect, after: Rect) -> Result<(), WriteError> {
    if after.left < before.right {
        return xml.empty("SP", &[]);
    }
    let (hpos, vpos, width) =
        (before.right.to_string(), before.top.to_string(), (after.left - before.right).to_string());
    xml.empty("SP", &[("HPOS", &hpos), ("VPOS", &vpos), ("WIDTH", &width)])
}

/// Writes an element that has a place and a content.
fn element<W: Write>(
    xml: &mut Xml<W>,
    name: &str,
    bounds: Rect,
    attributes: &[(&str, &str)],
    content: impl FnOnce(&mut Xml<W>) -> Result<(), WriteError>,
) -> Result<(), WriteError> {
    with_position(bounds, attributes, |attributes| xml.open(name, attributes))?;
    content(xml)?;
    xml.close(name)
}

fn with_position(
    bounds: Rect,
    attributes: &[(&str, &str)],
    write: impl FnOnce(&[(&str, &str)]) -> Result<(), WriteError>,
) -> Result<(), WriteError> {
    let (hpos, vpos) = (bounds.left.to_string(), bounds.top.to_string());
    let (width, height) = (bounds.width().to_string(), bounds.height().to_string());
    let position = [("HPOS", hpos.as_str()), ("VPOS", &vpos), ("WIDTH", &width), ("HEIGHT", &height)];
    write(&[attributes, &position].concat())
}

/// ALTO's confidences run from 0 to 1.
fn hundredths(percent: u8) -> String {
    format!("{}.{:02}", percent / 100, percent % 100)
}

#[cfg(test)]
mod tests {
    use pagemill_domain::recipe::Format;
    use proptest::prelude::*;
    use quick_xml::events::Event;

    use crate::fixtures::{self, written};
    use crate::tools::schema_errors;

    const SCHEMA: &str = "alto-4-as-written.xsd";

    #[test]
    fn pages_blocks_and_tables_become_their_elements() {
        insta::assert_snapshot!(String::from_utf8(written(Format::Alto, &fixtures::pages())).unwrap());
    }

    #[test]
    fn documents_validate() {
        let mut pages = fixtures::pages();
        pages.push(fixtures::page_of_words(&["\u{0}", "\u{fffe}", "a\tb", "]]>", "\u{202e}"]));
        pages.push(fixtures::page_of_words(&["\u{0}"]));
        let document = String::from_utf8(written(Format::Alto, &pages)).unwrap();
        assert_eq!(schema_errors(SCHEMA, document.as_bytes()), "");
        for (sound, broken) in [
            ("WC=\"0.93\"", "WC=\"93\""),
            ("ID=\"page2\"", "ID=\"page1\""),
            ("TAGREFS=\"heading\"", "TAGREFS=\"heeding\""),
        ] {
            assert!(document.contains(sound));
            assert_ne!(schema_errors(SCHEMA, document.replace(sound, broken).as_bytes()), "", "{broken}");
        }
    }

    proptest! {
        #[test]
        fn text_survives_the_markup(text in any::<String>()) {
            let alto = String::from_utf8(written(Format::Alto, &[fixtures::page_of_words(&[&text])])).unwrap();
            let mut reader = quick_xml::Reader::from_str(&alto);
            let mut content = String::new();
            loop {
                match reader.read_event().unwrap() {
                    Event::Empty(element) if element.name().as_ref() == "String" => {
                        content = element.try_get_attribute("CONTENT").unwrap().unwrap().normalized_value(quick_xml::XmlVersion::Implicit1_0).unwrap().into_owned();
                    }
                    Event::Eof => break,
                    _ => {}
                }
            }
            prop_assert_eq!(content, crate::characters::shown(&text));
        }
    }
}
