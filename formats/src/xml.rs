//! XML that streams: elements open and close, nothing is kept but the depth.

use std::io::Write;

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event};

use crate::document::WriteError;

/// Attributes in the order in which they are written. Values are escaped; they must be free of controls
/// ([`crate::characters::shown`]).
pub(crate) type Attributes<'a> = &'a [(&'a str, &'a str)];

/// An XML file that is being written.
pub(crate) struct Xml<W> {
    writer: Writer<W>,
}

impl<W: Write> Xml<W> {
    /// Starts a file with its declaration.
    pub(crate) fn new(out: W) -> Result<Self, WriteError> {
        let mut writer = Writer::new_with_indent(out, b' ', 1);
        writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
        Ok(Self { writer })
    }

    /// Writes a document type declaration.
    pub(crate) fn doctype(&mut self, name: &str) -> Result<(), WriteError> {
        Ok(self.writer.write_event(Event::DocType(BytesText::new(name)))?)
    }

    /// Opens an element that [`Xml::close`] must close.
    pub(crate) fn open(&mut self, name: &str, attributes: Attributes<'_>) -> Result<(), WriteError> {
        let start = BytesStart::new(name).with_attributes(attributes.iter().copied());
        Ok(self.writer.write_event(Event::Start(start))?)
    }

    /// Closes the element that was opened last.
    pub(crate) fn close(&mut self, name: &str) -> Result<(), WriteError> {
        Ok(self.writer.write_event(Event::End(BytesEnd::new(name)))?)
    }

    /// Writes an element without content.
    pub(crate) fn empty(&mut self, name: &str, attributes: Attributes<'_>) -> Result<(), WriteError> {
        let start = BytesStart::new(name).with_attributes(attributes.iter().copied());
        Ok(self.writer.write_event(Event::Empty(start))?)
    }

    /// Writes an element that holds text and nothing else.
    pub(crate) fn text(
        &mut self,
        name: &str,
        attributes: Attributes<'_>,
        text: &str,
    ) -> Result<(), WriteError> {
        self.open(name, attributes)?;
        self.writer.write_event(Event::Text(BytesText::new(text)))?;
        self.close(name)
    }

    /// Ends the file.
    pub(crate) fn finish(mut self) -> Result<(), WriteError> {
        let out = self.writer.get_mut();
        out.write_all(b"\n")?;
        Ok(out.flush()?)
    }
}
