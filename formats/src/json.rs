//! The page texts themselves as JSON: one object, each page on a line of its own.

use std::io::Write;

use pagemill_domain::page::PageState;
use pagemill_domain::page_text::PageText;
use pagemill_domain::recipe::Recipe;
use pagemill_domain::scan::Dpi;
use serde::Serialize;

use crate::document::{DocumentInfo, DocumentPage, DocumentWriter, WriteError};

/// Grows with every change that a reader could stumble over; a new field is none. The schema stands in
/// `docs/formats.md`, and a snapshot test guards it.
const VERSION: u32 = 1;

/// Writes JSON.
pub(crate) struct JsonWriter<W> {
    out: W,
    is_first: bool,
}

#[derive(Serialize)]
struct Page<'a> {
    number: u32,
    state: PageState,
    width: u32,
    height: u32,
    dpi: Dpi,
    text: Option<&'a PageText>,
}

impl<W: Write> JsonWriter<W> {
    pub(crate) fn new(info: &DocumentInfo, recipe: &Recipe, mut out: W) -> Result<Self, WriteError> {
        let title = json(&info.title)?;
        let languages = json(&recipe.languages)?;
        writeln!(
            out,
            r#"{{"format":"pagemill-page-text","version":{VERSION},"title":{title},"languages":{languages},"pages":["#
        )?;
        Ok(Self { out, is_first: true })
    }
}

impl<W: Write> DocumentWriter for JsonWriter<W> {
    fn page(&mut self, page: &DocumentPage<'_>) -> Result<(), WriteError> {
        if !std::mem::replace(&mut self.is_first, false) {
            self.out.write_all(b",\n")?;
        }
        let page = Page {
            number: page.number,
            state: page.state,
            width: page.width,
            height: page.height,
            dpi: page.dpi,
            text: page.text,
        };
        self.out.write_all(json(&page)?.as_bytes())?;
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<(), WriteError> {
        self.out.write_all(b"\n]}\n")?;
        Ok(self.out.flush()?)
    }
}

fn json(value: &impl Serialize) -> Result<String, WriteError> {
    serde_json::to_string(value).map_err(|error| WriteError::Output(error.into()))
}

#[cfg(test)]
mod tests {
    use pagemill_domain::page_text::PageText;
    use pagemill_domain::recipe::Format;
    use serde_json::Value;

    use crate::fixtures::{self, written};

    #[test]
    fn the_schema_is_the_documented_one() {
        let json: Value = serde_json::from_slice(&written(Format::Json, &fixtures::pages())).unwrap();
        insta::assert_snapshot!(serde_json::to_string_pretty(&json).unwrap());
    }

    #[test]
    fn a_page_text_reads_back_as_it_was() {
        let pages = fixtures::pages();
        let json: Value = serde_json::from_slice(&written(Format::Json, &pages)).unwrap();
        let text: PageText = serde_json::from_value(json["pages"][0]["text"].clone()).unwrap();
        assert_eq!(Some(text), pages[0].text);
    }

    #[test]
    fn a_document_without_pages_is_json_too() {
        assert!(serde_json::from_slice::<Value>(&written(Format::Json, &[])).is_ok());
    }
}
