//! The page tree: two levels, so that no array grows beyond what a reader must accept.

use std::io::Write;

use pdf_writer::{Name, Ref};

use super::file::PdfFile;
use crate::document::WriteError;

/// Pages below one node. Arrays have at most 8,191 elements (ISO 19005-1 § 6.1.12), so a file has up to 4 million.
const KIDS_MAX: usize = 512;

/// The page tree of a file that is being written. Full nodes are written at once; 8 bytes a node stay.
pub(super) struct PageTree {
    root: Ref,
    nodes: Vec<Ref>,
    open: Vec<Ref>,
    pages: i32,
}

impl PageTree {
    pub(super) fn new<W: Write>(file: &mut PdfFile<W>) -> Self {
        Self { root: file.allocate(), nodes: Vec::new(), open: Vec::new(), pages: 0 }
    }

    /// The root's number, for the catalog.
    pub(super) const fn root(&self) -> Ref {
        self.root
    }

    /// Numbers of the next page and of its parent.
    pub(super) fn add<W: Write>(&mut self, file: &mut PdfFile<W>) -> Result<(Ref, Ref), WriteError> {
        if self.open.len() == KIDS_MAX {
            self.close_node(file)?;
        }
        let parent = if let (Some(&node), false) = (self.nodes.last(), self.open.is_empty()) {
            node
        } else {
            let node = file.allocate();
            self.nodes.push(node);
            node
        };
        let page = file.allocate();
        self.open.push(page);
        self.pages += 1;
        Ok((page, parent))
    }

    /// Writes the last node and the root.
    pub(super) fn close<W: Write>(&mut self, file: &mut PdfFile<W>) -> Result<(), WriteError> {
        self.close_node(file)?;
        let (nodes, pages) = (std::mem::take(&mut self.nodes), self.pages);
        file.write_object(self.root, |object| {
            let mut dict = object.dict();
            dict.pair(Name(b"Type"), Name(b"Pages"));
            dict.pair(Name(b"Count"), pages);
            dict.insert(Name(b"Kids")).array().items(nodes);
        })
    }

    fn close_node<W: Write>(&mut self, file: &mut PdfFile<W>) -> Result<(), WriteError> {
        let (Some(&node), false) = (self.nodes.last(), self.open.is_empty()) else { return Ok(()) };
        let (root, kids) = (self.root, std::mem::take(&mut self.open));
        file.write_object(node, |object| {
            let mut dict = object.dict();
            dict.pair(Name(b"Type"), Name(b"Pages"));
            dict.pair(Name(b"Parent"), root);
            dict.pair(Name(b"Count"), kids.len() as i32);
            dict.insert(Name(b"Kids")).array().items(kids);
        })
    }
}
