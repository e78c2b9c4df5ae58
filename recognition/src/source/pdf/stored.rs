//! Where the images of each page are stored, so that a page can be read without the images of the others.

use std::borrow::Cow;
use std::collections::HashSet;

use hayro_interpret::hayro_syntax::Pdf;
use hayro_interpret::hayro_syntax::object::{Dict, MaybeRef, Name, Object, ObjectIdentifier, Stream};
use pagemill_domain::source_map::{ByteRange, union};

use super::PdfFile;
use super::bounds::{DEPTH_MAX, OBJECTS_PER_PAGE_MAX, painted_with, painting_entries};
use super::payload::position;
use crate::source::BULK_BYTES_MIN;

impl PdfFile {
    /// The bulk of each page: the images that it may be painted with. `None` where it can't be told: streams are
    /// encrypted, or their lengths are wrong, so that whoever opens the file has to search all of it.
    pub(crate) fn page_ranges(&self) -> Option<Vec<Vec<ByteRange>>> {
        self.pages.iter().map(|page| page.map_or(Some(Vec::new()), |page| self.images_of(page))).collect()
    }

    fn images_of(&self, page: usize) -> Option<Vec<ByteRange>> {
        let page = self.pdf.pages().get(page)?;
        let mut walk = Walk { pdf: &self.pdf, seen: HashSet::new(), images: Vec::new() };
        painted_with(page).all(|object| walk.object(object, 0)).then(|| union(walk.images))
    }
}

/// What a page reaches. Each object is looked at once a page.
struct Walk<'a> {
    pdf: &'a Pdf,
    seen: HashSet<ObjectIdentifier>,
    images: Vec<ByteRange>,
}

impl<'a> Walk<'a> {
    /// Returns whether all below it can be told.
    fn object(&mut self, object: Object<'a>, depth: usize) -> bool {
        if depth > DEPTH_MAX || self.seen.len() > OBJECTS_PER_PAGE_MAX {
            return false;
        }
        match object {
            Object::Dict(dict) => self.dict(&dict, depth),
            Object::Array(array) => array.raw_iter().all(|entry| self.maybe_ref(entry, depth + 1)),
            Object::Stream(stream) => self.stream(&stream) && self.dict(stream.dict(), depth),
            _ => true,
        }
    }

    fn dict(&mut self, dict: &Dict<'a>, depth: usize) -> bool {
        painting_entries(dict).all(|entry| self.maybe_ref(entry, depth + 1))
    }

    fn maybe_ref(&mut self, object: MaybeRef<Object<'a>>, depth: usize) -> bool {
        match object {
            MaybeRef::NotRef(object) => self.object(object, depth),
            MaybeRef::Ref(reference) => {
                let id = ObjectIdentifier::from(reference);
                !self.seen.insert(id)
                    || self.pdf.xref().get::<Object>(id).is_none_or(|object| self.object(object, depth))
            }
        }
    }

    fn stream(&mut self, stream: &Stream<'a>) -> bool {
        let dict = stream.dict();
        if dict.get::<Name>("Subtype").is_none_or(|subtype| &*subtype != b"Image") {
            return true;
        }
        let Cow::Borrowed(raw) = stream.raw_data() else { return false };
        let Some((offset, length)) = position(self.pdf.data().as_ref(), raw) else { return false };
        if length >= BULK_BYTES_MIN {
            self.images.push(ByteRange { offset, length });
        }
        dict.get::<u32>("Length").map(u64::from) == Some(length)
    }
}
